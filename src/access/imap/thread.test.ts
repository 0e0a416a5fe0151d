/** THREAD (RFC 5256 section 3): conversations, a plain rewriting of the RFC's six steps as a model, and hostile references. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SliceClock } from './pace.ts';
import { talk, TestServer } from './testing.ts';
import { ThreadLinks } from './thread-links.ts';
import { type ThreadSubjects, threadReferences, threadRefs } from './thread-references.ts';
import { threadOrderedSubject } from './thread-subjects.ts';
import { treeOf, writeThreads } from './thread-tree.ts';

interface Letter {
  readonly id?: string;
  readonly references?: readonly string[];
  readonly inReplyTo?: string;
  readonly subject?: string;
  readonly day?: number;
}

function server(...letters: readonly Letter[]): TestServer {
  const made = new TestServer();
  for (const [i, { id, references, inReplyTo, subject, day }] of letters.entries()) {
    const fields = [
      `Date: ${day ?? i + 1} Jan 2024 00:00:00 +0000`,
      ...(subject === undefined ? [] : [`Subject: ${subject}`]),
      ...(id === undefined ? [] : [`Message-ID: <${id}@t>`]),
      ...(references === undefined ? [] : [`References: ${references.map((each) => `<${each}@t>`).join(' ')}`]),
      ...(inReplyTo === undefined ? [] : [`In-Reply-To: ${inReplyTo}`]),
    ];
    made.store.deliver(made.inbox, `${fields.join('\r\n')}\r\n\r\nx\r\n`);
  }
  return made;
}

async function threads(made: TestServer, algorithm: string, keys = 'ALL'): Promise<string> {
  const answer = await (await made.client('INBOX')).exchange(`a THREAD ${algorithm} UTF-8 ${keys}\r\n`);
  const match = /^\* THREAD ?(.*)\r\na OK THREAD completed\r\n$/.exec(answer);
  assert.notEqual(match, null, answer);
  return match![1]!;
}

test('replies are below what they answer', async () => {
  const made = server({ id: 'a' }, { id: 'b', references: ['a'] }, { id: 'c', references: ['a', 'b'] }, { id: 'd', references: ['a', 'b'] }, { id: 'e' });
  assert.equal(await threads(made, 'REFERENCES'), '(1 2 (3)(4))(5)');
  assert.equal(await threads(made, 'REFS'), '(1 2 (3)(4))(5)');
});

test('In-Reply-To counts where there are no References, its first id only', async () => {
  const made = server({ id: 'a' }, { id: 'b', inReplyTo: 'your message of <today@home> is not in In-Reply-To' }, { id: 'c', inReplyTo: '<a@t> <b@t>' });
  assert.equal(await threads(made, 'REFERENCES'), '(1 3)(2)');
});

test('quoted ids are the ids without their quotes', async () => {
  const made = new TestServer();
  made.store.deliver(made.inbox, 'Message-ID: <"01KF8JCEOCBS0045PS"@xxx.yyy.com>\r\n\r\n');
  made.store.deliver(made.inbox, 'References: <01KF8JCEOCBS0045PS@xxx.yyy.com>\r\n\r\n');
  assert.equal(await threads(made, 'REFERENCES'), '(1 2)');
});

test('siblings whose parent is not there stay together; one alone takes its place', async () => {
  const made = server({ id: 'b', references: ['a'] }, { id: 'c', references: ['a'] }, { id: 'e', references: ['d'] });
  assert.equal(await threads(made, 'REFERENCES'), '((1)(2))(3)');
});

test('threads of one subject are joined: a reply below what is no reply, equals side by side', async () => {
  const made = server(
    { id: 'a', subject: 'Plan' },
    { id: 'b', subject: 'Re: plan' },
    { id: 'c', subject: 'Lunch' },
    { id: 'd', subject: 'LUNCH' },
    { id: 'e' },
    { id: 'f' },
  );
  assert.equal(await threads(made, 'REFERENCES'), '(1 2)((3)(4))(5)(6)');
  assert.equal(await threads(made, 'REFS'), '(1)(2)(3)(4)(5)(6)');
});

test('a reply that came before what it answers is below it all the same', async () => {
  const made = server({ id: 'b', subject: 'Re: Plan', day: 2 }, { id: 'a', subject: 'Plan', day: 3 });
  assert.equal(await threads(made, 'REFERENCES'), '(2 1)');
});

test('siblings and threads go by their sent dates', async () => {
  const made = server({ id: 'a', day: 9 }, { id: 'c', references: ['a'], day: 12 }, { id: 'b', references: ['a'], day: 11 }, { id: 'z', day: 1 });
  assert.equal(await threads(made, 'REFERENCES'), '(4)(1 (3)(2))');
});

test('of messages with one id, the first has it', async () => {
  const made = server({ id: 'a' }, { id: 'a' }, { id: 'b', references: ['a'] });
  assert.equal(await threads(made, 'REFERENCES'), '(1 3)(2)');
});

test('loops of references are not closed', async () => {
  assert.equal(await threads(server({ id: 'a', references: ['b'] }, { id: 'b', references: ['a'] }), 'REFERENCES'), '(2 1)');
  assert.equal(await threads(server({ id: 'a', references: ['a'] }), 'REFERENCES'), '(1)');
});

test('ORDEREDSUBJECT: the first of each subject above all others of it', async () => {
  const made = server(
    { subject: 'b', day: 3 },
    { subject: 'a', day: 2 },
    { subject: 'Re: b', day: 1 },
    { subject: 'fwd: A', day: 5 },
    { subject: 'a', day: 4 },
  );
  assert.equal(await threads(made, 'ORDEREDSUBJECT'), '(3 1)(2 (5)(4))');
});

test('UID THREAD, an empty result, and what is wrong', async () => {
  const made = server({ id: 'a' }, { id: 'b', references: ['a'] });
  const client = await made.client('INBOX');
  await talk(
    client,
    `C: 1 THREAD REFERENCES US-ASCII TEXT "gewp"
     S: * THREAD
     S: 1 OK THREAD completed
     C: 2 THREAD SPIRAL UTF-8 ALL
     S: 2 BAD Unknown threading algorithm SPIRAL
     C: 3 THREAD REFERENCES KLINGON ALL
     S: 3 NO [BADCHARSET (US-ASCII UTF-8)] Charset is not known here
     C: 4 THREAD REFERENCES UTF-8
     S: 4 BAD more arguments expected at byte 26
     C: 5 STORE 1 +FLAGS.SILENT (\\Deleted)
     S: 5 OK STORE completed
     C: 6 EXPUNGE
     S: * 1 EXPUNGE
     S: * 1 RECENT
     S: 6 OK EXPUNGE completed
     C: 7 UID THREAD REFERENCES UTF-8 ALL
     S: * THREAD (2)
     S: 7 OK THREAD completed
     C: 8 THREAD REFERENCES UTF-8 ALL
     S: * THREAD (1)
     S: 8 OK THREAD completed`,
  );
});

test('facts come from the index for what it has, from the header for the rest', async () => {
  const asked: number[][] = [];
  const search = {
    facts: (_account: number, emails: readonly number[]) => {
      asked.push([...emails]);
      return emails.slice(1).map((email) => ({ email, messageId: `m${email}`, references: ['a@t'], baseSubject: '', isReply: false, threadId: 1 }));
    },
  };
  const made = new TestServer({}, { search: search as never });
  for (const id of ['a', 'b', 'c']) made.store.deliver(made.inbox, `Message-ID: <${id}@t>\r\n\r\n`);
  assert.equal(await threads(made, 'REFERENCES'), '(1 (2)(3))');
  assert.equal(await threads(made, 'REFERENCES', '2:3'), '((2)(3))');
  assert.equal(asked.length, 1);
});

// ── Without a server ──

interface Given {
  readonly own: number | null;
  readonly references: readonly number[];
  readonly date: number;
  readonly subject: number;
  readonly isReply: boolean;
}

function linksFrom(given: readonly Given[]): ThreadLinks {
  const links = new ThreadLinks();
  for (const { own, references } of given) links.put({ messageId: own === null ? null : `id${own}`, references: references.map((id) => `id${id}`) });
  return links;
}

async function written(tree: Parameters<typeof writeThreads>[0]): Promise<string> {
  let text = '';
  await writeThreads(
    tree,
    (message) => message + 1,
    (piece) => (text += piece),
    new SliceClock(),
  );
  return text;
}

async function byReferences(given: readonly Given[], algorithm: 'REFERENCES' | 'REFS' = 'REFERENCES'): Promise<string> {
  const threaded = {
    count: given.length,
    indexes: Int32Array.from(given, (_, i) => i),
    dates: Float64Array.from(given, ({ date }) => date),
    links: linksFrom(given),
  };
  const subjects: ThreadSubjects = { base: (message) => given[message]!.subject, isReply: (message) => given[message]!.isReply };
  return written(await (algorithm === 'REFS' ? threadRefs(threaded, new SliceClock()) : threadReferences(threaded, subjects, new SliceClock())));
}

/** A node of the model: a message or a dummy. */
interface Node {
  message: number | null;
  parent: Node | null;
  children: Node[];
}

