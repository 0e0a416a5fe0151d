import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { FolderNews, WatchWish } from '../../deliver/user-agent/folders/watch.ts';
import type { MirrorScope } from '../../ports.ts';
import type { MirrorContext, Work } from './types.ts';
import { Watches } from './watches.ts';

/** Folders of an account: mailbox 1 is the inbox, 2 is ".Sub"; 3 has no folder. */
function bench(t: TestContext, pollMs = 1000) {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  const begun: { wishes: WatchWish[]; changed: (news: FolderNews) => void; ended: () => void; isStopped: boolean }[] = [];
  const scopes: MirrorScope[] = [];
  const bindings = [
    [1, '', 'INBOX', '1:1', 'x', 1],
    [2, '.Sub', 'Sub', '1:2', 'x', 1],
  ];
  const context = {
    settings: () => ({ 'local.mailbox': 'Maildir/', 'local.folderPoll': pollMs, 'local.folderWatch': true }),
    reader: { rows: () => bindings },
    agent: {
      watch(_user: string, _mailbox: string, wish: WatchWish, changed: (news: FolderNews) => void, ended: () => void) {
        const watch = { wishes: [wish], changed, ended, isStopped: false };
        begun.push(watch);
        return { update: (next: WatchWish) => void watch.wishes.push(next), stop: () => void (watch.isStopped = true) };
      },
    },
  } as unknown as MirrorContext;
  let done: () => void = () => {};
  const watches = new Watches(context, (_accountId, scope) => {
    scopes.push(scope);
    return new Promise((resolve) => (done = resolve));
  });
  t.after(() => watches.close());
  const work = { accountId: 7, user: 'ann', mailbox: 'Maildir/' } as Work;
  const finish = async (): Promise<void> => {
    done();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { watches, work, begun, scopes, bindings, finish };
}

const last = <T>(list: readonly T[]): T => list[list.length - 1]!;

test('one watcher serves all who look at an account, and hears when others look at more or less', (t) => {
  const { watches, work, begun } = bench(t);
  const first = watches.open(work, 1);
  const again = watches.open(work, 1);
  const other = watches.open(work, 2);
  assert.equal(begun.length, 1);
  assert.deepEqual(
    begun[0]!.wishes.map(({ paths, names }) => [paths, names]),
    [
      [[''], false],
      [['', '.Sub'], false],
    ],
  );
  first();
  first();
  other();
  assert.deepEqual(last(begun[0]!.wishes).paths, ['']);
  const all = watches.open(work, null);
  assert.deepEqual([last(begun[0]!.wishes).paths, last(begun[0]!.wishes).names], [['', '.Sub'], true]);
  all();
  assert.ok(!begun[0]!.isStopped);
  again();
  assert.ok(begun[0]!.isStopped);
});

test('a mailbox that has no folder yet is watched for by the list of folders', (t) => {
  const { watches, work, begun } = bench(t);
  watches.open(work, 3);
  assert.deepEqual([begun[0]!.wishes[0]!.paths, begun[0]!.wishes[0]!.names], [[], true]);
});

test('what is told while a look is under way is looked at once, afterwards', async (t) => {
  const { watches, work, begun, scopes, finish } = bench(t);
  watches.open(work, 1);
  watches.open(work, 2);
  const { changed } = begun[0]!;
  changed({ paths: [''], names: false });
  changed({ paths: ['.Sub', ''], names: false });
  changed({ paths: ['.Sub'], names: false });
  changed({ paths: [], names: false });
  assert.deepEqual(scopes, [{ kind: 'mailboxes', ids: [1] }]);
  await finish();
  assert.deepEqual(scopes.slice(1), [{ kind: 'mailboxes', ids: [1, 2] }]);
  await finish();
  assert.equal(scopes.length, 2);
  changed({ paths: [], names: true });
  assert.deepEqual(scopes[2], { kind: 'all' });
});

test('folders that came are watched after the look that found them', async (t) => {
  const { watches, work, begun, bindings, finish } = bench(t);
  watches.open(work, null);
  bindings.push([4, '.New', 'New', '1:4', 'x', 1]);
  begun[0]!.changed({ paths: [], names: true });
  await finish();
  assert.deepEqual(last(begun[0]!.wishes).paths, ['', '.Sub', '.New']);
});

test('without a watcher it is looked from time to time, and another watcher is asked for', async (t) => {
  const { watches, work, begun, scopes, finish } = bench(t);
  watches.open(work, 1);
  t.mock.timers.tick(1000);
  assert.equal(scopes.length, 1, 'none has said anything yet');
  await finish();
  begun[0]!.changed({ paths: [], names: false });
  for (let turn = 0; turn < 5; turn += 1) t.mock.timers.tick(1000);
  assert.equal(scopes.length, 1, 'there is one now');
  begun[0]!.ended();
  t.mock.timers.tick(1000);
  assert.equal(scopes.length, 2);
  await finish();
  assert.equal(begun.length, 2);
});

test('a look that takes longer than the time between looks is not overtaken by another', async (t) => {
  const { watches, work, scopes, finish } = bench(t);
  watches.open(work, 1);
  for (let turn = 0; turn < 5; turn += 1) t.mock.timers.tick(1000);
  assert.equal(scopes.length, 1);
  await finish();
  t.mock.timers.tick(1000);
  assert.equal(scopes.length, 2);
});

test('with a watcher it is looked all the same now and then: its user may have stopped it', (t) => {
  const { watches, work, begun, scopes } = bench(t);
  watches.open(work, 1);
  begun[0]!.changed({ paths: [], names: false });
  for (let turn = 0; turn < 10; turn += 1) t.mock.timers.tick(1000);
  assert.deepEqual(scopes, [{ kind: 'mailboxes', ids: [1] }]);
});
