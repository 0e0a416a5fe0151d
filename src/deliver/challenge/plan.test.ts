import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, test } from 'node:test';
import { formatAddress, parseMailbox } from '../../mail/address.ts';
import type { Address } from '../../ports.ts';
import { defaultsOf } from '../../system/declare.ts';
import type { HeaderFacts } from '../reply/header-facts.ts';
import { readHeaderFacts } from '../reply/header-facts.ts';
import { AT, factsOf, REPLIER } from '../reply/testing.ts';
import { type ChallengeInput, type ChallengePlan, type ChallengeStore, planChallenge } from './plan.ts';
import { CHALLENGE_SETTINGS } from './settings.ts';
import { answerAddress, tokenHash, tokenIn, tokenOf, waitingKeyword } from './token.ts';

const settings = defaultsOf(CHALLENGE_SETTINGS);
const EMPTY: ChallengeStore = { asked: () => null, isWaiting: () => false, isKnown: () => false };
const input: ChallengeInput = {
  ...REPLIER,
  sender: { local: 'bob', domain: 'example.com' },
  header: factsOf('From: Bob <bob@example.com>', 'Subject: hello', 'Message-ID: <m1@example.com>'),
  detail: null,
  sorted: 'inbox',
  isAllowed: false,
  isOurs: false,
  proof: { dmarc: true, spf: true },
  challengesToday: 0,
  random: Buffer.alloc(13, 5),
  delimiters: '+',
  never: [],
  settings,
};
const plan = (over: Partial<ChallengeInput> = {}, store: Partial<ChallengeStore> = {}): ChallengePlan =>
  planChallenge({ ...input, ...over }, { ...EMPTY, ...store });

test('an unknown sender is held and asked, once', () => {
  const found = plan();
  assert.equal(found.kind, 'hold');
  const hold = found as Extract<ChallengePlan, { kind: 'hold' }>;
  assert.equal(hold.mailbox, 'Waiting');
  assert.equal(hold.keyword, waitingKeyword('bob@example.com'));
  assert.equal(hold.ask!.until, AT + settings['challenge.wait']);
  assert.equal(hold.ask!.mail.sender, null);
  const again = plan({}, { isWaiting: (author) => author === 'bob@example.com' }) as typeof hold;
  assert.deepEqual([again.kind, again.ask], ['hold', null]);
});

test('the question can be answered by address or by subject, and says that a program wrote it', () => {
  const text = (plan() as Extract<ChallengePlan, { kind: 'hold' }>).ask!.mail.bytes.toString();
  const token = tokenOf(input.random);
  for (const line of [
    'From: <anna@example.org>',
    'To: bob@example.com',
    `Reply-To: anna+c-${token}@example.org`,
    `Subject: Please confirm: hello [confirm ${token}]`,
    'In-Reply-To: <m1@example.com>',
    'Auto-Submitted: auto-replied (challenge)',
    'X-Posthorn-Challenge: 1',
  ])
    assert.ok(text.includes(`${line}\r\n`), `${line}\n${text}`);
  assert.doesNotMatch(text, /https?:/);
  const linked = plan({ settings: { ...settings, 'challenge.baseUrl': 'https://mail.example.org/c/' } }) as Extract<ChallengePlan, { kind: 'hold' }>;
  assert.ok(linked.ask!.mail.bytes.toString().includes(`https://mail.example.org/c/${token}`));
});

test('tokens: twenty characters, in a detail or a subject, in any case; the store keeps their hash', () => {
  const token = tokenOf(Buffer.from('0123456789abc'));
  assert.match(token, /^[a-z2-7]{20}$/);
  assert.equal(tokenIn(`C-${token.toUpperCase()}`, null), token);
  assert.equal(tokenIn(null, `AW: Re: Please confirm: x [confirm ${token}]`), token);
  assert.equal(tokenIn('c-short', 'nothing'), null);
  assert.equal(tokenHash(token.toUpperCase()), tokenHash(token));
  assert.throws(() => tokenOf(new Uint8Array(3)), RangeError);
  assert.equal(answerAddress({ local: 'a'.repeat(45), domain: 'x.example' }, token, '+'), null);
  assert.equal(answerAddress(REPLIER.owner, token, ''), null);
  assert.equal(formatAddress(answerAddress(REPLIER.owner, token, '-+')!), `anna-c-${token}@example.org`);
});

