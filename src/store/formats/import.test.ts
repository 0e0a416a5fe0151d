import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdirSync, readFileSync, renameSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { type AdminContext, type Announcement, FLAG } from '../../ports.ts';
import { defaultsOf } from '../../system/declare.ts';
import type { ImportArguments, Imported } from '../import.ts';
import { importAccount } from '../import.ts';
import { storePaths } from '../paths.ts';
import { STORE_SETTINGS } from '../settings.ts';
import { accept, acceptInput, addAccount, delivery, messageText, openTestStore, testDirectory } from '../testing.ts';
import { checkStore } from '../check.ts';
import { KeySet, keyOf } from './key-set.ts';
import { LineEnds } from './line-ends.ts';
import { mboxEntry } from './mbox.ts';
import { readMbox } from './mbox-source.ts';
import { maildirSubscriptions, maildirTree } from './maildir-tree.ts';

const never = new AbortController().signal;

async function house(t: TestContext) {
  const store = openTestStore(t);
  const { id, inbox } = await addAccount(store, 'a@x');
  const account = { id, login: 'a@x', isDisabled: false, quotaBytes: 0, quotaMessages: 0 };
  const context = { ...store, settings: () => defaultsOf(STORE_SETTINGS) } as unknown as AdminContext;
  const root = join(testDirectory(t), 'Maildir');
  const take = (args: Partial<ImportArguments> = {}, signal = never): Promise<Imported> =>
    importAccount(context, { account, source: root, mailbox: null, uidl: 'auto', isAgain: false, ...args }, () => {}, signal);
  /** "uid subject flags keywords date" of a mailbox. */
  const list = async (name = 'INBOX'): Promise<string[]> => {
    const box = store.reader.mailboxByName(id, name)!;
    const lines: string[] = [];
    for (const [uid, , flags, keywords, date, , emailId] of store.reader.messages(id, box.id, 1, 0xffffffff, 10_000)) {
      const reader = store.reader.open(store.reader.email(id, emailId)!);
      const subject = /^Subject: (.*)\r$/m.exec(Buffer.from(await reader.slice(0, 4000)).toString('latin1'))?.[1];
      lines.push(`${uid} ${subject} ${flags} ${keywords ?? '-'} ${date}`);
    }
    return lines;
  };
  const uidls = (): unknown => Object.fromEntries(store.reader.rows('SELECT uid, uidl FROM pop3_uidl ORDER BY uid') as [number, string][]);
  const isSound = async (): Promise<void> => assert.deepEqual((await checkStore(storePaths(store.dataDir), never)).problems, []);
  return { store, id, inbox, context, root, take, list, uidls, isSound };
}

function folder(directory: string): string {
  for (const part of ['cur', 'new', 'tmp']) mkdirSync(join(directory, part), { recursive: true });
  return directory;
}
function file(directory: string, name: string, subject: string, seconds = 1_650_000_000): void {
  const path = join(directory, name);
  writeFileSync(path, `Subject: ${subject}\n\n${subject}\n`);
  utimesSync(path, seconds, seconds);
}
/** Three messages as Dovecot keeps them: uids 2, 5 and 9 of 12, the second with a unique-id of an older server. */
function dovecotMaildir(root: string): void {
  folder(root);
  file(root, 'cur/1600000003.M1P1.h,S=20,W=21:2,S', 'five', 1_650_000_005);
  file(root, 'cur/1600000009.M1P1.h:2,FRab', 'two', 1_650_000_002);
  file(root, 'new/1600000001.M1P1.h', 'nine', 1_650_000_009);
  writeFileSync(join(root, 'dovecot-keywords'), '0 $Forwarded\n1 later\n');
  writeFileSync(
    join(root, 'dovecot-uidlist'),
    '3 V1500000000 N12 G0123456789abcdef0123456789abcdef\n2 W21 :1600000009.M1P1.h\n5 Pold-five W21 :1600000003.M1P1.h,S=20,W=21\n9 :1600000001.M1P1.h\n11 :1600000099.gone\nnonsense\n7 :\n',
  );
}
const DOVECOT_LIST = [
  `2 two ${FLAG.flagged | FLAG.answered} $Forwarded later 1650000002000`,
  `5 five ${FLAG.seen} - 1650000005000`,
  '9 nine 0 - 1650000009000',
];

