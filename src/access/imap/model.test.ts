/**
 * Two clients on one mailbox do random things; each keeps the model a client keeps, from what it is told alone. Whenever
 * both are level, what they believe must be what is there.
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
  constructor(client: Client) {
    this.client = client;
  }

  /** Runs a command and believes what is said. Removals must not come during `noExpunge` commands. */
  async run(command: string, noExpunge = false): Promise<void> {
    this.hear(await this.client.exchange(`${command}\r\n`), noExpunge, command);
  }

  hear(said: string, noExpunge: boolean, command: string): void {
    for (const line of said.split('\r\n')) {
      const exists = /^\* (\d+) EXISTS$/.exec(line);
      const expunge = /^\* (\d+) EXPUNGE$/.exec(line);
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
        assert.ok(n >= 1 && n <= this.flags.length, `${command}: EXPUNGE ${n} of ${this.flags.length}`);
        this.flags.splice(n - 1, 1);
        this.uids.splice(n - 1, 1);
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
}

function plain(flags: string): string {
  return flags
    .split(' ')
    .filter((flag) => flag !== '' && flag !== '\\Recent')
    .sort()
    .join(' ');
}

const FLAGS = ['\\Seen', '\\Flagged', '\\Deleted', 'work', '$x'];

async function play(seed: number, isLate: boolean): Promise<void> {
  const below = random(seed);
  const server = new TestServer();
  if (isLate) server.store.announce = (send) => void setImmediate(send);
  for (let i = 0; i < 5; i += 1) server.store.deliver(server.inbox, `Subject: ${i}\r\n\r\n`);
  const models: Model[] = [];
  for (let i = 0; i < 2; i += 1) {
    const client = await server.client();
    const model = new Model(client);
    await model.run(i === 0 ? 's SELECT INBOX' : 's SELECT INBOX (CONDSTORE)');
    await model.run('f FETCH 1:* (UID FLAGS)', true);
    models.push(model);
  }
  for (let step = 0; step < 120; step += 1) {
    const model = models[below(2)]!;
    const count = model.flags.length;
    const one = 1 + below(Math.max(1, count));
    const two = 1 + below(Math.max(1, count));
    const flags = FLAGS.filter(() => below(3) === 0).join(' ');
    const silent = below(4) === 0 ? '.SILENT' : '';
    switch (below(11)) {
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

for (let seed = 1; seed <= 12; seed += 1) {
  for (const isLate of [false, true]) {
    test(`two clients stay consistent, seed ${seed}, announcements ${isLate ? 'late' : 'at once'}`, () => play(seed, isLate));
  }
}
