import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Table } from '../../ports.ts';
import { newEffects } from '../policy/facts.ts';
import { parsePatternAction } from './action.ts';
import { PatternFilter, type PatternTables } from './filter.ts';

type Rules = readonly (readonly [RegExp, string])[];
function table(rules: Rules, isSlow = false): Table {
  const find = (key: string): string | null => rules.find(([pattern]) => pattern.test(key))?.[1] ?? null;
  return { name: 'pcre:test', kind: 'pattern', find: (key) => (isSlow ? Promise.resolve(find(key)) : find(key)) };
}

function tablesOf(rules: { header?: Rules; mime?: Rules; nested?: Rules; body?: Rules; isSlow?: boolean }): PatternTables {
  const of = (list: Rules | undefined): Table[] => (list === undefined ? [] : [table(list, rules.isSlow)]);
  return { header: of(rules.header), mime: of(rules.mime), nested: of(rules.nested), body: of(rules.body), bodyBytesMax: 1000, headerBytesMax: 2000 };
}

async function run(tables: PatternTables, message: string, cuts: readonly number[] = []) {
  const logged: string[] = [];
  const write = (event: string): void => void logged.push(event);
  const effects = newEffects();
  const filter = new PatternFilter(tables, { log: { debug: write, info: write, warn: write, error: write }, id: 'x', effects });
  const bytes = Buffer.from(message, 'latin1');
  let out = '';
  let at = 0;
  for (const cut of [...cuts.filter((c) => c > 0 && c < bytes.length).sort((a, b) => a - b), bytes.length]) {
    out += Buffer.from((await filter.push(bytes.subarray(at, cut))) ?? []).toString('latin1');
    at = cut;
  }
  out += Buffer.from((await filter.end()) ?? []).toString('latin1');
  return { out, effects, refusal: filter.refusal, logged };
}

const MAIL = [
  'From: ann@example.org',
  'Subject: a long',
  ' story',
  'MIME-Version: 1.0',
  'Content-Type: multipart/mixed;',
  '\tboundary="=b="',
  '',
  'preamble',
  '--=b=',
  'Content-Type: text/plain; name=evil.exe',
  '',
  'first line',
  'second line',
  '--=b=',
  'Content-Type: message/rfc822',
  '',
  'Subject: inner',
  'X-Inner: yes',
  '',
  'inner body',
  '--=b=--',
  'epilogue',
  '',
].join('\r\n');

test('a message no rule is about passes byte for byte, however it is cut', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(MAIL.length)), fc.boolean(), async (cuts, isSlow) => {
      const none: Rules = [[/no such thing/, 'REJECT']];
      const { out, refusal } = await run(tablesOf({ header: none, mime: none, nested: none, body: none, isSlow }), MAIL, cuts);
      assert.equal(refusal, null);
      assert.equal(out, MAIL);
    }),
    { seed: 7, numRuns: 60 },
  );
});

test('each place has its own table: header, MIME fields anywhere, attached messages, body', async () => {
  const mark = (name: string): Rules => [[/^/, `REPLACE X-${name}: 1`]];
  const { out } = await run(tablesOf({ header: mark('Header'), mime: mark('Mime'), nested: mark('Nested') }), MAIL);
  assert.deepEqual(out.split('\r\n'), [
    ...[
      'X-Header: 1',
      'X-Header: 1',
      'X-Mime: 1',
      'X-Mime: 1',
      '',
      'preamble',
      '--=b=',
      'X-Mime: 1',
      '',
      'first line',
      'second line',
      '--=b=',
      'X-Mime: 1',
      '',
    ],
    ...['X-Nested: 1', 'X-Nested: 1', '', 'inner body', '--=b=--', 'epilogue', ''],
  ]);
});

test('a folded field is asked as one text with newlines, and prepended text stands before it', async () => {
  const { out } = await run(tablesOf({ header: [[/^Subject: a long\n story$/, 'PREPEND X-Seen: story']] }), MAIL);
  assert.ok(out.includes('ann@example.org\r\nX-Seen: story\r\nSubject: a long\r\n story\r\n'));
});