test('an inbox without messages takes over UIDs, UIDVALIDITY and unique-ids of Dovecot, and whoever had it open opens it again', async (t) => {
  const { store, id, inbox, root, take, list, uidls, isSound } = await house(t);
  dovecotMaildir(root);
  const news: Announcement[] = [];
  store.announcements.watchMailbox(id, inbox.id, (a) => news.push(a));
  assert.deepEqual(await take(), {
    mailboxes: 1,
    messages: 3,
    known: 0,
    unreadable: [],
    unreadableCount: 0,
    uidsKept: ['INBOX'],
    uidsLost: [],
    uidsNew: [],
  });
  assert.deepEqual(await list(), DOVECOT_LIST);
  assert.deepEqual(uidls(), { 2: '0000000259682f00', 5: 'old-five', 9: '0000000959682f00' });
  const box = store.reader.mailboxById(id, inbox.id)!;
  assert.deepEqual([box.uidValidity, box.uidNext, box.exists, box.recentUid], [1_500_000_000, 12, 3, 12]);
  assert.equal(news[0]!.kind, 'mailboxGone');
  // Every UIDVALIDITY to come is higher.
  assert.ok((await store.writer.createMailbox(id, 'Later')).uidValidity > 1_500_000_000);
  await isSound();
});

test('a second run brings only what is new, whatever flags have changed', async (t) => {
  const { root, take, list, isSound } = await house(t);
  dovecotMaildir(root);
  await take();
  renameSync(join(root, 'new/1600000001.M1P1.h'), join(root, 'cur/1600000001.M1P1.h:2,S'));
  file(root, 'new/1600000200.M1P1.h', 'twelve', 1_650_000_012);
  file(root, 'new/1600000100.M1P1.h', 'not listed', 1_650_000_013);
  appendFileSync(join(root, 'dovecot-uidlist'), '12 :1600000200.M1P1.h\n');
  const again = await take();
  assert.deepEqual([again.messages, again.known, again.uidsKept], [2, 3, ['INBOX']]);
  assert.deepEqual(await list(), [...DOVECOT_LIST, '12 twelve 0 - 1650000012000', '13 not listed 0 - 1650000013000']);
  assert.equal((await take()).messages, 0);
  assert.equal((await take({ isAgain: true })).messages, 5);
  assert.equal((await list()).length, 10);
  await isSound();
});

test('into a mailbox with messages the UIDs are new, the unique-ids of POP3 stay', async (t) => {
  const { store, id, inbox, root, take, list, uidls } = await house(t);
  dovecotMaildir(root);
  await accept(store, acceptInput(store.staging.stage(messageText('first')), [delivery(id)]));
  const result = await take();
  assert.deepEqual([result.uidsKept, result.uidsLost, result.uidsNew], [[], [], ['INBOX']]);
  assert.deepEqual((await take()).uidsNew, [], 'said once');
  assert.deepEqual(
    (await list()).map((line) => line.split(' ').slice(0, 2).join(' ')),
    ['1 first', '2 two', '3 five', '4 nine'],
  );
  assert.deepEqual(uidls(), { 2: '0000000259682f00', 3: 'old-five', 4: '0000000959682f00' });
  assert.equal(store.reader.mailboxById(id, inbox.id)!.uidValidity, inbox.uidValidity);
});

test('a UIDVALIDITY far ahead of the clock is not taken over, as all later ones would have to be higher, and that is said', async (t) => {
  const { store, id, inbox, root, take, list, isSound } = await house(t);
  dovecotMaildir(root);
  const path = join(root, 'dovecot-uidlist');
  writeFileSync(path, readFileSync(path, 'latin1').replace(/ V\d+ /, ' V4294967295 '), 'latin1');
  const result = await take();
  assert.deepEqual([result.messages, result.uidsKept, result.uidsNew], [3, [], ['INBOX']]);
  assert.deepEqual(
    (await list()).map((line) => line.split(' ')[0]),
    ['1', '2', '3'],
  );
  assert.equal(store.reader.mailboxById(id, inbox.id)!.uidValidity, inbox.uidValidity);
  await isSound();
});

