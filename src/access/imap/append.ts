/**
 * APPEND (RFC 9051 section 6.3.12), with several messages (RFC 3502) and binary or UTF-8 ones (RFC 3516, RFC 6855). Each
 * message flows into a MessageWriter as it arrives; all of them are stored in one transaction, or none.
 */
import type { MessageWriter, NewMessage } from '../../ports.ts';
import { FAILURES, Failure } from '../../system/failure.ts';
import { SP, scan, TAG_CHAR } from '../../wire/imap/chars.ts';
import { type AppendOptions, appendArguments, appendOptions } from '../../wire/imap/arguments.ts';
import { Cursor, ImapSyntaxError } from '../../wire/imap/cursor.ts';
import type { LiteralMark } from '../../wire/imap/reader.ts';
import { tellScripts } from './events.ts';
import type { ImapSession } from './session.ts';

export class Append {
  readonly tag: string;
  /** 0 while there is a refusal. */
  mailboxId = 0;
  name = '';
  options: AppendOptions | null = null;
  /** Why it cannot be; the rest of the command is read and dropped. */
  refusal: string | null = null;
  /** A message is arriving. */
  isReceiving = false;
  /** Nothing more comes from the client. */
  isComplete = false;
  bytes = 0;
  writer: MessageWriter | null = null;
  readonly messages: NewMessage[] = [];
  readonly writers: MessageWriter[] = [];

  constructor(tag: string) {
    this.tag = tag;
  }

  /** Gives back what was stored for messages that will not be kept. Idempotent. */
  abandon(): void {
    for (const writer of this.writers) writer.abort();
    this.writers.length = 0;
    this.writer = null;
  }

  refuse(text: string): void {
    this.refusal ??= text;
    this.abandon();
  }
}

/** A message is announced: `bytes` is the command up to its literal, or what followed the message before. */
export function beginAppend(session: ImapSession, bytes: Buffer, literal: LiteralMark): void {
  let { append } = session;
  const isFirst = append === null;
  if (append === null) {
    const tagEnd = scan(TAG_CHAR, bytes, 0);
    append = new Append(bytes.toString('latin1', 0, tagEnd) || '*');
    session.beginAppendMode(append);
  }
  if (append.refusal === null) {
    try {
      const refusal = isFirst ? readCommand(session, append, bytes) : readNext(append, bytes);
      if (refusal !== null) append.refuse(refusal);
    } catch (error) {
      if (!(error instanceof ImapSyntaxError)) throw error;
      append.refuse(`BAD ${error.message}`);
    }
  }
  if (append.refusal === null) checkSize(session, append, literal.size);
  if (append.refusal !== null) {
    if (literal.isSynchronising) {
      // The client waits for "+ " and will not send the message.
      session.cancelLiteral();
      finishAppend(session, append, append.refusal);
      return;
    }
    append.isReceiving = true;
    return;
  }
  append.writer = session.context.staging.open();
  append.writers.push(append.writer);
  append.isReceiving = true;
  if (literal.isSynchronising) session.out.write('+ OK\r\n');
}

function readCommand(session: ImapSession, append: Append, bytes: Buffer): string | null {
  if (session.account === null) return 'BAD APPEND needs a login first';
  const tagEnd = scan(TAG_CHAR, bytes, 0);
  if (tagEnd === 0 || bytes[tagEnd] !== SP) return 'BAD A command begins with a tag and a space';
  const cursor = new Cursor(bytes, tagEnd + 1);
  cursor.word();
  const { name, options } = appendArguments(cursor);
  append.options = options;
  append.name = name;
  const mailbox = session.context.reader.mailboxByName(session.account.id, name);
  if (mailbox === null || !mailbox.isSelectable) return 'NO [TRYCREATE] No such mailbox';
  append.mailboxId = mailbox.id;
  return null;
}

function readNext(append: Append, bytes: Buffer): string | null {
  const cursor = new Cursor(bytes);
  if (append.options?.isUtf8) cursor.expect(0x29);
  append.options = appendOptions(cursor);
  return null;
}

function checkSize(session: ImapSession, append: Append, size: number): void {
  const settings = session.context.settings();
  append.bytes += size;
  // RFC 3502 section 6.3.11: an empty message cancels the command.
  if (size === 0) append.refuse('NO APPEND cancelled by an empty message');
  else if (size > settings['imap.appendBytesMax']) append.refuse('NO [TOOBIG] Message is larger than APPENDLIMIT');
  else if (append.messages.length >= settings['imap.appendMessagesMax']) append.refuse('NO [LIMIT] Too many messages in one APPEND');
  else {
    const usage = session.context.reader.usage(session.account!.id);
    const isFull = usage !== null && usage.quotaBytes > 0 && usage.bytes + append.bytes > usage.quotaBytes;
    if (isFull) append.refuse(FAILURES.overQuota.imap);
  }
}

/** A piece of the message. */
export function receiveAppend(session: ImapSession, piece: Buffer): void | Promise<void> {
  return session.append?.writer?.write(piece);
}

/** The message is complete; the rest of the command comes. */
export function nextAppend(session: ImapSession): void | Promise<void> {
  const append = session.append!;
  append.isReceiving = false;
  const { writer, options } = append;
  append.writer = null;
  if (writer === null || options === null) return undefined;
  const staged = writer.finish();
  const keep = (message: NewMessage['message']): void => {
    append.messages.push({
      message,
      flags: options.flags.bits,
      keywords: options.flags.keywords.length === 0 ? null : [...options.flags.keywords].sort().join(' '),
      internalDate: options.internalDate ?? session.context.now(),
    });
  };
  if (staged instanceof Promise) return staged.then(keep);
  keep(staged);
  return undefined;
}

/** The command ends here. */
export function endAppend(session: ImapSession, bytes: Buffer): void | Promise<void> {
  const { append } = session;
  if (append === null) return undefined;
  append.isComplete = true;
  const closing = append.options?.isUtf8 === true ? ')' : '';
  if (append.refusal === null && bytes.toString('latin1').trimEnd() !== closing) append.refuse('BAD End of command expected after the message');
  if (append.refusal !== null) {
    finishAppend(session, append, append.refusal);
    return undefined;
  }
  return store(session, append);
}

async function store(session: ImapSession, append: Append): Promise<void> {
  // From here on the messages are the store's, even if the client goes away: aborting one would take it from under a commit.
  const writers = append.writers.splice(0);
  const { uidValidity, uids } = await session.context.writer.append(session.account!.id, append.mailboxId, append.messages).catch((error: unknown) => {
    // A writer that was lost may have committed: files whose fate is not known are left to the sweep.
    if (error instanceof Failure && error.code !== 'storeBusy') for (const writer of writers) writer.abort();
    throw error;
  });
  const { selected } = session;
  if (selected !== null && selected.view.mailboxId === append.mailboxId) selected.view.catchUp();
  tellScripts(session, append.mailboxId, 'APPEND', null, uids);
  session.context.metrics.count('imap.appended', uids.length);
  finishAppend(session, append, `OK [APPENDUID ${uidValidity} ${uids.length === 1 ? uids[0] : setOf(uids)}] APPEND completed`);
}

/** RFC 3502 section 7: in the order of the messages; ours are ascending. */
function setOf(uids: readonly number[]): string {
  return uids.at(-1)! - uids[0]! === uids.length - 1 ? `${uids[0]}:${uids.at(-1)}` : uids.join(',');
}

export function finishAppend(session: ImapSession, append: Append, text: string): void {
  append.abandon();
  session.endAppendMode();
  session.tagged(append.tag, text, 'all');
}
