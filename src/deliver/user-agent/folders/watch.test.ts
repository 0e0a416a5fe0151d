import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { NO_KERNEL_LOCKS } from '../../agents/kernel-lock.ts';
import type { FoldersPlace } from './answer.ts';
import { FolderMemory } from './memory.ts';
import { type FolderNews, FolderWatcher } from './watch.ts';

function home(t: TestContext): FoldersPlace {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-watch-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const user = { name: 'ann', uid: 1000, gid: 1000, gecos: '', home: folder, shell: '/bin/sh' };
  // Every change is old enough: what a look tells is what differs.
  const memory = new FolderMemory(() => Date.now() + 10_000);
  return { user, mailbox: 'Maildir/', kernelLocks: NO_KERNEL_LOCKS, signal: new AbortController().signal, memory };
}

function maildir(place: FoldersPlace, path = ''): string {
  const folder = join(place.user.home, 'Maildir', path);
  for (const part of ['new', 'cur', 'tmp']) mkdirSync(join(folder, part), { recursive: true });
  return folder;
}

/** Until something was told of which this is true. */
class Ear {
  readonly heard: FolderNews[] = [];
  #wake: () => void = () => {};

  readonly tell = (news: FolderNews): void => {
    this.heard.push(news);
    this.#wake();
  };

  async until(is: (news: FolderNews) => boolean, isForgotten = true): Promise<void> {
    while (!this.heard.some(is)) await new Promise<void>((resolve) => (this.#wake = resolve));
    if (isForgotten) this.heard.length = 0;
  }
}

const HOUR = 3_600_000;
const noSpace = (): never => {
  throw Object.assign(new Error('no more watches'), { code: 'ENOSPC' });
};

test('without a watch to be had, looks tell: of new mail, flags, removal, folders and subscriptions', async (t) => {
  const place = home(t);
  const root = maildir(place);
  const ear = new Ear();
  const watcher = new FolderWatcher(place, ear.tell, noSpace);
  t.after(() => watcher.close());
  watcher.update({ paths: [''], names: true, pollMs: HOUR, isWatching: true });
  await ear.until(({ names }) => names);
  for (const change of [
    () => writeFileSync(join(root, 'new/1.M1P1.h'), 'x'),
    () => renameSync(join(root, 'new/1.M1P1.h'), join(root, 'cur/1.M1P1.h:2,S')),
    () => renameSync(join(root, 'cur/1.M1P1.h:2,S'), join(root, 'cur/1.M1P1.h:2,FS')),
    () => unlinkSync(join(root, 'cur/1.M1P1.h:2,FS')),
  ]) {
    change();
    watcher.poll();
    await ear.until(({ paths, names }) => paths.includes('') && !names);
  }
  for (const change of [
    () => maildir(place, '.Sub'),
    () => renameSync(join(root, '.Sub'), join(root, '.Other')),
    () => rmSync(join(root, '.Other'), { recursive: true }),
    () => writeFileSync(join(root, 'subscriptions'), 'INBOX\n'),
  ]) {
    change();
    watcher.poll();
    await ear.until(({ names }) => names);
  }
  watcher.poll();
  watcher.update({ paths: [''], names: true, pollMs: HOUR, isWatching: true });
  await ear.until(() => true, false);
  assert.deepEqual(ear.heard, [{ paths: [], names: false }], 'nothing has changed');
});

test('a watch moves with the place: a folder that another one replaced is watched again', async (t) => {
  const place = home(t);
  const root = maildir(place);
  const ear = new Ear();
  const watcher = new FolderWatcher(place, ear.tell);
  t.after(() => watcher.close());
  watcher.update({ paths: [''], names: false, pollMs: HOUR, isWatching: true });
  await ear.until(({ paths }) => paths.includes(''));
  maildir(place, '../Other');
  renameSync(root, `${root}-old`);
  renameSync(join(place.user.home, 'Other'), root);
  watcher.poll();
  await ear.until(({ paths }) => paths.includes(''));
  writeFileSync(join(root, 'new/1.M1P1.h'), 'x');
  await ear.until(({ paths }) => paths.includes(''));
  rmSync(join(root, 'cur'), { recursive: true });
  await ear.until(({ paths }) => paths.includes(''));
  mkdirSync(join(root, 'cur'));
  await ear.until(({ paths }) => paths.includes(''));
  writeFileSync(join(root, 'cur/2.M1P1.h:2,'), 'x');
  await ear.until(({ paths }) => paths.includes(''));
});

test('the system tells of an mbox that is appended to, replaced or made', async (t) => {
  const place = { ...home(t), mailbox: 'mbox' };
  const file = join(place.user.home, 'mbox');
  mkdirSync(join(place.user.home, 'mail'));
  const ear = new Ear();
  const watcher = new FolderWatcher(place, ear.tell);
  t.after(() => watcher.close());
  watcher.update({ paths: ['', 'Sent'], names: true, pollMs: HOUR, isWatching: true });
  await ear.until(({ names }) => names);
  writeFileSync(file, 'From a\n');
  await ear.until(({ paths }) => paths.includes(''));
  writeFileSync(`${file}.new`, 'From b\n');
  renameSync(`${file}.new`, file);
  await ear.until(({ paths }) => paths.includes(''));
  writeFileSync(join(place.user.home, 'mail/Sent'), 'From c\n');
  await ear.until(({ paths }) => paths.includes('Sent'));
  writeFileSync(join(place.user.home, 'mail/New'), '');
  await ear.until(({ names }) => names);
});

test('a home that is not there is watched from the moment it is', async (t) => {
  const place = home(t);
  const ear = new Ear();
  const watcher = new FolderWatcher(place, ear.tell);
  t.after(() => watcher.close());
  watcher.update({ paths: [''], names: true, pollMs: HOUR, isWatching: true });
  await ear.until(({ names }) => names);
  const root = maildir(place);
  watcher.poll();
  await ear.until(({ names }) => names);
  writeFileSync(join(root, 'new/1.M1P1.h'), 'x');
  await ear.until(({ paths }) => paths.includes(''));
});
