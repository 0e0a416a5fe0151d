/**
 * Two clients on one mailbox do random things, one command at a time or several in a packet; each keeps the model a client keeps, from
 * what it is told alone, by EXPUNGE or by VANISHED. Whenever both are level, what they believe must be what is there.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
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

class Model {
  /** By sequence number - 1; '' = not known. */
  flags: string[] = [];
  uids: number[] = [];
  readonly client: Client;
  readonly isQresync: boolean;
  constructor(client: Client, isQresync = false) {
    this.client = client;
    this.isQresync = isQresync;
  }

  /** Runs a command and believes what is said. Removals must not come during `noExpunge` commands. */
  async run(command: string, noExpunge = false): Promise<void> {
    this.hear(await this.client.exchange(`${command}\r\n`), noExpunge, command);
  }

  hear(said: string, noExpunge: boolean, command: string): void {
    for (const line of said.split('\r\n')) {
      const exists = /^\* (\d+) EXISTS$/.exec(line);
      const expunge = /^\* (\d+) EXPUNGE$/.exec(line);
      const vanished = /^\* VANISHED ([\d:,]+)$/.exec(line);
      const fetch = /^\* (\d+) FETCH \((?:UID (\d+) ?)?(?:FLAGS \(([^)]*)\))?(?: ?MODSEQ \(\d+\))?\)$/.exec(line);
      if (exists !== null) {
        assert.ok(Number(exists[1]) >= this.flags.length, `${command}: EXISTS shrank`);
        while (this.flags.length < Number(exists[1])) {
          this.flags.push('');
          this.uids.push(0);
        }
      } else if (expunge !== null) {
        const n = Number(expunge[1]);
        assert.ok(!noExpunge, `${command}: EXPUNGE during a command with sequence numbers`);
        assert.ok(!this.isQresync, `${command}: EXPUNGE after ENABLE QRESYNC`);
        assert.ok(n >= 1 && n <= this.flags.length, `${command}: EXPUNGE ${n} of ${this.flags.length}`);
        this.flags.splice(n - 1, 1);
        this.uids.splice(n - 1, 1);
      } else if (vanished !== null) {
        assert.ok(!noExpunge && this.isQresync, `${command}: ${line}`);
        for (const range of vanished[1]!.split(',')) {
          const [from, to = from] = range.split(':').map(Number) as [number, number?];
          for (let uid = from; uid <= to!; uid += 1) this.#vanish(uid, command);
        }
      } else if (fetch !== null) {
        const n = Number(fetch[1]);
        assert.ok(n >= 1 && n <= this.flags.length, `${command}: FETCH ${n} of ${this.flags.length}`);
        if (fetch[2] !== undefined) {
          const uid = Number(fetch[2]);
          assert.ok(this.uids[n - 1] === 0 || this.uids[n - 1] === uid, `${command}: message ${n} had uid ${this.uids[n - 1]}, now ${uid}`);
          this.uids[n - 1] = uid;
        }
        if (fetch[3] !== undefined) this.flags[n - 1] = plain(fetch[3]);
      } else assert.doesNotMatch(line, /BAD|SERVERBUG/, command);
    }
  }

  /** Takes the uid out of the list; one whose uid is not known where it must have been. */
  #vanish(uid: number, command: string): void {
    let at = this.uids.indexOf(uid);
    if (at === -1) {
      const before = this.uids.findLastIndex((each) => each > 0 && each < uid);
      at = this.uids.indexOf(0, before + 1);
      const after = this.uids.findIndex((each) => each > uid);
      assert.ok(at !== -1 && (after === -1 || at < after), `${command}: VANISHED ${uid}, which the client does not have`);
    }
    this.flags.splice(at, 1);
    this.uids.splice(at, 1);
  }
}

function plain(flags: string): string {
  return flags
    .split(' ')
    .filter((flag) => flag !== '' && flag !== '\\Recent')
    .sort()
    .join(' ');
}

const FLAGS = ['\\Seen', '\\Flagged', '\\Deleted', 'work', '$x'];

type Flavour = 'plain' | 'condstore' | 'qresync';

interface Play {
  readonly seed: number;
  /** Announcements come after the answers. */
  readonly isLate: boolean;
  readonly flavours: readonly [Flavour, Flavour];
  readonly messages: number;
  readonly steps: number;
}

