/** COPY and MOVE, with and without UID (RFC 9051 sections 6.4.7 and 6.4.8). All of the messages or none. */
import type { SequenceSet } from '../../wire/imap/cursor.ts';
import { formatSet } from '../../wire/imap/format.ts';
import { tellScripts } from './events.ts';
import { findName } from './select.ts';
import { positions } from './sequence.ts';
import type { ImapSession } from './session.ts';

interface CopyArguments {
  readonly set: SequenceSet;
  readonly name: string;
}

export function copy(session: ImapSession, args: CopyArguments, isUid: boolean): string | Promise<string> {
  return transfer(session, args, isUid, false);
}

export function move(session: ImapSession, args: CopyArguments, isUid: boolean): string | Promise<string> {
  if (session.selected!.isReadOnly) return 'NO [READ-ONLY] Mailbox is open read-only';
  return transfer(session, args, isUid, true);
}

function transfer(session: ImapSession, args: CopyArguments, isUid: boolean, isMove: boolean): string | Promise<string> {
  const selected = session.selected!;
  const { view } = selected;
  const target = session.context.reader.mailboxByName(view.accountId, findName(session, args.name));
  if (target === null || !target.isSelectable) return 'NO [TRYCREATE] No such mailbox';
  const uids: number[] = [];
  let hasGone = false;
  for (const position of positions(selected.ranges(args.set, isUid))) {
    const uid = selected.uids[position]!;
    if (view.find(uid) === -1) hasGone = true;
    else uids.push(uid);
  }
  const verb = isMove ? 'MOVE' : 'COPY';
  // RFC 2180 section 4.4: without UIDs the client means exactly these messages.
  if (hasGone && !isUid) return 'NO [EXPUNGEISSUED] Some of the messages no longer exist';
  if (uids.length === 0) return `OK ${verb} completed`;
  return session.context.writer.copy(view.accountId, view.mailboxId, uids, target.id, isMove).then((result) => {
    const { pairs } = result;
    const code = pairs.length === 0 ? '' : `[COPYUID ${result.uidValidity} ${formatSet(pairs.map((p) => p[0]))} ${formatSet(pairs.map((p) => p[1]))}] `;
    if (target.id === view.mailboxId) view.catchUp();
    tellScripts(
      session,
      target.id,
      'COPY',
      view.mailboxId,
      pairs.map((p) => p[1]),
    );
    if (!isMove) return `OK ${code}COPY completed`;
    // RFC 6851 section 4.3: the client must learn the new UIDs before the old ones go.
    if (code !== '') session.out.write(`* OK ${code}Moved\r\n`);
    view.applyExpunged(pairs.map((p) => p[0]));
    return 'OK MOVE completed';
  });
}
