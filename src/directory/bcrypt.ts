/**
 * bcrypt (Provos and Mazières, "A Future-Adaptable Password Scheme", 1999), for verifying imported hashes only.
 * Pure arithmetic and slow on purpose: call it in the hash worker, not in a protocol loop.
 */

/** Cost 14 takes about two seconds; a hash that asks for more is not verified. */
export const BCRYPT_COST_MAX = 14;
const PASSWORD_OCTETS_MAX = 72;
const P_WORDS = 18;
const S_WORDS = 4 * 256;
const ALPHABET = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789';

/** Blowfish starts from the fraction of pi, 32 bits a word; computing it (Machin's formula) is shorter than a table and cannot have a typing error. */
function fractionOfPi(words: number): Int32Array {
  const guardBits = 64;
  const bits = BigInt(words * 32 + guardBits);
  const one = 1n << bits;
  const arctanOfInverse = (n: bigint): bigint => {
    const square = n * n;
    let power = one / n;
    let sum = power;
    for (let k = 3n, sign = -1n; power > 0n; k += 2n, sign = -sign) {
      power /= square;
      sum += (sign * power) / k;
    }
    return sum;
  };
  const pi = 4n * (4n * arctanOfInverse(5n) - arctanOfInverse(239n));
  const fraction = (pi & (one - 1n)) >> BigInt(guardBits);
  const digits = Buffer.from(fraction.toString(16).padStart(words * 8, '0'), 'hex');
  return Int32Array.from({ length: words }, (_, i) => digits.readInt32BE(i * 4));
}
let initialState: Int32Array | null = null;

class Blowfish {
  readonly p: Int32Array;
  readonly s: Int32Array;
  left = 0;
  right = 0;
  constructor() {
    initialState ??= fractionOfPi(P_WORDS + S_WORDS);
    this.p = initialState.slice(0, P_WORDS);
    this.s = initialState.slice(P_WORDS);
  }

  /** Encrypts the block in `left` and `right` in place. */
  encrypt(): void {
    const { p, s } = this;
    let l = this.left ^ p[0]!;
    let r = this.right;
    for (let i = 1; i <= 16; i += 2) {
      r ^= ((((s[l >>> 24]! + s[256 + ((l >>> 16) & 0xff)]!) ^ s[512 + ((l >>> 8) & 0xff)]!) + s[768 + (l & 0xff)]!) | 0) ^ p[i]!;
      l ^= ((((s[r >>> 24]! + s[256 + ((r >>> 16) & 0xff)]!) ^ s[512 + ((r >>> 8) & 0xff)]!) + s[768 + (r & 0xff)]!) | 0) ^ p[i + 1]!;
    }
    this.left = r ^ p[17]!;
    this.right = l;
  }

  /** ExpandKey; `salt` as four words, or null for the zero salt. */
  expand(key: Int32Array, salt: Int32Array | null): void {
    const { p, s } = this;
    for (let i = 0; i < P_WORDS; i += 1) p[i] = p[i]! ^ key[i]!;
    this.left = 0;
    this.right = 0;
    let at = 0;
    for (const words of [p, s])
      for (let i = 0; i < words.length; i += 2) {
        if (salt !== null) {
          this.left ^= salt[at]!;
          this.right ^= salt[at + 1]!;
          at ^= 2;
        }
        this.encrypt();
        words[i] = this.left;
        words[i + 1] = this.right;
      }
  }
}

/** The bytes repeated without end, as the 18 big-endian words that key expansion needs. */
function cyclicWords(input: Uint8Array, words: number): Int32Array {
  const out = new Int32Array(words);
  for (let i = 0, at = 0; i < words; i += 1) for (let n = 0; n < 4; n += 1, at = (at + 1) % input.length) out[i] = (out[i]! << 8) | input[at]!;
  return out;
}

function encodeBase64(input: Uint8Array): string {
  let text = '';
  for (let i = 0; i < input.length; i += 3) {
    const group = (input[i]! << 16) | ((input[i + 1] ?? 0) << 8) | (input[i + 2] ?? 0);
    const characters = Math.min(4, input.length - i + 1);
    for (let n = 0; n < characters; n += 1) text += ALPHABET[(group >> (18 - 6 * n)) & 63];
  }
  return text;
}
function decodeBase64(text: string, octets: number): Uint8Array {
  const out = new Uint8Array(octets);
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const character of text) {
    bits = ((bits << 6) | ALPHABET.indexOf(character)) & 0xffff;
    held += 6;
    if (held >= 8 && at < octets) out[at++] = (bits >> (held -= 8)) & 0xff;
  }
  return out;
}

/**
 * The hash of `password` under the setting of `stored` ("$2b$12$" and 22 characters of salt), in full text form;
 * null when `stored` is no bcrypt hash or its cost is above BCRYPT_COST_MAX. "$2x$" (a faulty old form) is not known.
 */
export function bcrypt(password: Uint8Array, stored: string): string | null {
  const match = /^(\$2[aby]\$(\d\d)\$)([./A-Za-z0-9]{22})/.exec(stored);
  if (match === null) return null;
  const cost = Number(match[2]);
  if (cost < 4 || cost > BCRYPT_COST_MAX) return null;
  const salt = decodeBase64(match[3]!, 16);

  // The terminating NUL is part of the key; a NUL inside ends it, as in C.
  const end = password.indexOf(0);
  const bytes = new Uint8Array(Math.min((end < 0 ? password.length : end) + 1, PASSWORD_OCTETS_MAX));
  bytes.set(password.subarray(0, Math.min(end < 0 ? password.length : end, bytes.length)));
  const key = cyclicWords(bytes, P_WORDS);
  const saltWords = cyclicWords(salt, 4);
  const saltKey = cyclicWords(salt, P_WORDS);

  const cipher = new Blowfish();
  cipher.expand(key, saltWords);
  for (let round = 0; round < 2 ** cost; round += 1) {
    cipher.expand(key, null);
    cipher.expand(saltKey, null);
  }

  const text = Buffer.from('OrpheanBeholderScryDoubt', 'latin1');
  const out = Buffer.alloc(24);
  for (let at = 0; at < 24; at += 8) {
    cipher.left = text.readInt32BE(at);
    cipher.right = text.readInt32BE(at + 4);
    for (let n = 0; n < 64; n += 1) cipher.encrypt();
    out.writeInt32BE(cipher.left, at);
    out.writeInt32BE(cipher.right, at + 4);
  }
  return match[1]! + match[3]! + encodeBase64(out.subarray(0, 23));
}
