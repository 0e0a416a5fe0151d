/** A store in a folder of its own for tests; removed with the test. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { AccountId, MailboxRow, StagedMessage } from '../ports.ts';
import { defaultsOf } from '../system/declare.ts';
import { SILENT_LOG } from '../system/log.ts';
import { acceptInto } from './operations/accept.ts';
import type { AcceptInput, AcceptOutput, LocalDelivery } from './operations/accept.types.ts';
import { type LocalStore, openLocalStore } from './local.ts';
import { STORE_SETTINGS } from './settings.ts';
import type { Operations } from './transaction.ts';

export function testDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-store-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Accounts are made by SQL: the directory room has the real way. */
const TEST_OPERATIONS: Operations = {
  'test.account': (tx, login: string) => {
    const id = tx.nextId('account');
    tx.run('INSERT INTO account (id, login, next_uid_validity, created_at) VALUES (?, ?, 1, ?)', id, login, tx.now);
    return id;
  },
  'test.quota': (tx, { id, bytes, messages }: { id: number; bytes: number; messages: number }) =>
    tx.run('UPDATE account SET quota_bytes=?, quota_messages=? WHERE id=?', bytes, messages, id),
  'test.sql': (tx, sql: string) => tx.run(sql),
  'test.acceptThenThrow': (tx, input: AcceptInput) => {
    acceptInto(tx, input);
    throw new Error('after the message was accepted');
  },
  'test.acceptOften': (tx, input: AcceptInput) => {
    for (let n = 0; n < 50; n += 1) acceptInto(tx, { ...input, id: `${input.id}${n}` });
  },
  'test.pragma': (tx, sql: string) => tx.all(sql).flat(),
  'test.throwAfterCommit': (tx) => {
    tx.run("INSERT INTO subscription (account_id, name) VALUES (1, 'x')");
    tx.afterCommit(() => {
      throw new Error('after the commit');
    });
  },
  'test.writeThenThrow': (tx) => {
    tx.run("INSERT INTO subscription (account_id, name) VALUES (1, 'never')");
    throw new Error('after a write');
  },
};

export interface TestStore extends LocalStore {
  readonly dataDir: string;
}

export function openTestStore(
  t: TestContext,
  dataDir = testDirectory(t),
  settings: Partial<typeof STORE_SETTINGS extends never ? never : Record<string, number>> = {},
): TestStore {
  const store = openLocalStore({
    dataDir,
    settings: { ...defaultsOf(STORE_SETTINGS), ...settings },
    log: SILENT_LOG,
    now: Date.now,
    operations: TEST_OPERATIONS,
    journey: () => {},
  });
  let isClosed = false;
  const close = async (): Promise<void> => {
    if (isClosed) return;
    isClosed = true;
    await store.close();
  };
  t.after(close);
  return { ...store, close, dataDir };
}

export async function addAccount(store: LocalStore, login: string): Promise<{ id: AccountId; inbox: MailboxRow }> {
  const id = await store.writer.run<number>('test.account', login);
  return { id, inbox: await store.writer.createMailbox(id, 'INBOX', 'inbox') };
}

export function messageText(subject: string, bodyBytes = 100): Buffer {
  const body = 'The quick brown fox jumps over the lazy dog.\r\n'.repeat(Math.ceil(bodyBytes / 46));
  return Buffer.from(
    `From: a@example.org\r\nTo: b@example.org\r\nSubject: ${subject}\r\nMessage-ID: <${subject}@example.org>\r\nDate: Mon, 1 Jun 2026 10:00:00 +0000\r\n\r\n${body}`,
  );
}

export function delivery(accountId: AccountId, over: Partial<LocalDelivery> = {}): LocalDelivery {
  return {
    accountId,
    prefix: Buffer.from('Return-Path: <a@example.org>\r\nDelivered-To: b@example.org\r\n'),
    mailbox: { role: 'inbox' },
    flags: 0,
    keywords: null,
    address: 'b@example.org',
    orcpt: null,
    notify: null,
    ...over,
  };
}

let ids = 0;
export function acceptInput(message: StagedMessage, deliveries: LocalDelivery[], over: Partial<AcceptInput> = {}): AcceptInput {
  ids += 1;
  return {
    id: `test${ids}`,
    at: Date.now(),
    source: 'smtp',
    sender: 'a@example.org',
    accountId: null,
    message,
    deliveries,
    remote: [],
    envid: null,
    ret: null,
    smtputf8: false,
    whenFull: 'queue',
    journey: null,
    ...over,
  };
}

export function accept(store: LocalStore, input: AcceptInput): Promise<AcceptOutput> {
  return store.writer.run('accept', input);
}
