/**
 * Passwords at rest. New ones are argon2id in PHC form; what other servers left behind is verified as it is
 * (with or without Dovecot's {SCHEME} prefix) until the next login turns it into argon2id.
 */
import { argon2, createHmac, hash, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import { BCRYPT_COST_MAX } from './bcrypt.ts';
import { SHA_CRYPT_ROUNDS_MAX } from './crypt.ts';
import { slowHash } from './hash-pool.ts';
import type { DirectorySettings } from './settings.ts';

/** Longer passwords are refused without hashing: cost grows with length in some forms. */
export const PASSWORD_OCTETS_MAX = 1024;
/** Stored argon2 hashes that ask for more are not verified. */
const ARGON2_MEMORY_KIB_MAX = 1024 * 1024;
const ARGON2_PASSES_MAX = 64;
const ARGON2_LANES_MAX = 16;
/** Rounds of stored PBKDF2 and SCRAM secrets. */
const PBKDF2_ROUNDS_MAX = 2_000_000;
const SALT_OCTETS = 16;
const TAG_OCTETS = 32;

const argon2Async = promisify(argon2);
const pbkdf2Async = promisify(pbkdf2);

export interface Argon2Parameters {
  readonly memoryKiB: number;
  readonly passes: number;
  readonly lanes: number;
}
/** The parameters for new hashes. Memory is at least 8 KiB a lane (RFC 9106 section 3.1). */
export function argon2Parameters(settings: DirectorySettings): Argon2Parameters {
  const lanes = settings['auth.argon2Lanes'];
  return { memoryKiB: Math.max(8 * lanes, Math.floor(settings['auth.argon2Memory'] / 1024)), passes: settings['auth.argon2Passes'], lanes };
}

/** A stored hash taken apart; `verify` kinds are documented at `parseStored`. */
export type Stored =
  | { kind: 'argon2'; variant: 'argon2id' | 'argon2i' | 'argon2d'; parameters: Argon2Parameters; salt: Buffer; tag: Buffer }
  | { kind: 'slow'; text: string }
  | { kind: 'digest'; algorithm: string; salt: Buffer; digest: Buffer }
  /** `isScram`: the digest is SCRAM's StoredKey (RFC 5802 section 3), not the derived key itself. */
  | { kind: 'pbkdf2'; algorithm: 'sha1' | 'sha256'; rounds: number; salt: Buffer; digest: Buffer; isScram: boolean }
  | { kind: 'plain'; password: string };

const DIGESTS: ReadonlyMap<string, readonly [algorithm: string, octets: number, isSalted: boolean]> = new Map([
  ['SSHA', ['sha1', 20, true]],
  ['SHA', ['sha1', 20, false]],
  ['SHA1', ['sha1', 20, false]],
  ['SSHA256', ['sha256', 32, true]],
  ['SHA256', ['sha256', 32, false]],
  ['SSHA512', ['sha512', 64, true]],
  ['SHA512', ['sha512', 64, false]],
  ['SMD5', ['md5', 16, true]],
  ['PLAIN-MD5', ['md5', 16, false]],
  ['LDAP-MD5', ['md5', 16, false]],
]);
const CRYPT_SCHEMES: ReadonlySet<string> = new Set(['CRYPT', 'MD5-CRYPT', 'SHA256-CRYPT', 'SHA512-CRYPT', 'BLF-CRYPT', 'MD5', 'ARGON2ID', 'ARGON2I', 'ARGON2']);
const PLAIN_SCHEMES: ReadonlySet<string> = new Set(['PLAIN', 'CLEAR', 'CLEARTEXT']);

/**
 * Recognises a stored form; null for one that is unknown, damaged, or asks for more work than we allow:
 * `$argon2id$…` (also i and d), `$1$`, `$5$`, `$6$`, `$2a$`/`$2b$`/`$2y$`, a bare MD5 in hex, and `{SCHEME}` before one of these,
 * a base64 (or hex) digest, Dovecot's {PBKDF2} and {SCRAM-SHA-1} or -256, or clear text. The scheme's suffixes `.b64` and `.hex` are understood.
 */
export function parseStored(stored: string): Stored | null {
  if (stored.length > 2048) return null;
  const braced = /^\{([A-Za-z0-9-]{1,20})(?:\.(?:b64|hex|HEX|B64|base64))?\}/.exec(stored);
  if (braced === null) return /^[0-9a-fA-F]{32}$/.test(stored) ? parseDigest('PLAIN-MD5', stored) : parseCrypt(stored);
  const scheme = braced[1]!.toUpperCase();
  const rest = stored.slice(braced[0].length);
  if (PLAIN_SCHEMES.has(scheme)) return { kind: 'plain', password: rest };
  if (CRYPT_SCHEMES.has(scheme)) return parseCrypt(rest);
  if (scheme === 'PBKDF2') return parsePbkdf2(rest);
  if (scheme === 'SCRAM-SHA-1' || scheme === 'SCRAM-SHA-256') return parseScram(scheme === 'SCRAM-SHA-1' ? 'sha1' : 'sha256', rest);
  return parseDigest(scheme, rest);
}

/** $1$salt$rounds$ and 20 octets in hex; the salt is the text as it stands. */
function parsePbkdf2(text: string): Stored | null {
  const match = /^\$1\$([^$]{1,64})\$(\d{1,7})\$([0-9a-fA-F]{40})$/.exec(text);
  if (match === null) return null;
  const rounds = Number(match[2]);
  if (rounds < 1 || rounds > PBKDF2_ROUNDS_MAX) return null;
  return { kind: 'pbkdf2', algorithm: 'sha1', rounds, salt: Buffer.from(match[1]!), digest: Buffer.from(match[3]!, 'hex'), isScram: false };
}

/** Rounds, salt, StoredKey and ServerKey, parted by commas. */
function parseScram(algorithm: 'sha1' | 'sha256', text: string): Stored | null {
  const match = /^(\d{1,7}),([A-Za-z0-9+/]{4,128}={0,2}),([A-Za-z0-9+/]{27,43}=),[A-Za-z0-9+/]{27,43}=$/.exec(text);
  if (match === null) return null;
  const rounds = Number(match[1]);
  const digest = Buffer.from(match[3]!, 'base64');
  if (rounds < 1 || rounds > PBKDF2_ROUNDS_MAX || digest.length !== (algorithm === 'sha1' ? 20 : 32)) return null;
  return { kind: 'pbkdf2', algorithm, rounds, salt: Buffer.from(match[2]!, 'base64'), digest, isScram: true };
}

function parseCrypt(text: string): Stored | null {
  if (/^\$argon2/.test(text)) return parseArgon2(text);
  if (/^\$1\$[^$]{0,8}\$[./0-9A-Za-z]{22}$/.test(text)) return { kind: 'slow', text };
  const sha = /^\$[56]\$(?:rounds=(\d{1,9})\$)?[^$]{0,16}\$[./0-9A-Za-z]{43,86}$/.exec(text);
  if (sha !== null) return sha[1] !== undefined && Number(sha[1]) > SHA_CRYPT_ROUNDS_MAX ? null : { kind: 'slow', text };
  const blowfish = /^\$2[aby]\$(\d\d)\$[./0-9A-Za-z]{53}$/.exec(text);
  if (blowfish !== null) return Number(blowfish[1]) > BCRYPT_COST_MAX ? null : { kind: 'slow', text };
  return null;
}

function parseArgon2(text: string): Stored | null {
  const match = /^\$(argon2(?:id|i|d))\$v=19\$m=(\d{1,8}),t=(\d{1,4}),p=(\d{1,3})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{16,172})$/.exec(text);
  if (match === null) return null;
  const parameters = { memoryKiB: Number(match[2]), passes: Number(match[3]), lanes: Number(match[4]) };
  const { memoryKiB, passes, lanes } = parameters;
  if (lanes < 1 || passes < 1 || memoryKiB < 8 * lanes) return null;
  if (memoryKiB > ARGON2_MEMORY_KIB_MAX || passes > ARGON2_PASSES_MAX || lanes > ARGON2_LANES_MAX) return null;
  return {
    kind: 'argon2',
    variant: match[1] as 'argon2id',
    parameters,
    salt: Buffer.from(match[5]!, 'base64'),
    tag: Buffer.from(match[6]!, 'base64'),
  };
}

