/** Listeners: accept, read the PROXY header, count, speak TLS where it is implicit, then hand the connection to its protocol. */
import { randomBytes } from 'node:crypto';
import { existsSync, lstatSync, unlinkSync } from 'node:fs';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import type { Client, Log, Metrics, Protocol, Session, SessionFactory, TlsProvider } from '../ports.ts';
import { formatListenAddress, isIp6Only, type ListenAddress, parseListenAddress } from './address.ts';
import { SocketConnection } from './connection.ts';
import { type Admission, ConnectionCounts, GROUP } from './counts.ts';
import { canonicalIp, isLoopbackIp, networksOf } from './networks.ts';
import { PROXY_HEADER_BYTES_MAX, PROXY_TIMEOUT_MS, type ProxyAddresses, parseProxyHeader } from './proxy.ts';
import type { NetSettings } from './settings.ts';
import { HandshakeError } from './tls.ts';

export interface NetContext {
  readonly tls: TlsProvider;
  settings(): NetSettings;
  readonly log: Log;
  readonly metrics: Metrics;
  /** Share one object between the listeners of a thread so that limits span them; without it each listener counts for itself. */
  readonly counts?: ConnectionCounts;
}

export interface Listener {
  /** As bound: "127.0.0.1:40123" with the port the system chose, "unix:/path". */
  readonly addresses: readonly string[];
  /** Connections open now, those in handshake included. */
  readonly connections: number;
  /** Stops accepting. */
  stop(): Promise<void>;
  /** Stops accepting, asks every session to finish, closes what is still open after `deadlineMs`; resolves when all are closed. */
  drain(deadlineMs: number): Promise<void>;
}

/** What a client hears when there is no room for it. */
const NO_ROOM: Readonly<Record<string, string>> = {
  smtp: '421 4.7.0 Too many connections, try again later\r\n',
  submission: '421 4.7.0 Too many connections, try again later\r\n',
  lmtp: '421 4.3.2 Too many connections, try again later\r\n',
  imap: '* BYE [UNAVAILABLE] Too many connections, try again later\r\n',
  pop3: '-ERR [SYS/TEMP] Too many connections, try again later\r\n',
  sieve: 'BYE (TRYLATER) "Too many connections, try again later"\r\n',
};

/** Rejects with an Error that names the address when one cannot be bound; nothing stays bound then. */
export async function listen(
  addresses: readonly string[],
  protocol: Protocol,
  implicitTls: boolean,
  context: NetContext,
  factory: SessionFactory,
  opts: { readonly reusePort: boolean },
): Promise<Listener> {
  const listener = new SocketListener(protocol, implicitTls, context, factory);
  try {
    for (const text of addresses) await listener.bind(text, addresses, opts.reusePort);
  } catch (error) {
    await listener.stop();
    throw error;
  }
  return listener;
}

interface Open {
  readonly socket: Socket;
  session: Session | null;
}

class SocketListener implements Listener {
  readonly addresses: string[] = [];
  readonly #protocol: Protocol;
  readonly #implicitTls: boolean;
  readonly #context: NetContext;
  readonly #counts: ConnectionCounts;
  readonly #factory: SessionFactory;
  readonly #servers: Server[] = [];
  readonly #open = new Set<Open>();
  /** Ids are unique among threads and starts: eight random characters, then a number. */
  readonly #idPrefix = randomBytes(5).toString('hex').slice(0, 8);
  #accepted = 0;
  #whenEmpty: (() => void) | null = null;

  constructor(protocol: Protocol, implicitTls: boolean, context: NetContext, factory: SessionFactory) {
    this.#protocol = protocol;
    this.#implicitTls = implicitTls;
    this.#context = context;
    this.#counts = context.counts ?? new ConnectionCounts();
    this.#factory = factory;
  }

  get connections(): number {
    return this.#open.size;
  }

