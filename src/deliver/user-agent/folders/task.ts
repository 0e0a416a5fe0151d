/** Requests about folders on their way through the helper: whose they are is decided here, what is done is done by the user's process. */
import type { Socket } from 'node:net';
import { join } from 'node:path';
import { frameHead } from '../frame.ts';
import { WORKER_GRACE_MS } from '../limits.ts';
import type { WorkerPool } from '../pool.ts';
import type { Request, Response } from '../protocol.ts';
import { Relay } from '../relay.ts';
import { folderUser, spoolTarget, type TargetRules } from '../targets.ts';
import type { SystemUser } from '../types.ts';
import type { WorkerProcess } from '../worker-process.ts';
import type { FolderFailure, FolderRequest } from './types.ts';
import type { WatchWish } from './watch.ts';

export interface FolderRooms {
  readonly rules: TargetRules;
  /** Apart from the workers that deliver: those may wait for a user's program, and nobody's SELECT waits for that. */
  readonly folderPool: WorkerPool;
  readonly spoolPool: WorkerPool;
  readonly watchPool: WorkerPool;
}

/** One request may read or write as much as a frame holds, and wait for locks of other programs. */
const REQUEST_MS_MAX = 120_000;

const INBOX_REQUESTS: ReadonlySet<FolderRequest['op']> = new Set(['list', 'read', 'change', 'add'] as const);

function refused(text: string): FolderFailure {
  return { failed: text, reason: 'refused' };
}

/**
 * The group of the mail spool for what is done to the inbox alone, null for all else. A process with that group must open no path in the home
 * directory that the user could lead elsewhere by a link: it might write to the inboxes of others.
 */
function groupFor(mailbox: string, request: FolderRequest, user: SystemUser): number | null | FolderFailure {
  if (!mailbox.startsWith('/') || !INBOX_REQUESTS.has(request.op) || !('path' in request) || request.path !== '') return null;
  const place = spoolTarget({ configuration: { mailbox } }, user, join(mailbox.replace(/\/+$/, ''), user.name));
  return 'group' in place ? place.group : { failed: place.text, reason: 'away' };
}

export class FolderTask {
  readonly relay: Relay;
  isDone = false;
  readonly #socket: Socket;
  readonly #rooms: FolderRooms;
  readonly #gone = new AbortController();
  #worker: WorkerProcess | null = null;
  #pool: WorkerPool | null = null;
  #timer: NodeJS.Timeout | null = null;

  constructor(socket: Socket, rooms: FolderRooms, request: Extract<Request, { kind: 'folders' }>, bodyBytes: number) {
    this.#socket = socket;
    this.#rooms = rooms;
    this.relay = new Relay(socket);
    this.#start(request, bodyBytes).catch((error: Error) => this.#answer({ failed: `no process for the folders: ${error.message}`, reason: 'error' }));
  }

  async #start({ user: name, mailbox, request }: Extract<Request, { kind: 'folders' }>, bodyBytes: number): Promise<void> {
    const user = await folderUser(name, this.#rooms.rules);
    if (typeof user === 'string') return this.#answer(refused(user));
    const group = groupFor(mailbox, request, user);
    if (group !== null && typeof group === 'object') return this.#answer(group);
    this.#pool = group === null ? this.#rooms.folderPool : this.#rooms.spoolPool;
    const worker = await this.#pool.acquire(user, group, this.#gone.signal);
    if (this.#gone.signal.aborted) return this.#pool.release(worker);
    this.#worker = worker;
    this.#timer = setTimeout(() => worker.kill('it took too long'), REQUEST_MS_MAX + WORKER_GRACE_MS);
    let back: Relay | null = null;
    let isAnswered = false;
    worker.begin({
      news: (head, bytes) => {
        if (head.kind !== 'folders') return worker.kill('it spoke out of turn');
        isAnswered = true;
        back = new Relay(worker.channel);
        if (this.#socket.destroyed) back.discard();
        else back.attach(this.#socket, frameHead({ kind: 'folders', answer: head.answer } satisfies Response, bytes));
      },
      body: (chunk) => back?.body(chunk),
      end: () => {
        back?.end();
        if (isAnswered) this.#done();
      },
      lost: (reason) => {
        if (isAnswered) this.#socket.destroy();
        else this.#answer({ failed: `the process of ${user.name} was lost: ${reason}`, reason: 'error' });
      },
    });
    this.relay.attach(worker.channel, frameHead({ kind: 'folders', mailbox, request }, bodyBytes));
  }

  clientGone(): void {
    if (this.isDone) return;
    this.#gone.abort();
    this.isDone = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#worker?.kill('the request was given up');
  }

  #answer(answer: FolderFailure): void {
    if (this.isDone) return;
    this.relay.discard();
    if (!this.#socket.destroyed) this.#socket.write(frameHead({ kind: 'folders', answer } satisfies Response, 0));
    this.#worker = null;
    this.#done();
  }

  #done(): void {
    if (this.isDone) return;
    this.isDone = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    if (this.#worker !== null && !this.#worker.isDead) this.#pool!.release(this.#worker);
  }
}

/** Lasts until the client goes. One process for all folders of a user that somebody in one thread looks at. */
export class WatchTask {
  readonly relay: Relay;
  isDone = false;
  readonly #socket: Socket;
  readonly #gone = new AbortController();
  readonly #pool: WorkerPool;
  readonly #mailbox: string;
  #wish: WatchWish;
  #worker: WorkerProcess | null = null;

  constructor(socket: Socket, rooms: FolderRooms, request: Extract<Request, { kind: 'watch' }>) {
    this.#socket = socket;
    this.#pool = rooms.watchPool;
    this.#mailbox = request.mailbox;
    this.#wish = request.wish;
    this.relay = new Relay(socket);
    this.relay.discard();
    // The client sees that it has no watcher and looks by itself.
    this.#start(rooms, request.user).catch(() => socket.destroy());
  }

  /** Other folders of the same user. */
  update({ wish }: Extract<Request, { kind: 'watch' }>): void {
    this.#wish = wish;
    this.#worker?.order({ kind: 'watch', mailbox: this.#mailbox, wish });
  }

  async #start(rooms: FolderRooms, name: string): Promise<void> {
    const user = await folderUser(name, rooms.rules);
    if (typeof user === 'string') return void this.#socket.destroy();
    const worker = await rooms.watchPool.acquire(user, null, this.#gone.signal);
    if (this.#gone.signal.aborted) return rooms.watchPool.release(worker);
    this.#worker = worker;
    worker.begin({
      news: (head) => {
        if (head.kind === 'changed' && !this.#socket.destroyed) this.#socket.write(frameHead({ kind: 'changed', news: head.news } satisfies Response, 0));
      },
      body: () => {},
      end: () => {},
      lost: () => this.#socket.destroy(),
    });
    worker.order({ kind: 'watch', mailbox: this.#mailbox, wish: this.#wish });
  }

  clientGone(): void {
    if (this.isDone) return;
    this.isDone = true;
    this.#gone.abort();
    const worker = this.#worker;
    if (worker === null || worker.isDead) return;
    // The next IDLE of this user finds it ready.
    worker.order({ kind: 'watch', mailbox: '', wish: null });
    this.#pool.release(worker);
  }
}
