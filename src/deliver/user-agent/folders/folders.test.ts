/** The way through helper and worker. Root only: the processes become users. */
import assert from 'node:assert/strict';
import { chownSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { GAMES, userAgentBench } from '../testing.ts';
import { filesFromBody } from './types.ts';
import type { FolderNews } from './watch.ts';

test('folders are read and written as their user, asked for through the helper', async () => {
  await using bench = await userAgentBench();
  for (const part of ['Maildir', 'Maildir/new', 'Maildir/cur', 'Maildir/tmp']) {
    mkdirSync(join(bench.home, part), { mode: 0o700 });
    chownSync(join(bench.home, part), GAMES.uid, GAMES.gid);
  }
  bench.put('Maildir/new/1.M1P1.host', 'Subject: a\n\nText\n');
  const ask = (request: Parameters<typeof bench.client.folders>[2], body?: Uint8Array) => bench.client.folders('games', 'Maildir/', request, body);
  const { body } = await ask({ op: 'list', path: '' });
  const files = filesFromBody(body);
  assert.deepEqual(files, [{ name: '1.M1P1.host', marks: '', file: 'new/1.M1P1.host' }]);
  const read = await ask({ op: 'read', path: '', files });
  assert.equal(Buffer.from(read.body).toString(), 'Subject: a\n\nText\n');
  const message = Buffer.from('Subject: b\n\n');
  const { answer } = await ask({ op: 'add', path: '.Sub', messages: [{ name: '2.M1P1.host', marks: 'FS', bytes: message.length, at: 1e12 }] }, message);
  assert.deepEqual(answer, { op: 'add', results: [{ file: 'cur/2.M1P1.host:2,FS', marks: 'FS' }] });
  const stat = statSync(join(bench.home, 'Maildir/.Sub/cur/2.M1P1.host:2,FS'));
  assert.deepEqual([stat.uid, stat.gid, stat.mode & 0o777], [GAMES.uid, GAMES.gid, 0o600]);
});

test('what cannot be is answered, not thrown: nobody of that name, root, paths that lead elsewhere, a file of root behind a link', async () => {
  await using bench = await userAgentBench();
  const scan = { op: 'scan', only: null } as const;
  for (const user of ['nosuch', 'root']) {
    const { answer } = await bench.client.folders(user, 'Maildir/', scan);
    assert.equal('reason' in answer ? answer.reason : '', 'refused', user);
  }
  for (const path of ['..', '../x', '/etc', '.x/../..']) {
    const { answer } = await bench.client.folders('games', 'Maildir/', { op: 'list', path });
    assert.ok('failed' in answer, path);
  }
  writeFileSync(join(bench.folder, 'secret'), 'Subject: secret\n\n', { mode: 0o600 });
  for (const part of ['Maildir', 'Maildir/new', 'Maildir/cur']) {
    mkdirSync(join(bench.home, part), { mode: 0o700 });
    chownSync(join(bench.home, part), GAMES.uid, GAMES.gid);
  }
  symlinkSync(join(bench.folder, 'secret'), join(bench.home, 'Maildir/cur/1.M1P1.host:2,'));
  const { answer, body } = await bench.client.folders('games', 'Maildir/', {
    op: 'read',
    path: '',
    files: [{ name: '1.M1P1.host', marks: '', file: 'cur/1.M1P1.host:2,' }],
  });
  assert.ok('results' in answer && body.length === 0);
});

test('a change in a folder is told to whoever watches it, with or without watches of the system', async () => {
  await using bench = await userAgentBench();
  for (const part of ['Maildir', 'Maildir/new', 'Maildir/cur', 'Maildir/tmp']) {
    mkdirSync(join(bench.home, part), { mode: 0o700 });
    chownSync(join(bench.home, part), GAMES.uid, GAMES.gid);
  }
  for (const isWatching of [true, false]) {
    const heard: FolderNews[] = [];
    let told = Promise.withResolvers<void>();
    const wish = { paths: [''], names: false, pollMs: isWatching ? 3_600_000 : 50, isWatching };
    const until = async (is: (news: FolderNews) => boolean): Promise<void> => {
      while (!heard.some(is)) {
        await told.promise;
        told = Promise.withResolvers();
      }
      heard.length = 0;
    };
    const watch = bench.client.watch(
      'games',
      'Maildir/',
      wish,
      (news) => {
        heard.push(news);
        told.resolve();
      },
      () => assert.fail('it ended'),
    );
    await until(() => true); // it has begun
    bench.put(`Maildir/new/${isWatching}.M1P1.host`, 'Subject: a\n\n');
    await until(({ paths }) => paths.includes(''));
    watch.update({ ...wish, names: true });
    await until(({ names }) => names);
    for (const part of ['', '/new', '/cur']) {
      mkdirSync(join(bench.home, `Maildir/.Sub${isWatching}${part}`), { mode: 0o700 });
      chownSync(join(bench.home, `Maildir/.Sub${isWatching}${part}`), GAMES.uid, GAMES.gid);
    }
    await until(({ names }) => names);
    watch.stop();
  }
});
