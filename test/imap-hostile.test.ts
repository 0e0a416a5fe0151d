/**
 * Commands as an attacker sends them, to the running server: each is refused or answered, the session goes on, other sessions of the
 * same loop keep being answered, memory stays bounded, and the log holds no bug. Then bad days: a store that is busy, blobs that are
 * missing or damaged, a disk that is full.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { deflateRawSync } from 'node:zlib';
import { HOSTILE_LINES, type HostileLine } from './hostile/lines.ts';
import { BOMBS } from './hostile/messages.ts';
import { Pinger } from './hostile/pinger.ts';
import { ImapClient } from './harness/imap-client.ts';
import { LineClient } from './harness/line-client.ts';
import { ownNetwork } from './harness/own-network.ts';
import { type Posthorn, startPosthorn } from './harness/posthorn.ts';

ownNetwork();

const ANNA = 'anna@us.test';
const PASSWORD = 'a-long-password';
const MiB = 1024 * 1024;
/** All that the attacks together may leave behind in the server's memory, its heaps' slack included. */
const GROWTH_MAX = 400 * MiB;

/** Lines as long as they may be made, so that it is the parser that says no; one loop, so that everybody shares it. */
const CONFIG = {
  threads: { loops: 1 },
  imap: { lineBytesMax: '1MiB', literalBytesMax: '1MiB', compress: true, uidOnly: true, uidBatches: true },
};

/** What no session should have to wait for another. */
const SLOW_MS = 50;

const BUGS = new Set(['imap.bug', 'thread.exception', 'thread.ended', 'thread.lost']);

function assertNoBugs(server: Posthorn): void {
  const bugs = server.log.lines.filter(({ event }) => BUGS.has(event));
  assert.deepEqual(bugs, []);
}

