/** FETCH of the running server beside Dovecot's: the same messages byte for byte, the same envelopes, structures, sections and decoded parts. */
import { ownNetwork } from './harness/own-network.ts';

ownNetwork();

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Value } from './fetch-differential/answers.ts';
import { compareLetter, type Difference, fill, type Letter, Reader } from './fetch-differential/compare.ts';
import { ON_PURPOSE } from './fetch-differential/differences.ts';
import { BODY_LETTERS } from './fetch-differential/letters-body.ts';
import { HEADER_LETTERS } from './fetch-differential/letters-header.ts';
import { isList, same } from './fetch-differential/same.ts';
import { makeTrees } from './fetch-differential/trees.ts';
import { ImapClient } from './harness/imap-client.ts';
import { startPosthorn } from './harness/posthorn.ts';
import { need } from './harness/run.ts';
import { startDovecot } from './peers/dovecot.ts';

const PASSWORD = 'a-long-password';
const DOVECOT = '127.0.0.9';
const TREES = 200;
const SEED = 2045;

/** Letters without differences of their own, for the test of line ends. */
const LINE_ENDS =
  /^(two parts|preamble and epilogue|no closing delimiter|nested|many parts|delivery report|digest|messages three deep|message as a part|message of a multipart|tree \d+ .*)$/;

/** The same, but for line ends and for the numbers that count them. */
function differsInLineEnds(item: string, ours: Value | undefined, theirs: Value | undefined): boolean {
  // Cut elsewhere.
  if (item.includes('<') || item.startsWith('BINARY.SIZE')) return true;
  const level = (value: Value | undefined): Value | undefined =>
    typeof value === 'string' ? value.replaceAll(/\r?\n/g, '\r\n') : typeof value === 'number' ? 0 : isList(value) ? value.map((each) => level(each)!) : value;
  return same(item, level(ours), level(theirs));
}

const isNamed = (name: string, row: string): boolean => name === row || (row.endsWith('*') && name.startsWith(row.slice(0, -1)));

function shown(difference: Difference): string {
  const text = (value: unknown): string => (value === undefined ? 'nothing' : JSON.stringify(value).slice(0, 600));
  return `${difference.letter}: ${difference.item}\n  ours   ${text(difference.ours)}\n  theirs ${text(difference.theirs)}`;
}

test('FETCH beside Dovecot', async (t) => {
  need('dovecot');
  await startDovecot(t, { address: DOVECOT, imapPort: 143, lmtpPort: 2424, users: { anna: PASSWORD } });
  const server = await startPosthorn(t, { users: { 'anna@us.test': PASSWORD } });
  const ours = (): Promise<ImapClient> => ImapClient.login(server.port('imap'), 'anna@us.test', PASSWORD);
  const theirs = (): Promise<ImapClient> => ImapClient.login(143, 'anna', PASSWORD, { host: DOVECOT });

  /** Both get the letters in a mailbox of their own; answers all differences. */
  const compare = async (mailbox: string, letters: readonly Letter[]): Promise<readonly Difference[]> => {
    const [here, there] = [await ours(), await theirs()];
    const refused = await Promise.all([fill(here, mailbox, letters), fill(there, mailbox, letters)]);
    assert.deepEqual(refused, [[], []]);
    const readers = [new Reader(ours, mailbox), new Reader(theirs, mailbox)] as const;
    const found: Difference[] = [];
    let items = 0;
    for (const [index, { name }] of letters.entries()) {
      const { differences, compared } = await compareLetter(...readers, index + 1, name, same);
      found.push(...differences);
      items += compared;
    }
    t.diagnostic(`${mailbox}: ${letters.length} letters, ${items} items compared`);
    assert.ok(items > letters.length * 30);
    return found;
  };

  await t.test('odd letters, one by one', async () => {
    const letters = [...HEADER_LETTERS, ...BODY_LETTERS];
    assert.equal(new Set(letters.map(({ name }) => name)).size, letters.length, 'names are used once');
    const unexplained: Difference[] = [];
    const used = new Set<string>();
    for (const difference of await compare('Odd', letters)) {
      const row = ON_PURPOSE.find(({ items, letters: names }) => items.test(difference.item) && names.some((name) => isNamed(difference.letter, name)));
      if (row === undefined) unexplained.push(difference);
      else for (const name of row.letters) if (isNamed(difference.letter, name)) used.add(`${row.why}: ${name}`);
    }
    assert.deepEqual(unexplained.map(shown).join('\n'), '');
    const stale = ON_PURPOSE.flatMap(({ why, letters: names }) => names.map((name) => `${why}: ${name}`)).filter((row) => !used.has(row));
    assert.deepEqual(stale, [], 'rows of the table that no difference needs');
  });

  await t.test(`trees of parts at random (${TREES})`, async () => {
    const differences = await compare('Trees', makeTrees(TREES, SEED));
    assert.equal(differences.map(shown).join('\n'), '');
  });

  await t.test('letters whose lines end in LF: the same but for the line ends, which Dovecot makes CRLF', async () => {
    const letters = [...BODY_LETTERS, ...makeTrees(40, SEED + 1)]
      .filter(({ name }) => LINE_ENDS.test(name))
      .map(({ name, text }, n) => ({
        name,
        text: n % 3 === 0 ? text.replaceAll(/\r\n/g, (end, at: number) => (at % 2 === 0 ? end : '\n')) : text.replaceAll('\r\n', '\n'),
      }));
    const levelled = (await compare('Lines', letters)).filter(({ item, ours, theirs }) => !differsInLineEnds(item, ours, theirs));
    assert.equal(levelled.map(shown).join('\n'), '');
  });

  await t.test('items that are not to be had, and partials of nothing, are refused or empty alike', async () => {
    const both = [await ours(), await theirs()] as const;
    for (const client of both) await client.ok('SELECT Odd');
    const wrong: string[] = [];
    for (const item of ITEMS) {
      const [here, there] = await Promise.all(both.map(async (client) => (await client.command(`FETCH 1 ${item}`)).status.split(' ')[0]!));
      const expected = STATUS_ON_PURPOSE.get(item)?.[0] ?? here;
      if (here === expected && (here === there) !== STATUS_ON_PURPOSE.has(item)) continue;
      wrong.push(`${item}: ours ${here}, theirs ${there}`);
    }
    assert.deepEqual(wrong, []);
  });
});

