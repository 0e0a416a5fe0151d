/** `to` and `cc`: what a destination's text means, and what becomes of the delivery. */
import { parseMailbox } from '../../../mail/address.ts';
import type { Address } from '../../../ports.ts';
import { type ActAnswer, type Action, ask, type Origin } from '../filter.ts';
import { TEMPFAIL } from './errors.ts';
import type { Asking } from './evaluate.ts';
import { MAILDROP_LIMITS } from './limits.ts';
import type { RunState } from './state.ts';
import { fromUnicode, toUnicode } from './values.ts';

export interface Delivery {
  readonly line: number;
  readonly isFinal: boolean;
  /** No statement asked for it: the end of the file was reached. */
  readonly isImplicit: boolean;
}

/**
 * Delivers to "|command", "!addresses", a maildir or an mbox file. Throws MaildropFailure when that fails; `cc` to a program goes on
 * whatever the program says, and EXITCODE has its exit code.
 */
export function* deliver(target: string, delivery: Delivery, state: RunState): Asking<void> {
  let isMbox = false;
  if (target.startsWith('|')) yield* pipe(target.slice(1), delivery, state);
  else if (target.startsWith('!')) yield* forward(target.slice(1), delivery, state);
  else isMbox = yield* store(target, delivery, state);
  if (state.logFile === null) return;
  const bytes = state.message.size + (isMbox ? state.message.mboxQuotes() : 0);
  yield* ask({ kind: 'log', file: state.logFile, text: toUnicode(logEntry(target, bytes, state)) });
}

const base = (delivery: Delivery, state: RunState): { origin: Origin; message: Action['message'] } => ({
  origin: { file: state.file, line: delivery.line },
  message: state.message.version,
});

function* pipe(line: string, delivery: Delivery, state: RunState): Asking<void> {
  const answer = yield* ask({
    kind: 'act',
    action: {
      ...base(delivery, state),
      kind: 'pipe',
      command: { kind: 'shell', line: toUnicode(line), shell: state.shell },
      part: 'both',
      environment: state.environment(),
      waits: true,
      timeoutMs: null,
      lockFile: null,
      isRaw: true,
      umask: state.umask,
    },
  });
  const exit = answer.exit ?? (answer.isDone ? 0 : TEMPFAIL);
  state.variables.set('EXITCODE', String(exit));
  if (exit !== 0 && delivery.isFinal) throw state.failure(delivery.line, answer.problem ?? `the program's exit code is ${exit}`, exit);
}

/** Each address is a redirect of its own; a SENDMAIL of the user's own is run instead. */
function* forward(list: string, delivery: Delivery, state: RunState): Asking<void> {
  const words = list.split(/[\s,]+/).filter((word) => word !== '');
  if (words.length === 0) throw state.failure(delivery.line, 'there is no address to forward to');
  if (words.length > MAILDROP_LIMITS.forwardAddresses)
    throw state.failure(delivery.line, `more than ${MAILDROP_LIMITS.forwardAddresses} addresses to forward to`);
  const sendmail = state.get('SENDMAIL');
  if (sendmail !== state.initialSendmail) {
    yield* pipe([sendmail, '-f', shellWord(state.get('FROM')), ...words.map(shellWord)].join(' '), delivery, state);
    return;
  }
  // All are looked at before the first is sent.
  const addresses: Address[] = [];
  for (const word of words) {
    const address = parseMailbox(toUnicode(unquoted(word))) ?? localAddress(word, state);
    if (address === null) throw state.failure(delivery.line, `"${toUnicode(word)}" is no address`);
    addresses.push(address);
  }
  for (const address of addresses) {
    const answer = yield* ask({ kind: 'act', action: { ...base(delivery, state), kind: 'redirect', address, sender: null, dsn: null } });
    state.variables.set('EXITCODE', answer.isDone ? '0' : String(answer.exit ?? TEMPFAIL));
    if (!answer.isDone && delivery.isFinal) throw failed(answer, delivery, state, `could not be forwarded to "${toUnicode(word(address))}"`);
  }
}

const word = ({ local, domain }: Address): string => fromUnicode(`${local}@${domain}`);

/** A word without "@" is a local address: sendmail completes it with the host's domain. */
function localAddress(text: string, state: RunState): Address | null {
  return text.includes('@') ? null : parseMailbox(`${toUnicode(unquoted(text))}@${state.input.domain}`);
}

/** The shell that maildrop gives its list to takes quotes away. */
function unquoted(text: string): string {
  const match = /^(["'])(.*)\1$|^<(.*)>$/.exec(text);
  return match === null ? text : (match[2] ?? match[3])!;
}

const shellWord = (text: string): string => `'${unquoted(text).replaceAll("'", "'\\''")}'`;

/** Answers whether an mbox file was written, as far as is known. */
function* store(path: string, delivery: Delivery, state: RunState): Asking<boolean> {
  if (path === '' && !delivery.isImplicit) throw state.failure(delivery.line, 'the destination is empty');
  if (path === state.initialDefault || path === '') {
    const kept = yield* ask({ kind: 'act', action: { ...base(delivery, state), kind: 'keep', flags: null, isImplicit: delivery.isImplicit } });
    if (!kept.isDone) throw failed(kept, delivery, state, 'the default mailbox cannot be written');
    return true;
  }
  const file = toUnicode(path);
  const kind = yield* ask({ kind: 'stat', path: file });
  if (kind === 'directory' || kind === 'mh') throw state.failure(delivery.line, `"${file}" is a directory and no maildir`);
  if (kind === null && file.endsWith('/')) throw state.failure(delivery.line, `the maildir "${file}" is missing`);
  const isMaildir = kind === 'maildir';
  const flags = isMaildir ? [...new Set(state.get('FLAGS').match(/[DFRS]/g))].sort().join('') : '';
  const answer = yield* ask({
    kind: 'act',
    action: {
      ...base(delivery, state),
      kind: 'store',
      path: file,
      format: isMaildir ? 'maildir' : 'mbox',
      links: [],
      lockFile: null,
      isRaw: false,
      part: 'both',
      umask: state.umask,
      ...(flags === '' ? {} : { maildirFlags: flags }),
    },
  });
  if (!answer.isDone) throw failed(answer, delivery, state, `"${file}" cannot be written`);
  return !isMaildir;
}

function failed(answer: ActAnswer, delivery: Delivery, state: RunState, sentence: string): Error {
  return state.failure(delivery.line, answer.problem === null ? sentence : `${sentence}: ${answer.problem}`);
}

const DAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** C's asctime, in the zone of the input. */
function asctime(at: number, zoneMinutes: number): string {
  const date = new Date(at + zoneMinutes * 60_000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const clock = [date.getUTCHours(), date.getUTCMinutes(), date.getUTCSeconds()].map(two).join(':');
  return `${DAYS[date.getUTCDay()]} ${MONTHS[date.getUTCMonth()]} ${String(date.getUTCDate()).padStart(2)} ${clock} ${date.getUTCFullYear()}`;
}

/** Columns of a log entry's name and size together. */
const COLUMNS = 72;

/** What `logfile` has of each delivery: when, whose, about what, where to and how many bytes. */
function logEntry(target: string, bytes: number, state: RunState): string {
  const { message, input } = state;
  const size = `(${bytes})`;
  const columns = COLUMNS - size.length;
  return [
    `Date: ${asctime(input.at, input.zoneMinutes)}`,
    `From: ${message.rawField('from')}`,
    `Subj: ${message.rawField('subject')}`,
    `File: ${target.slice(0, columns - 1).padEnd(columns)}${size}`,
    '',
    '',
  ].join('\n');
}
