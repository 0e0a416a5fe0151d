/**
 * Clients with QRESYNC on one mailbox, which others change too; announcements come late, some together. Each client keeps what it was told,
 * and the mod-sequence up to which it believes to know everything (RFC 7162 section 6). A client that goes away at any moment and comes
 * back from there must find out all that it missed: what it knew, with what has a higher mod-sequence, must be what is there.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Announcement } from '../../ports.ts';
import { MemoryStore } from './memory-store.ts';
import { ALICE, type Client, settle, TestServer } from './testing.ts';

/** A small generator with a seed (mulberry32). */
function random(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}
type Random = (below: number) => number;
type News = Extract<Announcement, { kind: 'messages' }>;

/** Keeps announcements back until they are sent, neighbours as one where a commit could have made them together. */
class Post {
  readonly #store: MemoryStore;
  readonly #waiting: Announcement[] = [];

  constructor(store: MemoryStore) {
    this.#store = store;
    store.publish = (announcement) => void this.#waiting.push(announcement);
  }

  send(number: number, isMerged: boolean, isResync = false): void {
    const some = this.#waiting.splice(0, number);
    for (let at = 0; at < some.length; ) {
      let one = some[at]!;
      at += 1;
      while (isMerged && at < some.length && canMerge(one) && canMerge(some[at]!)) {
        one = merged(one as News, some[at] as News);
        at += 1;
      }
      if (isResync && canMerge(one)) one = { ...(one as News), added: [], flags: [], expunged: [], isResync: true };
      MemoryStore.prototype.publish.call(this.#store, one);
    }
  }
}

function canMerge(one: Announcement): boolean {
  return one.kind === 'messages' && one.sweep === undefined && !one.isResync;
}

function merged(a: News, b: News): News {
  const [added, flags, expunged] = [
    [...a.added, ...b.added],
    [...a.flags, ...b.flags],
    [...a.expunged, ...b.expunged],
  ];
  return { ...a, modseq: b.modseq, uidNext: b.uidNext, added, flags, expunged };
}

const SYSTEM = ['\\Answered', '\\Flagged', '\\Deleted', '\\Seen', '\\Draft'];

function plain(flags: string): string {
  return flags
    .split(' ')
    .filter((flag) => flag !== '' && flag !== '\\Recent')
    .sort()
    .join(' ');
}

/** What is in the store, or was removed, above a mod-sequence. */
class Truth {
  readonly server: TestServer;
  constructor(server: TestServer) {
    this.server = server;
  }
  flags(): Map<number, { flags: string; modseq: number }> {
    const rows = this.server.store.messages(ALICE.id, this.server.inbox, 0, 0xffffffff, 1e6);
    return new Map(rows.map(([uid, modseq, bits, keywords]) => [uid, { modseq, flags: plain(`${names(bits)} ${keywords ?? ''}`) }]));
  }
  gone(since: number): number[] {
    return this.server.store.expungedSince(ALICE.id, this.server.inbox, since, 1e6).map(([, uid]) => uid);
  }
}

function names(bits: number): string {
  const flags: [number, string][] = [
    [1, '\\Seen'],
    [2, '\\Answered'],
    [4, '\\Flagged'],
    [8, '\\Deleted'],
    [16, '\\Draft'],
  ];
  return flags
    .filter(([bit]) => (bits & bit) !== 0)
    .map(([, name]) => name)
    .join(' ');
}

/** Bodies have lines of their own. */
function withoutLiterals(said: string): string {
  let text = '';
  let rest = said;
  for (let found = /\{(\d+)\}\r\n/.exec(rest); found !== null; found = /\{(\d+)\}\r\n/.exec(rest)) {
    text += `${rest.slice(0, found.index)}literal`;
    rest = rest.slice(found.index + found[0].length + Number(found[1]));
  }
  return text + rest;
}

class Believer {
  readonly client: Client;
  readonly truth: Truth;
  known = new Map<number, string>();
  level = 0;
  count = 0;
  log: string[] = [];
  /** The highest mod-sequence that a message was shown with since the last tagged response, and whether the level was said since then. */
  #shown = 0;
  #isTold = false;
  /** A mod-sequence alone came for a message: it was changed as the client has asked. */
  #answered: (uid: number) => void = () => {};

