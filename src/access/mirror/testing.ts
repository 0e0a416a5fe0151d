/** For tests: a store, a Maildir or mbox in a home of its own, and a mirror between them, without processes. */
import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { NO_KERNEL_LOCKS } from '../../deliver/agents/kernel-lock.ts';
import { answerFolders } from '../../deliver/user-agent/folders/answer.ts';
import { FolderMemory } from '../../deliver/user-agent/folders/memory.ts';
import type { FolderAnswer, FolderRequest } from '../../deliver/user-agent/folders/types.ts';
import type { Account, AccountId, MailboxRow, MirrorScope, StoreWriter } from '../../ports.ts';
import { openLocalStore, type LocalStore } from '../../store/local.ts';
import { STORE_SETTINGS } from '../../store/settings.ts';
import { testDirectory } from '../../store/testing.ts';
import { defaultsOf } from '../../system/declare.ts';
import { SILENT_LOG } from '../../system/log.ts';
import { Mirror } from './mirror.ts';
import { mirroredWriter } from './mirrored-writer.ts';
import { MIRROR_OPERATIONS } from './operations.ts';
import type { MirrorContext } from './types.ts';

export interface MirrorBench {
  readonly store: LocalStore;
  readonly writer: StoreWriter;
  readonly mirror: Mirror;
  readonly accountId: AccountId;
  readonly inbox: MailboxRow;
  readonly home: string;
  /** The maildir. */
  readonly root: string;
  /** Requests that reached the "worker". */
  readonly asked: FolderRequest[];
  readonly warnings: string[];
  /** Of the "worker"; another one is a worker that has just started. */
  memory: FolderMemory;
  /** Called before each request is carried out; throwing there is the worker's death, and what the store did stays. */
  before: (request: FolderRequest) => void;
  /** Called after each; the answer is lost when it throws. */
  after: (request: FolderRequest) => void;
  /** Another mirror on the same store, as after a restart or in another thread. */
  another(): Mirror;
  refresh(scope?: MirrorScope): Promise<void>;
  /** uid, marks as letters, and the subject, of a mailbox. */
  shown(name?: string): Promise<string[]>;
  /** Files of a folder, sorted: "new/name" or "cur/name:2,S". */
  files(path?: string): string[];
  /** A file as another program delivers it. */
  deliver(name: string, subject: string, path?: string): void;
  mark(file: string, to: string, path?: string): void;
}

const LETTERS = ['S', 'R', 'F', 'T', 'D'];

export async function mirrorBench(t: TestContext, mailbox = 'Maildir/'): Promise<MirrorBench> {
  const directory = testDirectory(t);
  const home = join(directory, 'home');
  mkdirSync(home, { mode: 0o700 });
  const root = join(home, 'Maildir');
  const store = openLocalStore({
    dataDir: join(directory, 'data'),
    settings: defaultsOf(STORE_SETTINGS),
    log: SILENT_LOG,
    now: Date.now,
    operations: {
      ...MIRROR_OPERATIONS,
      'test.account': (tx, login: string) => {
        const id = tx.nextId('account');
        tx.run('INSERT INTO account (id, login, next_uid_validity, created_at) VALUES (?, ?, 1, ?)', id, login, tx.now);
        return id;
      },
    },
    journey: () => {},
  });
  const accountId = await store.writer.run<number>('test.account', 'ann@example.org');
  const inbox = await store.writer.createMailbox(accountId, 'INBOX', 'inbox');
  const account: Account = { id: accountId, login: 'ann@example.org', isDisabled: false, quotaBytes: 0, quotaMessages: 0, source: 'system', systemUser: 'ann' };
  const user = { name: 'ann', uid: 1000, gid: 1000, gecos: '', home, shell: '/bin/sh' };
  const warnings: string[] = [];
  const asked: FolderRequest[] = [];
  let ids = 0;
  const context: MirrorContext = {
    settings: () => ({ 'local.mailbox': mailbox, 'local.folderPoll': 60_000, 'local.folderWatch': true }),
    log: { ...SILENT_LOG, warn: (event, fields) => void warnings.push(`${event} ${String(fields?.['cause'] ?? '')}`) },
    metrics: { count() {}, gauge() {} },
    reader: store.reader,
    writer: store.writer,
    staging: store.staging,
    directory: { account: (id) => (id === accountId ? account : null) },
    agent: {
      async folders(_user, where, request, body = new Uint8Array(0)) {
        asked.push(request);
        const lost: FolderAnswer = { failed: 'the process was lost', reason: 'error' };
        try {
          bench.before(request);
        } catch {
          return { answer: lost, body: new Uint8Array(0) };
        }
        const { answer, pieces } = await answerFolders(JSON.parse(JSON.stringify(request)), body, {
          user,
          mailbox: where,
          kernelLocks: NO_KERNEL_LOCKS,
          signal: new AbortController().signal,
          memory: bench.memory,
        });
        try {
          bench.after(request);
        } catch {
          return { answer: lost, body: new Uint8Array(0) };
        }
        return { answer: JSON.parse(JSON.stringify(answer)), body: Buffer.concat(pieces) };
      },
      watch: () => ({ update() {}, stop() {} }),
    },
    now: Date.now,
    newId: () => `owner${(ids += 1)}`,
  };
  const mirror = new Mirror(context);
  t.after(async () => {
    mirror.close();
    await store.close();
  });
  const bench: MirrorBench = {
    store,
    writer: mirroredWriter(store.writer, mirror),
    mirror,
    accountId,
    inbox,
    home,
    root,
    asked,
    warnings,
    memory: new FolderMemory(),
    before: () => {},
    after: () => {},
    another: () => new Mirror(context),
    refresh: async (scope = { kind: 'all' }) => {
      await mirror.refresh(accountId, scope);
    },
    async shown(name = 'INBOX') {
      const row = store.reader.mailboxByName(accountId, name);
      if (row === null) return [];
      const out: string[] = [];
      for (const [uid, , flags, keywords, , , emailId] of store.reader.messages(accountId, row.id, 0, 0xffffffff, 100_000)) {
        const open = store.reader.open(store.reader.email(accountId, emailId)!);
        const text = Buffer.from(await open.slice(0, 2000)).toString('latin1');
        open.close();
        const letters = LETTERS.filter((_, i) => (flags & [1, 2, 4, 8, 16][i]!) !== 0).join('');
        out.push(`${uid} ${[letters, keywords ?? ''].filter((part) => part !== '').join(' ')}`.trim() + ` ${/^Subject: (.*?)\r$/m.exec(text)?.[1] ?? '?'}`);
      }
      return out;
    },
    files(path = '') {
      const found: string[] = [];
      for (const part of ['cur', 'new']) found.push(...readdirSync(join(root, path, part)).map((name) => `${part}/${name}`));
      return found.sort();
    },
    deliver(name, subject, path = '') {
      for (const part of ['', 'tmp', 'new', 'cur']) mkdirSync(join(root, path, part), { recursive: true, mode: 0o700 });
      const file = join(root, path, name);
      writeFileSync(file, `From: a@far.test\nSubject: ${subject}\n\nA line.\n`);
      chmodSync(file, 0o600);
    },
    mark(file, to, path = '') {
      renameSync(join(root, path, file), join(root, path, to));
    },
  };
  return bench;
}

export const readAll = (path: string): string => readFileSync(path, 'latin1');
