import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { AdminContext } from '../../ports.ts';
import { FLAG } from '../../ports.ts';
import { defaultsOf } from '../../system/declare.ts';
import { STORE_ADMIN } from '../admin.ts';
import { STORE_SETTINGS } from '../settings.ts';
import { folderName, mailboxName } from './maildir.ts';
import { accept, acceptInput, addAccount, delivery, openTestStore, testDirectory } from '../testing.ts';

const never = new AbortController().signal;
const noProgress = (): void => {};

function contextOf(store: ReturnType<typeof openTestStore>, accounts: Record<string, number>): AdminContext {
  const account = (login: string) =>
    accounts[login] === undefined ? null : { id: accounts[login]!, login, isDisabled: false, quotaBytes: 0, quotaMessages: 0 };
  const { reader, writer, staging, dataDir } = store;
  const settings = () => defaultsOf(STORE_SETTINGS);
  return { reader, writer, staging, dataDir, settings, directory: { accountByLogin: account } } as unknown as AdminContext;
}

const TEXTS = [
  'Subject: plain\r\n\r\nHello\r\n',
  'Subject: from\r\n\r\nFrom the start\r\n>From quoted\r\n>>From twice\r\n\r\nFrom after empty\r\n',
  'Subject: no body\r\n\r\n',
  'Subject: last line open\r\n\r\nno line end',
  'Subject: 8-bit \xc3\xa9\r\n\r\n\xc3\xa9\xff\r\n\r\n\r\n',
];

for (const format of ['maildir', 'mbox'] as const) {
  test(`an account goes out as ${format} and comes back with flags, keywords, dates and bytes`, async (t) => {
    const store = openTestStore(t);
    const from = await addAccount(store, 'from@x');
    const to = await addAccount(store, 'to@x');
    const context = contextOf(store, { 'from@x': from.id, 'to@x': to.id });
    const work = await store.writer.createMailbox(from.id, 'Work/Old');
    for (const [i, text] of TEXTS.entries()) {
      const message = store.staging.stage(Buffer.from(text, 'latin1'));
      await store.writer.append(from.id, i % 2 === 0 ? from.inbox.id : work.id, [
        {
          message,
          flags: i === 1 ? FLAG.seen | FLAG.answered | FLAG.flagged : i === 2 ? FLAG.draft | FLAG.deleted : 0,
          keywords: i === 0 ? '$Label1 later' : null,
          internalDate: 1_700_000_000_000 + i * 1000,
        },
      ]);
    }
    const target = join(testDirectory(t), 'out');
    const exported = (await STORE_ADMIN['store.export']!(context, { login: 'from@x', target, format }, noProgress, never)) as { messages: number };
    assert.equal(exported.messages, TEXTS.length);
    if (format === 'maildir') await STORE_ADMIN['store.import']!(context, { login: 'to@x', source: target }, noProgress, never);
    else {
      await STORE_ADMIN['store.import']!(context, { login: 'to@x', source: join(target, 'INBOX.mbox') }, noProgress, never);
      await STORE_ADMIN['store.import']!(context, { login: 'to@x', source: join(target, 'Work/Old.mbox'), mailbox: 'Work/Old' }, noProgress, never);
    }
    const dump = async (accountId: number): Promise<unknown[]> => {
      const all: unknown[] = [];
      for (const box of store.reader.mailboxes(accountId))
        for (const [, , flags, keywords, date, , emailId] of store.reader.messages(accountId, box.id, 1, 99, 99)) {
          const reader = store.reader.open(store.reader.email(accountId, emailId)!);
          const text = Buffer.from(await reader.slice(0, reader.size)).toString('latin1');
          all.push([box.name, flags, keywords, date, format === 'mbox' && !text.endsWith('\r\n') ? `${text}\r\n` : text]); // mbox has no way to leave a line open
        }
      return all;
    };
    assert.deepEqual(await dump(to.id), await dump(from.id));
  });
}

