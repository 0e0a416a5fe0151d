import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Command } from 'commander';
import type { CliIo } from './io.ts';
import { registerTable } from './table-command.ts';

async function run(line: string[], input = ''): Promise<{ out: string; err: string; code: number }> {
  let out = '';
  let err = '';
  const io = {
    print: (text: string) => void (out += `${text}\n`),
    note: (text: string) => void (err += `${text}\n`),
    isInteractive: false,
    readInput: () => Buffer.from(input),
  } as unknown as CliIo;
  const program = new Command().exitOverride();
  registerTable(program, io);
  process.exitCode = 0;
  await program.parseAsync(line, { from: 'user' });
  const code = Number(process.exitCode ?? 0);
  process.exitCode = 0;
  return { out, err, code };
}

function file(t: TestContext, text: string): string {
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-table-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  writeFileSync(join(dir, 'map'), text);
  return join(dir, 'map');
}

test('query prints the value, or says with exit code 1 that there is none', async (t) => {
  const map = file(t, 'example.org REJECT go away\n');
  assert.deepEqual(await run(['table', 'query', `hash:${map}`, 'Example.org']), { out: 'REJECT go away\n', err: '', code: 0 });
  assert.deepEqual(await run(['table', 'query', `hash:${map}`, 'example.net']), { out: '', err: 'Not found.\n', code: 1 });
});

test('query takes several keys, also from the standard input', async () => {
  assert.equal((await run(['table', 'query', 'inline:{a=1,b=2}', 'a', 'x', 'b'])).out, 'a\t1\nb\t2\n');
  assert.equal(
    (await run(['table', 'query', 'inline:{a=1,b=2}', '-', '--json'], 'b\r\n\na\n')).out,
    '{"asked":"b","key":"b","value":"2"}\n{"asked":"a","key":"a","value":"1"}\n',
  );
});

test('query --search shows which part of the key was found', async () => {
  const spec = 'inline:{.example.org=parent, 192.0.2=net, joe@=user, *=any}';
  assert.match((await run(['table', 'query', spec, 'mx.example.org', '--search', 'domain'])).out, /\nmx\.example\.org +\.example\.org +parent\n/);
  assert.match((await run(['table', 'query', spec, '192.0.2.7', '--search', 'network'])).out, /\n192\.0\.2\.7 +192\.0\.2 +net\n/);
  assert.match((await run(['table', 'query', spec, 'joe+x@other.example', '--search', 'address'])).out, / +joe@ +user\n/);
  assert.match((await run(['table', 'query', spec, 'joe@other.example', '--search', 'transport'])).out, / +\* +any\n/);
  await assert.rejects(run(['table', 'query', spec, 'no address', '--search', 'address']), /"no address" is no mail address/);
});

test('dump prints all pairs', async (t) => {
  const map = file(t, 'B two\na one\n');
  assert.equal((await run(['table', 'dump', `texthash:${map}`])).out, 'b\ttwo\na\tone\n');
  assert.equal((await run(['table', 'dump', `hash:${map}`, '--json'])).out, '{"key":"b","value":"two"}\n{"key":"a","value":"one"}\n');
  await assert.rejects(run(['table', 'dump', 'static:x']), /static:x: a table of this type cannot list its content/);
});

test('problems name the file and the line, and warnings are notes', async (t) => {
  const map = file(t, '/a/ x\n/(/ y\n');
  await assert.rejects(run(['table', 'query', `pcre:${map}`, 'a']), { message: new RegExp(`^${map}:2: a closing bracket is missing`) });
  const text = file(t, 'a one\nalone\n');
  const { err } = await run(['table', 'query', `hash:${text}`, 'a']);
  assert.equal(err, `${text}:2: a key needs white space and a value after it; the line is passed over\n`);
});
