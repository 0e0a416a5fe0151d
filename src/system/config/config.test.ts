import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { bytes, choice, count, duration, flag, KiB, list, MiB, MINUTE, path, type SettingsOf, text } from '../declare.ts';
import { devProfile, findConfig } from './find.ts';
import { ConfigError, loadConfig, parseConfig } from './load.ts';
import { editDistance, nearestName } from './nearest.ts';
import { keyPositions } from './positions.ts';
import { configReference, showConfig } from './show.ts';

const SETTINGS = {
  hostname: text({ default: 'localhost', doc: 'Name.', check: (v) => (v.includes(' ') ? 'must not contain a space' : undefined) }),
  dataDir: path({ default: '/var/lib/x', doc: 'Folder.' }),
  'smtp.messageBytesMax': bytes({ default: 50 * MiB, least: 64 * KiB, doc: 'Largest message.', see: 'Postfix message_size_limit' }),
  'smtp.idle': duration({ default: 5 * MINUTE, doc: 'Patience.' }),
  'smtp.tls.on': flag({ default: true, doc: 'TLS.', takes: 'restart' }),
  'imap.max': count({ default: 10, most: 100, doc: 'Most | many.' }),
  'log.level': choice({ of: ['info', 'warn'], default: 'info', doc: 'Level.' }),
  'listen.smtp': list({ default: [], doc: 'Where.', check: (v) => (v.includes(':') ? undefined : 'needs a port') }),
};

function problems(source: string, required: string[] = []): string[] {
  try {
    parseConfig(source, 'posthorn.toml', SETTINGS, { required });
  } catch (error) {
    assert.ok(error instanceof ConfigError, String(error));
    return error.message.split('\n');
  }
  return [];
}

const WRONG: [source: string, ...expected: string[]][] = [
  ['hostname = "x\ny"', 'posthorn.toml:1:14: not valid TOML: *'],
  ['a = 1\na = 2', 'posthorn.toml:2:*: not valid TOML: *'],
  ['hostnam = "x"', 'posthorn.toml:1:1: unknown option hostnam; did you mean hostname?'],
  ['host_name = "x"', 'posthorn.toml:1:1: unknown option host_name; did you mean hostname?'],
  ['\n\n[smpt]\nidle = "5m"', 'posthorn.toml:3:2: unknown table [smpt]; did you mean [smtp]?'],
  ['[smtp]\n  messageBytesMx = 1', 'posthorn.toml:2:3: unknown option smtp.messageBytesMx; did you mean smtp.messageBytesMax?'],
  ['[imap]\nlevel = "info"', 'posthorn.toml:2:1: unknown option imap.level; did you mean log.level?'],
  ['zebra = 1', 'posthorn.toml:1:1: unknown option zebra'],
  ['smtp.messageBytesMax = "1KiB"', 'posthorn.toml:1:1: smtp.messageBytesMax must be at least 64KiB'],
  ['[smtp]\nidle = 5', 'posthorn.toml:2:1: smtp.idle must be a number with a unit, such as "5m"'],
  ['[smtp.tls]\non = "yes"', 'posthorn.toml:2:1: smtp.tls.on must be true or false'],
  ['smtp = { idle = "5m", tls = { on = 1 } }', 'posthorn.toml:1:31: smtp.tls.on must be true or false'],
  ['smtp = 5', 'posthorn.toml:1:1: smtp is a table: write [smtp] and its options below'],
  ['[[smtp]]\nidle = "5m"', 'posthorn.toml:1:3: smtp is a table: write [smtp] and its options below'],
  ['# [imap]\n"imap".max = 101', 'posthorn.toml:2:1: imap.max must be at most 100'],
  ['[listen]\nsmtp = [\n  "a:1",\n  "b",\n]', 'posthorn.toml:2:1: listen.smtp "b": needs a port'],
  [
    'hostname = "a b"\n[log]\nlevel = "loud"',
    'posthorn.toml:1:1: hostname must not contain a space',
    'posthorn.toml:3:1: log.level must be one of "info", "warn"',
  ],
  ['x = """\nhostname = 1\n"""\n[log]\nlevel = 1', 'posthorn.toml:1:1: unknown option x*', 'posthorn.toml:5:1: log.level must be one of "info", "warn"'],
  ['hostname.constructor = 1', 'posthorn.toml:1:1: hostname must be text in quotes'],
  ['__proto__ = 1', 'posthorn.toml:1:1: *'],
  ['constructor = 1', 'posthorn.toml:1:1: unknown option constructor*'],
];
for (const [source, ...expected] of WRONG) {
  test(`is refused with a position: ${JSON.stringify(source)}`, () => {
    const found = problems(source);
    assert.equal(found.length, expected.length, found.join('\n'));
    expected.forEach((line, i) => {
      // A star stands for anything, once a line part.
      let at = 0;
      for (const part of line.split('*')) {
        const next = found[i]!.indexOf(part, at);
        assert.ok(next >= 0 && (at > 0 || next === 0), `${found[i]} is not ${line}`);
        at = next + part.length;
      }
      if (!line.endsWith('*')) assert.equal(at, found[i]!.length, `${found[i]} is not ${line}`);
    });
  });
}

test('a required option that is missing is named, unless a slip of its name has been reported', () => {
  assert.deepEqual(problems('[log]\nlevel="info"', ['hostname']), ['posthorn.toml:1:1: hostname is missing. Name.']);
  assert.deepEqual(problems('hostnme = "x"', ['hostname']), ['posthorn.toml:1:1: unknown option hostnme; did you mean hostname?']);
});

