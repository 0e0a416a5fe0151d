/** Which folders are to be looked at before a command, for mailboxes that are a system user's Maildir or mbox as well. */
import type { MirrorScope } from '../../ports.ts';

/** null: the command tells nothing that another program could have changed. `selected`: the selected mailbox. */
export function scopeOf(verb: string, args: unknown, selected: number | null): MirrorScope | null {
  switch (verb) {
    case 'SELECT':
    case 'EXAMINE':
    case 'STATUS': {
      const { name } = args as { readonly name: string };
      return { kind: 'mailbox', name: name.endsWith('/') ? name.slice(0, -1) : name };
    }
    case 'LIST':
      return (args as { readonly returns: ReadonlySet<string> }).returns.has('STATUS') ? { kind: 'all' } : { kind: 'names' };
    case 'ESEARCH':
    case 'UID ESEARCH': {
      const { sources } = args as { readonly sources: readonly { readonly kind: string }[] };
      return sources.every(({ kind }) => kind === 'selected') ? null : { kind: 'all' };
    }
    // What came into a mailbox goes with it, if it was there before.
    case 'DELETE':
      return { kind: 'mailbox', name: args as string };
    case 'LSUB':
    case 'XLIST':
    case 'CREATE':
    case 'RENAME':
      return { kind: 'names' };
    case 'NOOP':
    case 'CHECK':
    case 'IDLE':
      return selected === null ? null : { kind: 'mailboxes', ids: [selected] };
    default:
      return null;
  }
}
