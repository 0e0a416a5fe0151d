/** The TLS layer of an accepted socket. */
import type { Socket } from 'node:net';
import { type TlsOptions, TLSSocket, type TLSSocketOptions } from 'node:tls';
import type { TlsInfo, TlsProvider } from '../ports.ts';

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
export function acceptTls(socket: Socket, provider: TlsProvider, timeoutMs: number): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const context = provider.context();
    if (context === null) {
      socket.destroy();
      reject(new HandshakeError('noCertificate', 'there is no certificate'));
      return;
    }
    const options: TlsOptions = provider.options() ?? {};
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
export function describeTls(socket: TLSSocket): TlsInfo {
  const cipher = socket.getCipher();
  const version = socket.getProtocol() ?? 'TLS';
  const servername = (socket as { servername?: string | false }).servername;
  return {
    version,
    cipher: cipher.standardName ?? cipher.name,
    bits: cipherBits(cipher.name),
    servername: typeof servername === 'string' && servername !== '' ? servername : null,
    exporter() {
      // Before TLS 1.3 the exporter binds only with extended master secret (RFC 9266 section 4), which Node does not tell.
      if (version !== 'TLSv1.3' || socket.destroyed) return null;
      return socket.exportKeyingMaterial(EXPORTER_BYTES, 'EXPORTER-Channel-Binding', NO_CONTEXT);
    },
  };
}

/** Key length by OpenSSL's cipher name. */
function cipherBits(name: string): number {
  if (/AES_?256/.test(name)) return 256;
  if (name.includes('CHACHA20') || name.includes('CAMELLIA256')) return 256;
  return name.includes('3DES') ? 168 : 128;
}
