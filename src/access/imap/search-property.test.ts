/** Random searches over random mail: with the index, with an index that knows half of it, and without one, the answer is that of a plain loop. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { scanHeaders } from '../../mail/header.ts';
import { decodeHeaderValue, foldForSearch, headerText } from '../../mail/text.ts';
import { MemoryIndex } from './search-testing.ts';
import { ALICE, type Client, settle, TestServer } from './testing.ts';

// ── Mail, known by what it says rather than by its bytes ──

interface Letter {
  readonly fromName: string;
  readonly fromBox: string;
  readonly to: readonly string[];
  readonly subject: string;
  readonly extra: string;
  readonly body: string;
  readonly form: 'plain' | 'base64' | 'quoted' | 'latin1' | 'multipart';
  readonly flags: number;
  readonly keyword: string | null;
  readonly day: number;
}

const WORDS = [
  'Apfel',
  'apple',
  'Ünal',
  'naïve',
  'STRASSE',
  'x',
  'the quick',
  'fox',
  'ΣΊΣΥΦΟΣ',
  'σίσυφος',
  '日本語',
  'résumé',
  'resume',
  'ap',
  '12',
  'a-b',
  'e\u0301t',
];
const LATIN = /^[\x00-\xff]*$/;

const phrase = fc.array(fc.constantFrom(...WORDS), { minLength: 1, maxLength: 3 }).map((words) => words.join(' '));
const box = fc.constantFrom('ann', 'bob', 'apple.x', 'fox', 'team+12');
const letter: fc.Arbitrary<Letter> = fc.record({
  fromName: fc.oneof(fc.constant(''), phrase),
  fromBox: box,
  to: fc.array(box, { maxLength: 2 }),
  subject: fc.oneof(fc.constant(''), phrase),
  extra: fc.oneof(fc.constant(''), phrase),
  body: phrase,
  form: fc.constantFrom('plain', 'base64', 'quoted', 'latin1', 'multipart'),
  flags: fc.nat(31),
  keyword: fc.constantFrom(null, 'work', '$Junk'),
  day: fc.nat(5),
});

const encodedWord = (text: string): string => (/^[\x20-\x7e]*$/.test(text) ? text : `=?UTF-8?B?${Buffer.from(text).toString('base64')}?=`);
const START = Date.UTC(2026, 5, 1);
const DAY_MS = 86_400_000;

function bytesOf(mail: Letter): Buffer {
  const head = [`From: ${mail.fromName === '' ? '' : `${encodedWord(mail.fromName)} `}<${mail.fromBox}@example.org>`];
  if (mail.to.length > 0) head.push(`To: ${mail.to.map((to) => `${to}@example.net`).join(', ')}`);
  if (mail.subject !== '') head.push(`Subject: ${encodedWord(mail.subject)}`);
  if (mail.extra !== '') head.push(`X-Extra: ${encodedWord(mail.extra)}`);
  const utf8 = Buffer.from(mail.body);
  switch (mail.form) {
    case 'base64':
      return Buffer.from(
        [...head, 'Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: base64', '', utf8.toString('base64'), ''].join('\r\n'),
      );
    case 'quoted': {
      const quoted = [...utf8].map((byte) => `=${byte.toString(16).toUpperCase().padStart(2, '0')}`);
      const lines: string[] = [];
      for (let i = 0; i < quoted.length; i += 20) lines.push(quoted.slice(i, i + 20).join(''));
      return Buffer.from(
        [...head, 'Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: quoted-printable', '', lines.join('=\r\n')].join('\r\n'),
      );
    }
    case 'latin1':
      if (LATIN.test(mail.body)) return Buffer.from([...head, 'Content-Type: text/plain; charset=iso-8859-1', '', mail.body].join('\r\n'), 'latin1');
      return bytesOf({ ...mail, form: 'base64' });
    case 'multipart':
      return Buffer.from(
        [
          ...head,
          'Content-Type: multipart/mixed; boundary=b',
          '',
          '--b',
          'Content-Type: application/octet-stream',
          '',
          'fox in a picture',
          '--b',
          'Content-Type: text/plain; charset=utf-8',
          '',
          mail.body,
          '--b--',
          '',
        ].join('\r\n'),
      );
    default:
      return Buffer.from([...head, 'Content-Type: text/plain; charset=utf-8', '', mail.body].join('\r\n'));
  }
}

// ── Searches, and the plain loop ──

type Key =
  | { kind: 'text'; name: 'BODY' | 'TEXT' | 'SUBJECT' | 'FROM' | 'TO'; value: string }
  | { kind: 'header'; field: string; value: string }
  | { kind: 'plain'; name: string; matches: (mail: Letter, number: number) => boolean }
  | { kind: 'not'; key: Key }
  | { kind: 'and' | 'or'; keys: readonly [Key, Key] };

const needle = fc.oneof(
  phrase,
  fc.constantFrom(
    'app',
    'STRASSE',
    'unal',
    'σισυφοσ',
    'ΣΊΣ',
    'resume',
    'RÉSUMÉ',
    '本',
    'fox',
    'o',
    'x',
    'example',
    'nowhere',
    '12',
    'e',
    'ann@example.org',
    'extra',
    'the  quick',
  ),
);
const PLAIN: readonly Extract<Key, { kind: 'plain' }>[] = [
  { kind: 'plain', name: 'ALL', matches: () => true },
  { kind: 'plain', name: 'SEEN', matches: (mail) => (mail.flags & 1) !== 0 },
  { kind: 'plain', name: 'UNDELETED', matches: (mail) => (mail.flags & 8) === 0 },
  { kind: 'plain', name: 'KEYWORD WORK', matches: (mail) => mail.keyword === 'work' },
  { kind: 'plain', name: 'UNKEYWORD $junk', matches: (mail) => mail.keyword !== '$Junk' },
  { kind: 'plain', name: '2:4,7', matches: (_, number) => (number >= 2 && number <= 4) || number === 7 },
  { kind: 'plain', name: 'UID 5:1000', matches: (_, number) => number >= 5 },
  { kind: 'plain', name: 'ON 3-Jun-2026', matches: (mail) => mail.day === 2 },
  { kind: 'plain', name: 'BEFORE 3-Jun-2026', matches: (mail) => mail.day < 2 },
  { kind: 'plain', name: 'SINCE 3-Jun-2026', matches: (mail) => mail.day >= 2 },
  { kind: 'plain', name: 'LARGER 200', matches: (mail) => bytesOf(mail).length > 200 },
];
const leaf: fc.Arbitrary<Key> = fc.oneof(
  fc.record({ kind: fc.constant('text' as const), name: fc.constantFrom('BODY', 'TEXT', 'SUBJECT', 'FROM', 'TO'), value: needle }),
  fc.record({ kind: fc.constant('header' as const), field: fc.constantFrom('X-Extra', 'subject', 'To', 'Nowhere'), value: fc.oneof(needle, fc.constant('')) }),
  fc.constantFrom(...PLAIN),
);
const { key: anyKey } = fc.letrec<{ key: Key }>((tie) => ({
  key: fc.oneof(
    { maxDepth: 4, withCrossShrink: true },
    leaf,
    fc.record({ kind: fc.constant('not' as const), key: tie('key') }),
    fc.record({ kind: fc.constantFrom('and' as const, 'or' as const), keys: fc.tuple(tie('key'), tie('key')) }),
  ),
}));

const literal = (text: string): string => `{${Buffer.byteLength(text)}+}\r\n${text}`;

function written(key: Key): string {
  switch (key.kind) {
    case 'text':
      return `${key.name} ${literal(key.value)}`;
    case 'header':
      return `HEADER ${key.field} ${literal(key.value)}`;
    case 'plain':
      return key.name;
    case 'not':
      return `NOT ${written(key.key)}`;
    case 'and':
      return `(${written(key.keys[0])} ${written(key.keys[1])})`;
    default:
      return `OR ${written(key.keys[0])} ${written(key.keys[1])}`;
  }
}

const plain = (text: string): string => text.normalize('NFKD').toUpperCase();
const has = (text: string, value: string): boolean => plain(text).includes(plain(value));

function fields(mail: Letter): [name: string, value: string][] {
  const all: [string, string][] = [['From', mail.fromName === '' ? `<${mail.fromBox}@example.org>` : `${mail.fromName} <${mail.fromBox}@example.org>`]];
  if (mail.to.length > 0) all.push(['To', mail.to.map((to) => `${to}@example.net`).join(', ')]);
  if (mail.subject !== '') all.push(['Subject', mail.subject]);
  if (mail.extra !== '') all.push(['X-Extra', mail.extra]);
  return all;
}

function matches(key: Key, mail: Letter, number: number): boolean {
  const field = (name: string, value: string): boolean =>
    fields(mail).some(([each, text]) => each.toLowerCase() === name.toLowerCase() && (value === '' || has(text, value)));
  switch (key.kind) {
    case 'plain':
      return key.matches(mail, number);
    case 'not':
      return !matches(key.key, mail, number);
    case 'and':
      return matches(key.keys[0], mail, number) && matches(key.keys[1], mail, number);
    case 'or':
      return matches(key.keys[0], mail, number) || matches(key.keys[1], mail, number);
    case 'header':
      return field(key.field, key.value);
    default:
      if (key.name === 'BODY') return has(mail.body, key.value);
      if (key.name !== 'TEXT') return field(key.name, key.value);
      return has(mail.body, key.value) || headerLines(mail).some((line) => has(line, key.value));
  }
}

/** What TEXT sees of the header, MIME fields too. */
function headerLines(mail: Letter): string[] {
  const lines = fields(mail).map(([name, value]) => `${name}: ${value}`);
  const last = bytesOf(mail).toString('latin1').split('\r\n\r\n')[0]!.split('\r\n');
  return [...lines, ...last.filter((line) => line.startsWith('Content-'))];
}