  constructor(client: Client, truth: Truth) {
    this.client = client;
    this.truth = truth;
  }

  hear(bytes: string, context: string): void {
    const said = withoutLiterals(bytes);
    this.log.push(`C: ${context}`, ...said.split('\r\n').map((line) => `S: ${line}`));
    for (const line of said.split('\r\n')) {
      this.#line(line, context);
      if (!/^\w+ (OK|NO|BAD) /.test(line)) continue;
      // What it was shown without being told better it takes for all there is.
      if (!this.#isTold) this.level = Math.max(this.level, this.#shown);
      this.#shown = 0;
      this.#isTold = false;
    }
    this.check(context);
  }

  #line(line: string, context: string): void {
    const level = /^(?:\*|\w+) OK \[HIGHESTMODSEQ (\d+)\]/.exec(line);
    if (level !== null) {
      this.level = Number(level[1]);
      this.#isTold = true;
      // That of SELECT is for when it is done: what came up to there follows it.
      if (!/ SELECT /.test(context)) this.check(`${context}: ${line}`);
      return;
    }
    const exists = /^\* (\d+) EXISTS/.exec(line);
    if (exists !== null) this.count = Number(exists[1]);
    const vanished = /^\* VANISHED (\(EARLIER\) )?([\d:,]+)$/.exec(line);
    if (vanished !== null)
      for (const range of vanished[2]!.split(',')) {
        const [from, to = from] = range.split(':').map(Number) as [number, number?];
        for (let uid = from; uid <= to!; uid += 1) {
          this.known.delete(uid);
          if (vanished[1] === undefined) this.count -= 1;
        }
      }
    const fetch = /^\* \d+ FETCH \((.*)\)$/.exec(line);
    if (fetch === null) {
      assert.doesNotMatch(line, /EXPUNGE\r?$| BAD |SERVERBUG/, `${context}\n${this.log.slice(-60).join('\n')}`);
      return;
    }
    const uid = Number(/UID (\d+)/.exec(fetch[1]!)?.[1] ?? 0);
    const flags = /FLAGS \(([^)]*)\)/.exec(fetch[1]!);
    const modseq = /MODSEQ \((\d+)\)/.exec(fetch[1]!);
    if (uid !== 0 && flags !== null) this.known.set(uid, plain(flags[1]!));
    else if (modseq !== null) this.#answered(uid);
    if (modseq !== null) this.#shown = Math.max(this.#shown, Number(modseq[1]));
  }

  /** If it went away now and came back from its level, would it know what is there? */
  check(context: string): void {
    const believed = new Map(this.known);
    for (const uid of this.truth.gone(this.level)) believed.delete(uid);
    const there = this.truth.flags();
    for (const [uid, { flags, modseq }] of there) if (modseq > this.level && believed.has(uid)) believed.set(uid, flags);
    for (const [uid, flags] of believed)
      assert.equal(flags, there.get(uid)?.flags, `uid ${uid}, from level ${this.level}, after ${context}\n${this.log.slice(-60).join('\n')}`);
  }

  async run(command: string, mayBeLate: () => void = () => {}): Promise<void> {
    this.client.send(`${command}\r\n`);
    mayBeLate();
    await settle(() => this.client.socket.heard.length);
    // SELECT waits for announcements of what the client may have heard of elsewhere.
    while (command.startsWith('s ') && !/^s /m.test(this.client.socket.heard)) {
      mayBeLate();
      await settle(() => this.client.socket.heard.length);
    }
    this.hear(this.client.output(), command);
  }

  /** STORE with .SILENT: the client changes what it knows by itself, before it hears what else there is. */
  async silent(from: number, to: number, mode: '+' | '-', flag: string, mayBeLate: () => void): Promise<void> {
    const command = `a UID STORE ${from}:${to} ${mode}FLAGS.SILENT (${flag})`;
    this.client.send(`${command}\r\n`);
    mayBeLate();
    await settle(() => this.client.socket.heard.length);
    const said = this.client.output();
    const change = (uid: number): void => {
      if (uid < from || uid > to || !this.known.has(uid)) return;
      const rest = this.known
        .get(uid)!
        .split(' ')
        .filter((each) => each !== '' && each !== flag);
      this.known.set(uid, plain((mode === '+' ? [...rest, flag] : rest).join(' ')));
    };
    if (/^a OK/m.test(said)) for (const uid of this.known.keys()) change(uid);
    // What was pushed before the command was begun stands before its answers.
    this.#answered = change;
    this.hear(said, command);
    this.#answered = () => {};
  }
}

