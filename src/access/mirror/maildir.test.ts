import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FolderMemory } from '../../deliver/user-agent/folders/memory.ts';
import { FLAG } from '../../ports.ts';
import { messageText } from '../../store/testing.ts';
import { mirrorBench } from './testing.ts';

test('messages in a maildir come into the store in the order of delivery, with flags and the time of the file', async (t) => {
  const bench = await mirrorBench(t);
  bench.deliver('new/1763640002.M1P1.host', 'third');
  bench.deliver('cur/1763640001.M2P1.host:2,FS', 'second');
  bench.deliver('cur/1763640001.M1P1.host:2,RT', 'first');
  utimesSync(join(bench.root, 'new/1763640002.M1P1.host'), 1700000000, 1700000000);
  await bench.refresh();
  assert.deepEqual(await bench.shown(), ['1 RT first', '2 SF second', '3 third']);
  const [, , third] = bench.store.reader.messages(bench.accountId, bench.inbox.id, 0, 99, 9);
  assert.equal(third![4], 1700000000_000);
  assert.deepEqual(bench.warnings, []);
});

test('what another program changes keeps its UID: flags, new to cur, removal', async (t) => {
  const bench = await mirrorBench(t);
  bench.deliver('new/1.M1P1.host', 'a');
  bench.deliver('new/2.M1P1.host', 'b');
  bench.deliver('cur/3.M1P1.host:2,S', 'c');
  await bench.refresh();
  bench.mark('new/1.M1P1.host', 'cur/1.M1P1.host:2,FS');
  bench.mark('cur/3.M1P1.host:2,S', 'cur/3.M1P1.host:2,');
  unlinkSync(join(bench.root, 'new/2.M1P1.host'));
  bench.deliver('new/4.M1P1.host', 'd');
  await bench.refresh();
  assert.deepEqual(await bench.shown(), ['1 SF a', '3 c', '4 d']);
  await bench.another().refresh(bench.accountId, { kind: 'all' });
  assert.deepEqual(await bench.shown(), ['1 SF a', '3 c', '4 d'], 'after a restart too');
});

test('what a session changes is in the folder when its promise resolves', async (t) => {
  const bench = await mirrorBench(t);
  bench.deliver('new/1.M1P1.host', 'a');
  bench.deliver('cur/2.M1P1.host:2,S', 'b');
  bench.deliver('cur/3.M1P1.host:2,ZSz', 'c');
  await bench.refresh();
  const { writer, accountId, inbox } = bench;
  await writer.flags(accountId, inbox.id, [1, 3], 'add', FLAG.flagged | FLAG.answered, ['work']);
  await writer.flags(accountId, inbox.id, [3], 'remove', FLAG.seen, []);
  assert.deepEqual(bench.files(), ['cur/1.M1P1.host:2,FRa', 'cur/2.M1P1.host:2,S', 'cur/3.M1P1.host:2,FRZaz']);
  await writer.expunge(accountId, inbox.id, [2], false);
  assert.deepEqual(bench.files(), ['cur/1.M1P1.host:2,FRa', 'cur/3.M1P1.host:2,FRZaz']);
  const at = Date.UTC(2020, 1, 2);
  const message = bench.store.staging.stage(messageText('appended'));
  await writer.append(accountId, inbox.id, [{ message, flags: FLAG.seen, keywords: null, internalDate: at }]);
  const added = bench.files().find((file) => file.includes(`U4.`))!;
  assert.match(added, /^cur\/\d+\.M\d+P\d+V\d+U4\.[^/:]+:2,S$/);
  assert.equal(statSync(join(bench.root, added)).mtimeMs, at);
  assert.equal(readFileSync(join(bench.root, added), 'latin1'), messageText('appended').toString().replaceAll('\r\n', '\n'));
  await bench.refresh();
  assert.deepEqual(await bench.shown(), ['1 RF work a', '3 RF work c', '4 S appended']);
});

test('both sides change different flags of a message, and both changes stay', async (t) => {
  const bench = await mirrorBench(t);
  bench.deliver('cur/1.M1P1.host:2,S', 'a');
  await bench.refresh();
  await bench.store.writer.flags(bench.accountId, bench.inbox.id, [1], 'add', FLAG.flagged, []);
  bench.mark('cur/1.M1P1.host:2,S', 'cur/1.M1P1.host:2,RT');
  await bench.refresh();
  assert.deepEqual(await bench.shown(), ['1 RFT a']);
  assert.deepEqual(bench.files(), ['cur/1.M1P1.host:2,FRT']);
});

