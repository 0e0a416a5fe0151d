/**
 * The store's writer for sessions: what it changes in a mirrored mailbox is in the folder too when the promise resolves. The store comes first: what
 * it has committed is kept and reaches the folder later, should that fail now. For other accounts it is the writer itself.
 */
import type { AccountId, MailboxId, MirrorScope, StoreWriter } from '../../ports.ts';
import type { Mirror } from './mirror.ts';

interface Place {
  readonly accountId: AccountId;
  readonly mailboxId: MailboxId;
}

/** Operations of the store by name that change messages of two mailboxes, perhaps of two accounts. */
const BETWEEN_MAILBOXES: ReadonlySet<string> = new Set(['message.copyAcross', 'message.replace']);

export function mirroredWriter(writer: StoreWriter, mirror: Pick<Mirror, 'isMirrored' | 'refresh'>): StoreWriter {
  const pushed = <T>(accountId: AccountId, done: Promise<T>, scope: MirrorScope): Promise<T> =>
    mirror.isMirrored(accountId)
      ? done.then(async (result) => {
          await mirror.refresh(accountId, scope);
          return result;
        })
      : done;
  const messages = (...ids: MailboxId[]): MirrorScope => ({ kind: 'mailboxes', ids });
  const names: MirrorScope = { kind: 'names' };
  return {
    append: (accountId, mailboxId, list) => pushed(accountId, writer.append(accountId, mailboxId, list), messages(mailboxId)),
    // The target first: killed between the two, a moved message is in both folders rather than in none.
    copy: (accountId, from, uids, to, move) =>
      pushed(accountId, writer.copy(accountId, from, uids, to, move), move && from !== to ? messages(to, from) : messages(to)),
    flags: (accountId, mailboxId, ...rest) => pushed(accountId, writer.flags(accountId, mailboxId, ...rest), messages(mailboxId)),
    sweep: (accountId, mailboxId, ...rest) => pushed(accountId, writer.sweep(accountId, mailboxId, ...rest), messages(mailboxId)),
    expunge: (accountId, mailboxId, ...rest) => pushed(accountId, writer.expunge(accountId, mailboxId, ...rest), messages(mailboxId)),
    createMailbox: (accountId, ...rest) => pushed(accountId, writer.createMailbox(accountId, ...rest), names),
    deleteMailbox: (accountId, id) => pushed(accountId, writer.deleteMailbox(accountId, id), names),
    renameMailbox: (accountId, ...rest) => pushed(accountId, writer.renameMailbox(accountId, ...rest), { kind: 'all' }),
    subscribe: (accountId, ...rest) => pushed(accountId, writer.subscribe(accountId, ...rest), names),
    claimRecent: (...rest) => writer.claimRecent(...rest),
    run: <T>(operation: string, input: unknown): Promise<T> => {
      const done = writer.run<T>(operation, input);
      if (!BETWEEN_MAILBOXES.has(operation)) return done;
      const { from, to } = input as { readonly from: Place; readonly to: Place };
      // As with `copy`: the target first.
      if (from.accountId === to.accountId) return pushed(to.accountId, done, messages(to.mailboxId, from.mailboxId));
      return pushed(from.accountId, pushed(to.accountId, done, messages(to.mailboxId)), messages(from.mailboxId));
    },
  };
}