/** The six steps of RFC 5256, word for word, with objects and recursion. */
function model(given: readonly Given[]): string {
  const nodes = new Map<string, Node>();
  const node = (message: number | null): Node => ({ message, parent: null, children: [] });
  const mine: Node[] = [];
  given.forEach(({ own }, i) => {
    const name = own === null || nodes.has(`id${own}`) ? `unique${i}` : `id${own}`;
    const made = node(i);
    nodes.set(name, made);
    mine.push(made);
  });
  const isBelow = (one: Node, other: Node): boolean => one === other || (one.parent !== null && isBelow(one.parent, other));
  const link = (parent: Node, child: Node): void => {
    if (isBelow(parent, child)) return;
    child.parent = parent;
    parent.children.push(child);
  };
  const cut = (child: Node): void => {
    if (child.parent !== null) child.parent.children = child.parent.children.filter((each) => each !== child);
    child.parent = null;
  };
  given.forEach(({ references }, i) => {
    const chain = references.map((id) => {
      const known = nodes.get(`id${id}`) ?? node(null);
      nodes.set(`id${id}`, known);
      return known;
    });
    for (let j = 1; j < chain.length; j += 1) if (chain[j]!.parent === null) link(chain[j - 1]!, chain[j]!);
    const last = chain.at(-1);
    if (last !== mine[i]!.parent || last === undefined) cut(mine[i]!);
    if (last !== undefined && mine[i]!.parent === null) link(last, mine[i]!);
  });
  let roots = [...nodes.values()].filter((each) => each.parent === null);
  const prune = (siblings: Node[], isTop: boolean): Node[] =>
    siblings.flatMap((each) => {
      each.children = prune(each.children, false);
      if (each.message !== null) return [each];
      if (each.children.length === 0) return [];
      return isTop && each.children.length > 1 ? [each] : each.children;
    });
  roots = prune(roots, true);
  const key = (each: Node): number => {
    const message = each.message ?? each.children[0]!.message!;
    return given[message]!.date * 1000 + message;
  };
  const sort = (siblings: Node[]): Node[] => siblings.sort((a, b) => key(a) - key(b));
  for (const root of roots) if (root.message === null) sort(root.children);
  sort(roots);
  const first = (each: Node): Given => given[each.message ?? each.children[0]!.message!]!;
  const isReply = (each: Node): boolean => each.message !== null && given[each.message]!.isReply;
  const table = new Map<number, Node>();
  for (const root of roots) {
    const { subject } = first(root);
    if (subject === 0) continue;
    const present = table.get(subject);
    if (present === undefined || (present.message !== null && (root.message === null || (isReply(present) && !isReply(root))))) table.set(subject, root);
  }
  for (const root of [...roots]) {
    if (!roots.includes(root)) continue;
    const { subject } = first(root);
    const present = table.get(subject);
    if (subject === 0 || present === undefined || present === root) continue;
    roots = roots.filter((each) => each !== root);
    if (present.message === null && root.message === null) present.children.push(...root.children);
    else if (present.message === null || (isReply(root) && !isReply(present))) present.children.push(root);
    else {
      roots = roots.filter((each) => each !== present);
      const dummy: Node = { message: null, parent: null, children: [root, present] };
      roots.push(dummy);
      table.set(subject, dummy);
    }
  }
  const sortAll = (siblings: Node[]): Node[] => {
    for (const each of siblings) sortAll(each.children);
    return sort(siblings);
  };
  const members = (each: Node): string => {
    const own = each.message === null ? '' : String(each.message + 1);
    if (each.children.length === 0) return own;
    const below = each.children.length === 1 ? members(each.children[0]!) : each.children.map((child) => `(${members(child)})`).join('');
    return own === '' ? below : `${own} ${below}`;
  };
  return sortAll(roots)
    .map((each) => `(${members(each)})`)
    .join('');
}

