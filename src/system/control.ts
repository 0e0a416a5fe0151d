/**
 * The control socket: how a command reaches the running server. One JSON object a line, both ways.
 *
 *   → {"id":1,"name":"user.add","args":{…}}
 *   ← {"id":1,"progress":…}      any number of times
 *   ← {"id":1,"result":…}        or {"id":1,"error":{"code":"exists","message":"…"}}
 *
 * Bytes travel as {"$bytes":"base64"}. The socket is 0600 in a folder where nobody else may write: who may open it may do anything.
 */
import { chmodSync, lstatSync, unlinkSync } from 'node:fs';
import { createConnection, createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import type { Admin, AdminContext, AdminHandlers } from '../ports.ts';
import { FAILURES, Failure } from './failure.ts';

/** A request; the largest carries a message given on the command line. */
const REQUEST_BYTES_MAX = 8 * 1024 * 1024;
/** An answer line, read by our own commands from our own server. */
const ANSWER_BYTES_MAX = 256 * 1024 * 1024;
const REQUESTS_AT_ONCE_MAX = 8;
/** Progress that a stopped terminal does not read: beyond this the connection is cut and the handler aborted. */
const UNREAD_BYTES_MAX = 64 * 1024 * 1024;
const CONNECTIONS_MAX = 64;
/** sun_path on Linux is 108 bytes with its NUL, 104 on macOS. */
const SOCKET_PATH_BYTES_MAX = 103;

export const controlPath = (dataDir: string): string => join(dataDir, 'control.sock');

/** No server answers at the socket: the caller may work on the data folder itself. */
export class ServerNotRunning extends Error {
  constructor(path: string, options?: ErrorOptions) {
    super(`The server is not running (nobody answers at ${path}).`, options);
    this.name = 'ServerNotRunning';
  }
}

export interface ControlServer {
  readonly path: string;
  /** Stops accepting, ends the connections (their handlers' signals abort) and removes the socket. */
  close(): Promise<void>;
}

/** Serves `handlers` at `path`. Rejects with a sentence when another live server owns the socket; removes one left by a crash. */
export async function serveControl(path: string, handlers: AdminHandlers, context: AdminContext): Promise<ControlServer> {
  checkLength(path);
  await removeStale(path);
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    answer(socket, handlers, context);
  });
  server.maxConnections = CONNECTIONS_MAX;
  await new Promise<void>((done, fail) => {
    server.once('error', fail);
    // The server's umask (077) has closed it from its first moment on; other callers may have another one.
    server.listen(path, () => {
      server.off('error', fail);
      chmodSync(path, 0o600);
      done();
    });
  });
  server.on('error', (error) => context.log.error('control.failed', { cause: error }));
  return {
    path,
    close: () =>
      new Promise((done) => {
        server.close(() => done()); // Node removes the socket's name itself
        for (const socket of open) socket.destroySoon();
      }),
  };
}

function checkLength(path: string): void {
  if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX)
    throw new Error(
      `The path of the control socket is too long for the system (${path}): choose a dataDir of at most ${SOCKET_PATH_BYTES_MAX - 13} characters.`,
    );
}