test('mail that comes between two runs ends the old UIDs, under a UIDVALIDITY that nobody has seen', async (t) => {
  const { store, id, inbox, root, take, list, isSound } = await house(t);
  dovecotMaildir(root);
  await take();
  await accept(store, acceptInput(store.staging.stage(messageText('between')), [delivery(id)]));
  const before = store.reader.mailboxById(id, inbox.id)!;
  file(root, 'new/1600000200.M1P1.h', 'twelve');
  appendFileSync(join(root, 'dovecot-uidlist'), '12 :1600000200.M1P1.h\n');
  const result = await take();
  assert.deepEqual([result.messages, result.uidsKept, result.uidsLost], [1, [], ['INBOX']]);
  assert.deepEqual(
    (await list()).map((line) => line.split(' ').slice(0, 2).join(' ')),
    ['2 two', '5 five', '9 nine', '12 between', '13 twelve'],
  );
  assert.ok(store.reader.mailboxById(id, inbox.id)!.uidValidity > before.uidValidity);
  await isSound();
});

test('two imports of one source at once: one of them is refused, nothing is doubled', async (t) => {
  const { root, take, list } = await house(t);
  dovecotMaildir(root);
  const results = await Promise.allSettled([take(), take()]);
  const refused = results.filter((result) => result.status === 'rejected');
  if (refused.length > 0) assert.match(String((refused[0] as PromiseRejectedResult).reason.message), /Another import/);
  assert.deepEqual(await list(), DOVECOT_LIST);
});

test('an import that is stopped says so, and goes on with the next run', async (t) => {
  const { root, take, list } = await house(t);
  dovecotMaildir(root);
  const stop = new AbortController();
  stop.abort();
  await assert.rejects(take({}, stop.signal), /Stopped before the end/);
  assert.equal((await take()).messages, 3);
  assert.deepEqual(await list(), DOVECOT_LIST);
});

test('a full quota stops with a sentence and keeps what is there', async (t) => {
  const { store, id, root, take } = await house(t);
  dovecotMaildir(root);
  await store.writer.run('test.quota', { id, bytes: 30, messages: 0 });
  await assert.rejects(take(), /quota of a@x is used up/);
});

test('folders, plain and in Maildir++, with the subscriptions of the old server', async (t) => {
  const { store, id, root, take, list } = await house(t);
  folder(root);
  for (const name of ['.Work.Old', '.Entw&APw-rfe', 'Plain/Deep & low', 'INBOX', 'sieve', '.nothing']) folder(join(root, name));
  mkdirSync(join(root, '.empty'));
  symlinkSync('/etc', join(root, 'link'));
  file(root, 'cur/1.a:2,', 'at the top');
  file(join(root, '.Work.Old'), 'cur/1.a:2,S', 'old');
  file(join(root, 'Plain/Deep & low'), 'cur/2.a:2,', 'deep');
  file(join(root, 'INBOX'), 'new/1.b', 'also inbox');
  writeFileSync(join(root, 'subscriptions'), 'V\t2\n\nWork\tOld\nGone\n');
  assert.deepEqual(
    maildirTree(root).map(({ mailbox }) => mailbox),
    ['INBOX', 'INBOX', 'Entwürfe', 'Plain/Deep & low', 'Work/Old', 'nothing'],
  );
  const result = await take();
  assert.equal(result.messages, 4);
  assert.equal((await list()).length, 2);
  assert.equal((await list('Work/Old'))[0], `1 old ${FLAG.seen} - 1650000000000`);
  assert.match((await list('Plain/Deep & low'))[0]!, /deep/);
  const subscribed = store.reader.mailboxes(id).flatMap((box) => (box.isSubscribed ? [box.name] : []));
  assert.deepEqual(subscribed, ['INBOX', 'Work/Old']);
  assert.deepEqual(store.reader.rows('SELECT name FROM subscription'), [['Gone']]);
});

test('subscriptions of Courier and of older Dovecots', (t) => {
  const root = testDirectory(t);
  assert.equal(maildirSubscriptions(root), null);
  writeFileSync(join(root, 'courierimapsubscribed'), 'INBOX\nINBOX.Sent\nINBOX.Work.Old\n');
  assert.deepEqual([...maildirSubscriptions(root)!], ['INBOX', 'Sent', 'Work/Old']);
  writeFileSync(join(root, 'subscriptions'), 'Work/Old\nEntw&APw-rfe\n');
  assert.deepEqual([...maildirSubscriptions(root)!], ['Work/Old', 'Entwürfe']);
});

test('without a list of subscriptions everything is subscribed', async (t) => {
  const { store, id, root, take } = await house(t);
  folder(root);
  folder(join(root, '.Work'));
  await take();
  assert.deepEqual(store.reader.mailboxByName(id, 'Work')!.isSubscribed, true);
});

