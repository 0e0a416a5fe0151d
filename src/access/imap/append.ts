/**
 * APPEND (RFC 9051 section 6.3.12), with several messages (RFC 3502), binary or UTF-8 ones (RFC 3516, RFC 6855) and such that are put
 * together on the server (catenate.ts); REPLACE comes the same way. Each message flows into a MessageWriter as it arrives; all of them
 * are stored in one transaction, or none. What is stored no longer holds up the session: the next APPEND may come meanwhile.
 */
import type { MessageWriter, StagedMessage } from '../../ports.ts';
import { FAILURES } from '../../system/failure.ts';
import { type AppendStep, appendMailbox, replaceTarget } from '../../wire/imap/append.ts';
import { SP, scan, TAG_CHAR } from '../../wire/imap/chars.ts';
import { Cursor, ImapSyntaxError } from '../../wire/imap/cursor.ts';
import { IMAP_LIMITS } from '../../wire/imap/limits.ts';
import type { LiteralMark } from '../../wire/imap/reader.ts';
import { missing, NO_RIGHT, rightsNow } from './acl-check.ts';
import { Append, handOver } from './append-job.ts';
import { appendPlace } from './append-rights.ts';
import { has } from './capability.ts';
import { appendUrl } from './catenate.ts';
import { tellScripts } from './events.ts';
import { saveLimit } from './message-limit.ts';
import { replaced, storeReplacement } from './replace.ts';
import { refusalOf } from './refusal.ts';
import type { ImapSession } from './session.ts';
import { needsUtf8, UTF8_REFUSAL } from './utf8-only.ts';

/** How many times the largest message is read of one that was refused and comes all the same. */
const READ_IN_VAIN = 4;

type Verb = 'APPEND' | 'REPLACE' | 'UID REPLACE';

// ── As bytes come ──

/** A literal is announced: `bytes` is the command up to it, or what followed the literal before. */
export function beginAppend(session: ImapSession, bytes: Buffer, literal: LiteralMark): void | Promise<void> {
  const loading = session.append === null ? (session.selected?.view.loading ?? null) : null;
  if (loading === null || !isReplace(bytes)) return begin(session, bytes, literal);
  // The messages of a large mailbox are still being read: which one is meant cannot be said before.
  const held = Buffer.from(bytes);
  const next = (): void | Promise<void> => (session.isClosed ? undefined : begin(session, held, literal));
  return loading.then(next, next);
}

function begin(session: ImapSession, bytes: Buffer, literal: LiteralMark): void | Promise<void> {
  let { append } = session;
  let steps: AppendStep[] = [];
  try {
    if (append === null) {
      const tagEnd = scan(TAG_CHAR, bytes, 0);
      const cursor = cursorOf(session, bytes, tagEnd + 1);
      append = new Append(bytes.toString('latin1', 0, Math.min(tagEnd, IMAP_LIMITS.tagBytes)) || '*', isReplace(bytes));
      session.beginAppendMode(append);
      if (tagEnd === 0 || tagEnd > IMAP_LIMITS.tagBytes || bytes[tagEnd] !== SP) append.refuse('BAD A command begins with a tag and a space');
      else {
        readHead(session, append, cursor);
        if (append.refusal === null) steps = append.grammar.steps(cursor, true);
      }
    } else if (append.refusal === null) steps = append.grammar.steps(cursorOf(session, bytes), true);
  } catch (error) {
    if (!(error instanceof ImapSyntaxError) || append === null) throw error;
    append.refuse(refusalOf(session, error));
  }
  const current = append;
  const done = perform(session, current, steps, 0, literal.size);
  if (done instanceof Promise) return done.then(() => welcome(session, current, literal));
  welcome(session, current, literal);
  return undefined;
}

/** Takes the literal, or says why not. */
function welcome(session: ImapSession, append: Append, literal: LiteralMark): void {
  if (session.isClosed) return;
  if (append.refusal !== null && literal.isSynchronising) {
    // The client waits for "+ " and will not send it.
    session.input.reader.cancelLiteral();
    finishAppend(session, append, append.refusal);
    return;
  }
  if (append.refusal !== null && literal.size > READ_IN_VAIN * session.context.settings()['imap.appendBytesMax']) {
    // RFC 7888 section 4: or it would have to be read for hours, to be dropped.
    finishAppend(session, append, append.refusal);
    session.bye('Message is too large', 'TOOBIG');
    return;
  }
  append.isReceiving = true;
  if (literal.isSynchronising) session.out.write('+ OK\r\n');
}

/** A piece of the literal. */
export function receiveAppend(session: ImapSession, piece: Buffer): void | Promise<void> {
  const { append } = session;
  if (append === null || append.refusal !== null) return undefined;
  if (append.url === null) return append.writer?.write(piece);
  append.url.push(Buffer.from(piece));
  return undefined;
}

/** The literal is complete; the rest of the command comes. */
export function nextAppend(session: ImapSession): void | Promise<void> {
  const append = session.append!;
  append.isReceiving = false;
  const { url } = append;
  append.url = null;
  if (url === null || append.refusal !== null) return undefined;
  return perform(session, append, [{ kind: 'url', url: Buffer.concat(url).toString('latin1') }], 0, 0);
}