function parseDigest(scheme: string, text: string): Stored | null {
  const form = DIGESTS.get(scheme);
  if (form === undefined) return null;
  const [algorithm, octets, isSalted] = form;
  const isHex = text.length >= octets * 2 && text.length % 2 === 0 && /^[0-9a-fA-F]+$/.test(text);
  const bytes = Buffer.from(text, isHex ? 'hex' : 'base64');
  if (isSalted ? bytes.length <= octets : bytes.length !== octets) return null;
  return { kind: 'digest', algorithm, digest: bytes.subarray(0, octets), salt: bytes.subarray(octets) };
}

function argon2Tag(variant: 'argon2id' | 'argon2i' | 'argon2d', password: string, salt: Buffer, p: Argon2Parameters, tagLength: number): Promise<Buffer> {
  return argon2Async(variant, { message: password, nonce: salt, parallelism: p.lanes, memory: p.memoryKiB, passes: p.passes, tagLength });
}

const base64 = (bytes: Buffer): string => bytes.toString('base64').replace(/=+$/, '');

/** The argon2id hash of a password in PHC form. The work is done outside the event loop. */
export async function hashPassword(password: string, parameters: Argon2Parameters): Promise<string> {
  const salt = randomBytes(SALT_OCTETS);
  const tag = await argon2Tag('argon2id', password, salt, parameters, TAG_OCTETS);
  return `$argon2id$v=19$m=${parameters.memoryKiB},t=${parameters.passes},p=${parameters.lanes}$${base64(salt)}$${base64(tag)}`;
}

