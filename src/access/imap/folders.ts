/** Which folders are to be looked at before a command, for mailboxes that are a system user's Maildir or mbox as well. */
import type { MirrorScope } from '../../ports.ts';
import { findPlace } from './places.ts';
import type { ImapSession } from './session.ts';

/** What other programs changed is taken in before a command that tells of it. null: there is nothing to be waited for. */
export function lookAtFolders(session: ImapSession, verb: string, args: unknown): Promise<void> | null {
  const { account, selected } = session;
  const { mirror } = session.context;
  if (mirror === undefined || account === null) return null;
  const scope = scopeOf(verb, args, selected?.view.mailboxId ?? null);
  if (scope === null) return null;
  if (scope.kind === 'mailboxes') return mirror.refresh(selected!.view.accountId, scope);
  const shared = scope.kind === 'mailbox' ? findPlace(session, scope.name) : null;
  if (shared !== null && !shared.isOwn) return mirror.refresh(shared.owner, { kind: 'mailboxes', ids: [shared.row.id] });
  return mirror.refresh(account.id, scope);
}

/** null: the command tells nothing that another program could have changed. `selected`: the selected mailbox. */
function scopeOf(verb: string, args: unknown, selected: number | null): MirrorScope | null {
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
