/** Transports with names: `transport.smtp` and `transport.pipe`, one line each, in the manner of master.cf. Pure. */
import { ROUTE_LIMITS } from './limits.ts';

/** Connections of their own settings. null: as the options of `deliver` say. */
export interface SmtpTransport {
  readonly kind: 'smtp';
  readonly name: string;
  readonly protocol: 'smtp' | 'lmtp';
  /** Connections at once to one destination. */
  readonly concurrency: number | null;
  /** Pause between two messages to one destination; 0 for none. */
  readonly rateDelayMs: number | null;
  readonly recipientsMax: number | null;
  readonly messagesMax: number | null;
  readonly port: number | null;
  readonly tls: 'may' | 'encrypt' | 'verify' | 'none' | null;
  readonly tlsCaFile: string | null;
  readonly implicitTls: boolean;
  readonly bindAddress4: string | null;
  readonly bindAddress6: string | null;
  readonly heloName: string | null;
  readonly user: string | null;
  readonly passwordFile: string | null;
  readonly connectTimeoutMs: number | null;
  /** Hosts for when the destination cannot be found or reached; null: `route.fallbackRelay`. */
  readonly fallback: readonly string[] | null;
}

/** A program, as pipe(8) runs it. */
export interface PipeTransport {
  readonly kind: 'pipe';
  readonly name: string;
  readonly user: string;
  /** null: the user's own group. */
  readonly group: string | null;
  readonly directory: string | null;
  /** Letters of "BDFORXhqu.>". */
  readonly flags: string;
  /** With macros still in them; `pipeArguments` expands them. */
  readonly argv: readonly string[];
  /** Larger messages are returned; 0 for no bound. */
  readonly sizeMax: number;
  readonly timeLimitMs: number;
  /** Stands for the null sender in arguments, From_ and Return-Path. */
  readonly nullSender: string;
  /** Line end of what the program reads. */
  readonly eol: string;
  readonly concurrency: number | null;
  readonly rateDelayMs: number | null;
  /** Recipients in one run: 1 with the flags D and O. */
  readonly recipientsMax: number;
}

export type NamedTransport = SmtpTransport | PipeTransport;

/** Names that mean something already. */
export const BUILTIN_TRANSPORTS: ReadonlySet<string> = new Set(['smtp', 'smtps', 'relay', 'lmtp', 'error', 'retry', 'discard', 'local', 'virtual']);
const NAME = /^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$/;
const USER = /^[A-Za-z_][A-Za-z0-9_.-]{0,31}\$?$/;
const PIPE_FLAGS = 'BDFORXhqu.>';
const DEFAULT_TIME_LIMIT_MS = 1000 * 1000; // pipe(8): command_time_limit
const DEFAULT_RECIPIENTS = 50; // default_destination_recipient_limit

/** Macros of pipe(8) in argv. */
export const PIPE_MACROS: ReadonlySet<string> = new Set([
  ...['client_address', 'client_helo', 'client_hostname', 'client_port', 'client_protocol', 'domain', 'extension', 'mailbox', 'nexthop'],
  ...['original_recipient', 'queue_id', 'recipient', 'sasl_method', 'sasl_sender', 'sasl_username', 'sender', 'size', 'user'],
]);

/** Words at white space; what stands in braces is one word without them. A sentence when a brace is missing. */
function words(text: string): string[] | string {
  const found: string[] = [];
  let at = 0;
  while (at < text.length) {
    if (/\s/.test(text[at]!)) {
      at += 1;
      continue;
    }
    let end = at;
    if (text[at] === '{') {
      let depth = 0;
      for (; end < text.length; end += 1) {
        if (text[end] === '{') depth += 1;
        else if (text[end] === '}' && --depth === 0) break;
      }
      if (end === text.length) return 'a closing brace is missing';
      found.push(text.slice(at + 1, end).trim());
      at = end + 1;
      if (at < text.length && !/\s/.test(text[at]!)) return 'there is text right after a closing brace';
      continue;
    }
    while (end < text.length && !/\s/.test(text[end]!)) end += 1;
    found.push(text.slice(at, end));
    at = end;
  }
  return found;
}

function whole(value: string, least: number, most: number): number | null {
  if (!/^\d{1,15}$/.test(value)) return null;
  const number = Number(value);
  return number >= least && number <= most ? number : null;
}

const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
/** "1s", "500ms", "2h"; a number alone means seconds, as in Postfix. Milliseconds, or null. */
export function spanMs(value: string): number | null {
  const match = /^(\d{1,9})(ms|[smhdw])?$/.exec(value);
  return match === null ? null : Number(match[1]) * UNITS[match[2] ?? 's']!;
}