test('body lines are asked one by one, boundaries too, and empty ones not', async () => {
  const seen: string[] = [];
  const body: Table = {
    name: 'b',
    kind: 'pattern',
    find: (key) => {
      seen.push(key);
      return key === 'second line' ? 'IGNORE' : null;
    },
  };
  const { out } = await run({ ...tablesOf({}), body: [body] }, MAIL);
  assert.deepEqual(seen, ['preamble', '--=b=', 'first line', 'second line', '--=b=', 'inner body', '--=b=--', 'epilogue']);
  assert.ok(!out.includes('second line'));
});

test('REJECT ends it with the words of the rule; DISCARD, HOLD, BCC, FILTER and REDIRECT are remembered', async () => {
  const refused = await run(tablesOf({ header: [[/^Subject/, 'REJECT 5.6.0 not here']] }), MAIL, [50, 90]);
  assert.deepEqual(refused.refusal, { code: 550, enhanced: '5.6.0', text: 'not here' });
  const { effects, out } = await run(
    tablesOf({
      header: [
        [/^From/, 'HOLD look at it'],
        [/^Subject/, 'BCC copy@example.org'],
      ],
      body: [
        [/first/, 'FILTER smtp:[127.0.0.1]:10025'],
        [/second/, 'REDIRECT boss@example.org'],
      ],
    }),
    MAIL,
  );
  assert.equal(out, MAIL);
  assert.deepEqual(effects, {
    isDiscarded: false,
    isHeld: true,
    filter: 'smtp:[127.0.0.1]:10025',
    redirect: 'boss@example.org',
    bcc: ['copy@example.org'],
    prepend: [],
  });
  assert.equal((await run(tablesOf({ header: [[/^From/, 'DISCARD']] }), MAIL)).effects.isDiscarded, true);
});

test('PASS ends all looking', async () => {
  const { out, refusal } = await run(
    tablesOf({
      header: [
        [/^From/, 'PASS trusted'],
        [/^Subject/, 'REJECT'],
      ],
      body: [[/./, 'REJECT']],
    }),
    MAIL,
  );
  assert.equal(refusal, null);
  assert.equal(out, MAIL);
});

test('a table that cannot answer is a temporary refusal', async () => {
  const broken: Table = { name: 'mysql:x', kind: 'fixed', find: () => Promise.reject(new Error('away')) };
  const { refusal, logged } = await run({ ...tablesOf({}), header: [broken] }, MAIL);
  assert.equal(refusal?.code, 451);
  assert.deepEqual(logged, ['patterns.table.failed']);
});

test('an action that is none is logged and the message goes on', async () => {
  const { out, logged } = await run(tablesOf({ header: [[/^From/, 'REFUSE it']] }), MAIL);
  assert.equal(out, MAIL);
  assert.deepEqual(logged, ['patterns.action.unknown']);
});

test('actions are read as header_checks(5) has them', () => {
  assert.deepEqual(parsePatternAction('reject', 'header'), { kind: 'reject', reply: { code: 550, enhanced: '5.7.1', text: 'message content rejected' } });
  assert.deepEqual(parsePatternAction('REJECT 4.7.1 later', 'header'), { kind: 'reject', reply: { code: 451, enhanced: '4.7.1', text: 'later' } });
  assert.deepEqual(parsePatternAction('OK', 'header'), { kind: 'dunno' });
  for (const wrong of ['REPLACE', 'BCC nobody', 'FILTER nowhere', 'FLY away', '']) assert.equal(parsePatternAction(wrong, 'header'), null);
});

test('lines without end and fields without end stay bounded', async () => {
  const rules: Rules = [[/never/, 'REJECT']];
  const long = `Subject: ${'x'.repeat(50_000)}\r\n${' y'.repeat(10)}\r\n\r\n${'z'.repeat(50_000)}`;
  const cuts = Array.from({ length: 100 }, (_, i) => i * 1000);
  assert.equal((await run(tablesOf({ header: rules, body: rules }), long, cuts)).out, long);
});

