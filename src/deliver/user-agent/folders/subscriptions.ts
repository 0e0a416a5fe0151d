/** The list of subscribed folders that Dovecot keeps beside them (and Courier's, to begin with), as paths of folders. */
import { statSync } from 'node:fs';
import { FOLDERS_MAX, SUBSCRIPTIONS_BYTES_MAX } from './limits.ts';
import { readSmall, replaceLocked } from './lock-file.ts';
import type { FolderPath } from './types.ts';

export interface SubscriptionsPlace {
  /** Dovecot's. */
  readonly file: string;
  /** Courier's; null: there is none beside folders of this kind. */
  readonly courier: string | null;
  readonly kind: 'maildir' | 'mbox';
}

/** "" for none. */
export function subscriptionsState({ file, courier }: SubscriptionsPlace): string {
  const stat = statSync(file, { throwIfNoEntry: false, bigint: true });
  if (stat !== undefined) return `${stat.ctimeNs}.${stat.size}.${stat.ino}`;
  const other = courier === null ? undefined : statSync(courier, { throwIfNoEntry: false, bigint: true });
  return other === undefined ? '' : `courier.${other.ctimeNs}.${other.size}`;
}

/** null: there is no list. */
export function readSubscriptions(place: SubscriptionsPlace): FolderPath[] | null {
  const own = readSmall(place.file, SUBSCRIPTIONS_BYTES_MAX);
  if (own !== null) return parse(own.toString('utf8'), place.kind);
  const courier = place.courier === null ? null : readSmall(place.courier, SUBSCRIPTIONS_BYTES_MAX);
  if (courier === null) return null;
  // Its names begin with INBOX, whose children they all are.
  return lines(courier.toString('utf8')).flatMap((name) => (name === 'INBOX' ? [''] : name.startsWith('INBOX.') ? [`.${name.slice(6)}`] : []));
}

/** What others wrote stays as it is, in its order. False: the file could not be changed now. */
export function changeSubscriptions(place: SubscriptionsPlace, add: readonly FolderPath[], remove: readonly FolderPath[]): boolean {
  const start = readSubscriptions(place) ?? [];
  const after = replaceLocked(place.file, SUBSCRIPTIONS_BYTES_MAX, (before) => {
    const isSecond = before === '' || before.startsWith(SECOND);
    const going = new Set(remove);
    const present = before === '' ? start : parse(before, place.kind);
    const paths = [...new Set([...present.filter((path) => !going.has(path)), ...add])].slice(0, FOLDERS_MAX);
    return `${isSecond ? `${SECOND}\n` : ''}${paths.map((path) => `${toLine(path, place.kind, isSecond)}\n`).join('')}`;
  });
  return after !== null;
}

/** Dovecot's second version: levels between tabs. The first has the separator of the folders. */
const SECOND = 'V\t2\n';

function parse(text: string, kind: SubscriptionsPlace['kind']): FolderPath[] {
  const isSecond = text.startsWith(SECOND);
  const separator = kind === 'maildir' ? '.' : '/';
  return lines(isSecond ? text.slice(SECOND.length) : text).flatMap((line) => {
    if (line === 'INBOX') return [''];
    const levels = isSecond ? line.split('\t').map(unescaped) : line.split(separator);
    if (levels.some((level) => level === '' || level.includes('/') || level.includes('\0'))) return [];
    return [kind === 'maildir' ? `.${levels.join('.')}` : levels.join('/')];
  });
}

function toLine(path: FolderPath, kind: SubscriptionsPlace['kind'], isSecond: boolean): string {
  if (path === '') return 'INBOX';
  const levels = kind === 'maildir' ? path.slice(1).split('.') : path.split('/');
  return isSecond ? levels.map(escaped).join('\t') : levels.join(kind === 'maildir' ? '.' : '/');
}

const lines = (text: string): string[] => text.split('\n', FOLDERS_MAX).filter((line) => line !== '' && line.length <= 1000);

/** Dovecot's "tab-escaping": 0x01 before a character that stands for another. */
const ESCAPES: readonly (readonly [string, string])[] = [
  ['\x01', '\x011'],
  ['\t', '\x01t'],
  ['\r', '\x01r'],
  ['\n', '\x01n'],
];
const escaped = (level: string): string => ESCAPES.reduce((text, [from, to]) => text.replaceAll(from, to), level);
const unescaped = (level: string): string => level.replace(/\x01(.)/g, (whole, code: string) => ESCAPES.find(([, to]) => to[1] === code)?.[0] ?? whole);
