/**
 * The index against a scan of the messages themselves: random mail of all kinds comes and goes in two accounts, the indexer is
 * stopped in the middle of things, and every text that is sought must be found in exactly the messages that have it.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DatabaseSync } from 'node:sqlite';
import type { AccountId, EmailId, TextScope } from '../ports.ts';
import { noPause, SearchWorld, scannedTexts } from './testing.ts';

/** Numbers that look random and are the same at every run (mulberry32). */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}
type Random = (below: number) => number;

/** Few different ones, so that texts meet; some that folding changes, some outside the BMP, some odd. */
const PIECES = [
  'a',
  'b',
  'ab',
  'the ',
  'Re',
  'ö',
  'o\u0308',
  'ß',
  'SS',
  'É',
  'ı',
  'İ',
  'ﬁ',
  '中',
  '文',
  '中文字',
  '😀',
  '👩\u200d👧',
  '\u0301',
  ' ',
  '  ',
  '"',
  "'",
  '<',
  '&amp;',
  '<b>',
  '</b>',
  '%',
  '\t',
  'Σ',
  'ς',
  'Đ',
  'Ā',
  '\ufffd',
  '\u00a0',
  '\u0000',
  'zq',
  '100',
  '\u{10ffff}',
];

function randomText(random: Random, most: number): string {
  let text = '';
  for (let n = random(most) + 1; n > 0; n -= 1) text += PIECES[random(PIECES.length)]!;
  return text;
}

function leaf(random: Random): Buffer {
  const text = randomText(random, 60);
  const type = ['text/plain', 'text/html', 'text/x-odd', 'application/json'][random(4)]!;
  switch (random(6)) {
    case 0:
      return Buffer.concat([
        Buffer.from(`Content-Type: ${type}; charset=utf-16le\r\nContent-Transfer-Encoding: base64\r\n\r\n`),
        Buffer.from(Buffer.from(text, 'utf16le').toString('base64')),
      ]);
    case 1:
      return Buffer.from(`Content-Type: ${type}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n${Buffer.from(text).toString('base64')}`);
    case 2:
      return Buffer.concat([Buffer.from(`Content-Type: ${type}; charset=iso-8859-1\r\nContent-Transfer-Encoding: 8bit\r\n\r\n`), Buffer.from(text, 'latin1')]);
    case 3:
      // Halves of pairs, through a charset whose decoder hands them on as they are.
      return Buffer.from(`Content-Type: ${type}; charset=utf-7\r\n\r\nab+2D0-ab +3gA- ${text.replace(/[^ -~]/g, '')}`);
    case 4:
      return Buffer.from(
        `Content-Type: ${type}; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n${[...Buffer.from(text)].map((byte) => `=${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('')}`,
      );
    default:
      return Buffer.from(`Content-Type: ${type}; charset=utf-8\r\n\r\n${text}`);
  }
}

function randomMessage(random: Random, depth = 0): Buffer {
  const header = Buffer.from(
    `Subject: =?utf-8?B?${Buffer.from(randomText(random, 8)).toString('base64')}?=\r\nX-Raw: ${randomText(random, 6).replaceAll('\0', '')}\r\n`,
  );
  if (random(3) > 0) return Buffer.concat([header, leaf(random)]);
  const parts: Buffer[] = [];
  for (let n = random(3) + 1; n > 0; n -= 1) {
    const inner =
      depth < 2 && random(4) === 0 ? Buffer.concat([Buffer.from('Content-Type: message/rfc822\r\n\r\n'), randomMessage(random, depth + 1)]) : leaf(random);
    parts.push(Buffer.from(`\r\n--b${depth}\r\n`), inner);
  }
  return Buffer.concat([header, Buffer.from(`Content-Type: multipart/mixed; boundary=b${depth}\r\n`), ...parts, Buffer.from(`\r\n--b${depth}--\r\n`)]);
}

interface Known {
  readonly email: EmailId;
  readonly uid: number;
  readonly header: string;
  readonly body: string;
}
const SCOPES: readonly TextScope[] = ['header', 'body', 'text'];

function isIn(known: Known, scope: TextScope, needle: string): boolean {
  return (scope !== 'body' && known.header.includes(needle)) || (scope !== 'header' && known.body.includes(needle));
}

for (const seed of [1, 2, 3]) {
  test(`every text is found in exactly the messages that have it, whatever happens to the index (seed ${seed})`, async (t) => {
    const random = randomFrom(seed);
    const world = new SearchWorld(t);
    const accounts = [await world.account('a@example.org'), await world.account('b@example.org')];
    const known = new Map<AccountId, Known[]>(accounts.map(({ id }) => [id, []]));
    for (let round = 0; round < 12; round += 1) {
      for (let n = random(12); n > 0; n -= 1) {
        const { id, inbox } = accounts[random(2)]!;
        const message = randomMessage(random);
        const { email, uid } = await world.add(id, inbox.id, message);
        known.get(id)!.push({ email, uid, ...scannedTexts(message) });
      }
      const { id, inbox } = accounts[random(2)]!;
      const mine = known.get(id)!;
      if (mine.length > 0 && random(2) === 0) {
        const [gone] = mine.splice(random(mine.length), 1);
        await world.expunge(id, inbox.id, [gone!.uid]);
      }
      switch (random(6)) {
        case 0: {
          // The process ends while a batch is being written.
          const pending = world.indexer.catchUp();
          world.restart();
          await pending.catch(() => {}); // whatever it says: it is gone
          break;
        }
        case 1:
          await world.indexer.removeGone();
          while (world.indexer.tidy());
          break;
        case 2: {
          world.indexer.close();
          const file = new DatabaseSync(world.databasePath);
          file.exec('PRAGMA user_version=1000');
          file.close();
          world.indexer = world.openIndexer();
          break;
        }
        default:
      }
      const isLevel = random(4) > 0;
      if (isLevel) await world.indexer.catchUp();
      for (let n = 0; n < 40; n += 1) await compare(world, random, known, accounts[random(2)]!.id, isLevel);
    }
  });
}

async function compare(world: SearchWorld, random: Random, all: ReadonlyMap<AccountId, Known[]>, id: AccountId, isLevel: boolean): Promise<void> {
  const mine = all.get(id)!;
  const everybodys = [...all.values()].flat();
  const scope = SCOPES[random(3)]!;
  const needle = soughtText(random, everybodys);
  const matches = await world.index.containing(id, scope, needle, noPause);
  for (const one of mine) {
    if (isLevel) assert.equal(matches.isIndexed(one.email), true);
    if (!matches.isIndexed(one.email)) continue;
    assert.equal(matches.emails.has(one.email), isIn(one, scope, needle), `${JSON.stringify(needle)} in the ${scope} of ${JSON.stringify(one)}`);
  }
  const others = new Set(everybodys.filter((one) => !mine.includes(one)).map((one) => one.email));
  for (const email of matches.emails) assert.equal(others.has(email), false, 'an email of another account');
}

/** Mostly a piece of some text, cut anywhere, in the middle of characters too. */
function soughtText(random: Random, known: readonly Known[]): string {
  if (known.length === 0 || random(5) === 0) return scannedTexts(Buffer.from(`\r\n${randomText(random, 4)}`)).body || 'X';
  const one = known[random(known.length)]!;
  const text = random(3) === 0 ? one.header : one.body;
  if (text === '') return 'X';
  const from = random(text.length);
  return text.slice(from, from + 1 + random(random(4) === 0 ? 60 : 8));
}