const TANGLED = [
  '>From rita Thu Jan  1 00:00:00 2026',
  'Subject : one',
  ' two',
  `X-Long: ${'a'.repeat(1500)}`,
  ` ${'b'.repeat(1500)}`,
  'Content-Type: multipart/digest; boundary="b" ; boundary=c',
  '',
  'preamble',
  '--b',
  '',
  'X-Nested: 1',
  '',
  '--',
  '-',
  'x'.repeat(5000),
  '--c',
  'X-Part: 1',
  'no field',
  `--c${'-'.repeat(4000)}`,
  '--b--',
  'caf\xe9',
  `${'y'.repeat(2048)}`,
].join('\r\n');

test('how a message is cut makes no difference to what rules make of it', async () => {
  const mark = (name: string): Rules => [
    [/^X-Long/, 'IGNORE'],
    [/^--/, `PREPEND ${name} boundary`],
    [/^x+$/, 'REPLACE X'],
    [/^[^:]+:/, `PREPEND X-${name}: 1`],
    [/^./, `PREPEND ${name}`],
  ];
  const sets = [
    { header: mark('Header'), mime: mark('Mime'), nested: mark('Nested'), body: mark('Body') },
    { header: mark('Header'), mime: mark('Mime'), nested: mark('Nested') },
    { nested: mark('Nested') },
  ];
  for (const set of sets) {
    const whole = await run(tablesOf(set), TANGLED);
    const bytewise = await run(
      tablesOf(set),
      TANGLED,
      Array.from({ length: TANGLED.length }, (_, i) => i),
    );
    assert.equal(bytewise.out, whole.out);
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(TANGLED.length), { maxLength: 30 }), fc.boolean(), async (cuts, isSlow) => {
        assert.equal((await run(tablesOf({ ...set, isSlow }), TANGLED, cuts)).out, whole.out);
      }),
      { seed: 11, numRuns: 60 },
    );
  }
});

test('a body that begins without a blank line gets one, so that all readers see the same header', async () => {
  const { out } = await run(tablesOf({ header: [[/^X/, 'REJECT']], body: [[/^X-Evil: (.*)/, 'IGNORE']] }), 'Subject: a\r\nno field\r\nX-Evil: 1\r\n\r\nb\r\n');
  assert.equal(out, 'Subject: a\r\n\r\nno field\r\n\r\nb\r\n');
});

test('a field beyond the size shares the fate of its beginning', async () => {
  const field = `X-Long: ${'a'.repeat(3000)}\r\n ${'b'.repeat(3000)}\r\n c\r\n`;
  const message = `Subject: a\r\n${field}X-After: 1\r\n\r\nbody\r\n`;
  for (const cuts of [[], [30, 2500, 4000, 6040]]) {
    const dropped = await run(tablesOf({ header: [[/^X-Long/, 'IGNORE']] }), message, cuts);
    assert.equal(dropped.out, 'Subject: a\r\nX-After: 1\r\n\r\nbody\r\n');
    const marked = await run(tablesOf({ header: [[/^X-/, 'PREPEND X-Seen: 1']] }), message, cuts);
    assert.equal(marked.out, `Subject: a\r\nX-Seen: 1\r\n${field}X-Seen: 1\r\nX-After: 1\r\n\r\nbody\r\n`);
  }
});

test('the refusal can be given other words, and a trace field of ours is asked about first', async () => {
  const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
  const of = (rules: Rules): PatternFilter =>
    new PatternFilter(tablesOf({ header: rules }), {
      log: silent,
      id: 'x',
      effects: newEffects(),
      onRefusal: (reply, name) => ({ ...reply, text: `${reply.text} (${name})` }),
    });
  const refusing = of([[/^Subject/, 'REJECT no']]);
  assert.equal(await refusing.push(Buffer.from('Subject: a\r\n\r\n')), null);
  assert.equal(refusing.refusal?.text, 'no (pcre:test)');
  const hiding = of([[/^Received: from client/, 'REPLACE Received: from somewhere']]);
  const trace = await hiding.trace(Buffer.from('Received: from client.test\r\n\tby us; today\r\n'));
  assert.equal(Buffer.from(trace!).toString(), 'Received: from somewhere\r\n');
  assert.equal(Buffer.from((await hiding.push(Buffer.from('From rita\r\nSubject: a\r\n\r\n')))!).toString(), 'X-Mailbox-Line: From rita\r\nSubject: a\r\n\r\n');
});