test('values are read with their units, relative paths count from the folder of the file', () => {
  const { settings, given } = parseConfig('dataDir = "data"\n[smtp]\nidle = "90s"\nmessageBytesMax = "2MiB"', '/etc/p/posthorn.toml', SETTINGS);
  assert.equal(settings['smtp.idle'], 90_000);
  assert.equal(settings['smtp.messageBytesMax'], 2 * MiB);
  assert.equal(settings.dataDir, '/etc/p/data');
  assert.equal(settings.hostname, 'localhost');
  assert.deepEqual([...given].sort(), ['dataDir', 'smtp.idle', 'smtp.messageBytesMax']);
});

test('a byte order mark before the first line is no mistake', () => {
  assert.equal(parseConfig('\uFEFFhostname = "a"', null, SETTINGS).settings.hostname, 'a');
});

test('rules between options are reported at the option they name', () => {
  assert.throws(() => parseConfig('[log]\n\nlevel = "warn"', 'f.toml', SETTINGS, { rules: () => [{ key: 'log.level', message: 'does not go with that' }] }), {
    message: 'f.toml:3:1: log.level does not go with that',
  });
});

test('a missing file, a folder and a file that others may change are told apart', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-config-'));
  t.after(() => rmSync(folder, { recursive: true }));
  assert.throws(() => loadConfig(join(folder, 'none.toml'), SETTINGS), /There is no configuration file .*none\.toml\. "posthorn init" writes one\./);
  assert.throws(() => loadConfig(folder, SETTINGS), /is a folder/);
  const file = join(folder, 'posthorn.toml');
  writeFileSync(file, 'hostname = "a"');
  assert.deepEqual(loadConfig(file, SETTINGS).warnings, []);
});

test('what show prints reads back to the same values', () => {
  fc.assert(
    fc.property(
      fc.record({
        hostname: fc.string({ maxLength: 20 }).filter((v) => !v.includes(' ')),
        dataDir: fc.constantFrom('/a', '/b c/"d"'),
        'smtp.messageBytesMax': fc.integer({ min: 64 * KiB, max: 2 ** 40 }),
        'smtp.idle': fc.integer({ min: 0, max: 10 ** 10 }),
        'smtp.tls.on': fc.boolean(),
        'imap.max': fc.integer({ min: 0, max: 100 }),
        'log.level': fc.constantFrom('info' as const, 'warn' as const),
        'listen.smtp': fc.array(fc.string({ maxLength: 8 }).map((v) => `${v}:1`)),
      }),
      fc.constantFrom('all' as const, 'changed' as const),
      (values, only) => {
        const shown = showConfig(SETTINGS, values as SettingsOf<typeof SETTINGS>, only);
        assert.deepEqual(parseConfig(shown, null, SETTINGS).settings, { ...values }, shown);
      },
    ),
    { seed: 7, numRuns: 200 },
  );
});

test('the positions of a text of all kinds of strings and brackets are those of its keys', () => {
  const source = [
    'a = """x = 1 \\""" y"""""', // two quotes of its own at the end
    "b = '''z = [''' # c = 1",
    '[t."x.y"] # [not]',
    '  k.l = [1, [2, "]"], { m = "}" }]',
    'n = {o = 1, p = [{ q = 1 }], r.s = true}',
  ].join('\n');
  const positions = keyPositions(source);
  assert.deepEqual(
    [...positions].map(([key, { line, column }]) => `${key}@${line}:${column}`),
    [
      'a@1:1',
      'b@2:1',
      't@3:2',
      't.x.y@3:2',
      't.x.y.k@4:3',
      't.x.y.k.l@4:3',
      't.x.y.k.l.m@4:25',
      't.x.y.n@5:1',
      't.x.y.n.o@5:6',
      't.x.y.n.p@5:13',
      't.x.y.n.p.q@5:20',
      't.x.y.n.r@5:30',
      't.x.y.n.r.s@5:30',
    ],
  );
});

test('any text at all is scanned to its end', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom('[', ']', '{', '}', '"', "'", '\\', '=', '.', ',', '#', '\n', 'a', ' '), maxLength: 60 }), (source) => {
      keyPositions(source);
    }),
    { seed: 3, numRuns: 2000 },
  );
});

test('edit distance counts a swap of neighbours as one', () => {
  assert.equal(editDistance('smpt', 'smtp'), 1);
  assert.equal(editDistance('', 'abc'), 3);
  assert.equal(editDistance('kitten', 'sitting'), 3);
  assert.equal(nearestName('xyz', ['hostname', 'domain']), null);
});

test('the reference page has a row for every option and escapes what would break the table', () => {
  const page = configReference(SETTINGS);
  assert.match(page, /## \[smtp\]/);
  assert.match(page, /\| `messageBytesMax` \| `"50MiB"` \| Largest message\. .*Compare: Postfix message_size_limit\. \|/);
  assert.match(page, /Most \\\| many\./);
  assert.match(page, /\| `on` \| `true` \| TLS\. \*True or false\.\* \*Restart\.\* \|/);
});

test('the file named on the command line wins over the environment, that over the working directory', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-config-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'posthorn.toml'), '');
  assert.equal(findConfig('x.toml', { POSTHORN_CONFIG: '/y.toml' }, folder), join(folder, 'x.toml'));
  assert.equal(findConfig(undefined, { POSTHORN_CONFIG: '/y.toml' }, folder), '/y.toml');
  assert.equal(findConfig(undefined, { POSTHORN_CONFIG: '' }, folder), join(folder, 'posthorn.toml'));
});

test('the development profile listens on loopback only', () => {
  for (const [key, value] of Object.entries(devProfile(true))) {
    if (key.startsWith('listen.')) for (const address of value as string[]) assert.match(address, /^(127\.0\.0\.1|\[::1\]):\d{4}$/);
  }
  assert.equal(devProfile(false)['listen.smtp']!.length, 1);
});
