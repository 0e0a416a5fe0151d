/** One connection to a directory server, with bounds that the library lacks: bytes of an answer, and an end when the socket ends. */
import type { Socket } from 'node:net';
import type { ConnectionOptions } from 'node:tls';
import type { Client, Entry, Filter, FilterParser } from 'ldapts';
import { connectSocket } from './byte-link.ts';
import { authoritiesOf, pemOf } from './certificates.ts';
import type { ServerAddress } from './hosts.ts';
import type { LdapUrl, Scope } from './ldap-text.ts';
import { ANSWER_BYTES_MAX, ROWS_MAX } from './limits.ts';
import { type Link, LinkLost } from './pool.ts';

export interface LdapTls {
  readonly isVerified: boolean;
  readonly authorityFile: string;
  readonly authorityFolder: string;
  readonly cert: string;
  readonly key: string;
  readonly ciphers: string;
}
export interface LdapLogin {
  readonly isBound: boolean;
  readonly dn: string;
  readonly password: string;
  readonly startTls: boolean;
  readonly tls: LdapTls;
}
export interface LdapSearch {
  readonly base: string;
  readonly scope: Scope;
  readonly filter: string;
  readonly attributes: readonly string[];
  /** 0: none. */
  readonly sizeLimit: number;
  readonly derefAliases: 'never' | 'search' | 'find' | 'always';
  readonly timeoutMs: number;
}
export interface LdapAnswer {
  readonly entries: readonly Entry[];
  /** URLs of other servers that hold more of the answer. */
  readonly references: readonly string[];
}

/** LDAP result codes (RFC 4511 appendix A). */
export const NO_SUCH_OBJECT = 32;
/** busy, unavailable, and what servers say when they shut down. */
const ELSEWHERE: ReadonlySet<number> = new Set([51, 52]);
/** Above this a size limit is not sent: the library cannot tell it from the server's own, and a shortened answer must not pass for whole. */
const SENT_SIZE_LIMIT_MAX = 100;

/** The server understood and refused. */
export class LdapRefusal extends Error {
  readonly resultCode: number;
  constructor(resultCode: number, message: string) {
    super(message);
    this.resultCode = resultCode;
  }
}

export class LdapLink implements Link {
  readonly #client: Client;
  readonly #parser: typeof FilterParser;
  readonly #socket: Socket;
  readonly #dereference: { mode: LdapSearch['derefAliases'] } = { mode: 'never' };
  readonly #meter: Meter;
  #isAsking = false;
  #timer: NodeJS.Timeout | undefined;
  #onClose: (() => void) | null = null;

  constructor(client: Client, socket: Socket, meter: Meter, parser: typeof FilterParser) {
    this.#client = client;
    this.#parser = parser;
    this.#meter = meter;
    passOnDereference(client, this.#dereference);
    this.#socket = socket;
    socket.on('error', () => {}); // Told by the library's rejection, or by `isOpen` for an idle one.
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed && this.#socket.writable;
  }

  close(): void {
    if (!this.isOpen || this.#isAsking || !this.#client.isConnected) {
      this.#socket.destroy();
      return;
    }
    // The goodbye has no answer; the library then destroys the socket.
    this.#client.unbind().catch(() => this.#socket.destroy());
  }

  /** Rejects with LinkLost, or with LdapRefusal for what the server refuses. */
  async search(search: LdapSearch): Promise<LdapAnswer> {
    const filter = this.#filter(search.filter);
    this.#meter.bytes = 0;
    this.#isAsking = true;
    const lost = new Promise<never>((_, reject) => {
      // The library does not notice the end of a connection that was upgraded by StartTLS.
      if (!this.isOpen) reject(new LinkLost('the server closed the connection'));
      this.#onClose = () =>
        reject(new LinkLost(this.#meter.bytes > ANSWER_BYTES_MAX ? `the answer has more than ${ANSWER_BYTES_MAX} bytes` : 'the server closed the connection'));
      this.#socket.once('close', this.#onClose);
    });
    const timeout = new Promise<never>((_, reject) => {
      this.#timer = setTimeout(() => {
        this.#socket.destroy();
        reject(new LdapRefusal(3, `the search took longer than ${search.timeoutMs} ms`));
      }, search.timeoutMs);
    });
    try {
      const limit = search.sizeLimit;
      this.#dereference.mode = search.derefAliases;
      const asking = this.#client.search(search.base, {
        scope: search.scope,
        filter,
        attributes: [...search.attributes],
        derefAliases: search.derefAliases, // Without effect in ldapts 9.2.0, see passOnDereference.
        sizeLimit: limit > 0 && limit <= SENT_SIZE_LIMIT_MAX ? limit + 1 : 0,
        timeLimit: Math.ceil(search.timeoutMs / 1000),
      });
      const result = await Promise.race([asking, lost, timeout]);
      if (result.searchEntries.length > ROWS_MAX) throw new LdapRefusal(4, `the search gave more than ${ROWS_MAX} entries`);
      return { entries: result.searchEntries, references: result.searchReferences };
    } catch (error) {
      throw this.#errorOf(error);
    } finally {
      this.#isAsking = false;
      clearTimeout(this.#timer);
      if (this.#onClose !== null) this.#socket.removeListener('close', this.#onClose);
    }
  }
  #filter(text: string): Filter {
    try {
      return this.#parser.parseString(text);
    } catch (cause) {
      throw new LdapRefusal(-1, `the filter makes no sense: ${cause instanceof Error ? cause.message : String(cause)}`);
    }
  }