async function play({ seed, isLate, flavours, messages, steps }: Play): Promise<void> {
  const below = random(seed);
  const server = new TestServer();
  if (isLate) server.store.announce = (send) => void setImmediate(send);
  for (let i = 0; i < messages; i += 1) server.store.deliver(server.inbox, `Subject: ${i}\r\n\r\n`);
  const models: Model[] = [];
  for (const flavour of flavours) {
    const client = await server.client();
    const model = new Model(client, flavour === 'qresync');
    if (model.isQresync) await model.run('q ENABLE QRESYNC');
    const opening = client.exchange(flavour === 'condstore' ? 's SELECT INBOX (CONDSTORE)\r\n' : 's SELECT INBOX\r\n');
    // A large mailbox is still being read now.
    if (messages > 1000) {
      server.store.deliver(server.inbox, 'Subject: while it is read\r\n\r\n');
      await server.store.expunge(ALICE.id, server.inbox, [3 + models.length, messages - models.length], false);
    }
    model.hear(await opening, false, 'SELECT');
    await model.run('f UID FETCH 1:* (UID FLAGS)');
    await model.run('f FETCH 1:* (UID FLAGS)', true);
    models.push(model);
  }
  for (let step = 0; step < steps; step += 1) {
    const model = models[below(2)]!;
    const count = model.flags.length;
    const one = 1 + below(Math.max(1, count));
    const two = 1 + below(Math.max(1, count));
    const flags = FLAGS.filter(() => below(3) === 0).join(' ');
    const silent = below(4) === 0 ? '.SILENT' : '';
    switch (below(13)) {
      case 0:
        await model.run('a NOOP');
        break;
      case 1:
        // A silent change is one the client applies itself; here it asks afterwards.
        await model.run(`a STORE ${one}:${two} ${['+', '-', ''][below(3)]}FLAGS${silent} (${flags})`, true);
        if (silent !== '') await model.run(`b FETCH ${one}:${two} (UID FLAGS)`, true);
        break;
      case 2:
        await model.run(`a UID STORE ${1 + below(20)}:* +FLAGS (${flags})`);
        break;
      case 3:
        await model.run('a EXPUNGE');
        break;
      case 4:
        await model.run('a APPEND INBOX (\\Seen) {3+}\r\nx\r\n');
        break;
      case 5:
        await model.run(`a MOVE ${one} INBOX`);
        break;
      case 6:
        await model.run(`a UID COPY ${1 + below(20)} INBOX`);
        break;
      case 7:
        server.store.deliver(server.inbox, 'Subject: new\r\n\r\n', { keywords: below(2) === 0 ? null : 'arrived' });
        break;
      case 8:
        await model.run(`a FETCH ${one},${two} (UID FLAGS)`, true);
        break;
      case 9:
        await model.run('a SEARCH RETURN (SAVE) UNSEEN', true);
        await model.run('b UID STORE $ +FLAGS (\\Flagged)');
        break;
      case 10:
        // In one packet: carried out side by side.
        await model.run(
          `a UID STORE ${1 + below(20)} +FLAGS (${flags})\r\nb UID STORE ${1 + below(20)}:${1 + below(20)} -FLAGS (${flags})\r\nc UID COPY ${1 + below(20)} INBOX\r\nd NOOP`,
        );
        break;
      case 11:
        await model.run(`a STORE ${one} +FLAGS (${flags})\r\nb STORE ${one}:${two} -FLAGS (${flags})\r\nc FETCH ${one}:${two} (UID FLAGS)`, true);
        break;
      default:
        await model.run('a IDLE');
        await server.store.flags(ALICE.id, server.inbox, [below(20)], 'add', 2, []);
        await model.run('DONE');
    }
  }
  await settle();
  for (const model of models) {
    await model.run('n NOOP');
    const believed = model.flags.map((flags, i) => ({ flags, uid: model.uids[i]! }));
    const there = server.store.messages(ALICE.id, server.inbox, 0, 0xffffffff, 1e6);
    assert.equal(believed.length, there.length, 'number of messages');
    // What was never fetched is not known yet: ask, and see that nothing known changes by it.
    await model.run('f UID FETCH 1:* (UID FLAGS)');
    assert.deepEqual(
      model.uids,
      there.map((row) => row[0]),
    );
    for (const [i, { flags, uid }] of believed.entries()) {
      if (uid !== 0) assert.equal(uid, model.uids[i]);
      if (flags !== '' || uid !== 0) assert.equal(flags, uid === 0 ? flags : model.flags[i], `flags of uid ${uid}`);
    }
  }
}

const PAIRS: readonly (readonly [Flavour, Flavour])[] = [
  ['plain', 'condstore'],
  ['qresync', 'plain'],
  ['qresync', 'qresync'],
];
for (let seed = 1; seed <= 8; seed += 1)
  for (const isLate of [false, true])
    for (const flavours of PAIRS)
      test(`two clients (${flavours.join(' and ')}) stay consistent, seed ${seed}, announcements ${isLate ? 'late' : 'at once'}`, () =>
        play({ seed, isLate, flavours, messages: 5, steps: 120 }));

for (const flavours of PAIRS)
  test(`two clients (${flavours.join(' and ')}) stay consistent in a mailbox that changes while it is read`, () =>
    play({ seed: 1, isLate: false, flavours, messages: 6000, steps: 15 }));