interface Play {
  readonly seed: number;
  readonly messages: number;
  readonly steps: number;
  readonly notify: string | null;
}

async function play({ seed, messages, steps, notify }: Play): Promise<void> {
  const below = random(seed);
  const server = new TestServer();
  const { store, inbox } = server;
  for (let i = 0; i < messages; i += 1) store.deliver(inbox, `Subject: ${i}\r\n\r\ntext ${i}\r\n`, { flags: below(2) });
  const post = new Post(store);
  const truth = new Truth(server);
  const others = new Others(server, below);
  const flush = (): void => post.send(1e6, below(2) === 0, below(8) === 0);
  let isOver = false;
  // What others do between the reading of a mailbox's own row and of its messages.
  store.states = (...range) => {
    if (!isOver && below(4) === 0) void others.change();
    return MemoryStore.prototype.states.apply(store, range);
  };
  const clients: Believer[] = [];
  const enter = async (): Promise<Believer> => {
    const believer = new Believer(await server.client(), truth);
    believer.client.send('e ENABLE QRESYNC\r\n');
    await settle();
    believer.client.output();
    await believer.run('s SELECT INBOX', flush);
    await believer.run('f UID FETCH 1:* (FLAGS)');
    if (notify !== null) await believer.run(`n ${notify}`);
    return believer;
  };
  for (let n = 0; n < 2; n += 1) clients.push(await enter());
  for (let step = 0; step < steps; step += 1) {
    const at = below(2);
    const one = clients[at]!;
    const uidNext = store.mailboxById(ALICE.id, inbox)!.uidNext;
    const uid = 1 + below(uidNext);
    const last = Math.min(uidNext, uid + below(messages));
    const flag = [...SYSTEM, 'work'][below(6)]!;
    const sign = (['+', '-'] as const)[below(2)]!;
    // In the middle of the command, before or behind what it does itself.
    const late = (): void => {
      if (below(3) === 0) post.send(below(4), below(2) === 0);
      if (below(4) === 0) void others.change().then(() => below(2) === 0 && post.send(below(3), false));
    };
    const { count } = one;
    const number = 1 + below(Math.max(1, count));
    switch (below(19)) {
      case 0:
        await one.run('a NOOP', late);
        break;
      case 1:
        await one.run(`a UID STORE ${uid}:${last} ${sign}FLAGS (${flag})`, late);
        break;
      case 2:
        await one.silent(uid, last, sign, flag, late);
        break;
      case 3:
        if (count > 0) await one.run(`a FETCH ${number} (UID FLAGS MODSEQ)`, late);
        break;
      case 4:
        await one.run(`a UID FETCH ${uid}:${last} (FLAGS)`, late);
        break;
      case 5:
        await one.run(`a UID EXPUNGE ${uid}:${last}`, late);
        break;
      case 6:
        await one.run('a EXPUNGE', late);
        break;
      case 7:
        if (count > 0) await one.run(`a MOVE ${number} INBOX`, late);
        break;
      case 8:
        await one.run(`a UID COPY ${uid} INBOX`, late);
        break;
      case 9:
        await one.run('a APPEND INBOX (\\Seen) {3+}\r\nx\r\n', late);
        break;
      case 10:
        await one.run(`a UID REPLACE ${uid} INBOX (\\Flagged) {3+}\r\ny\r\n`, late);
        break;
      case 11:
        await one.run(
          `a UID STORE ${uid} +FLAGS (${flag})\r\nb UID STORE ${uid}:${last} -FLAGS (${flag})\r\nc UID FETCH ${uid} (FLAGS BODY[])\r\nd NOOP`,
          late,
        );
        break;
      case 12:
        await one.run('a IDLE');
        for (let n = below(4); n > 0; n -= 1) {
          await others.change();
          late();
          await settle();
          one.hear(one.client.output(), 'in IDLE');
        }
        await one.run('DONE', late);
        break;
      case 13:
        if (count > 0) await one.run(`a FETCH ${number}:${Math.min(count, number + 3)} (BODY[])`, late);
        break;
      case 14: {
        // Goes and comes back from its level, over the same connection or another one.
        await one.run('u UNSELECT');
        if (below(2) === 0) one.client.disconnect();
        if (below(2) === 0) await others.change();
        const next = one.client.isClosed ? new Believer(await server.client(), truth) : one;
        if (next !== one) {
          next.client.send('e ENABLE QRESYNC\r\n');
          await settle();
          next.client.output();
          Object.assign(next, { known: one.known, level: one.level });
          clients[at] = next;
        }
        const { uidValidity } = store.mailboxById(ALICE.id, inbox)!;
        await next.run(`s SELECT INBOX (QRESYNC (${uidValidity} ${Math.max(1, next.level)}))`, flush);
        if (next !== one && notify !== null) await next.run(`n ${notify}`);
        break;
      }
      case 15:
        if (count > 0) await one.run(`a STORE ${number} (UNCHANGEDSINCE ${one.level}) ${sign}FLAGS (${flag})\r\nb UID FETCH 1:* (FLAGS)`, late);
        break;
      case 16:
        // All at once, where there are enough of them.
        await one.silent(1, uidNext, sign, flag === 'work' ? '\\Draft' : flag, late);
        break;
      default:
        for (let n = 1 + below(3); n > 0; n -= 1) await others.change();
        if (below(2) === 0) post.send(below(5), below(2) === 0, below(10) === 0);
    }
    // What is pushed between commands.
    await settle();
    for (const each of clients) each.hear(each.client.output(), 'nothing');
  }
  isOver = true;
  await settle();
  flush();
  await settle();
  for (const each of clients) {
    await each.run('z NOOP');
    if (notify === null)
      for (const [uid, flags] of each.known) assert.equal(flags, truth.flags().get(uid)?.flags, `at the end, uid ${uid}\n${each.log.slice(-60).join('\n')}`);
    assert.equal(each.count, truth.flags().size, 'number of messages');
  }
}