/** The command ends here. */
export function endAppend(session: ImapSession, bytes: Buffer): void | Promise<void> {
  const { append } = session;
  if (append === null) return undefined;
  append.isComplete = true;
  let done: void | Promise<void> | null = null;
  if (append.refusal === null) {
    try {
      done = perform(session, append, append.grammar.steps(cursorOf(session, bytes), false), 0, 0);
    } catch (error) {
      if (!(error instanceof ImapSyntaxError)) throw error;
      append.refuse(`BAD ${error.message}`);
    }
  }
  if (done instanceof Promise) return done.then(() => conclude(session, append));
  return conclude(session, append);
}

/** Answers, and stores what came without holding up the session; the promise is for when too much is being stored already. */
function conclude(session: ImapSession, append: Append): void | Promise<void> {
  if (session.isClosed) return undefined;
  recheckRights(session, append);
  if (append.refusal !== null) {
    finishAppend(session, append, append.refusal);
    return undefined;
  }
  session.endAppendMode();
  if (append.replaces !== null) return storeReplacement(session, append).then((text) => session.answer(append.tag, text, 'all'));
  session.answerLater(append.tag, 'all', storeMessages(session, append));
  return session.isFlightFull ? session.landed : undefined;
}

export function finishAppend(session: ImapSession, append: Append, text: string): void {
  append.abandon();
  session.endAppendMode();
  session.answer(append.tag, text, 'all');
}

// ── As one line ──

/** APPEND and REPLACE without any literal: every part of the message is named by a URL. */
export interface LiteralLess {
  readonly cursor: Cursor;
}

/** The arguments are looked at when the command runs: how they are read depends on the session. */
export function literalLess(cursor: Cursor): LiteralLess {
  const kept = new Cursor(Buffer.from(cursor.bytes), cursor.at);
  kept.isUtf8 = cursor.isUtf8;
  return { cursor: kept };
}

export function appendLine(session: ImapSession, verb: Verb, { cursor }: LiteralLess, tag: string): string | Promise<string> {
  const append = new Append(tag, verb !== 'APPEND');
  readArguments(session, append, verb, cursor);
  if (append.refusal !== null) return append.refusal;
  const steps = append.grammar.steps(cursor, false);
  return Promise.resolve(perform(session, append, steps, 0, 0)).then(() => {
    recheckRights(session, append);
    if (append.refusal === null && !session.isClosed) return append.replaces === null ? storeMessages(session, append) : storeReplacement(session, append);
    append.abandon();
    return append.refusal ?? '';
  });
}

// ── What is to be done ──

function cursorOf({ isUtf8, isRev2 }: ImapSession, bytes: Buffer, at = 0): Cursor {
  const cursor = new Cursor(bytes, at);
  cursor.isUtf8 = isUtf8 || isRev2;
  return cursor;
}

function isReplace(bytes: Buffer): boolean {
  return /^[^ ]{0,64} (?:UID )?REPLACE /i.test(bytes.toString('latin1', 0, 100));
}

function readHead(session: ImapSession, append: Append, cursor: Cursor): void {
  let verb = cursor.word();
  if (verb === 'UID') {
    cursor.sp();
    verb = `UID ${cursor.word()}`;
  }
  if (session.account === null) append.refuse(`BAD ${verb} needs a login first`);
  else if (verb !== 'APPEND' && session.selected === null) append.refuse(`BAD ${verb} needs a selected mailbox`);
  else readArguments(session, append, verb as Verb, cursor);
}

/** The mailbox and, of REPLACE, the message. Sets the target or a refusal. */
function readArguments(session: ImapSession, append: Append, verb: Verb, cursor: Cursor): void {
  let name: string;
  if (verb === 'APPEND') name = appendMailbox(cursor);
  else {
    const { number, name: mailbox } = replaceTarget(cursor);
    name = mailbox;
    const found = replaced(session, number, verb === 'UID REPLACE');
    if (typeof found === 'string') {
      append.refuse(found);
      return;
    }
    append.replaces = found;
  }
  if (needsUtf8(session)) {
    append.refuse(UTF8_REFUSAL);
    return;
  }
  const target = appendPlace(session, name);
  if (typeof target === 'string') append.refuse(target);
  else append.target = target;
}

/** A message may take hours to come: rights on mailboxes of others may have been taken back since it was announced. */
function recheckRights(session: ImapSession, append: Append): void {
  if (append.refusal !== null || session.isClosed) return;
  const { place } = append.target!;
  if (!place.isOwn) {
    const refusal = missing({ ...place, rights: rightsNow(session, place.owner, place.row.id) }, 'i');
    if (refusal !== null) append.refuse(refusal);
  }
  if (append.replaces === null) return;
  const { accountId, mailboxId } = append.replaces.view;
  const rights = rightsNow(session, accountId, mailboxId);
  if (!rights.includes('t') || !rights.includes('e')) append.refuse(NO_RIGHT);
}

