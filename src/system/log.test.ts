import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createLog, logFormat } from './log.ts';
import { fieldText, textLine } from './log-text.ts';
import type { LineSink } from './sink.ts';

function memory(): LineSink & { lines: string[] } {
  const lines: string[] = [];
  return { lines, write: (line) => void lines.push(line), flush() {}, reopen() {}, close() {} };
}

test('a JSON line has level, time, thread, the fields and the event', () => {
  const sink = memory();
  createLog({ level: 'info', format: 'json', file: '', thread: 'loop1', sink }).warn('smtp.rcpt.refused', { rcpt: 'a@b', code: 550 });
  const line = JSON.parse(sink.lines[0]!);
  assert.match(line.time, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  assert.deepEqual({ ...line, time: '' }, { level: 'warn', time: '', thread: 'loop1', rcpt: 'a@b', code: 550, event: 'smtp.rcpt.refused' });
  assert.ok(sink.lines[0]!.endsWith('\n'));
});

test('a level that is off writes nothing, until it is turned on', () => {
  const sink = memory();
  const log = createLog({ level: 'warn', format: 'json', file: '', thread: '', sink });
  log.info('a');
  log.debug('b');
  assert.equal(sink.lines.length, 0);
  log.setLevel('debug');
  log.info('a');
  log.debug('b');
  assert.equal(sink.lines.length, 2);
});

test('an expected error is told by its message and its causes, a bug also by its stack', () => {
  const sink = memory();
  const log = createLog({ level: 'info', format: 'json', file: '', thread: '', sink });
  log.error('x', { cause: Object.assign(new Error('cannot write', { cause: new Error('disk full') }), { code: 'diskFull' }) });
  log.error('x', { cause: new TypeError('undefined is not a function') });
  assert.deepEqual(JSON.parse(sink.lines[0]!).cause, { message: 'cannot write: disk full', code: 'diskFull' });
  assert.match(JSON.parse(sink.lines[1]!).cause.stack, /TypeError/);
});

test('a text line reads like a sentence of words', () => {
  const at = new Date(2026, 0, 2, 3, 4, 5);
  assert.equal(
    textLine('info', at, 'smtp.accepted', { from: '<a@b.c>', size: 12, to: undefined, ok: true }, false),
    '03:04:05 smtp.accepted from=<a@b.c> size=12 ok=true\n',
  );
  assert.equal(textLine('warn', at, 'x.y', undefined, false), '03:04:05 WARN x.y\n');
  assert.equal(textLine('error', at, 'x.y', undefined, true), '\x1b[31m03:04:05 ERROR x.y\x1b[0m\n');
});

test('what a peer sends cannot steer the terminal or fake a field', () => {
  assert.equal(fieldText('a\x1b[2Jb'), '"a\\u001b[2Jb"');
  assert.equal(fieldText('a\u202eb'), '"a\\u202eb"');
  assert.equal(fieldText('a code=250'), '"a code=250"');
  assert.equal(fieldText('line\r\nline'), '"line\\r\\nline"');
  assert.equal(fieldText('x'.repeat(1000)).length, 403);
  const circular: Record<string, unknown> = {};
  circular.self = circular;
  assert.equal(fieldText(circular), '<circular>');
  assert.equal(fieldText(new Uint8Array(3)), '<3 bytes>');
});

test('the form follows the terminal unless it is set', () => {
  assert.equal(logFormat('auto', '', true), 'text');
  assert.equal(logFormat('auto', '', false), 'json');
  assert.equal(logFormat('auto', '/var/log/x', true), 'json');
  assert.equal(logFormat('text', '/var/log/x', false), 'text');
});

test('after the log file has been moved away, reopen() begins a new one', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-log-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'log');
  const log = createLog({ level: 'info', format: 'json', file, thread: 'main' });
  log.info('one');
  log.flush();
  renameSync(file, `${file}.1`);
  log.reopen();
  log.info('two');
  log.close();
  assert.match(readFileSync(`${file}.1`, 'utf8'), /"event":"one"/);
  assert.match(readFileSync(file, 'utf8'), /"event":"two"/);
});

test('a log file that cannot be opened is named', () => {
  assert.throws(
    () => createLog({ level: 'info', format: 'json', file: '/nowhere/at/all.log', thread: '' }),
    /The log file \/nowhere\/at\/all\.log cannot be opened/,
  );
});

test('no line is lost or torn when several threads write to one pipe and the process exits at once', () => {
  const script = `
    const { Worker, isMainThread, threadId } = require('node:worker_threads');
    import(${JSON.stringify(join(import.meta.dirname, 'log.ts'))}).then(({ createLog }) => {
      const log = createLog({ level: 'info', format: 'json', file: '', thread: 't' + threadId });
      for (let i = 0; i < 3000; i += 1) log.info('line', { i, pad: 'x'.repeat(i % 700) });
      if (!isMainThread) return;
      let left = 2;
      for (let n = 0; n < 2; n += 1) new Worker(__filename === '[eval]' ? process.env.SCRIPT : __filename, { eval: true }).on('exit', () => (left -= 1) === 0 && process.exit(0));
    });`;
  const run = spawnSync(process.execPath, ['-e', script], { env: { ...process.env, SCRIPT: script }, maxBuffer: 64 * 1024 * 1024, encoding: 'utf8' });
  assert.equal(run.status, 0, run.stderr);
  const seen = new Map<string, number>();
  for (const line of run.stdout.trimEnd().split('\n')) {
    const { thread, i } = JSON.parse(line); // a torn line would not parse
    assert.equal(i, seen.get(thread) ?? 0, 'in order');
    seen.set(thread, i + 1);
  }
  assert.deepEqual([...seen.values()], [3000, 3000, 3000]);
});