async function removeStale(path: string): Promise<void> {
  let isSocket: boolean;
  try {
    isSocket = lstatSync(path).isSocket();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  if (!isSocket) throw new Error(`${path} exists and is not a socket: remove it if nothing needs it.`);
  const isAlive = await new Promise<boolean>((done) => {
    const probe = createConnection(path);
    probe.once('connect', () => {
      probe.destroy();
      done(true);
    });
    probe.once('error', (error: NodeJS.ErrnoException) => done(error.code !== 'ECONNREFUSED' && error.code !== 'ENOENT'));
  });
  if (isAlive) throw new Error(`Another Posthorn server is running on this data folder (it answers at ${path}).`);
  unlinkSync(path);
}

interface Request {
  readonly id: number;
  readonly name: string;
  readonly args: unknown;
}

function answer(socket: Socket, handlers: AdminHandlers, context: AdminContext): void {
  const gone = new AbortController();
  let running = 0;
  socket.on('close', () => gone.abort());
  socket.on('error', () => gone.abort()); // the caller went away: 'close' follows
  const send = (message: unknown): void => {
    if (socket.destroyed) return;
    socket.write(encode(message));
    if (socket.writableLength > UNREAD_BYTES_MAX) socket.destroy();
  };
  const refuse = (id: number | null, message: string): void => send({ id, error: { code: 'request', message } });

  eachLine(socket, REQUEST_BYTES_MAX, (line) => {
    if (line === null) {
      refuse(null, 'The request is too long.');
      socket.destroySoon();
      return;
    }
    const request = parseRequest(line);
    if (request === null) return refuse(null, 'Not a request: {"id":1,"name":"room.verb","args":{}}.');
    const handler = Object.hasOwn(handlers, request.name) ? handlers[request.name] : undefined;
    if (handler === undefined)
      return refuse(request.id, `This server does not know the command ${JSON.stringify(request.name).slice(0, 80)}: is it of another version?`);
    if (running >= REQUESTS_AT_ONCE_MAX) return refuse(request.id, `At most ${REQUESTS_AT_ONCE_MAX} commands at a time on one connection.`);
    running += 1;
    // Inside an async function, so that a handler may also throw before its first await.
    (async () => handler(context, request.args, (progress) => send({ id: request.id, progress }), gone.signal))()
      .then(
        (result) => send({ id: request.id, result: result ?? null }),
        (error: unknown) => {
          const isExpected = error instanceof Failure;
          if (!isExpected && !gone.signal.aborted) context.log.warn('control.refused', { command: request.name, cause: error });
          send({ id: request.id, error: { code: isExpected ? error.code : 'error', message: error instanceof Error ? error.message : String(error) } });
        },
      )
      .finally(() => {
        running -= 1;
      });
  });
}

function parseRequest(line: string): Request | null {
  const value = decode(line) as Partial<Request> | null | undefined;
  if (typeof value !== 'object' || value === null || typeof value.id !== 'number' || typeof value.name !== 'string') return null;
  return { id: value.id, name: value.name, args: value.args ?? {} };
}

/** Connects to the running server. Rejects with ServerNotRunning, or with a sentence (no permission). */
export async function connectControl(path: string): Promise<Admin> {
  const socket = await new Promise<Socket>((done, fail) => {
    if (Buffer.byteLength(path) > SOCKET_PATH_BYTES_MAX) return fail(new ServerNotRunning(path)); // none could have been made
    const connection = createConnection(path);
    connection.once('connect', () => done(connection));
    connection.once('error', (error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED' || error.code === 'ENOTDIR') fail(new ServerNotRunning(path, { cause: error }));
      else if (error.code === 'EACCES')
        fail(new Error(`This user may not control the server (${path}): run the command as the user of the server or as root.`, { cause: error }));
      else fail(error);
    });
  });
  const pending = new Map<
    number,
    { resolve: (value: unknown) => void; reject: (error: Error) => void; onProgress: ((progress: unknown) => void) | undefined }
  >();
  let lastId = 0;
  let failure: Error | null = null;
  const fail = (error: Error): void => {
    failure ??= error;
    for (const call of pending.values()) call.reject(failure);
    pending.clear();
    socket.destroy();
  };
  socket.on('error', (error) => fail(new Error(`The connection to the server broke: ${error.message}`, { cause: error })));
  socket.on('close', () => fail(new Error('The server ended before it answered.')));
  eachLine(socket, ANSWER_BYTES_MAX, (line) => {
    const message = line === null ? null : (decode(line) as Record<string, any> | undefined);
    if (message === null || message === undefined) return fail(new Error('The server answered something that is not an answer.'));
    const call = pending.get(message.id) ?? (message.id === null ? [...pending.values()][0] : undefined);
    if (call === undefined) return;
    if ('progress' in message) return call.onProgress?.(message.progress);
    pending.delete(message.id);
    if (message.error === undefined) call.resolve(message.result);
    else call.reject(Object.hasOwn(FAILURES, message.error.code) ? new Failure(message.error.code, message.error.message) : new Error(message.error.message));
  });
  return {
    call: (name, args, onProgress) =>
      new Promise((resolve, reject) => {
        if (failure !== null) return reject(failure);
        lastId += 1;
        pending.set(lastId, { resolve, reject, onProgress });
        socket.write(encode({ id: lastId, name, args }));
      }),
    close: () =>
      new Promise((done) => {
        if (socket.destroyed) return done();
        socket.once('close', () => done());
        socket.end();
      }),
  };
}

/** Calls `take` with each line, or once with null when a line is longer than `bytesMax`; pieces are joined once a line, not once a chunk. */
function eachLine(socket: Socket, bytesMax: number, take: (line: string | null) => void): void {
  let pieces: Buffer[] = [];
  let size = 0;
  let isOver = false;
  socket.on('data', (chunk: Buffer) => {
    let at = 0;
    while (!isOver) {
      const end = chunk.indexOf(10, at);
      const piece = chunk.subarray(at, end < 0 ? chunk.length : end);
      size += piece.length;
      if (size > bytesMax) {
        isOver = true;
        pieces = [];
        return take(null);
      }
      pieces.push(piece);
      if (end < 0) return;
      const line = Buffer.concat(pieces).toString('utf8');
      pieces = [];
      size = 0;
      at = end + 1;
      if (line.trim() !== '') take(line);
    }
  });
}

/** JSON with bytes as {"$bytes":"base64"}; a Buffer's own toJSON would make an array of numbers of it. */
function encode(message: unknown): string {
  return `${JSON.stringify(message, function (this: any, key: string, value: unknown) {
    const original: unknown = this[key];
    return original instanceof Uint8Array ? { $bytes: Buffer.from(original.buffer, original.byteOffset, original.byteLength).toString('base64') } : value;
  })}\n`;
}
function decode(line: string): unknown {
  try {
    return JSON.parse(line, (_key, value) => (typeof value?.$bytes === 'string' ? new Uint8Array(Buffer.from(value.$bytes, 'base64')) : value));
  } catch {
    return undefined; // not JSON: the caller answers that
  }
}