/** Does the steps from the one at `from` on, until one is refused. Never rejects: failures are refusals. `literalBytes`: of the literal behind them. */
function perform(session: ImapSession, append: Append, steps: readonly AppendStep[], from: number, literalBytes: number): void | Promise<void> {
  for (let i = from; i < steps.length && append.refusal === null && !session.isClosed; i += 1) {
    let done: void | Promise<void> | null = null;
    try {
      done = step(session, append, steps[i]!, literalBytes);
    } catch (error) {
      append.refuse(refusalOf(session, error));
    }
    if (done instanceof Promise) {
      return done.then(
        () => perform(session, append, steps, i + 1, literalBytes),
        (error) => append.refuse(refusalOf(session, error)),
      );
    }
  }
  // The session ended while a step was under way: what it opened since belongs to nobody.
  if (session.isClosed) append.abandon();
  return undefined;
}

function step(session: ImapSession, append: Append, what: AppendStep, literalBytes: number): void | Promise<void> {
  switch (what.kind) {
    case 'message': {
      append.options = what.options;
      const most = saveLimit(session);
      if (most > 0 && append.messages.length >= most) append.refuse(`NO [MESSAGELIMIT ${most}] Too many messages in one APPEND`);
      if (append.messages.length >= session.context.settings()['imap.appendMessagesMax']) append.refuse('NO [LIMIT] Too many messages in one APPEND');
      return undefined;
    }
    case 'url':
      return copyUrl(session, append, what.url);
    case 'literal':
      beginLiteral(session, append, what.isUrl, literalBytes);
      return undefined;
    default:
      return endMessage(session, append);
  }
}

async function copyUrl(session: ImapSession, append: Append, url: string): Promise<void> {
  if (!has(session, 'CATENATE')) {
    append.refuse('BAD CATENATE is not offered');
    return;
  }
  const writer = openWriter(session, append);
  const before = writer.size;
  const refusal = await appendUrl(session, writer, url, session.context.settings()['imap.appendBytesMax']);
  if (refusal === null) checkRoom(session, append, writer.size - before);
  else append.refuse(refusal);
}

function beginLiteral(session: ImapSession, append: Append, isUrl: boolean, size: number): void {
  if (isUrl) {
    if (size > IMAP_LIMITS.urlBytes) append.refuse('BAD URL is too long');
    else append.url = [];
    return;
  }
  if ((append.writer?.size ?? 0) + size > session.context.settings()['imap.appendBytesMax']) append.refuse('NO [TOOBIG] Message is larger than APPENDLIMIT');
  else checkRoom(session, append, size);
  if (append.refusal === null && size > 0) openWriter(session, append);
}

/** Early, so that nobody sends in vain what the writer would refuse. */
function checkRoom(session: ImapSession, append: Append, size: number): void {
  append.bytes += size;
  // What a message takes that makes room at the same time, only the writer knows.
  if (append.replaces !== null) return;
  const usage = session.context.reader.usage(append.target!.place.owner);
  if (usage !== null && usage.quotaBytes > 0 && usage.bytes + append.bytes > usage.quotaBytes) append.refuse(FAILURES.overQuota.imap);
}

function openWriter(session: ImapSession, append: Append): MessageWriter {
  if (append.writer === null) {
    append.writer = session.context.staging.open();
    append.writers.push(append.writer);
  }
  return append.writer;
}

function endMessage(session: ImapSession, append: Append): void | Promise<void> {
  const { writer } = append;
  append.writer = null;
  // RFC 3502 section 6.3.11: an empty message cancels the command.
  if (writer === null || writer.size === 0) {
    append.refuse('NO APPEND cancelled by an empty message');
    return undefined;
  }
  const { flags, internalDate } = append.options!;
  const { keeps } = append.target!;
  const keep = (message: StagedMessage): void => {
    append.messages.push({
      message,
      flags: flags.bits & keeps.flags,
      keywords: flags.keywords.length === 0 || !keeps.keywords ? null : [...flags.keywords].sort().join(' '),
      internalDate: internalDate ?? session.context.now(),
    });
  };
  const staged = writer.finish();
  if (staged instanceof Promise) return staged.then(keep);
  keep(staged);
  return undefined;
}

async function storeMessages(session: ImapSession, append: Append): Promise<string> {
  const { place, tellsUids } = append.target!;
  const { uidValidity, uids } = await handOver(append, () => session.context.writer.append(place.owner, place.row.id, append.messages));
  const { selected } = session;
  if (selected !== null && selected.view.mailboxId === place.row.id) selected.view.catchUp();
  if (place.isOwn) tellScripts(session, place.row.id, 'APPEND', null, uids);
  session.context.metrics.count('imap.appended', uids.length);
  return `OK ${tellsUids ? `[APPENDUID ${uidValidity} ${setOf(uids)}] ` : ''}APPEND completed`;
}

/** RFC 3502 section 7: in the order of the messages; ours are ascending. */
function setOf(uids: readonly number[]): string {
  if (uids.length === 1) return String(uids[0]);
  return uids.at(-1)! - uids[0]! === uids.length - 1 ? `${uids[0]}:${uids.at(-1)}` : uids.join(',');
}
