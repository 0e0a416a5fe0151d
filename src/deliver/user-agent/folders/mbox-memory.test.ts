import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { MboxMemory } from './mbox-memory.ts';

const FROM = 'From a@far.test  Thu Nov 20 11:42:00 2025\n';
const message = fc
  .tuple(
    fc.constantFrom('', '\n', '\n\n'),
    fc.constantFrom('a', 'b', 'c'),
    fc.constantFrom('', 'Status: RO\n', 'X-Status: F\n'),
    fc.constantFrom('x\n', 'From me\n', ''),
  )
  .map(([before, subject, status, body]) => `${before}${FROM}Subject: ${subject}\n${status}\n${body}`);
/** Appends to what there is, or puts something else in its place. */
const step = fc.record({ isAppended: fc.boolean(), text: fc.array(message, { minLength: 0, maxLength: 3 }).map((list) => list.join('')) });

test('what is remembered of an mbox makes no difference, whatever others wrote', () => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-mbox-'));
  const file = join(folder, 'mbox');
  try {
    fc.assert(
      fc.property(fc.array(step, { minLength: 2, maxLength: 6 }), (steps) => {
        const memory = new MboxMemory();
        let text = '';
        for (const { isAppended, text: more } of steps) {
          text = isAppended ? text + more : more;
          writeFileSync(file, text); // in place: the inode stays
          const fd = openSync(file, 'r');
          try {
            assert.deepEqual(memory.look(fd, file).messages, new MboxMemory().look(fd, file).messages);
          } finally {
            closeSync(fd);
          }
        }
      }),
      { seed: 11, numRuns: 300 },
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('an mbox larger than a window is read in pieces, and so is a message that is', () => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-mbox-'));
  const file = join(folder, 'mbox');
  const long = 'A line of fifty characters, as they are in letters.\n'.repeat(200_000);
  try {
    const all = [`${FROM}Subject: a\n\nshort\n\n`, `${FROM}Subject: b\n\n${long}\n`, `${FROM}Subject: c\nStatus: RO\n\nshort\n\n`];
    writeFileSync(file, all.join(''));
    const fd = openSync(file, 'r');
    const memory = new MboxMemory();
    const { messages } = memory.look(fd, file);
    closeSync(fd);
    assert.deepEqual(
      messages.map(({ file: place, marks }) => [place.split(':').map(Number)[1], marks]),
      all.map((text, i) => [text.length, i === 2 ? 'S' : '']),
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});