const givens = (ids: number): fc.Arbitrary<Given[]> =>
  fc.array(
    fc.record({
      own: fc.option(fc.nat(ids), { freq: 8 }),
      references: fc.uniqueArray(fc.nat(ids), { maxLength: 5 }),
      date: fc.nat(6),
      subject: fc.nat(4),
      isReply: fc.boolean(),
    }),
    { maxLength: 14 },
  );

test('REFERENCES is what the six steps of the RFC say, for any references, dates and subjects', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(givens(6), givens(20)), async (given) => assert.equal(await byReferences(given), model(given))),
    { seed: 5256, numRuns: 3000 },
  );
});

test('every message is in each answer exactly once', async () => {
  await fc.assert(
    fc.asyncProperty(givens(8), async (given) => {
      for (const text of [await byReferences(given), await byReferences(given, 'REFS')]) {
        const numbers = (text.match(/\d+/g) ?? []).map(Number).sort((a, b) => a - b);
        assert.deepEqual(
          numbers,
          given.map((_, i) => i + 1),
        );
      }
    }),
    { seed: 5257, numRuns: 500 },
  );
});

const lone = (own: number, references: readonly number[], date = own): Given => ({ own, references, date, subject: 0, isReply: false });

test('a chain of 30,000 messages, in any order, is written without recursion', async () => {
  const length = 30_000;
  const chain = Array.from({ length }, (_, i) => lone(i, i === 0 ? [] : [i - 1]));
  const expected = `(${chain.map((_, i) => i + 1).join(' ')})`;
  assert.equal(await byReferences(chain), expected);
  const backwards = chain.map((_, i) => lone(length - i, i === length - 1 ? [] : [length - i - 1]));
  assert.equal(await byReferences(backwards), `(${chain.map((_, i) => length - i).join(' ')})`);
});

