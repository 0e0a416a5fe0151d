/** SCRAM secrets (RFC 5802 section 3, RFC 7677) and their stored form (RFC 5803), for both hashes. */
import { createHmac, hash as hashOf, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { saslprep } from './saslprep.ts';

const pbkdf2Async = promisify(pbkdf2);
export const SCRAM_SALT_OCTETS = 16;
/** Above this a stored form is taken for damaged: clients would refuse or hang. */
const ITERATIONS_MAX = 10_000_000;
/** Two stored forms with a space between. */
const STORED_OCTETS_MAX = 1024;

/** By the name of the mechanism: SCRAM-SHA-256 is the one that is always kept. */
export type ScramHash = 'SHA-256' | 'SHA-1';
const ALGORITHMS = { 'SHA-256': 'sha256', 'SHA-1': 'sha1' } as const;
export const KEY_OCTETS: Readonly<Record<ScramHash, number>> = { 'SHA-256': 32, 'SHA-1': 20 };

export interface ScramSecret {
  readonly hash: ScramHash;
  readonly iterations: number;
  readonly salt: Buffer;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

export const hmac = (key: Uint8Array, text: string, hash: ScramHash = 'SHA-256'): Buffer => createHmac(ALGORITHMS[hash], key).update(text).digest();
export const digest = (bytes: Uint8Array, hash: ScramHash): Buffer => hashOf(ALGORITHMS[hash], bytes, 'buffer') as Buffer;
export const sha256 = (bytes: Uint8Array): Buffer => digest(bytes, 'SHA-256');

/**
 * The stored form of a password's secrets, one for each hash and all with one salt, separated by a space; null when SASLprep forbids the
 * password (it still works with PLAIN). Works outside the event loop.
 */
export async function scramSecret(
  password: string,
  iterations: number,
  salt: Buffer = randomBytes(SCRAM_SALT_OCTETS),
  hashes: readonly ScramHash[] = ['SHA-256'],
): Promise<string | null> {
  const prepared = saslprep(password, true);
  if (prepared === null) return null;
  const forms = hashes.map(async (hash) => {
    const salted = await pbkdf2Async(prepared, salt, iterations, KEY_OCTETS[hash], ALGORITHMS[hash]);
    const storedKey = digest(hmac(salted, 'Client Key', hash), hash);
    return `SCRAM-${hash}$${iterations}:${salt.toString('base64')}$${storedKey.toString('base64')}:${hmac(salted, 'Server Key', hash).toString('base64')}`;
  });
  return (await Promise.all(forms)).join(' ');
}

/** Takes the stored form for one hash apart; null when there is none. */
export function parseScramSecret(stored: string | null, hash: ScramHash = 'SHA-256'): ScramSecret | null {
  if (stored === null || stored.length > STORED_OCTETS_MAX) return null;
  const form = stored.split(' ').find((candidate) => candidate.startsWith(`SCRAM-${hash}$`));
  const match = form === undefined ? null : /^[A-Z0-9-]+\$(\d{1,8}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)$/.exec(form);
  if (match === null) return null;
  const iterations = Number(match[1]);
  const [salt, storedKey, serverKey] = [match[2]!, match[3]!, match[4]!].map((text) => Buffer.from(text, 'base64')) as [Buffer, Buffer, Buffer];
  if (iterations < 1 || iterations > ITERATIONS_MAX || salt.length === 0) return null;
  return storedKey.length === KEY_OCTETS[hash] && serverKey.length === KEY_OCTETS[hash] ? { hash, iterations, salt, storedKey, serverKey } : null;
}