test('UIDs of Courier, and unique-ids in a format that is named', async (t) => {
  const { root, take, list, uidls } = await house(t);
  folder(root);
  file(root, 'cur/1600000001.M1P1.h:2,S', 'seven');
  writeFileSync(join(root, 'courierimapuiddb'), '1 1500000000 8\n7 1600000001.M1P1.h\n');
  await take({ uidl: '%v-%u' });
  assert.deepEqual(await list(), [`7 seven ${FLAG.seen} - 1650000000000`]);
  assert.deepEqual(uidls(), { 7: '1500000000-7' });
  await assert.rejects(take({ uidl: '%m' }), /format of unique-ids has a variable/);
});

test('links, pipes and files without a reader are told, large messages and odd names come through', async (t) => {
  const { store, id, inbox, root, take } = await house(t);
  folder(root);
  symlinkSync('/etc/passwd', join(root, 'cur/1.link:2,'));
  execFileSync('mkfifo', [join(root, 'cur/2.pipe:2,')]);
  mkdirSync(join(root, 'cur/3.directory'));
  const large = `Subject: large\n\n${'0123456789\n'.repeat(60_000)}`;
  writeFileSync(Buffer.concat([Buffer.from(join(root, 'cur/')), Buffer.from('4.b\xe4d:2,S', 'latin1')]), large);
  writeFileSync(join(root, 'cur/5.empty:2,'), '');
  const result = await take();
  assert.deepEqual([result.messages, result.unreadableCount], [2, 3]);
  assert.match(result.unreadable.join('\n'), /1\.link:2, cannot be read: it is a link\n.*2\.pipe:2, is no file\n.*3\.directory is no file/);
  const [first, second] = store.reader.messages(id, inbox.id, 1, 9, 9);
  const bytes = Buffer.from(await readAll(store, id, first![6]));
  assert.equal(bytes.toString(), large.replaceAll('\n', '\r\n'));
  assert.equal(second![5], 0);
});

async function readAll(store: ReturnType<typeof openTestStore>, id: number, emailId: number): Promise<Buffer> {
  const reader = store.reader.open(store.reader.email(id, emailId)!);
  const pieces: Uint8Array[] = [];
  for await (const piece of reader.stream(0, reader.size)) pieces.push(piece);
  reader.close();
  return Buffer.concat(pieces);
}

test('an mbox of c-client: UIDs, flags, keywords, unique-ids; its own message is left out', async (t) => {
  const { root, take, list, uidls, store, id, inbox } = await house(t);
  writeFileSync(
    root,
    [
      'From MAILER-DAEMON Thu Apr 14 13:20:00 2022',
      "Subject: DON'T DELETE THIS MESSAGE -- FOLDER INTERNAL DATA",
      'X-IMAP: 1500000000 0000000012',
      '',
      'This text is part of the internal format.',
      '',
      'From a@example.org Fri Apr 15 05:20:00 2022',
      'Subject: one',
      'X-UIDL: abc',
      'X-UID: 3',
      'Status: RO',
      'X-Keywords: later',
      '  ',
      'X-Status: AF',
      '',
      'text',
      '',
      'From the beginning of a sentence',
      '>From quoted',
      '',
      'From b@example.org Fri Apr 15 05:20:01 2022 +0200',
      'X-UID: 10',
      'Subject: two',
      '',
      '',
    ].join('\n'),
  );
  const result = await take();
  assert.deepEqual([result.messages, result.uidsKept], [2, ['INBOX']]);
  assert.deepEqual(await list(), [`3 one ${FLAG.seen | FLAG.answered | FLAG.flagged} later 1650000000000`, '10 two 0 - 1650000001000']);
  assert.deepEqual(uidls(), { 3: 'abc' });
  assert.equal(store.reader.mailboxById(id, inbox.id)!.uidNext, 13);
  const [one] = store.reader.messages(id, inbox.id, 1, 9, 9);
  assert.equal(
    (await readAll(store, id, one![6])).toString(),
    'Subject: one\r\nX-UIDL: abc\r\n\r\ntext\r\n\r\nFrom the beginning of a sentence\r\nFrom quoted\r\n',
  );
});

