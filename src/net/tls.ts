/** The TLS layer of an accepted socket. */
import { createHash, X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';

import { type DetailedPeerCertificate, type TlsOptions, TLSSocket, type TLSSocketOptions } from 'node:tls';
import type { PeerCertificate, TlsInfo, TlsProvider } from '../ports.ts';

const EXPORTER_BYTES = 32;
const NO_CONTEXT = Buffer.alloc(0);

/** Why a handshake did not happen. Expected; never a bug. */
export class HandshakeError extends Error {
  readonly kind: 'noCertificate' | 'timeout' | 'failed';
  constructor(kind: HandshakeError['kind'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'HandshakeError';
    this.kind = kind;
  }
}

/**
 * Takes over `socket` as TLS server; resolves once the handshake is done, rejects with HandshakeError (the socket is destroyed then).
 * Bytes in the socket's own buffer are fed to the handshake: whoever upgrades in place must drop clear text before.
 */
export function acceptTls(socket: Socket, provider: TlsProvider, timeoutMs: number, asksClient = false): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const context = provider.context();
    if (context === null) {
      socket.destroy();
      reject(new HandshakeError('noCertificate', 'there is no certificate'));
      return;
    }
    // A certificate nobody vouches for is no reason to hang up: what it is worth, the policy says.
    const options: TlsOptions = { ...provider.options(), ...(asksClient ? { requestCert: true, rejectUnauthorized: false } : {}) };
    const secured = new TLSSocket(socket, { ...options, isServer: true, secureContext: context } as TLSSocketOptions);
    let isSettled = false;
    const settle = (error: HandshakeError | null): void => {
      if (isSettled) return;
      isSettled = true;
      clearTimeout(timer);
      if (error === null) resolve(secured);
      else {
        secured.destroy();
        socket.destroy();
        reject(error);
      }
    };
    const timer = setTimeout(() => settle(new HandshakeError('timeout', 'the TLS handshake took too long')), timeoutMs);
    secured.once('secure', () => settle(null));
    // These stay: an 'error' without a listener would end the thread. What an error means after the handshake, 'close' says.
    secured.on('error', (cause) => settle(new HandshakeError('failed', 'the TLS handshake failed', { cause })));
    secured.on('close', () => settle(new HandshakeError('failed', 'the connection was closed during the TLS handshake')));
  });
}

/** Describes an established TLS socket. Read lazily where it costs: only SCRAM-…-PLUS asks for the exporter. */
export function describeTls(socket: TLSSocket, asksClient = false): TlsInfo {
  const cipher = socket.getCipher();
  const version = socket.getProtocol() ?? 'TLS';
  const servername = (socket as { servername?: string | false }).servername;
  return {
    version,
    cipher: cipher.standardName ?? cipher.name,
    bits: cipherBits(cipher.name),
    ...(asksClient ? { certificate: certificateOf(socket) } : {}),
    servername: typeof servername === 'string' && servername !== '' ? servername : null,
    exporter() {
      // Before TLS 1.3 the exporter binds only with extended master secret (RFC 9266 section 4), which Node does not tell.
      if (version !== 'TLSv1.3' || socket.destroyed) return null;
      return socket.exportKeyingMaterial(EXPORTER_BYTES, 'EXPORTER-Channel-Binding', NO_CONTEXT);
    },
    endPoint() {
      const own = socket.destroyed ? undefined : socket.getX509Certificate();
      return own === undefined ? null : endPointOf(own);
    },
  };
}

/**
 * The hash of our own certificate that RFC 5929 section 4.1 binds to: that of its signature, SHA-256 in place of MD5 and SHA-1; null where the
 * signature names none (Ed25519, PSS).
 */
function endPointOf(certificate: X509Certificate): Uint8Array | null {
  const { signatureAlgorithm } = certificate as { signatureAlgorithm?: string };
  const name = /(?:sha|md)-?(1|5|224|256|384|512)(?![0-9])/i.exec(signatureAlgorithm ?? '');
  if (name === null) return null;
  const bits = name[1] === '1' || name[1] === '5' ? '256' : name[1]!;
  return createHash(`sha${bits}`).update(certificate.raw).digest();
}

function certificateOf(socket: TLSSocket): PeerCertificate | null {
  const certificate = socket.getPeerCertificate() as Partial<DetailedPeerCertificate>;
  if (certificate.raw === undefined) return null;
  return {
    isTrusted: isVerified(socket),
    subject: nameOf(certificate.subject),
    issuer: nameOf(certificate.issuer),
    fingerprint: certificate.fingerprint256 ?? '',
    publicKeyFingerprint: publicKeyFingerprint(certificate.raw),
    names: holderNames(certificate),
  };
}

/** Node writes "email:anna@example.org, DNS:…" and puts in JSON's quotes what could be taken for more than one entry: such a value names nobody. */
export function holderNames(certificate: Pick<Partial<DetailedPeerCertificate>, 'subjectaltname' | 'subject'>): string[] {
  const alternative = certificate.subjectaltname ?? '';
  const addresses: string[] = [];
  for (const [, type, value] of alternative.matchAll(/([A-Za-z0-9 ]+):("(?:[^"\\]|\\.)*"|(?!")[^,]*)(?:, |$)/gy))
    if (type === 'email' && value !== undefined && value !== '' && !value.startsWith('"')) addresses.push(value);
  if (addresses.length > 0) return addresses;
  const subject = certificate.subject as Readonly<Record<string, string | string[] | undefined>> | undefined;
  const own = subject?.['emailAddress'] ?? subject?.['CN'] ?? [];
  return Array.isArray(own) ? own : [own];
}

/** `authorized` is set by `tls.Server` alone; a socket of our own is asked for OpenSSL's verdict, which is null when all is well. */
function isVerified(socket: TLSSocket): boolean {
  const { ssl } = socket as { ssl?: { verifyError?(): Error | null | undefined } | null };
  return typeof ssl?.verifyError === 'function' && (ssl.verifyError() ?? null) === null;
}

/** Of the SubjectPublicKeyInfo, as Postfix and `openssl x509 -pubkey` have it; '' for a kind of key that Node does not know. */
function publicKeyFingerprint(raw: Buffer): string {
  try {
    const key = new X509Certificate(raw).publicKey.export({ type: 'spki', format: 'der' });
    return createHash('sha256')
      .update(key)
      .digest('hex')
      .toUpperCase()
      .replace(/(..)(?=.)/g, '$1:');
  } catch {
    return ''; // It has no fingerprint that a table could hold.
  }
}

/** The common name; without one the whole name in one line. */
function nameOf(name: Readonly<Record<string, string | string[] | undefined>> | undefined): string {
  const common = name?.['CN'];
  if (common !== undefined) return Array.isArray(common) ? common.join(' ') : common;
  return Object.entries(name ?? {})
    .map(([key, value]) => `${key}=${String(value)}`)
    .join(', ');
}

/** Key length by OpenSSL's cipher name. */
function cipherBits(name: string): number {
  if (/AES_?256/.test(name)) return 256;
  if (name.includes('CHACHA20') || name.includes('CAMELLIA256')) return 256;
  return name.includes('3DES') ? 168 : 128;
}
