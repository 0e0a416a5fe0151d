/** Logging in at a relay host: SCRAM-SHA-256 (RFC 7677), PLAIN (RFC 4616), LOGIN. */
import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';
import type { ReceivedReply } from '../../wire/smtp/reply.ts';
import type { Dialog } from './dialog.ts';
import { words } from './outcome.ts';

export interface Credentials {
  readonly user: string;
  readonly password: string;
}

const ITERATIONS_MAX = 1_000_000; // a hostile server must not keep the thread busy for long

const base64 = (text: string | Uint8Array): string => Buffer.from(text as string).toString('base64');
const plain = (reply: ReceivedReply): string => Buffer.from(reply.lines.join(''), 'base64').toString('utf8');

/** Null when logged in; otherwise a sentence. */
export async function logIn(dialog: Dialog, offered: readonly string[], credentials: Credentials, signal: AbortSignal): Promise<string | null> {
  const { user, password } = credentials;
  if (offered.includes('SCRAM-SHA-256')) return scram(dialog, credentials, signal);
  if (offered.includes('PLAIN')) return verdict(await dialog.ask(`AUTH PLAIN ${base64(`\0${user}\0${password}`)}`, signal));
  if (offered.includes('LOGIN')) {
    const first = await dialog.ask('AUTH LOGIN', signal);
    if (first.code !== 334) return verdict(first);
    const second = await dialog.ask(base64(user), signal);
    if (second.code !== 334) return verdict(second);
    return verdict(await dialog.ask(base64(password), signal));
  }
  return `offers no way to log in that is known here (${offered.join(' ') || 'no AUTH'})`;
}

function verdict(reply: ReceivedReply): string | null {
  return reply.code === 235 ? null : `login refused: ${words(reply)}`;
}

/** RFC 5802 without channel binding. The server proves that it knows the password as well. */
async function scram(dialog: Dialog, credentials: Credentials, signal: AbortSignal): Promise<string | null> {
  const nonce = randomBytes(18).toString('base64');
  const bare = `n=${credentials.user.normalize('NFKC').replace(/=/g, '=3D').replace(/,/g, '=2C')},r=${nonce}`;
  const first = await dialog.ask(`AUTH SCRAM-SHA-256 ${base64(`n,,${bare}`)}`, signal);
  if (first.code !== 334) return verdict(first);
  const challenge = plain(first);
  const fields = new Map(challenge.split(',').map((field) => [field.slice(0, 2), field.slice(2)]));
  const theirs = fields.get('r=') ?? '';
  const iterations = Number(fields.get('i='));
  const salt = Buffer.from(fields.get('s=') ?? '', 'base64');
  if (
    !theirs.startsWith(nonce) ||
    theirs.length <= nonce.length ||
    !Number.isInteger(iterations) ||
    iterations < 1 ||
    iterations > ITERATIONS_MAX ||
    salt.length === 0
  ) {
    await dialog.ask('*', signal);
    return 'login failed: the server sent a malformed SCRAM challenge';
  }
  const salted = pbkdf2Sync(credentials.password.normalize('NFKC'), salt, iterations, 32, 'sha256');
  const mac = (key: Uint8Array, text: string): Buffer => createHmac('sha256', key).update(text).digest();
  const clientKey = mac(salted, 'Client Key');
  const storedKey = createHash('sha256').update(clientKey).digest();
  const without = `c=biws,r=${theirs}`;
  const message = `${bare},${challenge},${without}`;
  const signature = mac(storedKey, message);
  const proof = Buffer.from(clientKey.map((byte, i) => byte ^ signature[i]!));
  let reply = await dialog.ask(base64(`${without},p=${base64(proof)}`), signal);
  const proven = (text: string): boolean => {
    const given = Buffer.from(text.slice(2), 'base64');
    const wanted = mac(mac(salted, 'Server Key'), message);
    return text.startsWith('v=') && given.length === wanted.length && timingSafeEqual(given, wanted);
  };
  if (reply.code === 334) {
    if (!proven(plain(reply))) return 'login failed: the server does not know the password itself';
    reply = await dialog.ask('', signal);
    return verdict(reply);
  }
  return (
    verdict(reply) ??
    (reply.code === 235 && reply.lines[0]?.startsWith('dj0') && !proven(plain(reply)) ? 'login failed: the server does not know the password itself' : null)
  );
}