type Fields = { -readonly [K in keyof SmtpTransport]: SmtpTransport[K] };
const text =
  (key: keyof Fields, pattern = /^[\x21-\x7e]+$/) =>
  (value: string, into: Fields): boolean => {
    if (!pattern.test(value)) return false;
    (into as unknown as Record<string, string>)[key] = value;
    return true;
  };
const number =
  (key: keyof Fields, least: number, most: number) =>
  (value: string, into: Fields): boolean => {
    const read = whole(value, least, most);
    if (read === null) return false;
    (into as unknown as Record<string, number>)[key] = read;
    return true;
  };
const span =
  (key: keyof Fields) =>
  (value: string, into: Fields): boolean => {
    const read = spanMs(value);
    if (read === null) return false;
    (into as unknown as Record<string, number>)[key] = read;
    return true;
  };

const SMTP_OPTIONS: ReadonlyMap<string, (value: string, into: Fields) => boolean> = new Map([
  ['protocol', text('protocol', /^(?:smtp|lmtp)$/)],
  ['concurrency', number('concurrency', 1, 10_000)],
  ['rateDelay', span('rateDelayMs')],
  ['recipients', number('recipientsMax', 1, 10_000)],
  ['messages', number('messagesMax', 1, 1_000_000)],
  ['port', number('port', 1, 65_535)],
  ['tls', text('tls', /^(?:may|encrypt|verify|none)$/)],
  ['tlsCaFile', text('tlsCaFile', /^\//)],
  ['bind4', text('bindAddress4', /^\d+\.\d+\.\d+\.\d+$/)],
  ['bind6', text('bindAddress6', /^[0-9a-f:.]+$/i)],
  ['helo', text('heloName', /^[A-Za-z0-9._[\]:-]+$/)],
  ['user', text('user')],
  ['passwordFile', text('passwordFile', /^\//)],
  ['connectTimeout', span('connectTimeoutMs')],
  [
    'implicitTls',
    (value, into) => {
      if (value !== 'yes' && value !== 'no') return false;
      into.implicitTls = value === 'yes';
      return true;
    },
  ],
  [
    'fallback',
    (value, into) => {
      into.fallback = value.split(',').filter((host) => host !== '');
      return into.fallback.length > 0 && into.fallback.length <= ROUTE_LIMITS.destinations;
    },
  ],
]);

/** One line of `transport.smtp`, or a sentence that says what is wrong with it. */
export function parseSmtpTransport(line: string): SmtpTransport | string {
  const [name, ...options] = line.trim().split(/\s+/);
  const wrong = wrongName(name!);
  if (wrong !== undefined) return wrong;
  const made: Fields = {
    ...{ kind: 'smtp', name: name!, protocol: 'smtp', concurrency: null, rateDelayMs: null, recipientsMax: null, messagesMax: null, port: null },
    ...{ tls: null, tlsCaFile: null, implicitTls: false, bindAddress4: null, bindAddress6: null, heloName: null, user: null, passwordFile: null },
    ...{ connectTimeoutMs: null, fallback: null },
  };
  for (const option of options) {
    const equals = option.indexOf('=');
    const set = SMTP_OPTIONS.get(equals === -1 ? option : option.slice(0, equals));
    if (set === undefined || equals === -1) return `"${option}" is no option=value; there are ${[...SMTP_OPTIONS.keys()].join(', ')}`;
    if (!set(option.slice(equals + 1), made)) return `"${option}" has a value that will not do`;
  }
  if (made.user !== null && made.passwordFile === null) return 'user= needs passwordFile= beside it';
  return made;
}

function wrongName(name: string): string | undefined {
  if (!NAME.test(name)) return 'must begin with the name of the transport';
  return BUILTIN_TRANSPORTS.has(name) ? `"${name}" is a transport already` : undefined;
}

/** One line of `transport.pipe`, or a sentence that says what is wrong with it. */
export function parsePipeTransport(line: string): PipeTransport | string {
  const split = words(line);
  if (typeof split === 'string') return split;
  const [name = '', ...rest] = split;
  const wrong = wrongName(name);
  if (wrong !== undefined) return wrong;
  const values = new Map<string, string>();
  let argv: string[] | null = null;
  for (let i = 0; i < rest.length; i += 1) {
    const word = rest[i]!;
    const equals = word.indexOf('=');
    const key = word.slice(0, Math.max(0, equals)).replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    if (key === 'argv') {
      // The last attribute takes all that follows; "argv= /bin/x" has a blank after the sign.
      argv = [...(equals + 1 === word.length ? [] : [word.slice(equals + 1)]), ...rest.slice(i + 1)];
      break;
    }
    if (!PIPE_ATTRIBUTES.has(key)) return `"${word}" is no attribute; there are ${[...PIPE_ATTRIBUTES].join(', ')}, and argv at the end`;
    values.set(key, word.slice(equals + 1));
  }
  return pipeOf(name, values, argv);
}

const PIPE_ATTRIBUTES: ReadonlySet<string> = new Set([
  ...['flags', 'user', 'directory', 'size', 'timeLimit', 'nullSender', 'eol', 'concurrency', 'rateDelay', 'recipients'],
]);

function pipeOf(name: string, values: ReadonlyMap<string, string>, argv: readonly string[] | null): PipeTransport | string {
  if (argv === null || argv.length === 0) return 'argv= with the program must stand at the end';
  if (argv.length > ROUTE_LIMITS.argvWords) return `argv has more than ${ROUTE_LIMITS.argvWords} words`;
  for (const word of argv) {
    const wrong = wrongMacro(word);
    if (wrong !== undefined) return wrong;
  }
  const owner = values.get('user');
  if (owner === undefined) return 'user= is missing: whom is the program to run as?';
  const [user = '', group, more] = owner.split(':');
  if (!USER.test(user) || (group !== undefined && !USER.test(group)) || more !== undefined) return `user=${owner} must be a name, or name:group`;
  if (user === 'root') return 'user=root: programs are never run as root';
  const flags = values.get('flags') ?? '';
  for (const letter of flags) if (!PIPE_FLAGS.includes(letter)) return `flags=${flags}: there is no flag "${letter}"`;
  const directory = values.get('directory');
  if (directory !== undefined && !directory.startsWith('/')) return `directory=${directory} must be a full path`;
  const numbers = new Map<string, number | null>();
  for (const [key, read] of PIPE_NUMBERS) {
    const value = values.get(key);
    const parsed = value === undefined ? null : read(value);
    if (value !== undefined && parsed === null) return `${key}=${value} has a value that will not do`;
    numbers.set(key, parsed);
  }
  const eol = unescaped(values.get('eol') ?? '\\n');
  if (eol === null) return `eol=${values.get('eol')} has an escape sequence that will not do`;
  const isSingle = flags.includes('D') || flags.includes('O');
  if (isSingle && (numbers.get('recipients') ?? 1) > 1) return 'with the flags D and O a program gets one recipient at a time';
  return {
    ...{ kind: 'pipe', name, user, group: group ?? null, flags, argv, eol },
    directory: directory ?? null,
    sizeMax: numbers.get('size') ?? 0,
    timeLimitMs: numbers.get('timeLimit') ?? DEFAULT_TIME_LIMIT_MS,
    nullSender: values.get('nullSender') ?? 'MAILER-DAEMON',
    concurrency: numbers.get('concurrency') ?? null,
    rateDelayMs: numbers.get('rateDelay') ?? null,
    recipientsMax: isSingle ? 1 : (numbers.get('recipients') ?? DEFAULT_RECIPIENTS),
  };
}

const PIPE_NUMBERS: readonly (readonly [string, (value: string) => number | null])[] = [
  ['size', (value) => whole(value, 0, Number.MAX_SAFE_INTEGER)],
  ['timeLimit', (value) => (spanMs(value) === 0 ? null : spanMs(value))],
  ['concurrency', (value) => whole(value, 1, 10_000)],
  ['rateDelay', spanMs],
  ['recipients', (value) => whole(value, 1, 10_000)],
];

/** The forms of a macro in an argument: $$, ${name}, $(name), $name. */
export const PIPE_MACRO = /\$(?:\$|\{([^}]*)\}|\(([^)]*)\)|([A-Za-z0-9_]+))/g;

function wrongMacro(word: string): string | undefined {
  const rest = word.replaceAll(PIPE_MACRO, (whole, braced?: string, parens?: string, plain?: string) => {
    const name = braced ?? parens ?? plain;
    return name === undefined || PIPE_MACROS.has(name) ? '' : whole;
  });
  const at = rest.indexOf('$');
  return at === -1 ? undefined : `"${rest.slice(at)}" in argv is no macro; there are ${[...PIPE_MACROS].join(', ')}, and $$ for a dollar sign`;
}

const ESCAPES: Readonly<Record<string, string>> = { a: '\x07', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', v: '\v', '\\': '\\' };
function unescaped(value: string): string | null {
  let isWrong = false;
  const out = value.replaceAll(/\\([0-7]{1,3}|[^0-7]|$)/g, (_, code: string) => {
    if (/^[0-7]/.test(code)) return String.fromCharCode(Number.parseInt(code, 8) & 0xff);
    const char = ESCAPES[code];
    if (char === undefined) isWrong = true;
    return char ?? '';
  });
  return isWrong ? null : out;
}
