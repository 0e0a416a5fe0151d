/**
 * The Unix crypt(3) forms "$1$" (MD5, as first written for FreeBSD) and "$5$", "$6$" (SHA-crypt, Drepper's
 * specification "Unix crypt using SHA-256 and SHA-512"), for verifying imported hashes only.
 * They hash thousands of times in sequence: call them in the hash worker.
 */
import { hash } from 'node:crypto';

/** SHA-crypt hashes with more rounds than this (about a second) are not verified. */
export const SHA_CRYPT_ROUNDS_MAX = 500_000;
const ITOA64 = './0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

function digest(algorithm: string, parts: readonly Uint8Array[]): Buffer {
  return hash(algorithm, Buffer.concat(parts), 'buffer') as Buffer;
}
/** The first `length` bytes of `block` repeated. */
function repeated(block: Uint8Array, length: number): Buffer {
  const out = Buffer.alloc(length);
  for (let at = 0; at < length; at += block.length) out.set(block.subarray(0, Math.min(block.length, length - at)), at);
  return out;
}
/** `count` characters of six bits, lowest first. */
function itoa64(value: number, count: number): string {
  let text = '';
  for (let n = 0; n < count; n += 1, value >>>= 6) text += ITOA64[value & 63];
  return text;
}

/** The "$1$" hash of `password` with the salt of `stored`, or null when `stored` has another form. */
export function md5Crypt(password: Uint8Array, stored: string): string | null {
  const match = /^\$1\$([^$]{0,8})/.exec(stored);
  if (match === null) return null;
  const salt = Buffer.from(match[1]!);
  const inner = digest('md5', [password, salt, password]);
  const bits: Uint8Array[] = [];
  // The historic oddity: for a set bit of the length a zero byte, for a clear one the password's first byte.
  for (let length = password.length; length > 0; length >>= 1) bits.push((length & 1) === 1 ? Buffer.alloc(1) : password.subarray(0, 1));
  let current = digest('md5', [password, Buffer.from('$1$'), salt, repeated(inner, password.length), ...bits]);
  for (let round = 0; round < 1000; round += 1) {
    const parts: Uint8Array[] = [(round & 1) === 1 ? password : current];
    if (round % 3 !== 0) parts.push(salt);
    if (round % 7 !== 0) parts.push(password);
    parts.push((round & 1) === 1 ? current : password);
    current = digest('md5', parts);
  }
  let text = `$1$${match[1]}$`;
  for (const [a, b, c] of [
    [0, 6, 12],
    [1, 7, 13],
    [2, 8, 14],
    [3, 9, 15],
    [4, 10, 5],
  ] as const)
    text += itoa64((current[a]! << 16) | (current[b]! << 8) | current[c]!, 4);
  return text + itoa64(current[11]!, 2);
}

/** The "$5$" or "$6$" hash of `password` with salt and rounds of `stored`; null when the form is another or asks for too many rounds. */
export function shaCrypt(password: Uint8Array, stored: string): string | null {
  const match = /^\$([56])\$(?:rounds=(\d{1,9})\$)?([^$]{0,16})/.exec(stored);
  if (match === null) return null;
  const rounds = match[2] === undefined ? 5000 : Math.max(1000, Number(match[2]));
  if (rounds > SHA_CRYPT_ROUNDS_MAX) return null;
  const [algorithm, size] = match[1] === '5' ? (['sha256', 32] as const) : (['sha512', 64] as const);
  const salt = Buffer.from(match[3]!);

  const b = digest(algorithm, [password, salt, password]);
  const bits: Uint8Array[] = [];
  for (let length = password.length; length > 0; length >>= 1) bits.push((length & 1) === 1 ? b : password);
  const a = digest(algorithm, [password, salt, repeated(b, password.length), ...bits]);
  const p = repeated(digest(algorithm, Array<Uint8Array>(password.length).fill(password)), password.length);
  const s = repeated(digest(algorithm, Array<Uint8Array>(16 + a[0]!).fill(salt)), salt.length);

  let current = a;
  for (let round = 0; round < rounds; round += 1) {
    const parts: Uint8Array[] = [(round & 1) === 1 ? p : current];
    if (round % 3 !== 0) parts.push(s);
    if (round % 7 !== 0) parts.push(p);
    parts.push((round & 1) === 1 ? current : p);
    current = digest(algorithm, parts);
  }

  // Triples of bytes a third of the digest apart; the lead rotates from one triple to the next.
  let text = `$${match[1]}$${match[2] === undefined ? '' : `rounds=${rounds}$`}${match[3]}$`;
  const third = Math.floor(size / 3);
  const step = size === 32 ? 2 : 1;
  for (let n = 0; n < third; n += 1) {
    const triple = [n, n + third, n + 2 * third];
    const lead = (n * step) % 3;
    text += itoa64((current[triple[lead]!]! << 16) | (current[triple[(lead + 1) % 3]!]! << 8) | current[triple[(lead + 2) % 3]!]!, 4);
  }
  return text + (size === 32 ? itoa64((current[31]! << 8) | current[30]!, 3) : itoa64(current[63]!, 2));
}