/**
 * The stored form for a generated secret of at least 96 random bits. Nobody can try that many, so a fast salted digest
 * is as safe as argon2id, and an account with many app passwords answers as quickly as one with none.
 */
export function hashGenerated(secret: string): string {
  const salt = randomBytes(SALT_OCTETS);
  const digest = hash('sha256', Buffer.concat([Buffer.from(secret), salt]), 'buffer') as Buffer;
  return `{SSHA256}${Buffer.concat([digest, salt]).toString('base64')}`;
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && timingSafeEqual(a, b);
}

/** True when the stored form costs so little that it is tried before all others. */
export function isFast(stored: string): boolean {
  const kind = parseStored(stored)?.kind;
  return kind === 'digest' || kind === 'plain';
}

/** Whether `password` is the one that `stored` was made from. False for forms parseStored does not know. Rejects when hashing is impossible now. */
export async function verifyPassword(stored: string, password: string): Promise<boolean> {
  const form = parseStored(stored);
  if (form === null) return false;
  switch (form.kind) {
    case 'argon2':
      return equal(await argon2Tag(form.variant, password, form.salt, form.parameters, form.tag.length), form.tag);
    case 'slow':
      return equal(Buffer.from(await slowHash(password, form.text)), Buffer.from(form.text));
    case 'digest':
      return equal(hash(form.algorithm, Buffer.concat([Buffer.from(password), form.salt]), 'buffer') as Buffer, form.digest);
    case 'pbkdf2': {
      const { algorithm, rounds, salt, digest, isScram } = form;
      const key = await pbkdf2Async(password, salt, rounds, digest.length, algorithm);
      return equal(isScram ? (hash(algorithm, createHmac(algorithm, key).update('Client Key').digest(), 'buffer') as Buffer) : key, digest);
    }
    case 'plain':
      // Digests first: comparing texts of different length would tell the length.
      return equal(hash('sha256', password, 'buffer') as Buffer, hash('sha256', form.password, 'buffer') as Buffer);
  }
}

/** Whether a login should replace the stored form by a new one: not argon2id, or weaker than today's parameters. */
export function needsRehash(stored: string, parameters: Argon2Parameters): boolean {
  const form = parseStored(stored);
  if (form?.kind !== 'argon2' || form.variant !== 'argon2id') return true;
  return form.parameters.memoryKiB < parameters.memoryKiB || form.parameters.passes < parameters.passes;
}
