/** One milter as the administrator writes it: `unix:/run/opendkim.sock`, `inet:127.0.0.1:11332 default=accept name=rspamd`. */
import { isIP } from 'node:net';

export const DEFAULT_ACTIONS = ['accept', 'reject', 'tempfail', 'quarantine', 'shutdown'] as const;
export type DefaultAction = (typeof DEFAULT_ACTIONS)[number];

export interface MilterSpec {
  /** For log and journey. */
  readonly name: string;
  readonly place: { readonly path: string } | { readonly host: string; readonly port: number; readonly family: 0 | 4 | 6 };
  /** Null where the common setting holds. Times in milliseconds. */
  readonly defaultAction: DefaultAction | null;
  readonly connectTimeoutMs: number | null;
  readonly commandTimeoutMs: number | null;
  readonly contentTimeoutMs: number | null;
  /**
   * Whether a connection may serve several SMTP sessions (SMFIC_QUIT_NC). Only when the administrator says so: milters made with
   * libmilter do not answer the second SMFIC_CONNECT, and OpenDKIM dies of it. Rspamd can.
   */
  readonly isReused: boolean;
}

/** sun_path holds 108 bytes with its end. */
const UNIX_PATH_BYTES_MAX = 107;
const UNITS: ReadonlyMap<string, number> = new Map([
  ['ms', 1],
  ['', 1000],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

/** A sentence when the text is no milter. Postfix's spelling `{ inet:host:port, default_action=accept }` is read as well. */
export function parseMilter(text: string): MilterSpec | string {
  const braces = /^\s*\{(.*)\}\s*$/.exec(text);
  const words = (braces === null ? text : braces[1]!).split(/[\s,]+/).filter((word) => word !== '');
  const place = parsePlace(words[0] ?? '');
  if (typeof place === 'string') return place;
  const spec = {
    name: words[0]!,
    place,
    defaultAction: null as DefaultAction | null,
    connectTimeoutMs: null as number | null,
    commandTimeoutMs: null as number | null,
    contentTimeoutMs: null as number | null,
    isReused: false,
  };
  for (const word of words.slice(1)) {
    const equals = word.indexOf('=');
    const key = word.slice(0, equals).replaceAll('_', '-').toLowerCase();
    const value = word.slice(equals + 1);
    if (equals <= 0 || value === '') return `"${word}" is not an option such as default=accept`;
    switch (key) {
      case 'default':
      case 'default-action':
        if (!(DEFAULT_ACTIONS as readonly string[]).includes(value)) return `default= is one of ${DEFAULT_ACTIONS.join(', ')}`;
        spec.defaultAction = value as DefaultAction;
        break;
      case 'connect-timeout':
      case 'command-timeout':
      case 'content-timeout': {
        const ms = parseTime(value);
        if (ms === null) return `${key}= is a time such as 30s`;
        if (key === 'connect-timeout') spec.connectTimeoutMs = ms;
        else if (key === 'command-timeout') spec.commandTimeoutMs = ms;
        else spec.contentTimeoutMs = ms;
        break;
      }
      case 'name':
        spec.name = value;
        break;
      case 'reuse':
        if (value !== 'yes' && value !== 'no') return 'reuse= is yes or no';
        spec.isReused = value === 'yes';
        break;
      case 'protocol':
        // Postfix names the version here; ours is negotiated, 6 down to 2.
        if (!/^[2-6]$/.test(value)) return 'protocol= is a number from 2 to 6; the version is negotiated';
        break;
      default:
        return `there is no option ${key}=; there are default, connect-timeout, command-timeout, content-timeout, name, reuse`;
    }
  }
  return spec;
}

function parsePlace(text: string): MilterSpec['place'] | string {
  const colon = text.indexOf(':');
  const kind = text.slice(0, colon);
  const rest = text.slice(colon + 1);
  if (kind === 'unix' || kind === 'local') {
    if (!rest.startsWith('/')) return 'after unix: there is the absolute path of a socket';
    return Buffer.byteLength(rest) > UNIX_PATH_BYTES_MAX ? `the path of a socket has at most ${UNIX_PATH_BYTES_MAX} bytes` : { path: rest };
  }
  if (kind !== 'inet' && kind !== 'inet6') return 'begins with unix:, inet: or inet6:, such as unix:/run/milter.sock or inet:127.0.0.1:8891';
  // Sendmail writes inet:port@host, Postfix inet:host:port.
  const match = /^(\d{1,5})@(.+)$/.exec(rest) ?? /^(.+):(\d{1,5})$/.exec(rest);
  if (match === null) return `after ${kind}: there is host:port`;
  const isSendmail = rest.includes('@');
  const port = Number(isSendmail ? match[1] : match[2]);
  const host = (isSendmail ? match[2]! : match[1]!).replace(/^\[(.*)\]$/, '$1');
  if (port < 1 || port > 65_535) return 'the port is from 1 to 65535';
  if (isIP(host) === 0 && !/^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/.test(host)) return `"${host}" is neither an address nor a host name`;
  return { host, port, family: isIP(host) !== 0 ? 0 : kind === 'inet6' ? 6 : 4 };
}

function parseTime(text: string): number | null {
  const match = /^(\d{1,9})([a-z]*)$/.exec(text);
  const unit = match === null ? undefined : UNITS.get(match[2]!);
  const ms = match === null || unit === undefined ? 0 : Number(match[1]) * unit;
  return ms > 0 && ms <= 86_400_000 ? ms : null;
}
