/**
 * The process that delivers as one user. It starts as root with everything it needs already loaded, becomes the user named in its first order, and
 * takes orders on descriptor 3 until that closes. Nothing else is open in it, and its environment is empty.
 */
import { flushCompileCache } from 'node:module';
import { Socket } from 'node:net';
import { appendMbox } from '../agents/mbox.ts';
import { kernelLocks } from '../agents/kernel-lock.ts';
import { storeFailure, type StoreResult } from '../agents/result.ts';
import { deliverTask } from './deliver.ts';
import { answerFolders } from './folders/answer.ts';
import { FolderMemory } from './folders/memory.ts';
import { FolderWatcher } from './folders/watch.ts';
import { FrameParser, frameHead } from './frame.ts';
import { answerFrame } from './packed.ts';
import { killGroup } from './program.ts';
import type { WorkerNews, WorkerOrder } from './protocol.ts';
import { closeInherited } from './descriptors.ts';
import { becomeSystemUser } from './rights.ts';
import { simpleAnswer, type SystemUser } from './types.ts';

const CHANNEL = 3;
const channel = new Socket({ fd: CHANNEL, readable: true, writable: true });
closeInherited(CHANNEL);
delete process.env['NODE_COMPILE_CACHE']; // of this runtime, not for users' programs
const exported = { ...process.env } as Record<string, string>;
const locks = kernelLocks();
const ending = new AbortController();
const sessions = new Set<number>();
let user: SystemUser | null = null;
let waitingSpool: ((result: StoreResult) => void) | null = null;

function tell(news: WorkerNews, pieces: readonly Uint8Array[] = []): void {
  if (channel.destroyed) return;
  channel.cork();
  channel.write(
    frameHead(
      news,
      pieces.reduce((sum, piece) => sum + piece.length, 0),
    ),
  );
  for (const piece of pieces) channel.write(piece);
  channel.uncork();
}

function become(order: Extract<WorkerOrder, { kind: 'become' }>): void {
  flushCompileCache(); // while it may be written
  becomeSystemUser(order.user, order.group);
  process.umask(0o077);
  user = order.user;
  try {
    process.chdir(user.home);
  } catch {
    process.chdir('/'); // an unreachable home is the delivery's business
  }
  tell({ kind: 'ready' });
}

async function deliver(order: Extract<WorkerOrder, { kind: 'deliver' }>, message: Uint8Array): Promise<void> {
  const answer = await deliverTask(order.task, message, {
    user: user!,
    isRestricted: order.isRestricted,
    exported,
    kernelLocks: locks,
    signal: ending.signal,
    sessions: {
      started: (pid) => {
        sessions.add(pid);
        tell({ kind: 'started', pid });
      },
      ended: (pid) => {
        sessions.delete(pid);
        tell({ kind: 'ended', pid });
      },
    },
    spool: (path, pieces) => {
      const { promise, resolve } = Promise.withResolvers<StoreResult>();
      waitingSpool = resolve;
      tell({ kind: 'spool', path }, pieces);
      return promise;
    },
  }).catch((error: unknown) => simpleAnswer('deferred', 451, '4.3.0', `the user agent failed: ${error instanceof Error ? error.message : String(error)}`));
  for (const piece of answerFrame(answer)) channel.write(piece);
}

/** This process has the group of the spool and does nothing but this. */
async function spool(path: string, bytes: Uint8Array): Promise<void> {
  const result = await appendMbox({ path, pieces: [bytes], mode: 0o600, isDotLocked: true, kernelLocks: locks, signal: ending.signal }).catch(
    (error: unknown) => storeFailure(error, 'cannot write to the mail spool'),
  );
  tell({ kind: 'spooled', result });
}

const memory = new FolderMemory();
const placeOf = (mailbox: string) => ({ user: user!, mailbox, kernelLocks: locks, signal: ending.signal, memory });

/** The user's maildir or mbox files as mailboxes. */
async function folders(order: Extract<WorkerOrder, { kind: 'folders' }>, body: Uint8Array): Promise<void> {
  const { answer, pieces } = await answerFolders(order.request, body, placeOf(order.mailbox));
  tell({ kind: 'folders', answer }, pieces);
}

let watching: { readonly mailbox: string; readonly watcher: FolderWatcher } | null = null;
function watchOther({ mailbox, wish }: Extract<WorkerOrder, { kind: 'watch' }>): void {
  if (wish === null || watching?.mailbox !== mailbox) {
    watching?.watcher.close();
    watching = null;
  }
  if (wish === null) return;
  watching ??= { mailbox, watcher: new FolderWatcher(placeOf(mailbox), (news) => tell({ kind: 'changed', news })) };
  watching.watcher.update(wish);
}

let order: WorkerOrder | null = null;
let body: Buffer = Buffer.alloc(0);
let filled = 0;
const parser = new FrameParser({
  head(head, bodyBytes) {
    order = head as WorkerOrder;
    body = Buffer.allocUnsafeSlow(bodyBytes);
    filled = 0;
  },
  body(chunk) {
    body.set(chunk, filled);
    filled += chunk.length;
  },
  end() {
    const whole = body;
    body = Buffer.alloc(0);
    if (order!.kind === 'become') become(order!);
    else if (order!.kind === 'deliver') void deliver(order!, whole);
    else if (order!.kind === 'spool') void spool(order!.path, whole);
    else if (order!.kind === 'folders') void folders(order!, whole);
    else if (order!.kind === 'watch') watchOther(order!);
    else waitingSpool?.(order!.result);
  },
});

/** The helper is gone, or this process is no longer wanted: its programs end with it. */
function end(code: number): void {
  ending.abort();
  for (const pid of sessions) killGroup(pid);
  locks.close();
  process.exit(code);
}

channel.on('data', (chunk: Buffer) => {
  try {
    parser.push(chunk);
  } catch (error) {
    tell({ kind: 'refused', text: error instanceof Error ? error.message : String(error) });
    channel.end(() => end(70));
  }
});
channel.on('error', () => end(74));
channel.on('close', () => end(0));
process.on('uncaughtException', (error) => {
  process.stderr.write(`${error.stack ?? error.message}\n`);
  end(70);
});
