import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { changeSubscriptions, readSubscriptions, type SubscriptionsPlace, subscriptionsState } from './subscriptions.ts';

function place(t: TestContext, kind: 'maildir' | 'mbox' = 'maildir'): SubscriptionsPlace {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-subscriptions-'));
  t.after(() => rmSync(folder, { recursive: true }));
  return { file: join(folder, 'subscriptions'), courier: join(folder, 'courierimapsubscribed'), kind };
}

test("Dovecot's second version is read and changed; its other lines stay", (t) => {
  const at = place(t);
  writeFileSync(at.file, 'V\t2\n\nLists\tCars\nINBOX\nEntw&APw-rfe\nodd\x01tname\n');
  assert.deepEqual(readSubscriptions(at), ['.Lists.Cars', '', '.Entw&APw-rfe', '.odd\tname']);
  assert.ok(changeSubscriptions(at, ['.New.One', ''], ['.Entw&APw-rfe']));
  assert.equal(readFileSync(at.file, 'latin1'), 'V\t2\n\nLists\tCars\nINBOX\nodd\x01tname\nNew\tOne\n');
});

test("Dovecot's first version stays what it is", (t) => {
  const at = place(t, 'mbox');
  writeFileSync(at.file, 'Lists/Cars\nINBOX\n');
  assert.ok(changeSubscriptions(at, ['a/b'], ['Lists/Cars']));
  assert.equal(readFileSync(at.file, 'latin1'), 'INBOX\na/b\n');
});

test("Courier's list is where a new one begins", (t) => {
  const at = place(t);
  assert.equal(subscriptionsState(at), '');
  assert.equal(readSubscriptions(at), null);
  writeFileSync(at.courier!, 'INBOX\nINBOX.Sent\nINBOX.Lists.Cars\nshared.x\n');
  assert.match(subscriptionsState(at), /^courier/);
  assert.deepEqual(readSubscriptions(at), ['', '.Sent', '.Lists.Cars']);
  assert.ok(changeSubscriptions(at, [], ['.Sent']));
  assert.equal(readFileSync(at.file, 'latin1'), 'V\t2\n\nINBOX\nLists\tCars\n');
});

test('nothing is changed while another program has the lock, and none of its files are removed', (t) => {
  const at = place(t);
  writeFileSync(`${at.file}.lock`, 'of another');
  assert.equal(changeSubscriptions(at, ['.x'], []), false);
  assert.ok(!existsSync(at.file));
  assert.equal(readFileSync(`${at.file}.lock`, 'latin1'), 'of another');
});

test('lines that are no paths are passed over', (t) => {
  const at = place(t);
  writeFileSync(at.file, 'a/b\n.\n..x\n\nok\n');
  assert.deepEqual(readSubscriptions(at), ['.ok']);
});