function memory(server: Posthorn): number {
  return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${server.pid}/status`, 'latin1'))![1]) * 1024;
}

async function login(server: Posthorn, user = ANNA): Promise<ImapClient> {
  return ImapClient.login(server.port('imap'), user, PASSWORD);
}

/** For the reader of a report: no test depends on time. */
async function tellSlow(part: TestContext, pinger: Pinger): Promise<void> {
  const { longestMs } = await pinger.lap();
  if (longestMs > SLOW_MS) part.diagnostic(`the other session waited ${Math.round(longestMs)} ms`);
}

/** Sends the bytes and reads the tagged response of `x`. */
async function attack(client: ImapClient, { bytes, literal }: HostileLine): Promise<string> {
  client.wire.send(bytes);
  if (literal !== undefined) {
    await client.wire.expect(/^\+ /);
    client.wire.send(literal);
  }
  return (await client.finish('x')).status;
}

test('hostile commands are refused or answered, and nobody else waits for them', async (t) => {
  const server = await startPosthorn(t, { config: CONFIG, users: { [ANNA]: PASSWORD, 'bert@us.test': PASSWORD } });
  const client = await login(server);
  for (let i = 0; i < 20; i += 1) await client.append('INBOX', `From: a@b.test\r\nSubject: number ${i}\r\nMessage-ID: <${i}@b.test>\r\n\r\nbody ${i}\r\n`);
  const pinger = await Pinger.start(server.port('imap'), 'bert@us.test', PASSWORD);
  await attack(client, { bytes: 'x NOOP\r\n', answer: /./ });
  const before = memory(server);

  for (const [name, line] of HOSTILE_LINES)
    await t.test(name, async (part) => {
      await client.ok('SELECT INBOX');
      assert.match(await attack(client, line), line.answer);
      assert.match((await client.command('NOOP')).status, /^OK/);
      await tellSlow(part, pinger);
    });

  await t.test('the other session was answered all the while, and memory is bounded', async (part) => {
    const { answers, longestMs } = await pinger.stop();
    part.diagnostic(`${answers} answers, the longest after ${Math.round(longestMs)} ms; ${Math.round((memory(server) - before) / MiB)} MiB more`);
    assert.ok(answers > HOSTILE_LINES.length, `${answers} answers`);
    assert.ok(memory(server) - before < GROWTH_MAX);
    assertNoBugs(server);
  });
  await client.logout();
});

test('literals that never come, bytes one by one, thousands of commands at once', async (t) => {
  const server = await startPosthorn(t, {
    config: { ...CONFIG, net: { connectionsPerClientMax: 1000 }, imap: { ...CONFIG.imap, badCommandsMax: 5 } },
    users: { [ANNA]: PASSWORD, 'bert@us.test': PASSWORD },
  });
  const port = server.port('imap');
  const pinger = await Pinger.start(server.port('imap'), 'bert@us.test', PASSWORD);
  const before = memory(server);

  await t.test('before the login, lines and literals are short', async () => {
    const client = await ImapClient.open(port);
    assert.match(await attack(client, { bytes: `x LOGIN a ${'b'.repeat(20_000)}\r\n`, answer: /./ }), /^BAD \[TOOBIG\]/);
    assert.match(await attack(client, { bytes: 'x LOGIN a {5000}\r\n', answer: /./ }), /^BAD \[TOOBIG\]/);
    assert.match(await attack(client, { bytes: `x AUTHENTICATE PLAIN ${'A'.repeat(1_000_000)}\r\n`, answer: /./ }), /^BAD \[TOOBIG\]/);
    assert.match(await attack(client, { bytes: 'x APPEND INBOX {1000000}\r\n', answer: /./ }), /^BAD/);
    await client.ok(`LOGIN ${ANNA} ${PASSWORD}`);
    await client.logout();
  });
  await t.test('a response of 1 MB to a SASL challenge', async () => {
    const client = await ImapClient.open(port);
    client.wire.send('x AUTHENTICATE PLAIN\r\n');
    await client.wire.expect(/^\+/);
    client.wire.send(`${'A'.repeat(1_000_000)}\r\n`);
    assert.match((await client.wire.line())!, /^(?:x|\*) BAD/);
    await client.ok(`LOGIN ${ANNA} ${PASSWORD}`);
    await client.logout();
  });
  await t.test('a tag of 100,000 letters, and no tag', async () => {
    const client = await login(server);
    for (const line of [`${'t'.repeat(100_000)} NOOP`, '', ' ', '+ NOOP', '* NOOP', 'NOOP']) {
      client.wire.send(`${line}\r\n`);
      assert.match((await client.wire.line())!, /^\S* BAD/);
      await client.ok('NOOP');
    }
    await client.logout();
  });
  await t.test('nothing but mistakes ends the connection', async () => {
    const client = await login(server);
    client.wire.send('\0\0\0\r\n'.repeat(100));
    let last = '';
    for (let line = await client.wire.line(); line !== null; line = await client.wire.line()) last = line;
    assert.match(last, /^\* BYE /);
  });
  await t.test('input without an end ends the connection', async () => {
    const client = await login(server);
    const piece = Buffer.alloc(MiB, 'a');
    let isOver = false;
    const heard = client.wire.ended().then(() => {
      isOver = true;
    });
    const flood = async (): Promise<void> => {
      for (let i = 0; i < 200 && !isOver; i += 1) await Promise.race([client.wire.sendPaced(piece).catch(() => {}), heard]);
    };
    await flood();
    await heard;
    assert.ok(client.wire.transcript.some((line) => line.includes('* BYE')));
  });
  await t.test('200 connections, each in the middle of a literal', async () => {
    const clients = await Promise.all(Array.from({ length: 40 }, () => login(server)));
    for (const client of clients) {
      client.wire.send('a SEARCH SUBJECT {1000000}\r\n');
      await client.wire.expect(/^\+/);
      client.wire.send('x'.repeat(1000));
    }
    const senders = await Promise.all(Array.from({ length: 160 }, () => LineClient.open(port)));
    for (const sender of senders) {
      await sender.expect(/^\* OK/);
      sender.send('a LOGIN {4000+}\r\nx');
    }
    await pinger.beat();
    for (const client of clients) client.wire.close();
    for (const sender of senders) sender.close();
  });
  await t.test('an APPEND whose message never ends leaves nothing behind', async () => {
    const client = await login(server);
    client.wire.send('a APPEND INBOX {1000000}\r\n');
    await client.wire.expect(/^\+/);
    client.wire.send('x'.repeat(500_000));
    client.wire.close();
    const other = await login(server);
    assert.equal(await other.count(), 0);
    await other.logout();
  });
  await t.test('commands one byte at a time', async () => {
    const client = await login(server);
    const bytes = 'x SELECT {5+}\r\nINBOX\r\ny APPEND INBOX (\\Seen) {4+}\r\nab\r\n\r\nz SEARCH OR SUBJECT {1+}\r\na TEXT "b"\r\n';
    for (const byte of Buffer.from(bytes)) await client.wire.sendPaced(Buffer.of(byte));
    for (const tag of ['x', 'y', 'z']) assert.match((await client.finish(tag)).status, /^OK/);
    await client.logout();
  });
  await t.test('IDLE with garbage', async () => {
    const client = await login(server);
    for (const garbage of ['', 'done please', '\0', 'D'.repeat(100_000), '{10+}', '{9999999}']) {
      client.wire.send(`x IDLE\r\n`);
      await client.wire.expect(/^\+ /);
      client.wire.send(`${garbage}\r\n${garbage === '{10+}' ? '0123456789\r\n' : ''}`);
      assert.match((await client.finish('x')).status, /^(?:BAD|OK)/);
      await client.ok('NOOP');
    }
    await client.logout();
  });
  await t.test('5,000 commands at once are answered in their order', async () => {
    const client = await login(server);
    await client.ok('SELECT INBOX');
    const verbs = ['NOOP', 'UID SEARCH ALL', 'STORE 1 +FLAGS (\\Flagged)', 'LIST "" *', 'UID FETCH 1:* FLAGS', 'STATUS Trash (MESSAGES)', 'UID COPY 99 Trash'];
    const commands = Array.from({ length: 5000 }, (_, i) => `c${i} ${verbs[i % verbs.length]}\r\n`);
    client.wire.send(commands.join(''));
    for (let i = 0; i < commands.length; i += 1) assert.match((await client.finish(`c${i}`)).status, /^(?:OK|NO)/);
    await client.logout();
  });
  await t.test('a client that sends and never reads', async () => {
    const client = await login(server);
    await client.ok('SELECT INBOX');
    await client.append('INBOX', `Subject: big\r\n\r\n${'0123456789abcdef\r\n'.repeat(200_000)}`);
    await client.ok('NOOP');
    // Nobody listens any more: the answers would be 2.6 GB.
    client.wire.pause();
    client.wire.send(Array.from({ length: 400 }, (_, i) => `d${i} FETCH 1:* (BODY.PEEK[] BODY.PEEK[TEXT])\r\n`).join(''));
    for (let i = 0; i < 50; i += 1) await pinger.beat();
    assert.ok(memory(server) - before < GROWTH_MAX);
    client.wire.close();
  });
  await t.test('the other session was answered all the while, and memory is bounded', async (part) => {
    const { answers, longestMs } = await pinger.stop();
    part.diagnostic(`${answers} answers, the longest after ${Math.round(longestMs)} ms; ${Math.round((memory(server) - before) / MiB)} MiB more`);
    assert.ok(memory(server) - before < GROWTH_MAX);
    assertNoBugs(server);
  });
});

test('messages that explode', async (t) => {
  const server = await startPosthorn(t, { config: CONFIG, users: { [ANNA]: PASSWORD, 'bert@us.test': PASSWORD } });
  const client = await login(server);
  const pinger = await Pinger.start(server.port('imap'), 'bert@us.test', PASSWORD);
  const before = memory(server);
  for (const [name, message] of BOMBS) {
    await t.test(`APPEND: ${name}`, async (part) => {
      assert.match((await client.append('INBOX', message)).status, /^OK/);
      await tellSlow(part, pinger);
    });
  }
  await client.ok('SELECT INBOX');
  const commands = [
    'FETCH 1:* (FLAGS ENVELOPE BODY BODYSTRUCTURE RFC822.SIZE)',
    'FETCH 1:* PREVIEW',
    'FETCH 1:* BODY.PEEK[HEADER]',
    'FETCH 1:* BODY.PEEK[HEADER.FIELDS (FROM CC REFERENCES SUBJECT X-FIELD-9999)]',
    'FETCH 1:* BODY.PEEK[HEADER.FIELDS.NOT (FROM)]',
    `FETCH 1:* BODY.PEEK[${'1.'.repeat(99)}1]`,
    'FETCH 1:* BODY.PEEK[4000000000]',
    'FETCH 1:* BINARY.SIZE[1]',
    'FETCH 1:* BINARY.PEEK[1]',
    'FETCH 1:* THREADID',
    'SEARCH TEXT zzz',
    'SEARCH BODY innermost',
    'SEARCH FUZZY TEXT innermost',
    'SEARCH HEADER X-FIELD-9999 value',
    'SEARCH OR CC a9999@b.test SUBJECT re',
    'SORT (SUBJECT CC DISPLAYFROM DATE) UTF-8 ALL',
    'THREAD REFERENCES UTF-8 ALL',
    'THREAD ORDEREDSUBJECT UTF-8 ALL',
    'THREAD REFS UTF-8 ALL',
    'COPY 1:* Trash',
  ];
  for (const command of commands)
    await t.test(command.slice(0, 80), async (part) => {
      assert.match((await client.command(command)).status, /^(?:OK|NO \[(?:UNKNOWN-CTE|LIMIT))/);
      await tellSlow(part, pinger);
    });
  await t.test('the other session was answered all the while, and memory is bounded', async (part) => {
    const { answers, longestMs } = await pinger.stop();
    part.diagnostic(`${answers} answers, the longest after ${Math.round(longestMs)} ms; ${Math.round((memory(server) - before) / MiB)} MiB more`);
    assert.ok(memory(server) - before < GROWTH_MAX);
    assertNoBugs(server);
  });
  await client.logout();
});

/** Puts 9,900 mailboxes m0/0 to m99/9899 into the store of a server that does not run: to have them made one by one would take a minute. */
function manyMailboxes(server: Posthorn): void {
  const store = new DatabaseSync(join(server.dataDir, 'store.db'));
  const next = Number(store.prepare("SELECT value FROM counter WHERE name='mailbox'").get()!['value']) + 1;
  const account = Number(store.prepare('SELECT id FROM account WHERE login=?').get(ANNA)!['id']);
  const sql = 'INSERT INTO mailbox (id, account_id, name, is_subscribed, uid_validity, highest_modseq, created_at) VALUES (?, ?, ?, 1, ?, 1, 0)';
  const insert = store.prepare(sql);
  store.exec('BEGIN');
  for (let i = 0; i < 9900; i += 1) insert.run(next + i, account, `m${i % 100}/${i}`, next + i);
  store.prepare("UPDATE counter SET value=? WHERE name='mailbox'").run(next + 20_000);
  store.exec('COMMIT');
  store.close();
}

test('thousands of mailboxes, keywords and annotations', async (t) => {
  const server = await startPosthorn(t, { config: CONFIG, users: { [ANNA]: PASSWORD, 'bert@us.test': PASSWORD } });
  await server.stop();
  manyMailboxes(server);
  await server.start();
  const pinger = await Pinger.start(server.port('imap'), 'bert@us.test', PASSWORD);
  const client = await login(server);
  const before = memory(server);
  const flood = async (count: number, command: (index: number) => string): Promise<string[]> => {
    client.wire.send(Array.from({ length: count }, (_, i) => `f${i} ${command(i)}\r\n`).join(''));
    const answers: string[] = [];
    for (let i = 0; i < count; i += 1) answers.push((await client.finish(`f${i}`)).status);
    client.wire.transcript.length = 0;
    return answers;
  };
  /** The same by ten clients, whose writes share commits; the order is anybody's. */
  const floodTogether = async (count: number, command: (index: number) => string): Promise<string[]> => {
    const parts = Array.from({ length: 10 }, async (_, part) => {
      const one = await login(server);
      const share = Array.from({ length: Math.ceil((count - part) / 10) }, (_, i) => command(part + 10 * i));
      one.wire.send(share.map((line, i) => `f${i} ${line}\r\n`).join(''));
      const answers: string[] = [];
      for (let i = 0; i < share.length; i += 1) answers.push((await one.finish(`f${i}`)).status);
      await one.logout();
      return answers;
    });
    return (await Promise.all(parts)).flat();
  };
  const quick = async (command: string, answer = /^OK/): Promise<void> => {
    const { status } = await client.command(command);
    assert.match(status, answer);
  };

  await t.test('10,000 mailboxes are enough', async (part) => {
    const answers = await flood(200, (i) => `CREATE last/${i}`);
    const made = answers.filter((answer) => answer.startsWith('OK')).length;
    assert.ok(made > 0 && made < 150, `${made}`);
    assert.equal(answers.filter((answer) => answer.startsWith('NO [LIMIT]')).length, 200 - made);
    await tellSlow(part, pinger);
  });
  for (const command of [
    'LIST "" *',
    `LIST "" "${'%*'.repeat(100)}Q"`,
    `LIST "" "${'*'.repeat(200)}"`,
    'LIST "" (% m1/% *1* *) RETURN (CHILDREN SUBSCRIBED SPECIAL-USE MYRIGHTS STATUS (MESSAGES UNSEEN SIZE HIGHESTMODSEQ) METADATA (/private/comment))',
    'LIST (SUBSCRIBED RECURSIVEMATCH) "" *',
    'LSUB "" *',
    'XLIST "" *',
    'ESEARCH IN (PERSONAL) RETURN (COUNT) ALL',
    'ESEARCH IN (SUBTREE m1) UNSEEN',
    `ESEARCH IN (SUBTREE (${Array.from({ length: 100 }, (_, i) => `m${i}`).join(' ')})) UNSEEN`,
    `ESEARCH IN (${'SUBSCRIBED PERSONAL SUBTREE-ONE m2 '.repeat(40)}INBOXES) UNSEEN`,
    `LIST "" (${Array.from({ length: 100 }, (_, i) => `${'%*'.repeat(19)}${i}`).join(' ')})`,
    `NOTIFY SET (MAILBOXES (${Array.from({ length: 999 }, (_, i) => `m${i % 100}/${i}`).join(' ')}) (MessageNew MessageExpunge MailboxName))`,
    'NOTIFY SET (SUBTREE m1 (MessageNew MessageExpunge MailboxName))',
    'NOTIFY NONE',
    'RENAME m1/1 n1',
    'GETQUOTAROOT INBOX',
  ])
    await t.test(command.slice(0, 60), async (part) => {
      await quick(command);
      await tellSlow(part, pinger);
    });
  await t.test('NOTIFY of more mailboxes than may be watched', async () => {
    await quick('NOTIFY SET STATUS (PERSONAL (MessageNew MessageExpunge))', /^NO \[NOTIFICATIONOVERFLOW\]/);
  });
  await t.test('subscriptions to names that are not there end somewhere', async () => {
    const answers = await floodTogether(10_500, (i) => `SUBSCRIBE ghost${i}`);
    assert.ok(answers.filter((answer) => answer.startsWith('NO')).length >= 500);
  });
  await t.test('mailboxes come and go while another client watches all of them', async () => {
    const watcher = await login(server);
    await watcher.ok('NOTIFY SET (SUBTREE zz (MailboxName MessageNew MessageExpunge))');
    // One that hears of everything and does not listen: when it does, it is told all of it.
    const deaf = await login(server);
    await deaf.ok('NOTIFY SET (PERSONAL (MailboxName))');
    deaf.wire.send('late IDLE\r\n');
    await flood(20, (i) => `DELETE m2/${100 * i + 2}`);
    await flood(60, (i) => (i % 3 === 0 ? 'CREATE zz/a' : i % 3 === 1 ? 'RENAME zz/a zz/b' : 'DELETE zz/b'));
    await watcher.ok('NOOP');
    await watcher.logout();
    await flood(1, () => 'RENAME m5/5 m6/five');
    deaf.wire.send('DONE\r\n');
    assert.match((await deaf.finish('late')).status, /^OK/);
    await deaf.logout();
  });

  await t.test('keywords: 500 different ones in a mailbox', async () => {
    await client.append('INBOX', 'Subject: one\r\n\r\n');
    await client.append('INBOX', 'Subject: two\r\n\r\n');
    await quick('SELECT INBOX');
    let refused = 0;
    for (let i = 0; i < 700; i += 50) {
      const words = Array.from({ length: 50 }, (_, n) => `word${i + n}`).join(' ');
      const { status } = await client.command(`STORE 1 FLAGS (${words})`);
      if (!status.startsWith('OK')) {
        assert.match(status, /^NO \[LIMIT\]/);
        refused += 50;
      }
    }
    assert.equal(refused, 200);
    const { untagged } = await client.ok('SELECT INBOX');
    assert.equal(untagged.find((line) => line.startsWith('FLAGS'))!.match(/word/g)!.length, 500);
    await quick('STORE 2 +FLAGS (yetanother)', /^NO \[LIMIT\]/);
    await quick('STORE 2 +FLAGS (WORD7)');
    assert.match((await client.append('INBOX', 'Subject: three\r\n\r\n', 'yetanother')).status, /^NO \[LIMIT\]/);
    await quick('COPY 1:2 Trash');
  });
  await t.test('annotations: some hundred to a mailbox, some thousand to an account', async () => {
    const { length } = (await flood(300, (i) => `SETMETADATA INBOX (/private/vendor/us/e${i} "v")`)).filter((answer) => answer.startsWith('OK'));
    assert.equal(length, 100);
    const more = await floodTogether(2500, (i) => `SETMETADATA m${3 + (i % 90)}/${3 + (i % 90)} (/private/vendor/us/e${i} "v")`);
    assert.ok(more.filter((answer) => answer.startsWith('OK')).length <= 1900);
    assert.ok(more.some((answer) => answer.startsWith('NO ')));
    await quick('LIST "" * RETURN (METADATA (/private/vendor/us/e1 /private/vendor/us/e2))');
    await quick('GETMETADATA (DEPTH infinity) INBOX (/private)');
  });
  await t.test('rights: a list of identifiers ends somewhere', async () => {
    const answers = await flood(1200, (i) => `SETACL INBOX -nobody${i}@us.test lr`);
    assert.ok(answers.every((answer) => /^(?:OK|NO|BAD)/.test(answer)));
    await quick('GETACL INBOX');
  });
  await t.test('contexts: no more than a few', async () => {
    const answers = await flood(200, () => 'SEARCH RETURN (UPDATE) ALL');
    assert.ok(answers.some((answer) => /^(?:OK|NO)/.test(answer)));
    await quick('STORE 1:2 +FLAGS (\\Seen)');
  });
  await t.test('the other session was answered all the while, and memory is bounded', async (part) => {
    const { answers, longestMs } = await pinger.stop();
    part.diagnostic(`${answers} answers, the longest after ${Math.round(longestMs)} ms; ${Math.round((memory(server) - before) / MiB)} MiB more`);
    assert.ok(memory(server) - before < GROWTH_MAX);
    assertNoBugs(server);
  });
  await client.logout();
});

test('a compressed stream that is a bomb, damaged, or cut', async (t) => {
  const server = await startPosthorn(t, {
    config: { ...CONFIG, imap: { ...CONFIG.imap, appendBytesMax: '1MiB' } },
    users: { [ANNA]: PASSWORD, 'bert@us.test': PASSWORD },
  });
  const pinger = await Pinger.start(server.port('imap'), 'bert@us.test', PASSWORD);
  const before = memory(server);
  const compressed = async (): Promise<ImapClient> => {
    const client = await login(server);
    await client.ok('COMPRESS DEFLATE');
    return client;
  };
  await t.test('200 MB of one letter', async () => {
    const client = await compressed();
    const bomb = deflateRawSync(Buffer.alloc(200 * MiB, 'a'));
    const gone = client.wire.ended();
    await client.wire.sendPaced(bomb).catch(() => {});
    await gone;
  });
  await t.test('messages of one letter, as many as come', async () => {
    const client = await compressed();
    const gone = client.wire.ended();
    const bomb = deflateRawSync(Buffer.from('a NOOP\r\n'.repeat(10_000_000)));
    await client.wire.sendPaced(bomb).catch(() => {});
    for (let i = 0; i < 20; i += 1) await pinger.beat();
    client.wire.close();
    await gone;
  });
  await t.test('no deflate at all', async () => {
    const client = await compressed();
    client.wire.send('x NOOP\r\n'.repeat(100));
    await client.wire.ended();
  });
  await t.test('a stream that is cut in the middle of a block', async () => {
    const client = await compressed();
    client.wire.send(deflateRawSync(Buffer.from('x NOOP\r\n'.repeat(100))).subarray(0, 10));
    await pinger.beat();
    client.wire.close();
  });
  await t.test('the other session was answered all the while, and memory is bounded', async (part) => {
    const { answers, longestMs } = await pinger.stop();
    part.diagnostic(`${answers} answers, the longest after ${Math.round(longestMs)} ms; ${Math.round((memory(server) - before) / MiB)} MiB more`);
    assert.ok(memory(server) - before < GROWTH_MAX);
    assertNoBugs(server);
  });
});