test("keywords are letters where Dovecot's file names them", async (t) => {
  const bench = await mirrorBench(t);
  bench.deliver('cur/1.M1P1.host:2,Sab', 'a');
  bench.deliver('cur/2.M1P1.host:2,P', 'b');
  writeFileSync(join(bench.root, 'dovecot-keywords'), '0 $Label1\n1 work\n');
  await bench.refresh();
  assert.deepEqual(await bench.shown(), ['1 S $Label1 work a', '2 $Forwarded b']);
  await bench.writer.flags(bench.accountId, bench.inbox.id, [1], 'remove', 0, ['WORK']);
  await bench.writer.flags(bench.accountId, bench.inbox.id, [2], 'add', 0, ['Work', 'unnamed']);
  assert.deepEqual(bench.files(), ['cur/1.M1P1.host:2,Sa', 'cur/2.M1P1.host:2,Pbc']);
  assert.equal(readFileSync(join(bench.root, 'dovecot-keywords'), 'latin1'), '0 $Label1\n1 work\n2 unnamed\n');
  bench.mark('cur/2.M1P1.host:2,Pbc', 'cur/2.M1P1.host:2,b');
  await bench.refresh();
  assert.deepEqual(await bench.shown(), ['1 S $Label1 a', '2 Work b']);
});

test('a folder has 26 letters: more keywords stay in the store, and so do those of a time when another program has the lock', async (t) => {
  const bench = await mirrorBench(t);
  const { writer, accountId, inbox } = bench;
  bench.deliver('cur/1.M1P1.host:2,', 'a');
  await bench.refresh();
  writeFileSync(join(bench.root, 'dovecot-keywords.lock'), '');
  await writer.flags(accountId, inbox.id, [1], 'add', 0, ['early']);
  assert.deepEqual(bench.files(), ['cur/1.M1P1.host:2,']);
  unlinkSync(join(bench.root, 'dovecot-keywords.lock'));
  const words = Array.from({ length: 30 }, (_, i) => `word${String(i).padStart(2, '0')}`);
  await writer.flags(accountId, inbox.id, [1], 'add', 0, words);
  assert.equal(bench.files()[0], 'cur/1.M1P1.host:2,abcdefghijklmnopqrstuvwxyz');
  await bench.refresh();
  await bench.another().refresh(accountId, { kind: 'all' });
  assert.deepEqual(await bench.shown(), [`1 early ${words.join(' ')} a`]);
});

test('folders are mailboxes: made, renamed and removed on either side', async (t) => {
  const bench = await mirrorBench(t);
  const { accountId, store, writer } = bench;
  const names = (): string[] => store.reader.mailboxes(accountId).map((row) => row.name);
  bench.deliver('new/1.M1P1.host', 'in');
  bench.deliver('cur/2.M1P1.host:2,', 'cars', '.Lists.Cars');
  bench.deliver('cur/3.M1P1.host:2,', 'umlaut', '.Entw&APw-rfe');
  await bench.refresh();
  assert.deepEqual(names(), ['Entwürfe', 'INBOX', 'Lists', 'Lists/Cars']);
  assert.deepEqual(await bench.shown('Lists/Cars'), ['1 cars']);
  const before = store.reader.mailboxByName(accountId, 'Lists/Cars')!;
  renameSync(join(bench.root, '.Lists.Cars'), join(bench.root, '.Autos'));
  await bench.refresh();
  const after = store.reader.mailboxByName(accountId, 'Autos')!;
  assert.deepEqual([after.id, after.uidValidity], [before.id, before.uidValidity], 'renamed by another program: the same mailbox');
  await writer.renameMailbox(accountId, after.id, 'Lists/Wheels');
  assert.deepEqual(bench.files('.Lists.Wheels'), ['cur/2.M1P1.host:2,']);
  await writer.createMailbox(accountId, 'New/ß');
  assert.ok(existsSync(join(bench.root, '.New.&AN8-', 'cur')));
  await writer.deleteMailbox(accountId, after.id);
  assert.ok(!existsSync(join(bench.root, '.Lists.Wheels')));
  rmSync(join(bench.root, '.Entw&APw-rfe'), { recursive: true });
  await bench.refresh();
  assert.ok(!names().includes('Entwürfe'));
  assert.deepEqual(await bench.shown(), ['1 in']);
  assert.deepEqual(bench.warnings, []);
});

test('COPY and MOVE between folders, and RENAME of the inbox', async (t) => {
  const bench = await mirrorBench(t);
  const { accountId, store, writer, inbox } = bench;
  bench.deliver('cur/1.M1P1.host:2,S', 'a');
  bench.deliver('cur/2.M1P1.host:2,F', 'b');
  await bench.refresh();
  const target = await writer.createMailbox(accountId, 'Done');
  await writer.copy(accountId, inbox.id, [1], target.id, false);
  await writer.copy(accountId, inbox.id, [2], target.id, true);
  assert.deepEqual(bench.files(), ['cur/1.M1P1.host:2,S']);
  assert.deepEqual(
    bench.files('.Done').map((file) => file.slice(file.lastIndexOf(':'))),
    [':2,S', ':2,F'],
  );
  await writer.renameMailbox(accountId, inbox.id, 'Old');
  assert.deepEqual(bench.files(), []);
  assert.deepEqual(bench.files('.Old'), ['cur/1.M1P1.host:2,S']);
  await bench.refresh();
  assert.deepEqual(await bench.shown('Old'), ['1 S a']);
  assert.equal(store.reader.mailboxByName(accountId, 'Old')!.id, inbox.id);
  assert.deepEqual(await bench.shown('INBOX'), []);
});

