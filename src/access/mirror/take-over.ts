/** UIDs of the IMAP server that showed these folders before (dovecot-uidlist, courierimapuiddb): clients keep what they have. */
import { LINES_AT_ONCE } from '../../deliver/user-agent/folders/limits.ts';
import { linesOf } from '../../deliver/user-agent/folders/types.ts';
import type { MailboxRow } from '../../ports.ts';
import { breath } from './look.ts';
import { askFolders, type Binding, type Work } from './types.ts';

export interface KnownUids {
  /** Ascending by uid. */
  readonly messages: readonly (readonly [name: string, uid: number])[];
  /** Of messages that are not among them. */
  readonly uidNext: number;
}

/** null: there are none, or the mailbox was known to clients by another UIDVALIDITY before. UIDs that are used already are left out. */
export async function takeOverUids(work: Work, binding: Binding, row: MailboxRow): Promise<KnownUids | null> {
  const { context, accountId, owner } = work;
  const { answer, body } = await askFolders(work, { op: 'uids', path: binding.path });
  if (answer.uids === null) return null;
  const { uidValidity, uidNext } = answer.uids;
  const adopted = await context.writer.run<number>('mirror.adopt', { accountId, owner, mailboxId: binding.mailboxId, uidValidity });
  if (adopted !== uidValidity) return null;
  // After a crash in the middle of the first look, that goes on where it was.
  const next = context.reader.mailboxById(accountId, binding.mailboxId)?.uidNext ?? row.uidNext;
  const messages: [string, number][] = [];
  for (const lines of linesOf(body, LINES_AT_ONCE)) {
    for (const line of lines) {
      const [uid, name] = line.split('\t');
      if (Number(uid) >= next && name !== undefined) messages.push([name, Number(uid)]);
    }
    await breath();
  }
  return { messages, uidNext };
}
