/**
 * COPY and MOVE, with and without UID (RFC 9051 sections 6.4.7 and 6.4.8). All of the messages or none; rights by RFC 4314 section 4.
 * The source is what is selected, the target any mailbox that takes messages: both may belong to other accounts.
 */
import type { CopyAcrossInput } from '../../store/operations/copy-across.ts';
import type { SequenceSet } from '../../wire/imap/cursor.ts';
import { formatSet } from '../../wire/imap/format.ts';
import { missing, NO_RIGHT, rightsNow } from './acl-check.ts';
import { type AppendPlace, appendPlace } from './append-rights.ts';
import { tellScripts } from './events.ts';
import { limited, messageLimit, saveLimit } from './message-limit.ts';
import { ALL_RIGHTS } from './places.ts';
import { positions } from './sequence.ts';
import type { ImapSession } from './session.ts';
import type { MailboxView } from './view.ts';

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
  const target = appendPlace(session, args.name);
  if (typeof target === 'string') return target;
  const refusal = sourceRefusal(session, view, isMove);
  if (refusal !== null) return refusal;
  const { ranges, code: limit } = limited(session, selected, selected.ranges(args.set, isUid), isMove ? messageLimit(session) : saveLimit(session));
  // RFC 9738: COPY is all or nothing, MOVE may be done in parts.
  if (limit !== '' && !isMove) return `NO [${limit}] Too many messages for one COPY`;
  const uids: number[] = [];
  let hasGone = false;
  for (const position of positions(ranges)) {
    const uid = selected.uids[position]!;
    if (view.find(uid) === -1) hasGone = true;
    else uids.push(uid);
  }
  const verb = isMove ? 'MOVE' : 'COPY';
  // RFC 2180 section 4.4: without UIDs the client means exactly these messages.
  if (hasGone && !isUid) return 'NO [EXPUNGEISSUED] Some of the messages no longer exist';
  if (uids.length === 0) return `OK ${verb} completed`;
  const { place } = target;
  return written(session, view, uids, target, isMove).then(({ pairs, uidValidity }) => {
    const from = pairs.map((pair) => pair[0]);
    const to = pairs.map((pair) => pair[1]);
    const code = pairs.length === 0 || !target.tellsUids ? '' : `[COPYUID ${uidValidity} ${formatSet(from)} ${formatSet(to)}] `;
    if (place.row.id === view.mailboxId) view.catchUp();
    // The scripts of an account look into its own mailboxes only.
    if (place.isOwn && view.accountId === place.owner) tellScripts(session, place.row.id, 'COPY', view.mailboxId, to);
    if (!isMove) return `OK ${code}COPY completed`;
    // RFC 6851 section 4.3: the client must learn the new UIDs before the old ones go.
    if (code !== '') session.out.write(`* OK ${code}Moved\r\n`);
    view.applyExpunged(from);
    return limit === '' ? 'OK MOVE completed' : `OK [${limit}] MOVE completed for some`;
  });
}

/** Reading was checked when the mailbox was opened, but may have been taken back; MOVE also deletes (RFC 6851 section 4.4). */
function sourceRefusal(session: ImapSession, view: MailboxView, isMove: boolean): string | null {
  const rights = rightsNow(session, view.accountId, view.mailboxId);
  const isAllowed = rights.includes('r') && (!isMove || (rights.includes('t') && rights.includes('e')));
  return isAllowed ? null : NO_RIGHT;
}

function written(
  session: ImapSession,
  view: MailboxView,
  uids: readonly number[],
  { place, keeps }: AppendPlace,
  isMove: boolean,
): Promise<{ uidValidity: number; pairs: [from: number, to: number][] }> {
  const { writer } = session.context;
  const keepsAll = place.isOwn || place.rights === ALL_RIGHTS || missing(place, 's', 'w', 't') === null;
  if (place.owner === view.accountId && keepsAll) return writer.copy(view.accountId, view.mailboxId, uids, place.row.id, isMove);
  const input: CopyAcrossInput = {
    from: { accountId: view.accountId, mailboxId: view.mailboxId },
    to: { accountId: place.owner, mailboxId: place.row.id },
    uids,
    move: isMove,
    ...keeps,
  };
  return writer.run('message.copyAcross', input);
}