test('a folder into which a message came while its mailbox was deleted becomes a mailbox again', async (t) => {
  const bench = await mirrorBench(t);
  bench.deliver('cur/1.M1P1.host:2,', 'in');
  bench.deliver('cur/1.M1P1.host:2,', 'known', '.Sub');
  await bench.refresh();
  bench.deliver('new/2.M1P1.host', 'late', '.Sub');
  await bench.writer.deleteMailbox(bench.accountId, bench.store.reader.mailboxByName(bench.accountId, 'Sub')!.id);
  await bench.refresh();
  assert.deepEqual(await bench.shown('Sub'), ['1 late']);
});

test('a home that is not there empties nothing', async (t) => {
  const bench = await mirrorBench(t);
  bench.deliver('cur/1.M1P1.host:2,', 'a');
  bench.deliver('cur/1.M1P1.host:2,', 'b', '.Sub');
  await bench.refresh();
  renameSync(bench.home, `${bench.home}-away`);
  await bench.refresh();
  await bench.refresh();
  assert.deepEqual(await bench.shown(), ['1 a']);
  assert.deepEqual(await bench.shown('Sub'), ['1 b']);
  assert.equal(bench.warnings.length, 1, 'told once');
  // What is said meanwhile reaches the folder when it is back.
  await bench.writer.flags(bench.accountId, bench.inbox.id, [1], 'add', FLAG.seen, []);
  renameSync(`${bench.home}-away`, bench.home);
  await bench.refresh();
  assert.deepEqual(bench.files(), ['cur/1.M1P1.host:2,S']);
});

test('a folder that did not change costs one look and no lease', async (t) => {
  const bench = await mirrorBench(t);
  bench.deliver('cur/1.M1P1.host:2,', 'a');
  bench.memory = new FolderMemory(() => Date.now() + 10_000);
  await bench.refresh();
  bench.asked.length = 0;
  await bench.refresh({ kind: 'mailbox', name: 'INBOX' });
  await bench.refresh({ kind: 'names' });
  assert.deepEqual(
    bench.asked.map((request) => request.op),
    ['scan', 'scan'],
  );
});

test('what was said OK survives a crash between any two steps, and nothing comes twice', async (t) => {
  for (const stop of ['before', 'after'] as const)
    for (let at = 1; at <= 5; at += 1) {
      const bench = await mirrorBench(t);
      const { accountId, inbox } = bench;
      bench.deliver('cur/1.M1P1.host:2,S', 'a');
      bench.deliver('cur/2.M1P1.host:2,S', 'b');
      bench.deliver('cur/3.M1P1.host:2,', 'c');
      await bench.refresh();
      let count = 0;
      bench[stop] = (request) => {
        if (request.op === 'scan' || request.op === 'list') return;
        count += 1;
        if (count === at) throw new Error('killed');
      };
      bench.deliver('new/4.M1P1.host', 'd');
      const message = bench.store.staging.stage(messageText('e'));
      await bench.writer.append(accountId, inbox.id, [{ message, flags: FLAG.flagged, keywords: null, internalDate: 1e12 }]);
      await bench.writer.flags(accountId, inbox.id, [1], 'replace', FLAG.answered, []);
      await bench.writer.expunge(accountId, inbox.id, [2], false);
      bench[stop] = () => {};
      const next = bench.another();
      await next.refresh(accountId, { kind: 'all' });
      await next.refresh(accountId, { kind: 'all' });
      const shown = (await bench.shown()).map((line) => line.replace(/^\d+ /, '')).sort();
      assert.deepEqual(shown, ['F e', 'R a', 'c', 'd'], `${stop} ${at}`);
      assert.equal(bench.files().length, 4, `${stop} ${at}: ${bench.files().join(' ')}`);
      assert.deepEqual(
        bench
          .files()
          .filter((file) => !file.includes('U'))
          .sort(),
        ['cur/1.M1P1.host:2,R', 'cur/3.M1P1.host:2,', 'new/4.M1P1.host'],
        `${stop} ${at}`,
      );
    }
});

test('two threads look at once: every message comes once', async (t) => {
  const bench = await mirrorBench(t);
  for (let i = 0; i < 40; i += 1) bench.deliver(`new/${i}.M1P1.host`, `m${i}`);
  const other = bench.another();
  await Promise.all([bench.refresh(), other.refresh(bench.accountId, { kind: 'all' })]);
  await Promise.all([bench.refresh(), other.refresh(bench.accountId, { kind: 'all' })]);
  assert.equal((await bench.shown()).length, 40);
  assert.deepEqual(bench.warnings, []);
});

test('files that are no messages are passed over: links, directories, odd names', async (t) => {
  const bench = await mirrorBench(t);
  bench.deliver('new/1.M1P1.host', 'a');
  mkdirSync(join(bench.root, 'cur', 'directory:2,S'));
  const { symlinkSync } = await import('node:fs');
  symlinkSync('/etc/passwd', join(bench.root, 'cur', 'link:2,S'));
  writeFileSync(join(bench.root, 'cur', '.hidden'), 'x');
  await bench.refresh();
  assert.deepEqual(await bench.shown(), ['1 a']);
});
