/** UIDs that Dovecot or Courier gave to the messages of a maildir: whoever comes from there finds the same ones, and clients keep what they have. */
import { join } from 'node:path';
import { FILES_MAX, UIDS_BYTES_MAX } from './limits.ts';
import { readSmall } from './lock-file.ts';

export interface KnownUids {
  readonly uidValidity: number;
  /** Above all that were given. */
  readonly uidNext: number;
  /** Ascending by uid. */
  readonly messages: readonly (readonly [uid: number, name: string])[];
}

const UID_MAX = 0xfffffffe;

export function readUids(folder: string): KnownUids | null {
  const dovecot = readSmall(join(folder, 'dovecot-uidlist'), UIDS_BYTES_MAX);
  const found = dovecot === null ? null : parseUids(dovecot.toString('utf8'), 'dovecot');
  if (found !== null) return found;
  const courier = readSmall(join(folder, 'courierimapuiddb'), UIDS_BYTES_MAX);
  return courier === null ? null : parseUids(courier.toString('utf8'), 'courier');
}

/**
 * Dovecot: "3 V<validity> N<next> …", then "uid [extensions] :name"; older ones and Courier: "1 validity next", then "uid name". What follows a
 * name's ":2," is not part of it. null: this is no such list. Lines that cannot be are passed over, and so is a second line of a name or uid.
 */
export function parseUids(text: string, format: 'dovecot' | 'courier'): KnownUids | null {
  const headEnd = text.indexOf('\n');
  const head = text.slice(0, headEnd === -1 ? text.length : Math.min(headEnd, 1000)).split(' ');
  const isThird = format === 'dovecot' && head[0] === '3';
  const field = (letter: string): number => Number(head.find((part) => part.startsWith(letter))?.slice(1) ?? Number.NaN);
  const [uidValidity, next] = isThird ? [field('V'), field('N')] : head[0] === '1' ? [Number(head[1]), Number(head[2])] : [Number.NaN, Number.NaN];
  if (!isUid(uidValidity) || !isUid(next)) return null;
  const messages: [number, string][] = [];
  const names = new Set<string>();
  let last = 0;
  for (let at = headEnd + 1; headEnd !== -1 && at < text.length && messages.length < FILES_MAX; ) {
    const lf = text.indexOf('\n', at);
    const line = text.slice(at, lf === -1 ? text.length : lf);
    at = lf === -1 ? text.length : lf + 1;
    const blank = line.indexOf(' ');
    const uid = Number(line.slice(0, blank));
    const start = isThird ? line.indexOf(' :') + 2 : blank + 1;
    if (blank <= 0 || start < 2 || !isUid(uid) || uid <= last) continue;
    const colon = line.indexOf(':', start);
    const name = line.slice(start, colon === -1 ? undefined : colon);
    if (name === '' || name.length > 255 || /[/\t\0]/.test(name) || names.has(name)) continue;
    names.add(name);
    messages.push([uid, name]);
    last = uid;
  }
  return { uidValidity, uidNext: Math.min(UID_MAX, Math.max(next, last + 1)), messages };
}

const isUid = (value: number): boolean => Number.isInteger(value) && value > 0 && value <= UID_MAX;
