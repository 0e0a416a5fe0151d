/**
 * Envelopes out of the index against the store's rows: mailboxes of two accounts to which messages come, move and go in any order, with an index
 * that is behind, ahead of its removals, made again, damaged, or of envelopes that were repaired since.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DatabaseSync } from 'node:sqlite';
import { shortHeader } from '../mail/short-header.ts';
import type { AdminContext } from '../ports.ts';
import { STORE_ADMIN } from '../store/admin.ts';
import { DISK } from '../system/disk-reads.ts';
import { SearchWorld } from './testing.ts';

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

function message(random: Random, n: number): Buffer {
  const subject = ['plain', '=?utf-8?Q?Gr=C3=BC=C3=9Fe?=', 'Größe 中文', '"\\ (', ''][random(5)]!;
  const long = random(60) === 0 ? 'long@example.org, '.repeat(random(2000)) : '';
  const multi =
    random(3) === 0
      ? 'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b\r\nContent-Type: text/html\r\n\r\n<p>\r\n--b--\r\n'
      : '\r\ntext\r\n';
  return Buffer.from(
    `From: Ann <a${random(9)}@example.org>\r\nTo: ${long}b@example.org\r\nSubject: ${subject} ${n}\r\nMessage-ID: <${n}@example.org>\r\n${multi}`,
  );
}

interface Box {
  readonly account: number;
  readonly id: number;
}

class Mailboxes {
  readonly world: SearchWorld;
  readonly random: Random;
  boxes: Box[] = [];
  #number = 0;

  constructor(world: SearchWorld, random: Random) {
    this.world = world;
    this.random = random;
  }

  async open(): Promise<void> {
    for (const name of ['a@example.org', 'b@example.org']) {
      const { id, inbox } = await this.world.account(name);
      const other = await this.world.store.writer.createMailbox(id, 'Other', null);
      this.boxes.push({ account: id, id: inbox.id }, { account: id, id: other.id });
    }
  }

  async bring(count: number): Promise<void> {
    const { staging, writer } = this.world.store;
    for (let left = count; left > 0; ) {
      const { account, id } = this.boxes[this.random(4) === 0 ? 2 + this.random(2) : this.random(2)]!;
      const some = Array.from({ length: Math.min(left, 1 + this.random(20)) }, () => ({
        message: staging.stage(message(this.random, ++this.#number)),
        flags: 0,
        keywords: null,
        internalDate: 1,
      }));
      await writer.append(account, id, some);
      left -= some.length;
    }
  }

  #some(box: Box, part: number): number[] {
    return this.uids(box).filter(() => this.random(100) < part);
  }
  uids({ account, id }: Box): number[] {
    return this.world.store.reader.messages(account, id, 1, 2 ** 32, 100_000).map((row) => row[0]);
  }

  async move(): Promise<void> {
    const [from, to] = [this.boxes[this.random(4)]!, this.boxes[this.random(4)]!];
    const uids = this.#some(from, 30);
    if (from.account === to.account && from.id !== to.id && uids.length > 0)
      await this.world.store.writer.copy(from.account, from.id, uids, to.id, this.random(3) > 0);
  }

  async remove(): Promise<void> {
    const box = this.boxes[this.random(4)]!;
    const uids = this.#some(box, [2, 10, 50, 95][this.random(4)]!);
    if (uids.length > 0) await this.world.expunge(box.account, box.id, uids);
  }

  /** As an older version had derived them, and then made again. */
  async repair(isOldIndexed: boolean): Promise<void> {
    const { store, indexer } = this.world;
    await store.writer.run('test.sql', `UPDATE email SET envelope='(of an older version)' WHERE id%7=${this.random(7)}`);
    // Rows changed behind the store's back: what was copied of them until now is wrong until they are repaired.
    await store.writer.run('test.sql', "UPDATE counter SET value=value+1 WHERE name='derived'");
    if (isOldIndexed) await indexer.catchUp();
    await STORE_ADMIN['store.repair']!(store as unknown as AdminContext, {}, () => {}, new AbortController().signal);
  }

  readonly #headers = new Map<number, string | null>();
  #shortHeader(account: number, email: number): string | null {
    let header = this.#headers.get(email);
    if (email === 0) return null;
    if (header === undefined) {
      const { reader } = this.world.store;
      const row = reader.email(account, email)!;
      const bytes = reader.open(row).slice(0, row.prefix.length + row.headerBytes);
      assert.ok(bytes instanceof Uint8Array);
      header = shortHeader(bytes);
      this.#headers.set(email, header);
    }
    return header;
  }

  /** Every page of every mailbox, in order or not; answers of how many envelopes the index had how many. `isLevel`: it has all headers. */
  compare(isLevel = false): [found: number, all: number] {
    let [found, all] = [0, 0];
    const { reader } = this.world.store;
    for (const { account, id } of this.boxes) {
      const emails = reader.messages(account, id, 1, 2 ** 32, 100_000).map((row) => row[6]);
      if (this.random(4) === 0) emails.reverse();
      if (this.random(4) === 0) for (let n = emails.length >> 3; n > 0; n -= 1) emails[this.random(emails.length)] = 0;
      const page = 1 + this.random(1000);
      for (let at = 0; at < emails.length; at += page) {
        const asked = emails.slice(at, at + page);
        const answers = this.world.index.envelopes(account, asked);
        assert.equal(answers.length, asked.length);
        for (let i = 0; i < asked.length; i += 1) {
          const answer = answers[i]!;
          if (asked[i] !== 0) all += 1;
          if (answer === null) continue;
          found += 1;
          const row = reader.email(account, asked[i]!)!;
          assert.deepEqual(answer, [row.id, row.envelope, row.bodyStructure]);
        }
        const headers = this.world.index.shortHeaders(account, asked);
        assert.equal(headers.length, asked.length);
        for (let i = 0; i < asked.length; i += 1) if (isLevel || headers[i] !== null) assert.equal(headers[i], this.#shortHeader(account, asked[i]!));
        const others = this.world.index.envelopes(account === 1 ? 2 : 1, asked);
        assert.ok(
          [...others, ...this.world.index.shortHeaders(account === 1 ? 2 : 1, asked)].every((answer) => answer === null),
          'an email of another account',
        );
      }
    }
    return [found, all];
  }
}

