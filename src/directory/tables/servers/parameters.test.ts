import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TableProblem } from '../errors.ts';
import { type Known, readParameters } from './parameters.ts';
import { files, testContext } from './testing.ts';

const KNOWN: Known = {
  names: ['hosts', 'user', 'password', 'query', 'limit', 'wait', 'flag'],
  ignored: new Map([['cache', 'no cache']]),
  secrets: ['password'],
};

test('lines, comments and continuations are read as in main.cf', (t) => {
  const write = files(t);
  const context = testContext('mysql:x');
  const file = write(
    'x.cf',
    "# comment\n\n  # another\nhosts = a,\n    b\n# between\n\tc\r\nquery=SELECT 1 -- = '%s'\nuser =\nlimit = 5\nwait = 2m\nflag = Yes\n",
  );
  const parameters = readParameters(file, KNOWN, context);
  assert.deepEqual(parameters.words('hosts', ''), ['a', 'b', 'c']);
  assert.equal(parameters.text('query', ''), "SELECT 1 -- = '%s'");
  assert.equal(parameters.text('user', 'x'), '');
  assert.equal(parameters.text('password', 'by default'), 'by default');
  assert.equal(parameters.count('limit', 0, 0, 10), 5);
  assert.equal(parameters.milliseconds('wait', 0, 600), 120_000);
  assert.equal(parameters.flag('flag', false), true);
});

for (const [name, text, message] of [
  ['x.cf', 'hosts = a\nhost = b\n', /x\.cf:2: unknown name host; did you mean hosts\?/],
  ['x.cf', 'hosts\n', /x\.cf:1: expected "name = value"/],
  ['x.cf', 'ho sts = a\n', /x\.cf:1: expected/],
  ['x.cf', '  hosts = a\n', /x\.cf:1: begins with white space/],
  ['x.toml', 'hosts = "a"\nqery = "b"\n', /x\.toml:2: unknown name qery; did you mean query\?/],
  ['x.toml', 'hosts = \n', /x\.toml:1: /],
  ['x.toml', '[hosts]\na = 1\n', /x\.toml: hosts: must be a text/],
  ['x.toml', 'user = "a"\nhosts = [1]\n', /x\.toml:2: hosts: must be a text/],
  ['x.cf', `hosts = ${'a'.repeat(300_000)}`, /x\.cf: has more than/],
] as const)
  test(`${name} with ${JSON.stringify(text.slice(0, 30))} is a problem`, (t) => {
    const file = files(t)(name, text);
    assert.throws(
      () => readParameters(file, KNOWN, testContext('mysql:x')),
      (error) => error instanceof TableProblem && message.test(error.message),
    );
  });

test('values that cannot be are a problem with their line', (t) => {
  const file = files(t)('x.cf', 'user = x\nlimit = many\nwait = 1y\nflag = perhaps\n');
  const parameters = readParameters(file, KNOWN, testContext('mysql:x'));
  assert.throws(() => parameters.count('limit', 0, 0, 10), /x\.cf:2: limit: must be a whole number/);
  assert.throws(() => parameters.milliseconds('wait', 0, 600), /x\.cf:3: wait/);
  assert.throws(() => parameters.flag('flag', false), /x\.cf:4: flag/);
  assert.throws(() => parameters.needed('query'), /x\.cf: query is missing/);
});

test('TOML has the same names', (t) => {
  const file = files(t)('x.toml', 'hosts = ["a", "b"]\nlimit = 5\nflag = true\nquery = """SELECT 1\nFROM t"""\n');
  const parameters = readParameters(file, KNOWN, testContext('mysql:x'));
  assert.deepEqual(parameters.words('hosts', ''), ['a', 'b']);
  assert.equal(parameters.count('limit', 0, 0, 10), 5);
  assert.equal(parameters.flag('flag', false), true);
  assert.equal(parameters.text('query', ''), 'SELECT 1\nFROM t');
});

test('a readable password, a name without meaning and one given twice are told', (t) => {
  const write = files(t);
  const events = (text: string, mode: number): string[] => {
    const context = testContext('mysql:x');
    readParameters(write('x.cf', text, mode), KNOWN, context);
    return context.events.map(({ event }) => event);
  };
  assert.deepEqual(events('password = x\n', 0o644), ['table.passwordReadable']);
  assert.deepEqual(events('password = x\n', 0o640), []);
  assert.deepEqual(events('user = x\n', 0o644), []);
  assert.deepEqual(events('cache = yes\nuser = a\nuser = b\n', 0o600), ['table.warning', 'table.warning']);
});

test('a file that is not there, or is a folder, is a problem', (t) => {
  files(t);
  assert.throws(() => readParameters('/nowhere/x.cf', KNOWN, testContext('mysql:x')), /\/nowhere\/x\.cf: cannot be read \(ENOENT\)/);
  assert.throws(() => readParameters('/tmp', KNOWN, testContext('mysql:x')), /is not a file/);
});