describe('nobody is asked', () => {
  const rows: readonly (readonly [why: string, Partial<ChallengeInput>])[] = [
    ['who is on the allow list', { isAllowed: true }],
    ['of this server', { isOurs: true }],
    ['about junk', { sorted: 'junk' }],
    ['with the null sender', { sender: null }],
    ['whom DMARC does not prove', { proof: { dmarc: false, spf: true } }],
    ['whose envelope names another domain', { sender: { local: 'b', domain: 'esp.example' } }],
    ['of a list', { header: factsOf('From: bob@example.com', 'List-Id: <x.example>') }],
    ['of bulk mail', { header: factsOf('From: bob@example.com', 'Precedence: bulk') }],
    ['of automatic mail', { header: factsOf('From: bob@example.com', 'Auto-Submitted: auto-generated') }],
    ['who asks us', { header: factsOf('From: bob@example.com', 'X-Posthorn-Challenge: 1') }],
    ['with a name of programs', { sender: { local: 'noreply', domain: 'example.com' }, header: factsOf('From: noreply@example.com') }],
    ['where From names several', { header: factsOf('From: bob@example.com, eve@example.com') }],
    ['without From', { header: factsOf('Subject: x') }],
    ['beyond the limit of the day', { challengesToday: 50 }],
    ['of reply.never', { never: ['@example.com'] }],
    ['who is the owner', { sender: REPLIER.owner, header: factsOf('From: anna@example.org') }],
  ];
  for (const [why, over] of rows) test(why, () => assert.equal(plan(over).kind, 'deliver'));
  test('who is known', () => assert.equal(plan({}, { isKnown: (author) => author === 'bob@example.com' }).kind, 'deliver'));
});

test('who cannot be asked is held where the option says so, but never a report or an automatic message', () => {
  const hold = { ...settings, 'challenge.unasked': 'hold' as const };
  const found = plan({ settings: hold, proof: { dmarc: false, spf: false } });
  assert.deepEqual([found.kind, (found as { ask?: unknown }).ask], ['hold', null]);
  assert.equal(plan({ settings: hold, sender: null }).kind, 'deliver');
  assert.equal(plan({ settings: hold, header: factsOf('From: bob@example.com', 'Auto-Submitted: auto-replied') }).kind, 'deliver');
});

test('an answer releases; one by a program, or with a token nobody knows, does not', () => {
  const token = tokenOf(input.random);
  const store = { asked: (hash: string) => (hash === tokenHash(token) ? 'bob@example.com' : null) };
  assert.deepEqual(plan({ detail: `c-${token}` }, store), { kind: 'answer', tokenHash: tokenHash(token), author: 'bob@example.com' });
  const header = factsOf('From: bob@example.com', `Subject: Re: Please confirm: hello [confirm ${token}]`);
  assert.equal(plan({ header }, store).kind, 'answer');
  assert.notEqual(plan({ detail: `c-${token}`, sender: null }, store).kind, 'answer');
  assert.notEqual(plan({ detail: `c-${token}`, header: factsOf('From: bob@example.com', 'Auto-Submitted: auto-replied (vacation)') }, store).kind, 'answer');
  assert.equal(plan({ detail: `c-${'a'.repeat(20)}` }, store).kind, 'hold');
});

// ── Two servers that both ask ────────────────────────────────────────────────────────────────────────

interface Mail {
  readonly sender: Address | null;
  readonly to: Address;
  readonly bytes: Buffer;
}
/** What becomes of a message between the servers. */
type Wire = (mail: Mail) => Mail;

class Side implements ChallengeStore {
  readonly owner: Address;
  readonly known = new Set<string>();
  readonly open = new Map<string, string>();
  readonly inbox: Mail[] = [];
  readonly waiting: Mail[] = [];
  #count = 0;
  constructor(owner: string) {
    this.owner = parseMailbox(owner)!;
  }
  asked = (hash: string): string | null => this.open.get(hash) ?? null;
  isWaiting = (author: string): boolean => [...this.open.values()].includes(author);
  isKnown = (author: string): boolean => this.known.has(author);

