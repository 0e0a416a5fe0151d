/** The order of sort criteria against a plain comparison of everything, the keys that are kept, and those that are not. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { COLLATIONS, UNICODE_CASEMAP } from '../../mail/collation.ts';
import type { SortCriterion, SortKey } from '../../wire/imap/sort.ts';
import { SliceClock } from './pace.ts';
import { keysOf } from './sort-keys.ts';
import { orderOf, sortedPlaces, textColumns } from './sort-order.ts';
import { ALICE, TestServer } from './testing.ts';
import type { MailboxView } from './view.ts';

function lehmer(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
}

const KEYS: readonly SortKey[] = ['ARRIVAL', 'CC', 'DATE', 'DISPLAYFROM', 'DISPLAYTO', 'FROM', 'SIZE', 'SUBJECT', 'TO'];

interface Facts {
  readonly values: Readonly<Record<string, string | number>>;
}

/** A mailbox whose messages share values, and what its keys are by construction. */
async function mailbox(count: number, different: number): Promise<{ made: TestServer; view: MailboxView; facts: Facts[] }> {
  const made = new TestServer();
  const random = lehmer(count);
  const facts: Facts[] = [];
  for (let i = 0; i < count; i += 1) {
    const [from, to, cc, subject, at, date, size] = Array.from({ length: 7 }, () => random(different)) as [
      number,
      number,
      number,
      number,
      number,
      number,
      number,
    ];
    const day = new Date(Date.UTC(2024, 0, 1) + date * 1000).toUTCString();
    const text = `From: N${from} <f${from}@t>\r\nTo: t${to}@t\r\nCc: c${cc}@t\r\nSubject: s${subject}\r\nDate: ${day}\r\n\r\n`;
    const padded = `${text}${'x'.repeat(200 + size - text.length)}`;
    made.store.deliver(made.inbox, padded, { at: at * 1000, flags: i % 40 === 0 ? 0 : 1 });
    facts.push({
      values: {
        ARRIVAL: at,
        DATE: date,
        SIZE: size,
        FROM: `F${from}`,
        TO: `T${to}`,
        CC: `C${cc}`,
        SUBJECT: `S${subject}`,
        DISPLAYFROM: `N${from}`,
        DISPLAYTO: `T${to}@T`,
      },
    });
  }
  const client = await made.client('INBOX');
  return { made, view: client.session.selected!.view, facts };
}

function plainly(facts: readonly Facts[], criteria: readonly SortCriterion[]): number[] {
  return facts
    .map((_, i) => i)
    .sort((a, b) => {
      for (const { key, isReverse } of criteria) {
        const [x, y] = [facts[a]!.values[key]!, facts[b]!.values[key]!];
        if (x !== y) return (x < y ? -1 : 1) * (isReverse ? -1 : 1);
      }
      return a - b;
    });
}

for (const [count, different] of [
  [60, 4],
  [900, 400],
] as const)
  test(`${count} messages with ${different} different values by up to nine criteria`, async () => {
    const { made, view, facts } = await mailbox(count, different);
    const random = lehmer(different);
    const uids = view.uids.slice(0, view.count);
    for (let round = 0; round < 60; round += 1) {
      const left = [...KEYS];
      const criteria = Array.from({ length: 1 + (round % 9) }, () => ({ key: left.splice(random(left.length), 1)[0]!, isReverse: random(2) === 0 }));
      const expected = plainly(facts, criteria);
      const places = await sortedPlaces(made.store, { view, uids, relevancy: null }, criteria, UNICODE_CASEMAP, new SliceClock());
      assert.deepEqual([...places], expected, JSON.stringify(criteria));
      const order = orderOf(keysOf(made.store, view), criteria, UNICODE_CASEMAP);
      for (let i = 1; i < expected.length; i += 1) assert.ok(order(uids[expected[i - 1]!]!, uids[expected[i]!]!) < 0);
    }
  });

test('few messages of a large mailbox are sorted without reading the others', async () => {
  const { made, view, facts } = await mailbox(1200, 30);
  const criteria: SortCriterion[] = [
    { key: 'SUBJECT', isReverse: false },
    { key: 'DATE', isReverse: true },
  ];
  const wanted = facts.map((_, i) => i).filter((i) => i % 40 === 0);
  const uids = Uint32Array.from(wanted, (i) => view.uids[i]!);
  const places = await sortedPlaces(made.store, { view, uids, relevancy: null }, criteria, UNICODE_CASEMAP, new SliceClock());
  assert.deepEqual(
    Array.from(places, (place) => wanted[place]!),
    plainly(facts, criteria).filter((i) => i % 40 === 0),
  );
  assert.equal(keysOf(made.store, view).count, 0);
});

test('keys are read once, for new messages only, and anew when most are gone', async () => {
  const { made, view } = await mailbox(1500, 30);
  const criteria: SortCriterion[] = [{ key: 'FROM', isReverse: false }];
  let rowsRead = 0;
  const reader = Object.create(made.store, {
    rows: {
      value: (sql: string, ...parameters: number[]) => {
        const rows = made.store.rows(sql, ...parameters);
        rowsRead += rows.length;
        return rows;
      },
    },
  }) as typeof made.store;
  const sortAll = async (): Promise<number> => {
    rowsRead = 0;
    await sortedPlaces(reader, { view, uids: view.uids.slice(0, view.count), relevancy: null }, criteria, UNICODE_CASEMAP, new SliceClock());
    return rowsRead;
  };
  assert.equal(await sortAll(), 3000);
  assert.equal(await sortAll(), 0);
  made.store.deliver(made.inbox, 'From: new@t\r\n\r\n');
  assert.equal(await sortAll(), 2);
  await made.store.expunge(
    ALICE.id,
    made.inbox,
    Array.from({ length: 1495 }, (_, i) => i + 1),
    false,
  );
  assert.equal(view.count, 6);
  assert.equal(await sortAll(), 12);
});

test('each collation has its own column; all share the numbers', async () => {
  const { made, view } = await mailbox(20, 3);
  const keys = keysOf(made.store, view);
  const columns = COLLATIONS.flatMap((collation) => textColumns(keys, [{ key: 'FROM', isReverse: false }], collation));
  assert.equal(new Set(columns).size, COLLATIONS.length);
  await keys.fill(columns, new SliceClock());
  assert.deepEqual(
    columns.map(({ texts }) => texts[1]![0]),
    ['F', 'F', 'f'],
  );
  assert.ok(keys.bytes > 0);
});

test('RELEVANCY: the most alike first, and the scores with ESORT (RFC 6203 section 6)', async () => {
  const made = new TestServer();
  for (const subject of ['nothing', 'help', 'hello', 'unrelated']) made.store.deliver(made.inbox, `Subject: ${subject}\r\n\r\n`);
  const client = await made.client('INBOX');
  const sorted = await client.exchange('a SORT (RELEVANCY) UTF-8 FUZZY SUBJECT "hello"\r\n');
  assert.match(sorted, /^\* SORT 3( 2)?\r\n/);
  const reverse = await client.exchange('b SORT RETURN (RELEVANCY ALL) (REVERSE RELEVANCY) UTF-8 OR FUZZY SUBJECT "hello" SUBJECT help\r\n');
  const scores = / RELEVANCY \(([\d ]+)\)/.exec(reverse)![1]!.split(' ').map(Number);
  assert.deepEqual(
    scores,
    [...scores].sort((a, b) => a - b),
  );
});