/** Our status and the reason, where Dovecot's is another. */
const STATUS_ON_PURPOSE: ReadonlyMap<string, readonly [status: string, why: string]> = new Map([
  ['BODY[]<0.0>', ['BAD', 'a length is an nz-number64']],
  ['BINARY.PEEK[1]<0.0>', ['BAD', 'a length is an nz-number64']],
  ['BODY[]<0>', ['BAD', 'a partial of FETCH has a length']],
  ['BODY[0]', ['BAD', 'parts are nz-numbers']],
  ['BODY[1.0]', ['BAD', 'parts are nz-numbers']],
  ['BINARY[0]', ['BAD', 'parts are nz-numbers']],
  ['ENVELOPE[1]', ['BAD', 'an envelope has no sections']],
  ['BINARY.SIZE[1]<0.1>', ['BAD', 'a size has no partial']],
  ['BINARY[1.HEADER]', ['BAD', 'section-binary is a part']],
]);

/** Not in the grammar of fetch-att (RFC 9051 section 9), or just so. */
const ITEMS = [
  'BODY[]<0.0>',
  'BODY[]<0>',
  'BODY[]<1.>',
  'BODY[]<-1.5>',
  'BODY[]<0.1',
  'BODY[]<4294967296.1>',
  'BODY[0]',
  'BODY[1.0]',
  'BODY[01]',
  'BODY[1.]',
  'BODY[.1]',
  'BODY[1..2]',
  'BODY[MIME]',
  'BODY[1.MIME]',
  'BODY[HEADER.FIELDS]',
  'BODY[HEADER.FIELDS ()]',
  'BODY[HEADER.FIELDS (From)',
  'BODY[HEADER.FIELDS From]',
  'BODY[HEADER.FIELDS.NOT ("From" To)]',
  'BODY[header.fields (from)]',
  'BODY[NONSENSE]',
  'BODY[TEXT.1]',
  'BODY[99]',
  'BODY[1.2.3.4.5]',
  'body.peek[text]<0.1>',
  'BODY.PEEK',
  'BODY.PEEK[',
  'RFC822.PEEK',
  'RFC822[]',
  'RFC822.NONSENSE',
  'ENVELOPE[1]',
  'BINARY[0]',
  'BINARY.SIZE',
  'BINARY.SIZE[1]<0.1>',
  'BINARY[1.HEADER]',
  'BINARY.PEEK[1]<0.0>',
  '()',
  '(FLAGS FLAGS)',
  '(ALL)',
  'ALL',
  'FULL',
  '(FLAGS',
  'FLAGS)',
  'NONSENSE',
];