  /** Answers the mail that goes out because of it. */
  receive(mail: Mail): Mail[] {
    const header: HeaderFacts = readHeaderFacts(mail.bytes.subarray(0, mail.bytes.indexOf('\r\n\r\n') + 4));
    const key = formatAddress(this.owner);
    this.#count += 1;
    const detail = /\+(.*)/.exec(mail.to.local)?.[1] ?? null;
    const random = createHash('sha256').update(`${key} ${this.#count}`).digest();
    const found = planChallenge(
      {
        ...input,
        id: `${this.owner.local}${this.#count}`,
        owner: this.owner,
        ownAddresses: [key],
        sender: mail.sender,
        header,
        detail,
        challengesToday: this.#count,
        random,
      },
      this,
    );
    if (found.kind === 'answer') {
      this.known.add(found.author);
      for (const [hash, author] of this.open) if (author === found.author) this.open.delete(hash);
      this.inbox.push(...this.waiting.splice(0), mail);
      return [];
    }
    if (found.kind === 'deliver') {
      this.inbox.push(mail);
      return [];
    }
    this.waiting.push(mail);
    if (found.ask === null) return [];
    this.open.set(found.ask.tokenHash, found.author!);
    return found.ask.mail.to.map((to) => ({ sender: null, to, bytes: found.ask!.mail.bytes }));
  }
}

/** Lets the servers talk until they are silent; answers how many messages went over. */
function exchange(a: Side, b: Side, first: Mail, wire: Wire): number {
  const queue = [first];
  let count = 0;
  for (let mail = queue.shift(); mail !== undefined; mail = queue.shift()) {
    count += 1;
    assert.ok(count < 100, 'a loop');
    const arrived = wire(mail);
    queue.push(...(arrived.to.domain === a.owner.domain ? a : b).receive(arrived));
  }
  return count;
}

const replaced = (mail: Mail, pattern: RegExp): Mail => ({ ...mail, bytes: Buffer.from(mail.bytes.toString().replace(pattern, '')) });
const withSender = (mail: Mail): Mail => {
  const from = /^From:.*<(.*)>/m.exec(mail.bytes.toString())?.[1];
  return mail.sender === null && from !== undefined ? { ...mail, sender: parseMailbox(from) } : mail;
};
const MARKS = /^(?:Auto-Submitted|X-Posthorn-Challenge|Precedence|X-Auto-Response-Suppress):.*\r\n/gim;
const WIRES: readonly (readonly [name: string, Wire])[] = [
  ['as it was sent', (mail) => mail],
  ['a relay puts a sender on reports', withSender],
  ['a relay takes Auto-Submitted away and puts a sender on reports', (mail) => withSender(replaced(mail, /^Auto-Submitted:.*\r\n/gim))],
  ['a relay takes our mark away', (mail) => replaced(mail, /^X-Posthorn-Challenge:.*\r\n/gim)],
  ['a relay takes every mark away', (mail) => replaced(mail, MARKS)],
  ['a relay takes every mark away and puts a sender on reports', (mail) => withSender(replaced(mail, MARKS))],
];

describe('two servers that both challenge never loop', () => {
  for (const [name, wire] of WIRES)
    for (const isWroteKnown of [true, false])
      test(`${name}, ${isWroteKnown ? 'the first writer knows whom she wrote to' : 'nobody remembers having written'}`, () => {
        const a = new Side('ann@a.example');
        const b = new Side('ben@b.example');
        if (isWroteKnown) a.known.add('ben@b.example');
        const first: Mail = {
          sender: a.owner,
          to: b.owner,
          bytes: Buffer.from('From: <ann@a.example>\r\nTo: ben@b.example\r\nSubject: hello\r\nMessage-ID: <1@a.example>\r\n\r\nHi.\r\n'),
        };
        const count = exchange(a, b, first, wire);
        // At the very worst each side asks once.
        assert.ok(count <= 3, String(count));
        if (isWroteKnown) assert.equal(a.inbox.length, 1, 'the question reaches the first writer');
      });
});

test('the whole way: held, asked, answered, delivered; the next message passes at once', () => {
  const a = new Side('ann@a.example');
  const b = new Side('ben@b.example');
  a.known.add('ben@b.example');
  const write = (subject: string): Mail => ({
    sender: a.owner,
    to: b.owner,
    bytes: Buffer.from(`From: <ann@a.example>\r\nTo: ben@b.example\r\nSubject: ${subject}\r\n\r\nHi.\r\n`),
  });
  exchange(a, b, write('one'), (mail) => mail);
  exchange(a, b, write('two'), (mail) => mail);
  assert.deepEqual([b.inbox.length, b.waiting.length, a.inbox.length], [0, 2, 1]);
  const replyTo = parseMailbox(/^Reply-To: (.*)\r$/m.exec(a.inbox[0]!.bytes.toString())![1]!)!;
  exchange(a, b, { ...write('Re: Please confirm'), to: replyTo }, (mail) => mail);
  assert.deepEqual([b.inbox.length, b.waiting.length], [3, 0]);
  exchange(a, b, write('three'), (mail) => mail);
  assert.equal(b.inbox.length, 4);
});
