/**
 * The helper: the only part of the server that stays root. It listens on a socket that the service user alone can open, asks for the key that
 * main gave out, looks users up, and passes tasks to workers and their answers back. It reads nothing of any user's.
 */
import { timingSafeEqual } from 'node:crypto';
import { lchownSync, rmSync, statSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { FolderTask, WatchTask } from './folders/task.ts';
import { FrameParser, frameHead } from './frame.ts';
import { WORKER_GRACE_MS } from './limits.ts';
import { type PasswordChecks, passwordChecks } from './password.ts';
import { WorkerPool } from './pool.ts';
import type { Request, WorkerNews } from './protocol.ts';
import { answerFrame } from './packed.ts';
import { Relay } from './relay.ts';
import { systemUsers } from './system-users.ts';
import { spoolTarget, type Target, type TargetRules, targetOf } from './targets.ts';
import { type DeliveryAnswer, type DeliveryTask, simpleAnswer } from './types.ts';
import type { WorkerProcess } from './worker-process.ts';

export interface HelperOptions {
  readonly socketPath: string;
  /** At least 32 random bytes, in hexadecimal. */
  readonly key: string;
  /** Who may open the socket; null: whoever runs this. */
  readonly owner: { readonly uid: number; readonly gid: number } | null;
  readonly workersMax: number;
  readonly blanks: number;
  readonly workerIdleMs: number;
  readonly defaultUser: string;
  readonly uidMin: number;
  readonly usersAllowed: readonly string[];
  /** Another one than /etc/passwd is the whole truth about users. */
  readonly passwdFile: string;
}

/** Spool workers do nothing of the users' and never wait for anybody, so they are counted apart: a delivery that needs one cannot wait in a circle. */
const SPOOL_WORKERS_MAX = 4;
/** Processes that wait for changes in folders of users who look at them just now; who gets none asks from time to time. */
const WATCHERS_MAX = 50;

interface Rooms {
  readonly options: HelperOptions;
  readonly rules: TargetRules;
  readonly pool: WorkerPool;
  readonly spoolPool: WorkerPool;
  readonly folderPool: WorkerPool;
  readonly watchPool: WorkerPool;
  readonly passwords: PasswordChecks;
}

export function serveUserAgent(options: HelperOptions, environment: Readonly<Record<string, string>>): Promise<Server> {
  const users = systemUsers(options.passwdFile);
  const limits = { idleMs: options.workerIdleMs, environment };
  const rooms: Rooms = {
    options,
    rules: { users, defaultUser: options.defaultUser, uidMin: options.uidMin, usersAllowed: options.usersAllowed, ownUid: process.getuid?.() ?? -1 },
    pool: new WorkerPool({ ...limits, workersMax: options.workersMax, blanks: options.blanks }),
    spoolPool: new WorkerPool({ ...limits, workersMax: SPOOL_WORKERS_MAX, blanks: 0 }),
    folderPool: new WorkerPool({ ...limits, workersMax: options.workersMax, blanks: options.blanks, isLazy: true }),
    watchPool: new WorkerPool({ ...limits, workersMax: WATCHERS_MAX, blanks: options.blanks, isLazy: true }),
    passwords: passwordChecks(users),
  };
  const server = createServer((socket) => serveClient(socket, rooms));
  const { promise, resolve, reject } = Promise.withResolvers<Server>();
  server.on('error', reject);
  server.on('close', () => {
    rooms.pool.close();
    rooms.spoolPool.close();
    rooms.folderPool.close();
    rooms.watchPool.close();
  });
  // At the first start the folder is still root's: the server's user gets it once all ports are open.
  const isRoots = process.getuid?.() === 0 && statSync(dirname(options.socketPath)).uid === 0;
  inRightsOf(isRoots ? null : options.owner, () => {
    rmSync(options.socketPath, { force: true });
    // Nobody else must ever be able to connect: the socket has this mode from the start.
    const umask = process.umask(0o177);
    server.listen(options.socketPath, () => {
      if (isRoots && options.owner !== null) lchownSync(options.socketPath, options.owner.uid, options.owner.gid);
      resolve(server);
    });
    process.umask(umask);
  });
  return promise;
}

/** The socket lies in a folder of the server's user: whatever that user may have put there under its name, root neither removes nor changes. */
function inRightsOf(owner: HelperOptions['owner'], work: () => void): void {
  const self = process as unknown as { getuid(): number; getegid(): number; geteuid(): number; setegid(id: number): void; seteuid(id: number): void };
  if (owner === null || self.getuid() !== 0) {
    work();
    return;
  }
  const group = self.getegid();
  self.setegid(owner.gid);
  self.seteuid(owner.uid);
  try {
    work();
  } finally {
    self.seteuid(0);
    self.setegid(group);
  }
}

/** One client connection: hello, then one request after the other. */
function serveClient(socket: Socket, rooms: Rooms): void {
  let isKnown = false;
  let current: ClientTask | FolderTask | WatchTask | null = null;
  const answer = (head: unknown): void => void (socket.destroyed || socket.write(frameHead(head, 0)));
  const parser = new FrameParser({
    head(head, bodyBytes) {
      const request = head as Request;
      if (!isKnown) {
        if (request.kind !== 'hello' || !isKey(request.key, rooms.options.key) || bodyBytes > 0) throw new Error('not one of ours');
        isKnown = true;
      } else if (current instanceof WatchTask && !current.isDone && request.kind === 'watch') current.update(request);
      else if (current !== null && !current.isDone) throw new Error('a request before the last one was answered');
      else if (request.kind === 'deliver') current = new ClientTask(socket, rooms, request.task, bodyBytes);
      else if (request.kind === 'folders') current = new FolderTask(socket, rooms, request, bodyBytes);
      else if (request.kind === 'watch') current = new WatchTask(socket, rooms, request);
      else if (request.kind === 'password')
        void rooms.passwords.check(request.user, request.password).then((result) => answer({ kind: 'password', answer: result }));
      else if (request.kind === 'lookup')
        rooms.rules.users.find(request.user).then(
          (user) => answer({ kind: 'user', user }),
          () => answer({ kind: 'user', user: 'unavailable' }),
        );
      else throw new Error('an unknown request');
    },
    body(chunk) {
      if (current !== null && !current.isDone) current.relay.body(chunk);
    },
    end() {
      current?.relay.end();
    },
  });
  socket.on('data', (chunk: Buffer) => {
    try {
      parser.push(chunk);
    } catch {
      socket.destroy(); // no client of ours: nothing is said
    }
  });
  socket.on('error', () => socket.destroy());
  socket.on('close', () => current?.clientGone());
}

function isKey(given: unknown, key: string): boolean {
  const [a, b] = [Buffer.from(String(given)), Buffer.from(key)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** One delivery on its way through a worker. */
class ClientTask {
  readonly relay: Relay;
  isDone = false;
  readonly #socket: Socket;
  readonly #rooms: Rooms;
  readonly #task: DeliveryTask;
  readonly #gone = new AbortController();
  #worker: WorkerProcess | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(socket: Socket, rooms: Rooms, task: DeliveryTask, bodyBytes: number) {
    this.#socket = socket;
    this.#rooms = rooms;
    this.#task = task;
    this.relay = new Relay(socket);
    this.#start(bodyBytes).catch((error: Error) => this.#answer(simpleAnswer('deferred', 451, '4.3.0', `no process to deliver with: ${error.message}`)));
  }

  async #start(bodyBytes: number): Promise<void> {
    const found = await targetOf(this.#task, this.#rooms.rules);
    if ('answer' in found) return this.#answer(found.answer);
    const { target } = found;
    const worker = await this.#rooms.pool.acquire(target.user, target.group, this.#gone.signal);
    if (this.#gone.signal.aborted) return this.#rooms.pool.release(worker);
    this.#worker = worker;
    const limitMs = this.#task.work.kind === 'pipe' ? this.#task.work.timeLimitMs : 3 * this.#task.configuration.commandTimeLimitMs;
    this.#timer = setTimeout(() => worker.kill('it took too long'), limitMs + WORKER_GRACE_MS);
    let back: Relay | null = null;
    let news: WorkerNews | null = null;
    worker.begin({
      news: (head, bytes) => {
        news = head;
        back = new Relay(worker.channel);
        if (head.kind === 'delivered') {
          if (!this.#socket.destroyed) back.attach(this.#socket, frameHead({ kind: 'delivered', answer: head.answer }, bytes));
          else back.discard();
        } else if (head.kind === 'spool') void this.#spool(target, head.path, bytes, back);
        else worker.kill('it spoke out of turn');
      },
      body: (chunk) => back?.body(chunk),
      end: () => {
        back?.end();
        if (news?.kind === 'delivered') this.#done();
      },
      lost: (reason) => {
        const words = worker.lastWords === '' ? '' : ` (${worker.lastWords.trim().split('\n')[0]!.slice(0, 200)})`;
        // An answer of which a part has gone already cannot be replaced by another.
        if (news?.kind === 'delivered') this.#socket.destroy();
        else this.#answer(simpleAnswer('deferred', 451, '4.3.0', `the process that delivers as ${target.user.name} was lost: ${reason}${words}`));
      },
    });
    this.relay.attach(worker.channel, frameHead({ kind: 'deliver', task: this.#task, isRestricted: target.isRestricted }, bodyBytes));
  }

  /** The user's worker may not write into the spool directory; one with the user's number and the spool's group, which runs nothing of the user's, does. */
  async #spool(target: Target, path: string, bytes: number, back: Relay): Promise<void> {
    const worker = this.#worker!;
    const place = spoolTarget(this.#task, target.user, path);
    if ('kind' in place) {
      back.discard();
      worker.order({ kind: 'spooled', result: place });
      return;
    }
    const failed = (text: string): void => {
      back.discard();
      worker.order({ kind: 'spooled', result: { kind: 'failed', isTemporary: true, code: 451, enhanced: '4.3.0', text } });
    };
    let writer: WorkerProcess;
    try {
      writer = await this.#rooms.spoolPool.acquire(target.user, place.group, this.#gone.signal);
    } catch (error) {
      failed(`no process for the mail spool: ${(error as Error).message}`);
      return;
    }
    writer.begin({
      news: (head) => {
        if (head.kind === 'spooled') worker.order(head);
        this.#rooms.spoolPool.release(writer);
      },
      body: () => {},
      end: () => {},
      lost: (reason) => failed(`the process for the mail spool was lost: ${reason}`),
    });
    back.attach(writer.channel, frameHead({ kind: 'spool', path: place.path }, bytes));
  }

  clientGone(): void {
    if (this.isDone) return;
    this.#gone.abort();
    this.isDone = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    // Its answer would reach nobody, and the message will be delivered again: the less it does now, the better.
    this.#worker?.kill('the task was given up');
  }

  #answer(answer: DeliveryAnswer): void {
    if (this.isDone) return;
    this.relay.discard();
    if (!this.#socket.destroyed) for (const piece of answerFrame(answer)) this.#socket.write(piece);
    this.#worker = null;
    this.#done();
  }

  #done(): void {
    if (this.isDone) return;
    this.isDone = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    const worker = this.#worker;
    if (worker !== null && !worker.isDead) this.#rooms.pool.release(worker);
  }
}
