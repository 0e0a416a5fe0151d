/**
 * The server's side of SCRAM-SHA-1, SCRAM-SHA-256 and their -PLUS (RFC 5802, RFC 7677), with the channel bindings tls-exporter (RFC 9266)
 * and tls-server-end-point (RFC 5929 section 4). Not tls-unique: without the extended master secret it binds to nothing (RFC 9266
 * section 3), and Node does not tell whether that was used.
 */
import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { AuthOutcome, SaslExchange, SaslStep } from '../../ports.ts';
import { MESSAGE_OCTETS_MAX } from './limits.ts';
import { decodeText } from './plain.ts';
import { digest, hmac, KEY_OCTETS, type ScramHash, type ScramSecret } from './scram-secret.ts';
import { saslprep } from './saslprep.ts';

const MALFORMED: SaslStep = { kind: 'malformed' };

/** What is known of the user once the name is: one salt, and the secrets of all credentials made with it. None for a user who does not exist. */
export interface ScramUser {
  readonly salt: Uint8Array;
  readonly iterations: number;
  readonly secrets: readonly { readonly id: number; readonly secret: ScramSecret }[];
}
export interface ScramCallbacks {
  /** null stops the exchange here (locked). Users who do not exist get a salt too. */
  begin(login: string, authzid: string): ScramUser | null;
  /** Called once: with the credential whose proof was right, or null. */
  finish(credentialId: number | null): Promise<AuthOutcome>;
  /** The outcome when begin answered null. */
  refuse(): Promise<AuthOutcome>;
}
export interface ScramChannel {
  /** Whether this exchange is the -PLUS mechanism. */
  readonly isPlus: boolean;
  /** Whether -PLUS was among the mechanisms announced. */
  readonly isPlusOffered: boolean;
  readonly hash: ScramHash;
  /** The bytes of a channel binding by its registered name; null when this connection has no such one. */
  binding(type: string): Uint8Array | null;
}
export const CHANNEL_BINDINGS: readonly string[] = ['tls-exporter', 'tls-server-end-point'];

/** saslname (RFC 5802 section 5.1): "=2C" is a comma and "=3D" an equals sign; null for any other "=". */
export function decodeName(name: string): string | null {
  if (/=(?!2C|3D)/.test(name)) return null;
  return saslprep(name.replace(/=2C/g, ',').replace(/=3D/g, '='));
}

/** `nonce` is the server's part, for tests with published vectors. */
export function scramExchange(channel: ScramChannel, callbacks: ScramCallbacks, nonce: string = randomBytes(18).toString('base64')): SaslExchange {
  const { hash } = channel;
  let state: 'start' | 'asked' | 'final' | 'done' = 'start';
  let gs2Header = '';
  let bindingType: string | null = null;
  let clientFirstBare = '';
  let serverFirst = '';
  let fullNonce = '';
  let user: ScramUser | null = null;

  async function clientFirst(message: string): Promise<SaslStep> {
    // gs2-cbind-flag "," [authzid] "," client-first-message-bare
    const match = /^((p=[A-Za-z0-9.-]{1,64}|n|y),(?:a=([^,]{1,1024}))?,)(n=([^,]{1,1024}),r=([\x21-\x2b\x2d-\x7e]{1,512})(?:,.*)?)$/s.exec(message);
    if (match === null) return MALFORMED; // also for the reserved extension "m=", which we must not ignore
    gs2Header = match[1]!;
    clientFirstBare = match[4]!;
    const flag = match[2]!;
    if (flag.startsWith('p=')) {
      bindingType = flag.slice(2);
      if (!channel.isPlus || !CHANNEL_BINDINGS.includes(bindingType)) return MALFORMED;
    } else if (channel.isPlus) return MALFORMED;
    else if (flag === 'y' && channel.isPlusOffered) {
      // The client saw no -PLUS though we announced it: someone in between took it out of the list (RFC 5802 section 6).
      state = 'done';
      return { kind: 'done', outcome: await callbacks.refuse(), data: null };
    }
    const authzid = match[3] === undefined ? '' : decodeName(match[3]);
    const login = decodeName(match[5]!);
    if (authzid === null || login === null || login === '') return MALFORMED;

    user = callbacks.begin(login, authzid);
    if (user === null) {
      state = 'done';
      return { kind: 'done', outcome: await callbacks.refuse(), data: null };
    }
    fullNonce = match[6]! + nonce;
    serverFirst = `r=${fullNonce},s=${Buffer.from(user.salt).toString('base64')},i=${user.iterations}`;
    state = 'final';
    return { kind: 'challenge', data: Buffer.from(serverFirst) };
  }

  async function clientFinal(message: string): Promise<SaslStep> {
    state = 'done';
    const match = /^(c=([A-Za-z0-9+/=]{1,1024}),r=([\x21-\x2b\x2d-\x7e]{1,1024})(?:,[A-Za-z]=[^,]*)*),p=([A-Za-z0-9+/=]{28,44})$/.exec(message);
    const verified = match === null ? null : verify(match[1]!, match[2]!, match[3]!, match[4]!);
    const outcome = await callbacks.finish(verified?.id ?? null);
    if (match === null && outcome.kind === 'refused') return MALFORMED;
    const signature = outcome.kind === 'ok' && verified !== null ? hmac(verified.secret.serverKey, verified.authMessage, hash) : null;
    return { kind: 'done', outcome, data: signature === null ? null : Buffer.from(`v=${signature.toString('base64')}`) };
  }

  function verify(withoutProof: string, binding: string, nonceBack: string, proofText: string) {
    const expected = [Buffer.from(gs2Header)];
    if (bindingType !== null) {
      const bytes = channel.binding(bindingType);
      if (bytes === null) return null;
      expected.push(Buffer.from(bytes));
    }
    const isSameChannel = Buffer.concat(expected).toString('base64') === binding;
    const proof = Buffer.from(proofText, 'base64');
    if (!isSameChannel || nonceBack !== fullNonce || proof.length !== KEY_OCTETS[hash]) return null;
    const authMessage = `${clientFirstBare},${serverFirst},${withoutProof}`;
    for (const { id, secret } of user!.secrets) {
      const signature = hmac(secret.storedKey, authMessage, hash);
      const clientKey = Buffer.from(proof);
      for (let i = 0; i < clientKey.length; i += 1) clientKey[i] = clientKey[i]! ^ signature[i]!;
      if (timingSafeEqual(digest(clientKey, hash), secret.storedKey)) return { id, secret, authMessage };
    }
    return null;
  }

  return {
    async step(response) {
      if (response === null) {
        if (state !== 'start') return MALFORMED;
        state = 'asked';
        return { kind: 'challenge', data: new Uint8Array(0) };
      }
      const message = response.length > MESSAGE_OCTETS_MAX ? null : decodeText(response);
      if (message === null) return MALFORMED;
      if (state === 'start' || state === 'asked') return clientFirst(message);
      return state === 'final' ? clientFinal(message) : MALFORMED;
    },
  };
}