  #errorOf(error: unknown): Error {
    if (error instanceof LinkLost || error instanceof LdapRefusal) return error;
    return refusalOf(error) ?? new LinkLost(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

/** Bytes received since the last question. */
interface Meter {
  bytes: number;
}
const PIECE_BYTES = 4096;

/**
 * Bounds that the library's parser lacks: it collects an endless message until memory ends, and calls itself for each message in one piece of
 * data, so that small ones in 64 KiB overflow the stack.
 */
function metered(socket: Socket, meter: Meter): Socket {
  const emit = socket.emit.bind(socket) as (event: string | symbol, ...rest: unknown[]) => boolean;
  socket.emit = ((event: string | symbol, ...rest: unknown[]): boolean => {
    const bytes = rest[0];
    if (event !== 'data' || !Buffer.isBuffer(bytes)) return emit(event, ...rest);
    meter.bytes += bytes.length;
    if (meter.bytes > ANSWER_BYTES_MAX) {
      socket.destroy();
      return true;
    }
    for (let at = 0; at < bytes.length && !socket.destroyed; at += PIECE_BYTES) emit('data', bytes.subarray(at, at + PIECE_BYTES));
    return true;
  }) as typeof socket.emit;
  return socket;
}

/**
 * ldapts 9.2.0 has an option derefAliases and forgets it between `search` and the request that it sends. The request itself knows the field,
 * so it is set there, in the method that every search goes through. Nothing is touched while aliases are not to be dereferenced.
 */
function passOnDereference(client: Client, wanted: { readonly mode: LdapSearch['derefAliases'] }): void {
  const inner = client as unknown as { _sendSearch(request: { derefAliases: string }, ...rest: unknown[]): Promise<unknown> };
  const send = inner._sendSearch.bind(client);
  inner._sendSearch = (request, ...rest) => {
    if (wanted.mode !== 'never') request.derefAliases = wanted.mode;
    return send(request, ...rest);
  };
}

/** The library's error for a result code of the server, as ours; null for an error of the connection. */
function refusalOf(error: unknown): Error | null {
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (typeof code !== 'number') return null;
  const text = String(message).replace(/ Code: 0x[0-9a-f]+$/i, '');
  return ELSEWHERE.has(code) ? new LinkLost(text, { cause: error }) : new LdapRefusal(code, text);
}

/** Connects, upgrades and binds. Rejects with LinkLost whatever is the reason: another server may do better. */
export async function connectLdap(url: LdapUrl, login: LdapLogin, signal: AbortSignal): Promise<LdapLink> {
  const [{ Client, FilterParser }, tls] = await Promise.all([import('ldapts'), import('node:tls')]);
  const meter: Meter = { bytes: 0 };
  const socket = metered(await connectSocket(addressOf(url), signal), meter);
  let current: Socket = socket;
  // The library takes listeners away at times; an error of a socket that is being given up must find one.
  socket.on('error', () => {});
  const onAbort = (): void => {
    current.destroy();
    socket.destroy();
  };
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    if (url.scheme === 'ldaps') {
      current = metered(tls.connect({ ...tlsOptions(url.host, login.tls), socket }), meter);
      await secured(current, signal);
    }
    const client = new Client({
      url: 'ldap://localhost',
      strictDN: false,
      createConnection: (() => current) as never,
      createSecureConnection: ((options: ConnectionOptions) => {
        current = metered(tls.connect(options), meter);
        return current;
      }) as never,
    });
    if (login.startTls && url.scheme === 'ldap') await unlessClosed(client.startTLS(tlsOptions(url.host, login.tls)), socket);
    if (login.isBound) await unlessClosed(client.bind(login.dn, login.password), current);
    return new LdapLink(client, current, meter, FilterParser);
  } catch (error) {
    current.on('error', () => {});
    current.destroy();
    socket.destroy();
    if (error instanceof LinkLost) throw error;
    const { message, code } = error as { message?: string; code?: unknown };
    throw new LinkLost(message !== undefined && message !== '' ? message : `error ${String(code)}`, { cause: error });
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function addressOf(url: LdapUrl): ServerAddress {
  if (url.scheme === 'ldapi') return { kind: 'unix', path: url.host === '' ? '/run/slapd/ldapi' : url.host };
  return { kind: 'tcp', host: url.host === '' ? 'localhost' : url.host, port: url.port ?? (url.scheme === 'ldaps' ? 636 : 389) };
}

function tlsOptions(host: string, options: LdapTls): ConnectionOptions {
  return {
    ...(/^[0-9.]+$|:/.test(host) ? { host } : { host, servername: host }),
    rejectUnauthorized: options.isVerified,
    ca: authoritiesOf(options.authorityFile, options.authorityFolder),
    cert: pemOf(options.cert),
    key: pemOf(options.key),
    ...(options.ciphers === '' ? {} : { ciphers: options.ciphers }),
  };
}

function secured(socket: Socket, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const lost = (error?: Error): void => reject(new LinkLost(error?.message ?? String(signal.reason ?? 'the server closed the connection')));
    socket.once('secureConnect', () => {
      socket.removeListener('error', lost);
      socket.removeListener('close', lost);
      resolve();
    });
    socket.once('error', lost);
    socket.once('close', () => lost());
  });
}

function unlessClosed<T>(promise: Promise<T>, socket: Socket): Promise<T> {
  return new Promise((resolve, reject) => {
    const onClose = (): void => reject(new LinkLost('the server closed the connection'));
    socket.once('close', onClose);
    promise.then(resolve, reject).finally(() => socket.removeListener('close', onClose));
  });
}