/** Whoever else changes the mailbox: a delivery, another thread's session. */
class Others {
  readonly #server: TestServer;
  readonly #below: Random;
  constructor(server: TestServer, below: Random) {
    this.#server = server;
    this.#below = below;
  }
  async change(): Promise<void> {
    const { store, inbox } = this.#server;
    const uids = MemoryStore.prototype.messages.call(store, ALICE.id, inbox, 0, 0xffffffff, 1e6).map((row) => row[0]);
    const below = this.#below;
    const some = uids.filter(() => below(6) === 0);
    switch (below(5)) {
      case 0:
        for (let n = 1 + below(4); n > 0; n -= 1)
          store.deliver(inbox, 'Subject: new\r\n\r\nnew\r\n', { flags: 8 * below(2), keywords: below(3) === 0 ? 'arrived' : null });
        return;
      case 1:
        if (uids.length > 3) await store.expunge(ALICE.id, inbox, [uids[below(uids.length)]!], false);
        return;
      case 2:
        if (uids.length > 0) await store.sweep(ALICE.id, inbox, [uids[0]!, uids[below(uids.length)]!], 'add', 1 << below(5));
        return;
      default:
        await store.flags(ALICE.id, inbox, some, (['add', 'remove', 'replace'] as const)[below(3)]!, 1 << below(5), below(4) === 0 ? ['work'] : []);
    }
  }
}

const NOTIFICATIONS: readonly (readonly [string, string | null])[] = [
  ['nothing asked for', null],
  ['NOTIFY of the mailbox at once', 'NOTIFY SET (SELECTED (MessageNew MessageExpunge FlagChange))'],
  ['NOTIFY of the mailbox delayed', 'NOTIFY SET (SELECTED-DELAYED (MessageNew MessageExpunge FlagChange))'],
  ['NOTIFY without flags', 'NOTIFY SET (SELECTED (MessageNew MessageExpunge))'],
];
const SEEDS = 3;

for (const [name, notify] of NOTIFICATIONS)
  for (let seed = 1; seed <= SEEDS; seed += 1)
    for (const messages of [6, 40])
      test(`a client knows from its level on what it missed: ${name}, ${messages} messages, seed ${seed}`, () =>
        play({ seed: seed * 100 + messages, messages, steps: 100, notify }));
