/** SCRAM-SHA-256 secrets (RFC 5802 section 3, RFC 7677) and their stored form (RFC 5803). */
import { createHmac, hash, pbkdf2, randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { saslprep } from './saslprep.ts';

const pbkdf2Async = promisify(pbkdf2);
export const SCRAM_SALT_OCTETS = 16;
const KEY_OCTETS = 32;
/** Above this a stored form is taken for damaged: clients would refuse or hang. */
const ITERATIONS_MAX = 10_000_000;

export interface ScramSecret {
  readonly iterations: number;
  readonly salt: Buffer;
  readonly storedKey: Buffer;
  readonly serverKey: Buffer;
}

export const hmac = (key: Uint8Array, text: string): Buffer => createHmac('sha256', key).update(text).digest();
export const sha256 = (bytes: Uint8Array): Buffer => hash('sha256', bytes, 'buffer') as Buffer;

/** The stored form of a password's secret, or null when SASLprep forbids the password (it still works with PLAIN). Works outside the event loop. */
export async function scramSecret(password: string, iterations: number, salt: Buffer = randomBytes(SCRAM_SALT_OCTETS)): Promise<string | null> {
  const prepared = saslprep(password, true);
  if (prepared === null) return null;
  const salted = await pbkdf2Async(prepared, salt, iterations, KEY_OCTETS, 'sha256');
  const storedKey = sha256(hmac(salted, 'Client Key'));
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey.toString('base64')}:${hmac(salted, 'Server Key').toString('base64')}`;
}

/** Takes a stored form apart; null when it is none. */
export function parseScramSecret(stored: string | null): ScramSecret | null {
  if (stored === null || stored.length > 512) return null;
  const match = /^SCRAM-SHA-256\$(\d{1,8}):([A-Za-z0-9+/=]+)\$([A-Za-z0-9+/=]+):([A-Za-z0-9+/=]+)$/.exec(stored);
  if (match === null) return null;
  const iterations = Number(match[1]);
  const [salt, storedKey, serverKey] = [match[2]!, match[3]!, match[4]!].map((text) => Buffer.from(text, 'base64')) as [Buffer, Buffer, Buffer];
  if (iterations < 1 || iterations > ITERATIONS_MAX || salt.length === 0) return null;
  return storedKey.length === KEY_OCTETS && serverKey.length === KEY_OCTETS ? { iterations, salt, storedKey, serverKey } : null;
}