test('folder names keep dots, letters of the world and odd characters', () => {
  for (const name of ['INBOX', 'Work', 'Work/2024', 'Projekte.2026', 'Entwürfe/Über uns', 'R&D', '日本語', 'a&AC4-b'])
    assert.equal(mailboxName(folderName(name)), name);
  assert.equal(folderName('Entwürfe/v1.2'), '.Entw&APw-rfe.v1&AC4-2');
  assert.equal(mailboxName('.Entwürfe'), 'Entwürfe');
});

test('Maildir names of other programs are understood', async (t) => {
  const store = openTestStore(t);
  const { id, inbox } = await addAccount(store, 'a@x');
  const root = testDirectory(t);
  for (const part of ['cur', 'new', 'tmp', '.Sent.2024/cur']) mkdirSync(join(root, part), { recursive: true });
  writeFileSync(join(root, 'cur', '1700000001.M1P1.host,S=10,W=11:2,RSab'), 'Subject: a\n\nbare line feeds\n');
  writeFileSync(join(root, 'new', '1700000002.x'), 'Subject: b\n\n');
  writeFileSync(join(root, 'dovecot-keywords'), '0 $Forwarded\n1 Junk\nnonsense\n99999 far\n');
  writeFileSync(join(root, '.Sent.2024/cur', '1.y:2,'), 'Subject: c\r\n\r\n');
  await STORE_ADMIN['store.import']!(contextOf(store, { 'a@x': id }), { login: 'a@x', source: root }, noProgress, never);
  assert.deepEqual(
    store.reader.messages(id, inbox.id, 1, 9, 9).map(([, , flags, keywords]) => [flags, keywords]),
    [
      [FLAG.answered | FLAG.seen, '$Forwarded Junk'],
      [0, null],
    ],
  );
  const email = store.reader.email(id, store.reader.message(id, inbox.id, 1)![6])!;
  assert.equal(Buffer.from(await store.reader.open(email).slice(0, 99)).toString(), 'Subject: a\r\n\r\nbare line feeds\r\n');
  assert.equal(store.reader.mailboxByName(id, 'Sent/2024')!.exists, 1);
});

test('what is no mailbox is refused with a sentence', async (t) => {
  const store = openTestStore(t);
  const { id } = await addAccount(store, 'a@x');
  const context = contextOf(store, { 'a@x': id });
  const root = testDirectory(t);
  writeFileSync(join(root, 'file'), 'no mbox\n');
  const run = (args: object) => STORE_ADMIN['store.import']!(context, { login: 'a@x', ...args }, noProgress, never);
  await assert.rejects(run({ source: root }), /no Maildir/);
  await assert.rejects(run({ source: join(root, 'file') }), /no mbox/);
  await assert.rejects(run({ source: join(root, 'absent') }), /does not exist/);
  await assert.rejects(STORE_ADMIN['store.import']!(context, { login: 'nobody', source: root }, noProgress, never), /no account/);
});

test('an exported Maildir has one file a message and no trace of delivery in tmp', async (t) => {
  const store = openTestStore(t);
  const { id } = await addAccount(store, 'a@x');
  await accept(store, acceptInput(store.staging.stage(Buffer.from('Subject: x\r\n\r\ny\r\n')), [delivery(id)]));
  const target = join(testDirectory(t), 'out');
  await STORE_ADMIN['store.export']!(contextOf(store, { 'a@x': id }), { login: 'a@x', target, format: 'maildir' }, noProgress, never);
  assert.deepEqual([readdirSync(join(target, 'tmp')), readdirSync(join(target, 'new')), readdirSync(join(target, 'cur')).length], [[], [], 1]);
  assert.match(
    readFileSync(join(target, 'cur', readdirSync(join(target, 'cur'))[0]!), 'latin1'),
    /^Return-Path: <a@example\.org>\r\nDelivered-To: b@example\.org\r\nSubject: x/,
  );
});