for (const seed of [1, 2, 3])
  test(`envelopes out of the index are those of the store, whatever happens to both (seed ${seed})`, async (t) => {
    const random = randomFrom(seed);
    const { blocksRead } = DISK;
    t.after(() => {
      DISK.blocksRead = blocksRead;
    });
    // As if everything came from the disk: only then are pieces of headers read.
    let blocks = 0;
    DISK.blocksRead = () => (blocks += 10_000);
    const world = new SearchWorld(t);
    const mailboxes = new Mailboxes(world, random);
    await mailboxes.open();
    await mailboxes.bring(700);
    await world.indexer.catchUp();
    const [found, all] = mailboxes.compare(true);
    assert.ok(found > all / 2, `${found} of ${all} came out of the index`);
    for (let round = 0; round < 25; round += 1) {
      await mailboxes.bring(random(200));
      for (let n = random(3); n > 0; n -= 1) await mailboxes.move();
      if (random(2) === 0) await mailboxes.remove();
      switch (round % 8 === 3 ? 0 : random(9)) {
        case 0:
          await mailboxes.repair(random(2) === 0);
          break;
        case 1: {
          // The process ends while a batch is being written.
          const pending = world.indexer.catchUp();
          world.restart();
          await pending.catch(() => {}); // whatever it says: it is gone
          break;
        }
        case 2: {
          world.indexer.close();
          const file = new DatabaseSync(world.databasePath);
          if (random(3) === 0) file.exec('PRAGMA user_version=1000');
          else file.exec('UPDATE listing SET envelopes=substr(envelopes, 1, length(envelopes)-2) WHERE last_email%3=0');
          file.close();
          world.indexer = world.openIndexer();
          break;
        }
        case 3:
        case 4:
          await world.indexer.removeGone();
          break;
        default:
      }
      mailboxes.compare();
      const isLevel = random(4) > 0;
      if (isLevel) await world.indexer.catchUp();
      mailboxes.compare(isLevel);
    }
  });

test('what is removed leaves the pieces with the next removal, and pieces that became small are joined', async (t) => {
  const world = new SearchWorld(t);
  const mailboxes = new Mailboxes(world, randomFrom(9));
  await mailboxes.open();
  const [box] = mailboxes.boxes;
  mailboxes.boxes = [box!, box!, box!, box!];
  await mailboxes.bring(1280);
  await world.indexer.catchUp();
  const pieces = (): [number, number][] => {
    const file = new DatabaseSync(world.databasePath, { readOnly: true });
    const rows = file
      .prepare('SELECT emails, last_email FROM listing ORDER BY last_email')
      .all()
      .map((row) => [row['emails'], row['last_email']] as [number, number]);
    file.close();
    return rows;
  };
  assert.ok(pieces().length >= 9, String(pieces()));
  const kept = mailboxes.uids(box!).filter((uid) => uid % 10 === 0);
  await world.expunge(
    box!.account,
    box!.id,
    mailboxes.uids(box!).filter((uid) => uid % 10 !== 0),
  );
  await world.indexer.removeGone();
  const left = pieces();
  assert.ok(left.length <= 4, String(left));
  const listed = left.reduce((sum, [emails]) => sum + emails, 0);
  assert.ok(listed <= kept.length && listed >= kept.length - 13, `${listed} of ${kept.length}`);
  mailboxes.boxes = [box!];
  assert.equal(mailboxes.compare()[0] > 0, true);
  await world.expunge(box!.account, box!.id, kept);
  await world.indexer.removeGone();
  assert.deepEqual(pieces(), []);
});

test('few emails, and emails that lie far apart, are left to the store', async (t) => {
  const world = new SearchWorld(t);
  const mailboxes = new Mailboxes(world, randomFrom(5));
  await mailboxes.open();
  const [box] = mailboxes.boxes;
  mailboxes.boxes = [box!, box!, box!, box!];
  await mailboxes.bring(1280);
  await world.indexer.catchUp();
  const emails = world.store.reader.messages(box!.account, box!.id, 1, 2 ** 32, 2000).map((row) => row[6]);
  const had = (asked: number[]): number => world.index.envelopes(box!.account, asked).filter((answer) => answer !== null).length;
  assert.equal(had(emails.slice(0, 10)), 0);
  assert.equal(had(emails.filter((_, n) => n % 20 === 0)), 0);
  assert.ok(had(emails.slice(0, 500)) > 480);
  assert.ok(had(emails.slice(500, 1000)) > 480);
});
