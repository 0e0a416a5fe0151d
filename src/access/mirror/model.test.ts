/** Two sides that change at random, with a worker that dies at random: in the end both are equal, nothing is lost and nothing is there twice. */
import assert from 'node:assert/strict';
import { readFileSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { readKeywords, marksOf } from '../../deliver/user-agent/folders/maildir-marks.ts';
import { FolderMemory } from '../../deliver/user-agent/folders/memory.ts';
import { messageText } from '../../store/testing.ts';
import { type MirrorBench, mirrorBench } from './testing.ts';

/** mulberry32: small, good enough, and the same everywhere. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

function subjectOf(bench: MirrorBench, file: string): string {
  return /^Subject: (.*)$/m.exec(readFileSync(join(bench.root, file), 'latin1'))![1]!;
}

for (const seed of [1, 2, 3, 4])
  test(`random changes on both sides, seed ${seed}`, async (t) => {
    const next = random(seed);
    const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
    const bench = await mirrorBench(t);
    const { accountId, inbox, store } = bench;
    const other = bench.another();
    /** UIDs of all messages ever shown. */
    const known = new Map<string, number>();
    const alive = new Set<string>();
    let count = 0;
    bench.deliver('new/0.M0P1.host', 'n0');
    alive.add('n0');
    await bench.refresh();
    const uids = (): number[] => store.reader.messages(accountId, inbox.id, 0, 0xffffffff, 1000).map(([uid]) => uid);
    const shown = async (): Promise<{ uid: number; subject: string }[]> =>
      (await bench.shown()).map((line) => ({ uid: Number(line.split(' ')[0]), subject: line.split(' ').at(-1)! }));
    for (let step = 0; step < 40; step += 1) {
      const dies = next() < 0.25;
      const when = pick(['before', 'after'] as const);
      bench[when] = () => {
        if (dies && next() < 0.5) throw new Error('killed');
      };
      const files = bench.files();
      switch (Math.floor(next() * 11)) {
        case 0:
          count += 1;
          alive.add(`n${count}`);
          bench.deliver(`new/${count}.M${count}P1.host`, `n${count}`);
          break;
        case 1:
          if (files.length > 0) {
            const file = pick(files);
            const name = file.slice(4).split(':')[0]!;
            bench.mark(file, `cur/${name}:2,${['', 'S', 'FS', 'RT'][Math.floor(next() * 4)]}`);
          }
          break;
        case 2:
          if (files.length > 1) {
            const file = pick(files);
            alive.delete(subjectOf(bench, file));
            unlinkSync(join(bench.root, file));
          }
          break;
        case 3: {
          count += 1;
          alive.add(`n${count}`);
          const message = store.staging.stage(messageText(`n${count}`));
          await bench.writer.append(accountId, inbox.id, [{ message, flags: Math.floor(next() * 32), keywords: null, internalDate: 1e12 }]);
          break;
        }
        case 4:
          if (uids().length > 0) await bench.writer.flags(accountId, inbox.id, [pick(uids())], pick(['add', 'remove', 'replace']), Math.floor(next() * 32), []);
          break;
        case 5:
          if (uids().length > 0) {
            const { uid, subject } = pick(await shown());
            alive.delete(subject);
            await bench.writer.expunge(accountId, inbox.id, [uid], false);
          }
          break;
        case 6:
          if (uids().length > 0) await bench.writer.flags(accountId, inbox.id, [pick(uids())], pick(['add', 'remove']), 0, [pick(['work', 'play', '$Label1'])]);
          break;
        case 7:
          // The folder's worker has ended, and with it what it remembered; or another thread's mirror takes its turn.
          if (next() < 0.5) bench.memory = new FolderMemory();
          else await other.refresh(accountId, { kind: 'all' });
          break;
        case 8:
          if (files.length > 0) {
            // A file that goes and comes back before anybody looks twice.
            const file = pick(files);
            bench.mark(file, 'tmp/away');
            bench.mark('tmp/away', file);
          }
          break;
        default:
          await bench.refresh();
      }
      bench.before = () => {};
      bench.after = () => {};
      for (const { uid, subject } of await shown()) {
        assert.equal(known.get(subject) ?? uid, uid, `the UID of ${subject}`);
        known.set(subject, uid);
      }
    }
    await bench.another().refresh(accountId, { kind: 'all' });
    await bench.another().refresh(accountId, { kind: 'all' });
    const words = readKeywords(bench.root);
    const inStore = (await bench.shown()).map((line) => {
      const [, ...parts] = line.split(' ');
      const subject = parts.pop()!;
      const letters = /^[SRFTD]+$/.test(parts[0] ?? '') ? [...parts.shift()!].sort().join('') : '';
      return `${subject} ${[letters, ...parts].join(' ').trim()}`;
    });
    const inFolder = bench.files().map((file) => `${subjectOf(bench, file)} ${marksOf(file.split(':2,')[1] ?? '', words).trim()}`);
    assert.deepEqual(inStore.sort(), inFolder.sort());
    assert.deepEqual(inStore.map((line) => line.split(' ')[0]).sort(), [...alive].sort());
    for (const { uid, subject } of await shown()) assert.equal(known.get(subject) ?? uid, uid, `the UID of ${subject}`);
  });