test('two children at each of 10,000 levels nest 10,000 lists', async () => {
  const given: Given[] = [lone(0, [])];
  for (let level = 1; level <= 10_000; level += 1) given.push(lone(2 * level, [2 * level - 2]), lone(2 * level + 1, [2 * level - 2]));
  const text = await byReferences(given);
  assert.equal(text.startsWith('(1 (2 (4 (6 (8 '), true);
  assert.equal(text.match(/\(/g)!.length, text.match(/\)/g)!.length);
});

test('references that force long looks for loops end nevertheless', async () => {
  const length = 20_000;
  const given = Array.from({ length }, (_, i) => lone(i, i === 0 ? [] : [i - 1]));
  // Each of these asks whether the chain's top is below its end.
  for (let i = 0; i < 2000; i += 1) given.push(lone(length + i, [length - 1, 0]));
  const text = await byReferences(given);
  assert.equal(text.match(/\d+/g)!.length, given.length);
});

test('made-up references do not fill the memory', () => {
  const links = new ThreadLinks();
  for (let i = 0; i < 1000; i += 1) links.put({ messageId: `m${i}`, references: Array.from({ length: 200 }, (_, j) => `made-up-${i}-${j}`) });
  assert.ok(links.idCount <= 100_000 + 21 * 1000 + 200);
});

test('ORDEREDSUBJECT has no grandchildren, and trees are written as RFC 5256 section 4 has them', async () => {
  const subjects: ThreadSubjects = { base: (message) => [1, 2, 1, 1][message]!, isReply: () => false };
  assert.equal(await written(await threadOrderedSubject(4, Float64Array.of(4, 3, 2, 1), subjects, new SliceClock())), '(4 (3)(1))(2)');
  // "* THREAD (2)(3 6 (4 23)(44 7 96))", numbered from 1 in order.
  const parents = Int32Array.of(-1, -1, 1, 2, 3, 2, 5, 6);
  assert.equal(
    await written(
      treeOf(
        8,
        parents,
        Uint32Array.from(parents, (_, i) => i),
      ),
    ),
    '(1)(2 3 (4 5)(6 7 8))',
  );
});
