/**
 * Thousands of random operations over several accounts, in batches of one commit, some failing, some undone after they wrote, with the
 * store opened again now and then (closed, or as a crash left it). After each batch the store must be what the model is, and a
 * client that only heard the announcements must know the same.
 */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Announcement, FLAG, type MailboxId } from '../ports.ts';
import { Failure } from '../system/failure.ts';
import { checkStore } from './check.ts';
import type { AcceptOutput } from './operations/accept.types.ts';
import { storePaths } from './paths.ts';
import { acceptInput, addAccount, delivery, messageText, openTestStore, type TestStore, testDirectory } from './testing.ts';
import {
  changeFlags,
  createMailbox,
  deleteMailbox,
  expunge,
  hasRoom,
  type ModelAccount,
  type ModelMailbox,
  put,
  Refusal,
  renameMailbox,
  usage,
} from './testing-model.ts';

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

const NAMES = ['A', 'B', 'A/X', 'A/X/Y', 'B/Z', 'C', 'Lists'];
const WORDS = ['$Label1', 'Junk', 'NonJunk', 'todo'];

/** What a client knows of one mailbox from announcements alone. */
interface Seen {
  readonly messages: Map<number, readonly [flags: number, keywords: string | null]>;
  modseq: number;
  uidNext: number;
  stop(): void;
}

class World {
  readonly t: TestContext;
  readonly random: (below: number) => number;
  store: TestStore;
  accounts: ModelAccount[] = [];
  seen = new Map<MailboxId, Seen>();
  readonly validities = new Set<number>();
  readonly mailboxIds = new Set<number>();
  readonly emailIds = new Set<number>();
  lastEntryId = 0;
  /** Of a message that is in the queue. */
  usedId = '';
  modseqs = new Map<MailboxId, number>();
  /** Set by operations: compared after the commit. */
  checks: (() => Promise<void>)[] = [];

  constructor(t: TestContext, seed: number) {
    this.t = t;
    this.random = randomFrom(seed);
    this.store = openTestStore(t);
  }

  pick<T>(list: readonly T[]): T {
    return list[this.random(list.length)]!;
  }
  box(account: ModelAccount): [string, ModelMailbox] {
    return this.pick([...account.mailboxes]);
  }
  uids(box: ModelMailbox): number[] {
    return [...new Set([...box.messages.keys(), 1, box.uidNext + 3])].filter(() => this.random(3) === 0).sort((a, b) => a - b);
  }

  /** Submits an operation and applies it to the model at once; the answers are compared after the commit. */
  // biome-ignore lint/suspicious/noConfusingVoidType: a model that has nothing to compare returns nothing.
  expect<T>(promise: Promise<T>, model: () => ((value: T) => void) | void): void {
    let compare: ((value: T) => void) | undefined;
    let refusal: Refusal | null = null;
    try {
      compare = model() ?? undefined;
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      refusal = error;
    }
    const settled = promise.then(
      (value) => ({ value, error: null }),
      (error: unknown) => ({ value: null, error }),
    );
    this.checks.push(async () => {
      const { value, error } = await settled;
      const code = error instanceof Failure ? error.code : error === null ? null : String(error);
      assert.equal(code, refusal?.code ?? null);
      if (refusal === null) compare?.(value as T);
    });
  }

  watch(account: ModelAccount, box: ModelMailbox): void {
    const row = this.store.reader.mailboxById(account.id, box.id)!;
    const messages: Seen['messages'] = new Map();
    const read = (): void => {
      messages.clear();
      for (const [uid, , flags, keywords] of this.store.reader.messages(account.id, box.id, 1, 0xffffffff, 1e6)) messages.set(uid, [flags, keywords]);
    };
    read();
    const seen: Seen = { messages, modseq: row.highestModseq, uidNext: row.uidNext, stop: () => {} };
    const hear = (news: Announcement): void => {
      if (news.kind !== 'messages') return;
      assert.equal(news.accountId, account.id);
      assert.ok(news.modseq > seen.modseq, 'the modseq of a mailbox only rises');
      assert.ok(news.uidNext >= seen.uidNext);
      if (news.isResync) read();
      for (const [uid, modseq, flags, keywords] of news.added) {
        assert.ok(uid >= seen.uidNext, 'a UID is used once');
        assert.ok(modseq > seen.modseq && modseq <= news.modseq);
        messages.set(uid, [flags, keywords]);
      }
      for (const { uid, flags, keywords } of news.flags) if (messages.has(uid)) messages.set(uid, [flags, keywords]);
      for (const uid of news.expunged) assert.ok(messages.delete(uid), 'what goes was there');
      seen.modseq = news.modseq;
      seen.uidNext = news.uidNext;
    };
    seen.stop = this.store.announcements.watchMailbox(account.id, box.id, hear);
    this.seen.set(box.id, seen);
  }