  async bind(text: string, all: readonly string[], reusePort: boolean): Promise<void> {
    const address = parseListenAddress(text);
    if (address === null) throw new Error(`Cannot listen on "${text}" for ${this.#protocol}: this is no address with a port, such as 127.0.0.1:2525.`);
    if (address.kind === 'unix') await removeStaleSocket(address.path, this.#protocol);
    const server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause: NodeJS.ErrnoException) => reject(new Error(whyNot(text, this.#protocol, cause), { cause })));
      const backlog = this.#context.settings()['net.backlog'];
      // Whoever may pass through to the socket may deliver (as with the sendmail command): the other mail server is another user.
      const isOpen = this.#protocol === 'lmtp';
      if (address.kind === 'unix') server.listen({ path: address.path, backlog, readableAll: isOpen, writableAll: isOpen }, resolve);
      else server.listen({ host: address.host, port: address.port, backlog, reusePort, ipv6Only: isIp6Only(address, all) }, resolve);
    });
    // Accepting can fail later too (EMFILE): the server goes on, the administrator hears of it.
    server.on('error', (cause) => this.#context.log.error('net.accept.failed', { protocol: this.#protocol, address: text, cause: String(cause) }));
    this.#servers.push(server);
    this.addresses.push(boundAddress(server, address));
  }

  async stop(): Promise<void> {
    const servers = this.#servers.splice(0);
    // `close` calls back when the last connection is gone; the port is free at once.
    for (const server of servers) server.close();
  }

  async drain(deadlineMs: number): Promise<void> {
    await this.stop();
    for (const open of this.#open) {
      if (open.session === null) open.socket.destroy();
      else this.#end(open, open.session);
    }
    if (this.#open.size === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(() => {
        for (const open of this.#open) open.socket.destroy();
      }, deadlineMs);
      this.#whenEmpty = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #accept(socket: Socket): void {
    // A reset by the peer is no event for us; 'close' follows and is what the session listens to.
    socket.on('error', ignore);
    if (socket.destroyed) return; // gone already
    // A unix socket has no address; its clients are programs of this machine.
    const ip = canonicalIp(socket.remoteAddress) || '127.0.0.1';
    const open: Open = { socket, session: null };
    this.#open.add(open);
    socket.once('close', () => this.#closed(open));
    const proxyFrom = networksOf(this.#context.settings()['net.proxyFrom']);
    if (!proxyFrom.isEmpty && proxyFrom.has(ip)) this.#readProxyHeader(open, ip);
    else this.#admit(open, { ip, port: socket.remotePort ?? 0, name: null }, null, isLoopbackIp(ip));
  }

  #closed(open: Open): void {
    this.#open.delete(open);
    if (this.#open.size === 0) this.#whenEmpty?.();
  }

  #readProxyHeader(open: Open, ip: string): void {
    const socket = open.socket;
    let received: Buffer = Buffer.alloc(0);
    const fail = (cause: string): void => {
      socket.removeListener('data', onData);
      clearTimeout(timer);
      this.#context.metrics.count('net.proxy.refused');
      this.#context.log.warn('net.proxy.refused', { protocol: this.#protocol, client: ip, cause });
      socket.destroy();
    };
    const timer = setTimeout(() => fail('no header in time'), PROXY_TIMEOUT_MS);
    socket.once('close', () => clearTimeout(timer));
    const onData = (chunk: Buffer): void => {
      received = received.length === 0 ? chunk : Buffer.concat([received, chunk]);
      const header = parseProxyHeader(received);
      if (header.kind === 'more' && received.length < PROXY_HEADER_BYTES_MAX) return;
      if (header.kind !== 'done') {
        fail('malformed header');
        return;
      }
      clearTimeout(timer);
      socket.removeListener('data', onData);
      socket.pause();
      if (header.bytes < received.length) socket.unshift(received.subarray(header.bytes));
      const named = header.addresses;
      const client: Client = named === null ? { ip, port: socket.remotePort ?? 0, name: null } : { ip: named.sourceIp, port: named.sourcePort, name: null };
      // Behind a balancer nobody counts as loopback: what reaches us through it came from the network.
      this.#admit(open, client, named, false);
    };
    socket.on('data', onData);
  }

  #admit(open: Open, client: Client, named: ProxyAddresses | null, isLoopback: boolean): void {
    const socket = open.socket;
    const settings = this.#context.settings();
    const group = GROUP[this.#protocol];
    const admission = this.#counts.enter(group, client.ip, settings);
    if (admission !== 'admitted') {
      this.#refuse(socket, client, admission);
      return;
    }
    socket.once('close', () => this.#counts.leave(group, client.ip));
    this.#context.metrics.count('net.connections', 1, this.#protocol);
    this.#accepted += 1;
    const connection = new SocketConnection({
      id: this.#idPrefix + this.#accepted.toString(36),
      protocol: this.#protocol,
      socket,
      client,
      local: named === null ? null : { address: named.destinationIp, port: named.destinationPort },
      isLoopback,
      tlsProvider: this.#context.tls,
      handshakeTimeoutMs: settings['net.handshakeTimeout'],
    });
    if (!this.#implicitTls) {
      this.#begin(open, connection);
      // Behind the PROXY header the socket was paused; the session has its listeners now.
      if (socket.isPaused()) socket.resume();
      return;
    }
    connection.secure(socket).then(
      () => {
        if (!connection.socket.destroyed) this.#begin(open, connection);
      },
      (error: unknown) => {
        const cause = error instanceof HandshakeError ? (error.cause ?? error.message) : error;
        this.#context.metrics.count('net.tls.failed', 1, this.#protocol);
        this.#context.log.info('net.tls.failed', { protocol: this.#protocol, session: connection.id, client: client.ip, cause: String(cause) });
        socket.destroy();
      },
    );
  }

  /** A bug at the start of a session costs that connection: without this it would stay open with nobody listening to it. */
  #begin(open: Open, connection: SocketConnection): void {
    try {
      open.session = this.#factory(connection);
    } catch (cause) {
      this.#context.log.error('net.session.failed', { protocol: this.#protocol, session: connection.id, cause });
      connection.socket.destroy();
    }
  }

  /** One session that cannot say goodbye must not keep the others from it. */
  #end(open: Open, session: Session): void {
    try {
      session.drain();
    } catch (cause) {
      this.#context.log.error('net.session.failed', { protocol: this.#protocol, cause });
      open.socket.destroy();
    }
  }

  #refuse(socket: Socket, client: Client, admission: Admission): void {
    this.#context.metrics.count('net.connections.refused', 1, admission);
    this.#context.log.warn('net.connection.refused', { protocol: this.#protocol, client: client.ip, cause: admission });
    // No handshake for a client without room: it costs more than everything else here.
    if (this.#implicitTls) socket.destroy();
    else {
      socket.write(NO_ROOM[GROUP[this.#protocol]]!);
      socket.destroySoon();
    }
  }
}

function ignore(): void {}

function boundAddress(server: Server, wanted: ListenAddress): string {
  const bound = server.address();
  if (wanted.kind === 'unix' || bound === null || typeof bound === 'string') return `unix:${wanted.kind === 'unix' ? wanted.path : bound}`;
  return formatListenAddress(bound.address, bound.port);
}

function whyNot(address: string, protocol: Protocol, cause: NodeJS.ErrnoException): string {
  const reasons: Readonly<Record<string, string>> = {
    EADDRINUSE: 'the port is in use by another program',
    EACCES: 'this needs more rights than the program has (ports below 1024 belong to root)',
    EADDRNOTAVAIL: 'this machine does not have this address',
    ENOTFOUND: 'this name has no address',
    ENOENT: 'the directory does not exist',
    EAFNOSUPPORT: 'this machine does not support this kind of address',
  };
  return `Cannot listen on ${address} for ${protocol}: ${reasons[cause.code ?? ''] ?? cause.message}.`;
}

/** A socket file that nobody answers is left over from a crash and is removed; one that somebody answers is left alone. */
async function removeStaleSocket(path: string, protocol: Protocol): Promise<void> {
  if (!existsSync(path) || !lstatSync(path).isSocket()) return;
  const isAnswered = await new Promise<boolean>((resolve) => {
    const probe = dial(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
  if (isAnswered) throw new Error(`Cannot listen on unix:${path} for ${protocol}: another program uses this socket already.`);
  unlinkSync(path);
}
