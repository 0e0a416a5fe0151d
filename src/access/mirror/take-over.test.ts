import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { mirrorBench } from './testing.ts';

const LIST = '3 V1700000000 N20 Gabc\n3 :2.M1P1.host,S=9\n7 :1.M1P1.host\n9 :gone\n';

test('UIDs and UIDVALIDITY that Dovecot gave are kept; what it had not seen yet comes behind', async (t) => {
  const bench = await mirrorBench(t);
  bench.deliver('cur/1.M1P1.host:2,S', 'seven');
  bench.deliver('cur/2.M1P1.host,S=9:2,', 'three');
  bench.deliver('new/0.M1P1.host', 'unseen');
  bench.deliver('cur/1.M1P1.host:2,', 'below', '.Sub');
  writeFileSync(join(bench.root, 'dovecot-uidlist'), LIST);
  writeFileSync(join(bench.root, '.Sub/dovecot-uidlist'), '3 V1700000001 N5\n4 :1.M1P1.host\n');
  await bench.refresh();
  assert.deepEqual(await bench.shown(), ['3 three', '7 S seven', '20 unseen']);
  assert.deepEqual(await bench.shown('Sub'), ['4 below']);
  const { reader } = bench.store;
  assert.equal(reader.mailboxById(bench.accountId, bench.inbox.id)!.uidValidity, 1700000000);
  assert.equal(reader.mailboxByName(bench.accountId, 'Sub')!.uidValidity, 1700000001);
  writeFileSync(join(bench.root, 'dovecot-uidlist'), '3 V1800000000 N20\n1 :1.M1P1.host\n');
  bench.deliver('new/5.M1P1.host', 'later');
  await bench.another().refresh(bench.accountId, { kind: 'all' });
  assert.deepEqual(await bench.shown(), ['3 three', '7 S seven', '20 unseen', '21 later'], 'once they are given, they stay');
  const made = await bench.writer.createMailbox(bench.accountId, 'Made');
  assert.ok(made.uidValidity > 1700000001);
});

test('a mailbox that clients know already keeps its UIDs', async (t) => {
  const bench = await mirrorBench(t);
  bench.deliver('new/1.M1P1.host', 'a');
  await bench.refresh();
  const { uidValidity } = bench.inbox;
  writeFileSync(join(bench.root, 'dovecot-uidlist'), LIST);
  bench.deliver('cur/2.M1P1.host,S=9:2,', 'b');
  await bench.another().refresh(bench.accountId, { kind: 'all' });
  assert.deepEqual(await bench.shown(), ['1 a', '2 b']);
  assert.equal(bench.store.reader.mailboxById(bench.accountId, bench.inbox.id)!.uidValidity, uidValidity);
});

test('a first look that was cut short goes on with the same UIDs', async (t) => {
  const bench = await mirrorBench(t);
  const lines = ['3 V1700000000 N2000'];
  for (let i = 0; i < 450; i += 1) {
    bench.deliver(`cur/${1000 + i}.M1P1.host:2,`, `m${i}`);
    lines.push(`${i * 3 + 1} :${1000 + i}.M1P1.host`);
  }
  writeFileSync(join(bench.root, 'dovecot-uidlist'), `${lines.join('\n')}\n`);
  let reads = 0;
  bench.before = ({ op }) => {
    if (op !== 'read') return;
    reads += 1;
    if (reads === 3) throw new Error('killed');
  };
  await bench.refresh();
  assert.equal((await bench.shown()).length, 400);
  bench.before = () => {};
  await bench.another().refresh(bench.accountId, { kind: 'all' });
  assert.deepEqual(
    await bench.shown(),
    Array.from({ length: 450 }, (_, i) => `${i * 3 + 1} m${i}`),
  );
});
