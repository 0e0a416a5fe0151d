/** Opens a connection that is ready for messages: connect, greeting, EHLO (or HELO, LHLO), STARTTLS, AUTH. */
import { connect, isIPv6, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { MessageReader } from '../../ports.ts';
import type { ReceivedReply } from '../../wire/smtp/reply.ts';
import type { Job } from '../agent.ts';
import { type Credentials, logIn } from './auth.ts';
import { type Capabilities, NO_CAPABILITIES, readCapabilities } from './capabilities.ts';
import { type ConnectionOptions, SmtpConnection } from './connection.ts';
import { Dialog } from './dialog.ts';
import { clean, words } from './outcome.ts';

export type TlsPolicy = 'may' | 'encrypt' | 'verify' | 'none' | 'implicit';

/** One place to connect to; `path` for a unix socket. */
export interface Endpoint {
  readonly host: string;
  readonly ip: string;
  readonly port: number;
  readonly path: string | null;
}

export interface OpenOptions {
  readonly isLmtp: boolean;
  readonly heloName: string;
  readonly tls: TlsPolicy;
  /** Trusted authorities for 'verify'; undefined for the usual ones. */
  readonly ca: string | undefined;
  readonly credentials: Credentials | null;
  readonly bindAddress4: string;
  readonly bindAddress6: string;
  readonly connectMs: number;
  readonly commandMs: number;
  readonly dataMs: number;
  readonly doneMs: number;
  readonly attemptMs: number;
  readonly messagesMax: number;
  readonly ageMs: number;
  readonly pipelineMessages: boolean;
  readonly chunking: boolean;
  now(): number;
  to7bit(job: Job, reader: MessageReader): AsyncIterable<Uint8Array>;
}

/** Why a host cannot be used now. Always temporary: another host, or the same one later, may do. */
export class OpenFailure extends Error {
  readonly enhanced: string;
  readonly replyCode: number;
  readonly host: string;
  /** The clear-text part worked, TLS did not. */
  readonly isTls: boolean;
  constructor(message: string, host: string, enhanced: string, replyCode: number, isTls = false) {
    super(message);
    this.host = host;
    this.enhanced = enhanced;
    this.replyCode = replyCode;
    this.isTls = isTls;
  }
}

export function labelOf(endpoint: Endpoint): string {
  return endpoint.path !== null ? endpoint.path : `${endpoint.host}[${endpoint.ip}]:${endpoint.port}`;
}

/** Opens one endpoint; where the policy is 'may' and TLS fails, once more in clear text. Rejects with OpenFailure. */
export async function openEndpoint(endpoint: Endpoint, options: OpenOptions, signal: AbortSignal): Promise<SmtpConnection> {
  try {
    return await attempt(endpoint, options, options.tls, signal);
  } catch (error) {
    if (!(error instanceof OpenFailure) || !error.isTls || options.tls !== 'may' || options.credentials !== null || signal.aborted) throw error;
    return attempt(endpoint, options, 'none', signal);
  }
}

async function attempt(endpoint: Endpoint, options: OpenOptions, tls: TlsPolicy, outer: AbortSignal): Promise<SmtpConnection> {
  const label = labelOf(endpoint);
  let socket: Socket | null = null;
  let step: 'connecting' | 'TLS handshake' | 'conversation' = 'connecting';
  const timer = new AbortController();
  const signal = AbortSignal.any([outer, timer.signal]);
  // One timer for each opening, moved on from step to step; openings are few beside messages.
  let timeout: NodeJS.Timeout | undefined;
  const within = (ms: number): void => {
    clearTimeout(timeout);
    timeout = setTimeout(() => timer.abort(new Error('timed out')), ms);
  };
  try {
    within(options.connectMs);
    socket = await openSocket(endpoint, options, signal);
    if (tls === 'implicit') {
      step = 'TLS handshake';
      socket = await secure(socket, endpoint, options, false, signal);
    }
    step = 'conversation';
    within(options.commandMs);
    let dialog = new Dialog(socket);
    const greeting = await dialog.ask(null, signal);
    if (greeting.code !== 220) throw refusal(greeting, label, 'refused to talk to us');
    let capabilities = await hello(dialog, options, label, signal);
    if (tls !== 'none' && tls !== 'implicit') {
      if (capabilities.startTls) {
        const reply = await dialog.ask('STARTTLS', signal);
        if (reply.code === 220) {
          if (!dialog.isQuiet) throw new OpenFailure('server sent text after its answer to STARTTLS', label, '4.7.5', 0, true);
          dialog.detach();
          step = 'TLS handshake';
          within(options.connectMs);
          socket = await secure(socket, endpoint, options, tls === 'verify', signal);
          step = 'conversation';
          within(options.commandMs);
          dialog = new Dialog(socket);
          capabilities = await hello(dialog, options, label, signal);
        } else if (tls === 'may') {
          // "454 TLS not available" leaves the clear-text session usable.
        } else throw refusal(reply, label, 'refused STARTTLS');
      } else if (tls !== 'may') throw new OpenFailure('TLS is required, but was not offered', label, '4.7.4', 0);
    }
    if (options.credentials !== null) {
      const isSafe = (socket as { encrypted?: boolean }).encrypted === true || isLoopbackIp(endpoint.ip);
      if (!isSafe) throw new OpenFailure('no TLS, and the password is not sent without', label, '4.7.0', 0);
      const wrong = await logIn(dialog, capabilities.auth, options.credentials, signal);
      if (wrong !== null) throw new OpenFailure(wrong, label, '4.7.8', 0);
    }
    if (!dialog.isQuiet) throw new OpenFailure('server sent a reply nobody asked for', label, '4.5.0', 0);
    dialog.detach();
    return new SmtpConnection(socket, label, capabilities, connectionOptions(options));
  } catch (error) {
    // From here on nobody listens; an error event without a listener would end the thread.
    socket?.on('error', () => {});
    socket?.destroy();
    if (error instanceof OpenFailure) throw error;
    const reason = clean(signal.aborted ? String((signal.reason as Error).message) : (error as Error).message);
    const isTls = step === 'TLS handshake';
    throw new OpenFailure(
      `${step === 'conversation' ? 'lost before the first message' : `${step} failed`}: ${reason}`,
      label,
      isTls ? '4.7.5' : step === 'connecting' ? '4.4.1' : '4.4.2',
      0,
      isTls,
    );
  } finally {
    clearTimeout(timeout);
  }
}

function openSocket(endpoint: Endpoint, options: OpenOptions, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const bind = isIPv6(endpoint.ip) ? options.bindAddress6 : options.bindAddress4;
    const socket =
      endpoint.path !== null
        ? connect({ path: endpoint.path })
        : connect({ host: endpoint.ip, port: endpoint.port, noDelay: true, ...(bind === '' || isLoopbackIp(endpoint.ip) ? {} : { localAddress: bind }) });
    const settle = (error: Error | null): void => {
      socket.off('connect', onConnect);
      socket.off('error', settle);
      signal.removeEventListener('abort', onAbort);
      if (error === null) return resolve(socket);
      socket.on('error', () => {});
      socket.destroy();
      reject(error);
    };
    const onConnect = (): void => settle(null);
    const onAbort = (): void => settle(signal.reason as Error);
    socket.on('connect', onConnect);
    socket.on('error', settle);
    if (signal.aborted) onAbort();
    else signal.addEventListener('abort', onAbort);
  });
}

