/** An accepted connection as the rooms see it. */
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Client, Connection, Protocol, TlsInfo, TlsProvider } from '../ports.ts';
import { canonicalIp } from './networks.ts';
import { acceptTls, describeTls } from './tls.ts';

const ASKED: readonly string[] = ['smtp'];

export interface ConnectionInit {
  readonly id: string;
  readonly protocol: Protocol;
  readonly socket: Socket;
  readonly client: Client;
  /** As the PROXY header says; null = ask the socket. */
  readonly local: { readonly address: string; readonly port: number } | null;
  readonly isLoopback: boolean;
  readonly tlsProvider: TlsProvider;
  readonly handshakeTimeoutMs: number;
}

export class SocketConnection implements Connection {
  readonly id: string;
  readonly protocol: Protocol;
  socket: Socket | TLSSocket;
  readonly client: Client;
  tls: TlsInfo | null = null;
  readonly isLoopback: boolean;
  readonly #local: ConnectionInit['local'];
  readonly #provider: TlsProvider;
  readonly #handshakeTimeoutMs: number;

  constructor(init: ConnectionInit) {
    this.id = init.id;
    this.protocol = init.protocol;
    this.socket = init.socket;
    this.client = init.client;
    this.#local = init.local;
    this.isLoopback = init.isLoopback;
    this.#provider = init.tlsProvider;
    this.#handshakeTimeoutMs = init.handshakeTimeoutMs;
  }

  /** Asked for rarely, and a system call each: read from the socket only then. */
  get localAddress(): string {
    return this.#local?.address ?? (canonicalIp(this.socket.localAddress) || '127.0.0.1');
  }

  get localPort(): number {
    return this.#local?.port ?? this.socket.localPort ?? 0;
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
    // Unless told otherwise only on port 25, where servers talk: a mail program would ask its user for a certificate.
    const service = this.protocol.endsWith('s') ? this.protocol.slice(0, -1) : this.protocol;
    const asksClient = this.#provider.asksClients === true && (this.#provider.asksClientsOf ?? ASKED).includes(service);
    const secured = await acceptTls(clear, this.#provider, this.#handshakeTimeoutMs, asksClient);
    this.socket = secured;
    this.tls = describeTls(secured, asksClient);
  }
}
