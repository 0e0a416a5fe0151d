/** An accepted connection as the rooms see it. */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Client, Connection, Protocol, TlsInfo, TlsProvider } from '../ports.ts';
import { acceptTls, describeTls } from './tls.ts';

export interface ConnectionInit {
  readonly id: string;
  readonly protocol: Protocol;
  readonly socket: Socket;
  readonly client: Client;
  readonly localAddress: string;
  readonly localPort: number;
  readonly isLoopback: boolean;
  readonly tlsProvider: TlsProvider;
  readonly handshakeTimeoutMs: number;
}

export class SocketConnection implements Connection {
  readonly id: string;
  readonly protocol: Protocol;
  socket: Socket | TLSSocket;
  readonly client: Client;
  readonly localAddress: string;
  readonly localPort: number;
  tls: TlsInfo | null = null;
  readonly isLoopback: boolean;
  readonly #provider: TlsProvider;
  readonly #handshakeTimeoutMs: number;

  constructor(init: ConnectionInit) {
    this.id = init.id;
    this.protocol = init.protocol;
    this.socket = init.socket;
    this.client = init.client;
    this.localAddress = init.localAddress;
    this.localPort = init.localPort;
    this.isLoopback = init.isLoopback;
    this.#provider = init.tlsProvider;
    this.#handshakeTimeoutMs = init.handshakeTimeoutMs;
  }

  /**
   * STARTTLS, STLS: call in the same tick as the write of the go-ahead. The caller's 'data' listener is removed and all clear text not
   * yet read is dropped: whatever was sent before the handshake must never count as sent within TLS (CVE-2011-0411).
   * Afterwards `socket` is another object: attach the listeners again. Rejects with HandshakeError; the socket is closed then.
   */
  async startTls(): Promise<void> {
    const clear = this.socket;
    clear.removeAllListeners('data');
    clear.pause();
    while (clear.read() !== null);
    await this.secure(clear);
  }

  /** Implicit TLS: the handshake begins with the bytes already in the socket's buffer. */
  async secure(clear: Socket): Promise<void> {
    const secured = await acceptTls(clear, this.#provider, this.#handshakeTimeoutMs);
    this.socket = secured;
    this.tls = describeTls(secured);
  }
}