function secure(socket: Socket, endpoint: Endpoint, options: OpenOptions, verify: boolean, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const isName = endpoint.host !== endpoint.ip && /[a-z]/i.test(endpoint.host);
    const isVerified = verify || options.tls === 'verify';
    const secured = connectTls({
      socket,
      host: endpoint.host,
      ...(isName ? { servername: endpoint.host } : {}),
      rejectUnauthorized: isVerified,
      ...(isVerified && options.ca !== undefined ? { ca: options.ca } : {}),
      // Opportunistic encryption takes what the other side has: old ciphers are still better than none (RFC 7435).
      minVersion: isVerified ? 'TLSv1.2' : 'TLSv1',
    });
    const settle = (error: Error | null): void => {
      secured.off('secureConnect', onSecure);
      secured.off('error', settle);
      secured.off('close', onClose);
      signal.removeEventListener('abort', onAbort);
      if (error === null) return resolve(secured);
      secured.on('error', () => {});
      secured.destroy();
      reject(error);
    };
    const onSecure = (): void => settle(null);
    const onClose = (): void => settle(new Error('connection closed by the other side'));
    const onAbort = (): void => settle(signal.reason as Error);
    secured.on('secureConnect', onSecure);
    secured.on('error', settle);
    secured.on('close', onClose);
    signal.addEventListener('abort', onAbort);
  });
}

/** EHLO, or HELO where EHLO is not known (RFC 5321 section 3.2); LHLO for LMTP. */
async function hello(dialog: Dialog, options: OpenOptions, label: string, signal: AbortSignal): Promise<Capabilities> {
  const reply = await dialog.ask(`${options.isLmtp ? 'LHLO' : 'EHLO'} ${options.heloName}`, signal);
  if (reply.code === 250) return readCapabilities(reply.lines);
  if (options.isLmtp || reply.code < 500) throw refusal(reply, label, 'refused our greeting');
  const helo = await dialog.ask(`HELO ${options.heloName}`, signal);
  if (helo.code !== 250) throw refusal(helo, label, 'refused our greeting');
  return NO_CAPABILITIES;
}

/** A refusal at this point concerns us or the host, not a recipient: another host may do, so it is temporary whatever its class. */
function refusal(reply: ReceivedReply, label: string, what: string): OpenFailure {
  const enhanced = reply.enhanced.startsWith('4') ? reply.enhanced : '4.3.2';
  return new OpenFailure(`${what}: ${words(reply)}`, label, enhanced, reply.code);
}

function connectionOptions(options: OpenOptions): ConnectionOptions {
  return {
    isLmtp: options.isLmtp,
    pipelineMessages: options.pipelineMessages,
    chunking: options.chunking,
    messagesMax: options.messagesMax,
    retireAt: options.now() + options.ageMs,
    commandMs: options.commandMs,
    dataMs: options.dataMs,
    doneMs: options.doneMs,
    attemptMs: options.attemptMs,
    now: options.now,
    to7bit: options.to7bit,
  };
}

function isLoopbackIp(ip: string): boolean {
  return ip === '' || ip === '::1' || ip.startsWith('127.');
}