  /** Waits for the batch, compares its answers, takes numbers of new mailboxes from the store, compares everything. */
  async settle(): Promise<void> {
    const checks = this.checks;
    this.checks = [];
    for (const check of checks) await check();
    for (const account of this.accounts) this.compare(account);
  }

  compare(account: ModelAccount): void {
    const { reader } = this.store;
    const rows = reader.mailboxes(account.id);
    assert.deepEqual(rows.map((row) => row.name).sort(), [...account.mailboxes.keys()].sort());
    const ids = new Set<number>();
    for (const row of rows) {
      const box = account.mailboxes.get(row.name)!;
      if (box.id === 0) {
        assert.ok(!this.mailboxIds.has(row.id), 'a mailbox id is used once');
        assert.ok(!this.validities.has(row.uidValidity), 'a UIDVALIDITY is used once');
        this.mailboxIds.add(row.id);
        this.validities.add(row.uidValidity);
        box.id = row.id;
        box.uidValidity = row.uidValidity;
      }
      ids.add(box.id);
      const { messages } = box;
      const count = (bit: number): number => [...messages.values()].filter(({ flags }) => (flags & bit) !== 0).length;
      assert.deepEqual(
        [row.id, row.uidValidity, row.uidNext, row.isSelectable, row.exists, row.unseen, row.deleted, row.bytes],
        [
          box.id,
          box.uidValidity,
          box.uidNext,
          box.isSelectable,
          messages.size,
          messages.size - count(FLAG.seen),
          count(FLAG.deleted),
          [...messages.values()].reduce((sum, { size }) => sum + size, 0),
        ],
        `${row.name} of account ${account.id}`,
      );
      assert.ok(row.highestModseq >= (this.modseqs.get(row.id) ?? 0));
      this.modseqs.set(row.id, row.highestModseq);
      const stored = reader.messages(account.id, row.id, 1, 0xffffffff, 1e6);
      for (const [uid, modseq, , , , , emailId] of stored) {
        assert.ok(modseq <= row.highestModseq);
        const email = messages.get(uid)?.email;
        if (email?.id !== 0) continue;
        assert.ok(!this.emailIds.has(emailId), 'an email id is used once');
        this.emailIds.add(emailId);
        email.id = emailId;
      }
      assert.deepEqual(
        stored.map(([uid, , flags, keywords, date, size, emailId]) => [uid, { flags, keywords, size, date, email: { id: emailId } }]),
        [...messages].sort(([a], [b]) => a - b),
      );
      if (!box.isSelectable) continue;
      const seen = this.seen.get(box.id);
      if (seen === undefined) this.watch(account, box);
      else
        assert.deepEqual(
          [...seen.messages].sort(([a], [b]) => a - b),
          stored.map(([uid, , flags, keywords]) => [uid, [flags, keywords]]),
          'a client that heard the announcements knows the mailbox',
        );
    }
    const used = reader.usage(account.id)!;
    assert.deepEqual({ bytes: used.bytes, messages: used.messages }, usage(account));
  }

  /** As a crash leaves it: the files as they are now, opened anew. Or closed in order. */
  async restart(isCrash: boolean): Promise<void> {
    for (const seen of this.seen.values()) seen.stop();
    this.seen.clear();
    const { dataDir } = this.store;
    let next = dataDir;
    if (isCrash) {
      next = testDirectory(this.t);
      mkdirSync(next, { recursive: true });
      for (const name of ['store.db', 'store.db-wal']) cpSync(join(dataDir, name), join(next, name));
      cpSync(storePaths(dataDir).blobs, storePaths(next).blobs, { recursive: true });
    }
    await this.store.close();
    this.store = openTestStore(this.t, next);
    for (const account of this.accounts) this.compare(account);
  }
}

