/**
 * A server that follows a script, and jobs to deliver to it. A script has one step a line:
 *   S: text      sends the line                    C: text    expects the line; a final * stands for anything
 *   M            expects a message up to its dot   B: n       expects n bytes
 *   T            begins TLS                        X          cuts the connection
 * After its last step the server waits for the client to close. Lines sent without a C or M between go out as one write.
 */
import { createServer, type Server, type Socket } from 'node:net';
import { type SecureContext, TLSSocket } from 'node:tls';
import type { MessageReader } from '../ports.ts';
import type { Job, JobRecipient, JobSource, Outcome } from './agent.ts';
import { to7bit } from './convert.ts';
import type { SmtpConnection } from './smtp/connection.ts';
import { type OpenOptions, openEndpoint } from './smtp/open.ts';

export interface ScriptedServer {
  readonly port: number;
  /** What each connection saw, as a transcript. */
  readonly transcripts: string[][];
  /** Messages as received, dots and all removed, in order. */
  readonly messages: string[];
  /** Steps that did not go as written. */
  readonly mistakes: string[];
  close(): Promise<void>;
}

/** The n-th connection follows the n-th script; one more is a mistake. */
export async function scriptedServer(scripts: readonly string[], secureContext?: SecureContext): Promise<ScriptedServer> {
  const transcripts: string[][] = [];
  const messages: string[] = [];
  const mistakes: string[] = [];
  const sockets = new Set<Socket>();
  let count = 0;
  const server: Server = createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    const number = count++;
    const script = scripts[number];
    const transcript: string[] = [];
    transcripts.push(transcript);
    if (script === undefined) {
      mistakes.push(`connection ${number + 1} was not expected`);
      socket.destroy();
      return;
    }
    follow(socket, steps(script), { transcript, messages, mistakes, secureContext });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    transcripts,
    messages,
    mistakes,
    close: () => {
      for (const socket of sockets) socket.destroy();
      return new Promise((resolve) => server.close(() => resolve()));
    },
  };
}

function steps(script: string): string[] {
  return script
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '');
}

interface Following {
  readonly transcript: string[];
  readonly messages: string[];
  readonly mistakes: string[];
  readonly secureContext: SecureContext | undefined;
}

function follow(first: Socket, todo: string[], seen: Following): void {
  let socket = first;
  let input = Buffer.alloc(0);
  let out = '';
  const flush = (): void => {
    if (out !== '' && !socket.destroyed) socket.write(out);
    out = '';
  };
  const mistake = (text: string): void => {
    seen.mistakes.push(text);
    socket.destroy();
  };
  const take = (end: number, skip: number): string => {
    const text = input.toString('utf8', 0, end);
    input = input.subarray(end + skip);
    return text;
  };
  const run = (): void => {
    while (todo.length > 0) {
      const step = todo[0]!;
      if (step.startsWith('S: ')) {
        out += `${step.slice(3)}\r\n`;
        seen.transcript.push(step);
      } else if (step.startsWith('C: ')) {
        flush();
        const end = input.indexOf('\r\n');
        if (end < 0) return;
        const line = take(end, 2);
        seen.transcript.push(`C: ${line}`);
        const wanted = step.slice(3);
        if (wanted.endsWith('*') ? !line.startsWith(wanted.slice(0, -1)) : line !== wanted) return mistake(`wanted "${wanted}", got "${line}"`);
      } else if (step === 'M') {
        flush();
        const isEmpty = input.subarray(0, 3).equals(Buffer.from('.\r\n'));
        const end = isEmpty ? 0 : input.indexOf('\r\n.\r\n');
        if (end < 0) return;
        const text = isEmpty ? take(0, 3) : take(end + 2, 3);
        seen.messages.push(text.replace(/^\.\./gm, '.'));
        seen.transcript.push('M');
      } else if (step.startsWith('B: ')) {
        flush();
        const bytes = Number(step.slice(3));
        if (input.length < bytes) return;
        seen.messages.push(take(bytes, 0));
        seen.transcript.push(step);
      } else if (step === 'X') {
        flush();
        socket.destroy();
        return;
      } else if (step === 'T') {
        flush();
        todo.shift();
        socket.removeAllListeners('data');
        socket = new TLSSocket(socket, { isServer: true, secureContext: seen.secureContext });
        listen();
        return;
      } else throw new Error(`unknown step: ${step}`);
      todo.shift();
    }
    flush();
  };
  const listen = (): void => {
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      input = Buffer.concat([input, chunk]);
      run();
    });
  };
  listen();
  run();
}

export function memoryReader(bytes: Uint8Array): MessageReader {
  return {
    size: bytes.length,
    prefixBytes: 0,
    slice: (start, end) => bytes.subarray(start, end),
    async *stream(start, end) {
      for (let at = start; at < Math.min(end, bytes.length); at += 65536) yield bytes.subarray(at, Math.min(at + 65536, end));
    },
    close: () => {},
  };
}

export function testJob(recipients: readonly (string | JobRecipient)[], more: Partial<Job> & { text?: string } = {}): Job {
  const bytes = Buffer.from(more.text ?? 'Subject: hello\r\n\r\nbody\r\n');
  const { text: _text, ...rest } = more;
  return {
    id: 'job',
    sender: 'from@us.test',
    recipients: recipients.map((each, n) => (typeof each === 'string' ? { n, address: each, orcpt: null, notify: null } : each)),
    size: bytes.length,
    headerBytes: Math.max(0, bytes.indexOf('\r\n\r\n') + 4),
    has8bit: bytes.some((byte) => byte > 127),
    smtputf8: false,
    envid: null,
    ret: null,
    open: () => memoryReader(bytes),
    ...rest,
  };
}

export function testOptions(more: Partial<OpenOptions> = {}): OpenOptions {
  return {
    isLmtp: false,
    heloName: 'us.test',
    tls: 'may',
    ca: undefined,
    credentials: null,
    bindAddress4: '',
    bindAddress6: '',
    connectMs: 5000,
    commandMs: 5000,
    dataMs: 5000,
    doneMs: 5000,
    attemptMs: 60_000,
    messagesMax: 100,
    ageMs: 60_000,
    pipelineMessages: true,
    chunking: true,
    now: () => 0,
    to7bit,
    ...more,
  };
}

export interface Delivered {
  /** For each job, in the order done: "kind code enhanced" of each recipient. */
  readonly fates: string[][];
  readonly outcomes: (readonly Outcome[])[];
  /** The connection stayed open. */
  readonly isOpen: boolean;
  readonly connection: SmtpConnection;
}

/** Opens a connection to the server and gives it the jobs. */
export async function deliverTo(port: number, jobs: readonly Job[], more: Partial<OpenOptions> = {}): Promise<Delivered> {
  const connection = await openEndpoint({ host: '127.0.0.1', ip: '127.0.0.1', port, path: null }, testOptions(more), AbortSignal.timeout(10_000));
  return engage(connection, jobs);
}

export async function engage(connection: SmtpConnection, jobs: readonly Job[]): Promise<Delivered> {
  const waiting = [...jobs];
  const outcomes: (readonly Outcome[])[] = [];
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const source: JobSource = {
    next: () => waiting.shift() ?? null,
    done: (_job, fates) => void outcomes.push(fates),
    idle: () => resolve(true),
    closed: () => resolve(false),
  };
  connection.engage(source);
  const isOpen = await promise;
  return { fates: outcomes.map((fates) => fates.map((one) => `${one.kind} ${one.code} ${one.enhanced}`)), outcomes, isOpen, connection };
}