function server(letters: readonly Letter[], index: MemoryIndex | undefined, isIndexed: (i: number) => boolean): TestServer {
  const made = new TestServer({}, index === undefined ? {} : { search: index });
  index?.use(made.store);
  for (const mail of letters) made.store.deliver(made.inbox, bytesOf(mail), { flags: mail.flags, keywords: mail.keyword, at: START + mail.day * DAY_MS });
  made.store.messages(ALICE.id, made.inbox, 0, 0xffffffff, 1000).forEach((row, i) => {
    if (isIndexed(i)) index!.index(ALICE.id, row[6]);
  });
  return made;
}

/** What is said up to the tagged response: a search that asks much of the index lets others run many times. */
async function answer(client: Client, line: string): Promise<string> {
  client.send(line);
  for (let i = 0; i < 1000 && !/^a (OK|NO|BAD)/m.test(client.socket.heard); i += 1) await settle(() => client.socket.heard.length);
  return client.output();
}

test('SEARCH finds what a plain loop finds, with the index, with half an index and without', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(letter, { minLength: 20, maxLength: 28 }), fc.array(anyKey, { minLength: 1, maxLength: 8 }), async (letters, keys) => {
      const clients = await Promise.all(
        [server(letters, new MemoryIndex(), () => true), server(letters, new MemoryIndex(), (i) => i % 2 === 0), server(letters, undefined, () => false)].map(
          (made) => made.client('INBOX'),
        ),
      );
      for (const key of keys) {
        const expected = letters.map((_, i) => i + 1).filter((number) => matches(key, letters[number - 1]!, number));
        for (const client of clients) {
          const said = await answer(client, `a SEARCH ${written(key)}\r\n`);
          assert.equal(said, `* SEARCH${expected.map((number) => ` ${number}`).join('')}\r\na OK SEARCH completed\r\n`, written(key));
        }
      }
    }),
    { seed: 20261120, numRuns: 60 },
  );
});

