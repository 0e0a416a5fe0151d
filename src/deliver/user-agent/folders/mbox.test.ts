import assert from 'node:assert/strict';
import { appendFileSync, closeSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { contentOf, factsOf, newMessage, oneMessage, parseMbox, timeOf, withMarks } from './mbox-format.ts';
import { recover, replaceEnd, type Step } from './mbox-rewrite.ts';

const FROM = 'From a@far.test  Thu Nov 20 11:42:00 2025\n';

test('an mbox is cut at its From_ lines, quoted and unquoted text aside', () => {
  const one = `${FROM}Subject: a\n\nFrom here on\n>From x\n\n`;
  const two = `From b Thu Nov 20 11:42 2025\nSubject: b\n\n\n`;
  const bytes = Buffer.from(one + two);
  const messages = parseMbox(bytes)!;
  assert.deepEqual(
    messages.map(({ start, next }) => bytes.toString('latin1', start, next)),
    [one, two],
  );
  assert.equal(contentOf(bytes, messages[0]!).toString(), 'Subject: a\n\nFrom here on\n>From x\n');
  assert.equal(parseMbox(Buffer.from('no mbox\n')), null);
  assert.deepEqual(parseMbox(Buffer.alloc(0)), []);
});

test('From_ lines of several programs tell the time', () => {
  const rows = [
    'From a Thu Nov 20 11:42:00 2025',
    'From a@b  Thu Nov 20 11:42:00 2025',
    'From a Thu Nov 20 11:42 CET 2025',
    'From "x y"@z Thu Nov 20 11:42:00 +0100 2025',
  ];
  for (const row of rows) {
    const bytes = Buffer.from(`${row}\nSubject: x\n\n`);
    assert.equal(timeOf(bytes, oneMessage(bytes, 0, bytes.length)), new Date(2025, 10, 20, 11, 42).getTime(), row);
  }
});

test('whatever stands in a file, its parts are all of it, and marks come back', () => {
  const line = fc.constantFrom(
    'Subject: x',
    'Status: RO',
    'X-Status: AF',
    '',
    'From me',
    '>From me',
    FROM.trimEnd(),
    ' continued',
    'no colon',
    'X-Keywords: a b',
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 40 }), fc.subarray(['D', 'F', 'R', 'S', 'T']), (lines, letters) => {
      const bytes = Buffer.from(FROM + lines.map((text) => `${text}\n`).join(''));
      const messages = parseMbox(bytes)!;
      assert.equal(messages.map(({ start, next }) => bytes.toString('latin1', start, next)).join(''), bytes.toString('latin1'));
      for (const message of messages) {
        const marked = withMarks(bytes, message, letters.join(''));
        const again = parseMbox(marked)!;
        assert.equal(again.length, 1);
        const facts = factsOf(marked, again[0]!);
        assert.equal(facts.marks, letters.join(''));
        assert.equal(withMarks(marked, again[0]!, facts.marks).toString('latin1'), marked.toString('latin1'));
      }
    }),
    { seed: 20, numRuns: 300 },
  );
});

test('a message that is appended is read back as it was', () => {
  const content = Buffer.from('Return-Path: <s@far.test>\nSubject: a\n\nText\nFrom me\n');
  const bytes = newMessage(content, new Date(2025, 10, 20, 11, 42).getTime(), 'FS work');
  assert.match(bytes.toString('latin1'), /^From s@far\.test {2}Thu Nov 20 11:42:00 2025\nReturn-Path/);
  const [message] = parseMbox(bytes)!;
  assert.equal(factsOf(bytes, message!).marks, 'FS work');
  assert.equal(contentOf(bytes, message!).toString(), content.toString().replace('\nFrom me', '\n>From me'));
});

test('an end that is replaced is there whole after a stop at any step, with what others appended', () => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-mbox-'));
  try {
    for (const end of ['', 'short', 'old end!', 'a much longer end than the old one'])
      for (const stop of ['journal', 'grown', 'written', 'cut', null] as (Step | null)[])
        for (const late of ['', 'late', 'a late message that is longer than everything else']) {
          const [file, journal] = [join(folder, 'mbox'), join(folder, 'journal')];
          writeFileSync(file, 'head|old end!');
          const fd = openSync(file, 'r+');
          try {
            replaceEnd(fd, journal, 5, 13, Buffer.from(end), (step) => {
              if (step === stop) throw new Error('killed');
            });
          } catch (error) {
            assert.equal((error as Error).message, 'killed');
          }
          appendFileSync(file, late);
          recover(fd, journal);
          closeSync(fd);
          const found = readFileSync(file, 'latin1');
          const wanted = [`head|${end}${late}`, `head|old end!${late}`];
          // Before anything was overwritten the change may be lost: whoever asked for it was not told that it was made.
          const isUntouched = stop === 'journal' || stop === 'grown' || (stop === 'written' && end === '');
          assert.ok(found === wanted[0] || (isUntouched && found === wanted[1]), `${end} ${stop} ${late}: ${JSON.stringify(found)}`);
          assert.ok(!existsSync(journal));
        }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a stop in the middle of a write is mended too', () => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-mbox-'));
  try {
    for (const end of ['short', 'a much longer end than the old one'])
      for (let written = 1; written < end.length; written += 3) {
        const [file, journal] = [join(folder, 'mbox'), join(folder, 'journal')];
        writeFileSync(file, 'head|old end!');
        const fd = openSync(file, 'r+');
        try {
          replaceEnd(fd, journal, 5, 13, Buffer.from(end), (step) => {
            if (step === 'grown') throw new Error('killed');
          });
        } catch (error) {
          assert.equal((error as Error).message, 'killed');
        }
        const bytes = readFileSync(file);
        bytes.write(end.slice(0, written), 5, 'latin1');
        writeFileSync(file, bytes);
        appendFileSync(file, '|late');
        recover(fd, journal);
        closeSync(fd);
        assert.equal(readFileSync(file, 'latin1'), `head|${end}|late`, `${end} ${written}`);
      }
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a change that is lost with its journal before it began leaves a file that others read', () => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-mbox-'));
  try {
    const [file, journal] = [join(folder, 'mbox'), join(folder, 'journal')];
    writeFileSync(file, 'head|old end!');
    writeFileSync(journal, '{"identity":"1:1","off');
    const fd = openSync(file, 'r+');
    assert.equal(recover(fd, journal), true);
    closeSync(fd);
    assert.equal(readFileSync(file, 'latin1'), 'head|old end!');
    assert.ok(!existsSync(journal));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