function oneOperation(world: World): void {
  const { random, store, pick } = { random: world.random, store: world.store, pick: <T>(list: readonly T[]) => world.pick(list) };
  const account = pick(world.accounts);
  const [name, box] = world.box(account);
  const stage = () => store.staging.stage(messageText(`m${random(1e6)}`, random(400)));
  // Mailboxes made within this batch have no number yet.
  const known = (b: ModelMailbox): void => {
    if (!b.isSelectable) throw new Refusal('noSuchMailbox');
  };
  switch (random(14)) {
    case 0:
    case 1:
    case 2: {
      const targets = world.accounts.filter(() => random(2) === 0);
      const message = stage();
      const flags = random(3);
      const deliveries = targets.map((target) => delivery(target.id, { flags }));
      const isLost = random(8) === 0;
      if (isLost) deliveries.push(delivery(999_999));
      const remote = random(4) === 0 ? [{ address: 'far@example.net', domain: 'example.net', orcpt: null, notify: null }] : [];
      const whenFull = random(2) === 0 ? 'queue' : 'refuse';
      const at = 1_600_000_000_000 + random(1e6);
      const input = acceptInput(message, deliveries, { remote, whenFull, at });
      if (random(6) === 0) {
        // Everything is written, and then undone: nothing of it may stay in the counters.
        world.expect(store.writer.run('test.acceptThenThrow', input), () => {
          throw new Refusal('storeBusy');
        });
        return;
      }
      if (remote.length > 0) {
        if (world.usedId !== '' && random(2) === 0) {
          // One of our own operations that fails at its end: the entry's id is taken.
          world.expect(store.writer.run('accept', { ...input, id: world.usedId }), () => {
            throw new Refusal('storeBusy');
          });
          return;
        }
        world.usedId = input.id;
      }
      world.expect(store.writer.run<AcceptOutput>('accept', input), () => {
        const size = message.size + delivery(0).prefix.length;
        const places = targets.map((target) => {
          if (!hasRoom(target, size, 1)) return null;
          const inbox = target.mailboxes.get('INBOX')!;
          const uid = put(inbox, { flags, keywords: null, size, date: at, email: { id: 0 } });
          return { inbox, uid };
        });
        return (output) => {
          output.deliveries.forEach((result, i) => {
            const place = places[i] ?? null;
            if (place === null) {
              const isQueued = whenFull === 'queue';
              assert.deepEqual(result, { kind: isQueued ? 'queued' : 'refused', failure: i < targets.length ? 'overQuota' : 'noSuchAccount' });
              return;
            }
            assert.ok(result.kind === 'delivered');
            assert.equal(result.uid, place.uid);
            const found = place.inbox.messages.get(place.uid);
            // Moved or removed again within the same batch: the model has no number to give.
            if (found === undefined) return;
          });
          const isQueued = remote.length > 0 || (whenFull === 'queue' && places.includes(null)) || (whenFull === 'queue' && isLost);
          assert.equal(output.entryId !== null, isQueued);
          if (output.entryId !== null) {
            assert.ok(output.entryId > world.lastEntryId, 'a queue entry id is used once');
            world.lastEntryId = output.entryId;
          }
        };
      });
      return;
    }
    case 3: {
      const messages = Array.from({ length: 1 + random(3) }, () => ({
        message: stage(),
        flags: random(32),
        keywords: random(2) === 0 ? null : pick(WORDS),
        internalDate: random(1e9),
      }));
      world.expect(store.writer.append(account.id, box.id, messages), () => {
        known(box);
        const bytes = messages.reduce((sum, { message }) => sum + message.size, 0);
        if (!hasRoom(account, bytes, messages.length)) throw new Refusal('overQuota');
        const uids = messages.map(({ message, flags, keywords, internalDate }) =>
          put(box, { flags, keywords, size: message.size, date: internalDate, email: { id: 0 } }),
        );
        return (answer) => assert.deepEqual(answer.uids, uids);
      });
      return;
    }
    case 4:
    case 5: {
      const [, target] = world.box(account);
      const uids = world.uids(box);
      const isMove = random(2) === 0;
      world.expect(store.writer.copy(account.id, box.id, uids, target.id, isMove), () => {
        known(box);
        known(target);
        const present = uids.filter((uid) => box.messages.has(uid));
        const copies = present.map((uid) => ({ ...box.messages.get(uid)! }));
        const bytes = copies.reduce((sum, { size }) => sum + size, 0);
        if (!isMove && !hasRoom(account, bytes, copies.length)) throw new Refusal('overQuota');
        const pairs = present.map((uid, i) => [uid, put(target, copies[i]!)]);
        if (isMove) expunge(box, present, false);
        return (answer) => assert.deepEqual(answer.pairs, pairs);
      });
      return;
    }
    case 6:
    case 7:
    case 8: {
      const mode = pick(['add', 'remove', 'replace'] as const);
      const flags = random(32);
      const words = WORDS.filter(() => random(4) === 0);
      const uids = world.uids(box);
      world.expect(store.writer.flags(account.id, box.id, uids, mode, flags, words), () => {
        known(box);
        const changed = changeFlags(box, uids, mode, flags, words);
        return (answer) =>
          assert.deepEqual(
            answer.changed.map(({ uid }) => uid),
            changed,
          );
      });
      return;
    }
    case 9: {
      const uids = random(3) === 0 ? null : world.uids(box);
      const onlyDeleted = random(3) !== 0;
      world.expect(store.writer.expunge(account.id, box.id, uids, onlyDeleted), () => {
        known(box);
        const gone = expunge(box, uids, onlyDeleted);
        return (answer) => assert.deepEqual(answer.uids, gone);
      });
      return;
    }
    case 10: {
      const wanted = pick(NAMES);
      world.expect(store.writer.createMailbox(account.id, wanted), () => createMailbox(account, wanted));
      return;
    }
    case 11: {
      const { id } = box;
      if (random(2) === 0) world.expect(store.writer.deleteMailbox(account.id, id), () => deleteMailbox(account, name));
      else {
        const to = pick(NAMES);
        world.expect(store.writer.renameMailbox(account.id, id, to), () => renameMailbox(account, name, to));
      }
      return;
    }
    case 12: {
      const other = world.accounts.find((candidate) => candidate !== account)!;
      const theirs = other.mailboxes.get('INBOX')!;
      world.expect(store.writer.expunge(account.id, theirs.id, null, false), () => {
        throw new Refusal('noSuchMailbox');
      });
      world.expect(store.writer.run('test.writeThenThrow', null), () => {
        throw new Refusal('storeBusy');
      });
      return;
    }
    default: {
      account.quotaBytes = pick([0, 0, 20_000, 5_000]);
      account.quotaMessages = pick([0, 0, 30, 10]);
      world.expect(store.writer.run('test.quota', { id: account.id, bytes: account.quotaBytes, messages: account.quotaMessages }), () => {});
    }
  }
}

for (const seed of [1, 20_26, 77_777]) {
  test(`the store is what the model says after any operations (seed ${seed})`, async (t) => {
    const world = new World(t, seed);
    for (const login of ['a@x', 'b@x', 'c@x']) {
      const { id, inbox } = await addAccount(world.store, login);
      const box: ModelMailbox = { id: inbox.id, uidValidity: inbox.uidValidity, uidNext: 1, isSelectable: true, messages: new Map() };
      world.accounts.push({ id, mailboxes: new Map([['INBOX', box]]), quotaBytes: 0, quotaMessages: 0 });
      world.validities.add(inbox.uidValidity);
      world.mailboxIds.add(inbox.id);
    }
    for (let batch = 0; batch < 700; batch += 1) {
      // Mailbox operations change what the next ones stand on (ids); they come alone or last.
      for (let n = world.random(6); n >= 0; n -= 1) {
        oneOperation(world);
        if (world.accounts.some(({ mailboxes }) => [...mailboxes.values()].some(({ id }) => id === 0))) break;
      }
      await world.settle();
      if (world.random(40) === 0) await world.restart(world.random(2) === 0);
    }
    assert.deepEqual((await checkStore(storePaths(world.store.dataDir), new AbortController().signal)).problems, []);
  });
}