test('the same message twice in an mbox is two messages, in every run', async (t) => {
  const { root, take, list } = await house(t);
  const one = 'From a@x Fri Apr 15 05:20:00 2022\nSubject: same\n\nsame\n\n';
  writeFileSync(root, one.repeat(5));
  assert.equal((await take()).messages, 5);
  assert.deepEqual([(await take()).messages, (await take()).known], [0, 5]);
  appendFileSync(root, one.repeat(2));
  assert.equal((await take()).messages, 2);
  assert.equal((await list()).length, 7);
});

test('a folder of mbox files, as export writes it and as mail programs have it', async (t) => {
  const { root, take, list } = await house(t);
  mkdirSync(join(root, 'Work'), { recursive: true });
  const letter = (subject: string): string => `From a@x Fri Apr 15 05:20:00 2022\nSubject: ${subject}\n\nx\n\n`;
  writeFileSync(join(root, 'INBOX.mbox'), letter('in'));
  writeFileSync(join(root, 'Work/Old.mbox'), letter('old'));
  writeFileSync(join(root, 'Saved'), letter('saved'));
  writeFileSync(join(root, 'notes.txt'), 'no mbox\n');
  assert.equal((await take()).mailboxes, 3);
  assert.match((await list())[0]!, /in/);
  assert.match((await list('Work/Old'))[0]!, /old/);
  assert.match((await list('Saved'))[0]!, /saved/);
});

test('whatever messages hold, they come out of an mbox as they went in, wherever the file is cut', async (t) => {
  const { store } = await house(t);
  const path = join(testDirectory(t), 'mbox');
  const line = fc.constantFrom('From x', '>From y', '>>From z', '', 'text', ' folded', '.', 'Subject: no field', '\xe4');
  const messages = fc.array(fc.array(line, { maxLength: 8 }), { minLength: 1, maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(messages, fc.integer({ min: 100, max: 400 }), fc.boolean(), async (bodies, chunkBytes, hasCrlf) => {
      const pieces: Uint8Array[] = [];
      const texts = bodies.map((body, n) => `Subject: ${n}\r\n\r\n${body.map((text) => `${text}\r\n`).join('')}`);
      for (const text of texts)
        for await (const piece of mboxEntry(
          (async function* () {
            yield Buffer.from(text, 'latin1');
          })(),
          'a@x',
          FLAG.seen,
          'word',
          1_650_000_000_000,
        ))
          pieces.push(piece);
      const bytes = Buffer.concat(pieces).toString('latin1');
      writeFileSync(path, hasCrlf ? bytes.replaceAll('\n', '\r\n') : bytes, 'latin1');
      const got: string[] = [];
      for await (const found of readMbox(path, store.staging, { done: new KeySet(), uidl: null }, chunkBytes)) {
        if (found.kind !== 'message') continue;
        assert.deepEqual([found.flags, found.keywords, found.internalDate], [FLAG.seen, 'word', 1_650_000_000_000]);
        const reader = store.staging.read(found.message);
        got.push(Buffer.from(await reader.slice(0, 9999)).toString('latin1'));
        reader.close();
      }
      assert.deepEqual(got, texts);
    }),
    { seed: 4155, numRuns: 300 },
  );
});

test('line ends become CRLF, however a file is cut', () => {
  fc.assert(
    fc.property(fc.array(fc.constantFrom('\r\n', '\n', '\r', 'a'), { maxLength: 20 }), fc.nat(20), (pieces, cut) => {
      const text = pieces.join('');
      const ends = new LineEnds();
      const made = Buffer.concat([text.slice(0, cut), text.slice(cut)].map((piece) => ends.push(Buffer.from(piece)))).toString();
      assert.equal(made, text.replaceAll(/\r\n|\n/g, '\r\n'));
    }),
    { seed: 5322, numRuns: 1000 },
  );
});

test('a set of keys finds what was added and nothing else', () => {
  const keys = Array.from({ length: 5000 }, (_, n) => keyOf(`name ${n}`));
  const set = new KeySet(Buffer.concat(keys.slice(0, 4000)));
  assert.equal(set.count, 4000);
  assert.deepEqual(
    keys.map((key) => set.has(key)),
    keys.map((_, n) => n < 4000),
  );
  assert.equal(set.add(keys[0]!), false);
  const zeros = new Uint8Array(8);
  assert.deepEqual([set.has(zeros), set.add(zeros), set.has(zeros)], [false, true, true]);
});