test('ALL, COUNT, MIN, MAX and PARTIAL agree with the list', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(letter, { minLength: 1, maxLength: 12 }),
      anyKey,
      fc.integer({ min: 1, max: 14 }),
      fc.integer({ min: 1, max: 14 }),
      fc.boolean(),
      async (letters, key, a, b, isBack) => {
        const client = await server(letters, undefined, () => false).client('INBOX');
        const sign = isBack ? '-' : '';
        const found = letters.map((_, i) => i + 1).filter((number) => matches(key, letters[number - 1]!, number));
        const [first, last] = [Math.min(a, b), Math.max(a, b)];
        const page = isBack ? found.filter((_, i) => found.length - i >= first && found.length - i <= last) : found.slice(first - 1, last);
        const said = await answer(client, `a SEARCH RETURN (COUNT PARTIAL ${sign}${a}:${sign}${b} MAX MIN) ${written(key)}\r\n`);
        const item = /PARTIAL \(\S+ (\S+)\)/.exec(said)![1]!;
        assert.deepEqual(item === 'NIL' ? [] : expanded(item), page);
        assert.equal(Number(/COUNT (\d+)/.exec(said)![1]), found.length);
        assert.equal(/MIN (\d+)/.exec(said)?.[1], found.length === 0 ? undefined : String(found[0]));
        assert.equal(/MAX (\d+)/.exec(said)?.[1], found.length === 0 ? undefined : String(found.at(-1)));
      },
    ),
    { seed: 9394, numRuns: 80 },
  );
});

function expanded(set: string): number[] {
  return set.split(',').flatMap((range) => {
    const [from, to] = range.split(':').map(Number) as [number, number | undefined];
    return Array.from({ length: (to ?? from) - from + 1 }, (_, i) => from + i);
  });
}

test('what a header field contains, the text of the whole header contains: so the index may say that no field has it', () => {
  const piece = fc.constantFrom(
    '=?utf-8?q?=C3=9F?=',
    '=?utf-8?b?zIE=?=',
    '=?iso-8859-1?q?=C4?=',
    '=?x?q?',
    '?=',
    '\u00df',
    '\u0301',
    '\u0323',
    '\ufb01',
    '\u03c2',
    ' ',
    '\t',
    '\r\n ',
    ':',
    'a',
    'B',
    '\u{1f600}',
    '\x00',
    '\u1e9e',
  );
  const value = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));
  const line = fc.tuple(fc.constantFrom('X-A', 'x-b', 'Subject', ''), value).map(([name, text]) => `${name}:${text}\r\n`);
  fc.assert(
    fc.property(fc.array(line, { maxLength: 5 }), fc.boolean(), fc.nat(), fc.nat(), (lines, isLatin, a, b) => {
      const header = Buffer.from(`${lines.join('')}\r\n`, isLatin ? 'latin1' : 'utf8');
      const whole = foldForSearch(headerText(header));
      for (const field of scanHeaders(header).fields) {
        const text = foldForSearch(decodeHeaderValue(header.subarray(field.valueStart, field.valueEnd)));
        const from = text.length === 0 ? 0 : a % text.length;
        assert.ok(whole.includes(text.slice(from, from + 1 + (b % 6))), JSON.stringify({ whole, text, from }));
        assert.ok(whole.includes(text));
      }
    }),
    { seed: 5322, numRuns: 2000 },
  );
});
