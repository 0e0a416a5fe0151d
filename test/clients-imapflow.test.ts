/** imapflow, the client library of Node: resynchronises, idles, compresses, appends, moves, searches by every key it has, downloads in pieces. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { buffer } from 'node:stream/consumers';
import { type ExpungeEvent, ImapFlow, type SearchObject } from 'imapflow';
import { ImapClient } from './harness/imap-client.ts';
import { letter } from './harness/letter.ts';
import { ownNetwork } from './harness/own-network.ts';
import { type Config, type Posthorn, startPosthorn } from './harness/posthorn.ts';
import { atEnd, type Owner } from './harness/temp.ts';
import { eventually, within } from './harness/wait.ts';
import { Wiretap } from './peers/wiretap.ts';

ownNetwork();
const USER = 'anna@us.test';
const PASSWORD = 'anna-password';
const note = (subject: string, body = 'Hello.', headers: Record<string, string> = {}): string =>
  letter({ from: 'rita@remote.test', to: USER, subject, body, headers });

async function connect(owner: Owner, port: number, options: { qresync?: boolean; compress?: boolean } = {}): Promise<ImapFlow> {
  const client = new ImapFlow({
    host: '127.0.0.1',
    port,
    secure: false,
    doSTARTTLS: false,
    auth: { user: USER, pass: PASSWORD },
    logger: false,
    qresync: options.qresync ?? false,
    disableCompression: options.compress !== true,
    disableAutoIdle: true,
  });
  client.on('error', () => {}); // The server stops before the client at the end of a test; within one, every command tells by its promise.
  await client.connect();
  atEnd(owner, () => client.close());
  return client;
}
async function server(owner: Owner, config: Config = {}): Promise<Posthorn> {
  return startPosthorn(owner, { config, users: { [USER]: PASSWORD } });
}
/** imapflow says false, or nothing, for a NO. */
function must<T>(value: T | false | undefined, what = 'a command'): T {
  assert.ok(value !== false && value !== undefined, `the server refused ${what}`);
  return value;
}
const tell = (query: SearchObject): string => JSON.stringify(query, (_, value) => (typeof value === 'bigint' ? String(value) : value));

test('imapflow on one mailbox', async (t) => {
  const posthorn = await server(t);
  const imap = await ImapClient.login(posthorn.port('imap'), USER, PASSWORD);

  await t.test('fetches what has changed, and hears by QRESYNC what is gone', async (part) => {
    for (let n = 1; n <= 10; n += 1) await imap.append('INBOX', note(`Letter ${n}`));
    const client = await connect(part, posthorn.port('imap'), { qresync: true });
    assert.ok(client.enabled.has('QRESYNC') && client.enabled.has('CONDSTORE'), [...client.enabled].join());
    const gone: ExpungeEvent[] = [];
    client.on('expunge', (event: ExpungeEvent) => gone.push(event));
    const mailbox = await client.mailboxOpen('INBOX');
    const since = mailbox.highestModseq!;
    assert.equal(typeof since, 'bigint');
    await imap.ok('SELECT INBOX');
    await imap.ok('STORE 4 +FLAGS (\\Flagged $Label1)');
    await imap.ok('STORE 2,3 +FLAGS (\\Deleted)');
    await imap.ok('EXPUNGE');
    await client.noop();
    const changed = await client.fetchAll('1:*', { flags: true }, { changedSince: since, uid: true });
    assert.deepEqual(
      changed.map(({ uid, flags }) => [uid, [...flags!].filter((flag) => flag !== '\\Recent').sort()]),
      [[4, ['$Label1', '\\Flagged']]],
    );
    assert.ok(changed[0]!.modseq! > since);
    // With NOOP and once more with the FETCH, which asks for what has gone since.
    assert.deepEqual([...new Set(gone.map(({ uid, vanished }) => `${uid} ${vanished}`))], ['2 true', '3 true']);
    await client.logout();
  });

  await t.test('hears while it idles', async (part) => {
    const client = await connect(part, posthorn.port('imap'));
    await client.mailboxOpen('INBOX');
    const events: string[] = [];
    client.on('exists', ({ count, prevCount }) => events.push(`exists ${prevCount} ${count}`));
    client.on('flags', ({ seq, flags }) => events.push(`flags ${seq} ${[...flags].join()}`));
    client.on('expunge', ({ seq }) => events.push(`expunge ${seq}`));
    const idling = client.idle();
    await imap.append('INBOX', note('While idle'));
    await eventually('new mail', () => events.includes('exists 8 9'));
    await imap.ok('STORE 9 +FLAGS.SILENT (\\Answered)');
    await eventually('a flag', () => events.some((event) => /^flags 9 .*Answered/.test(event)));
    await imap.ok('STORE 9 +FLAGS.SILENT (\\Deleted)');
    await imap.ok('EXPUNGE');
    await eventually('a removal', () => events.includes('expunge 9'));
    await client.noop();
    await within('the end of IDLE', idling);
    await client.logout();
  });

  await t.test('appends, copies, moves, deletes and knows the new UIDs', async (part) => {
    const client = await connect(part, posthorn.port('imap'));
    const date = new Date('2026-01-02T03:04:05Z');
    const created = await client.mailboxCreate(['Projekte', 'Küche & Bad']);
    assert.ok(created.created && created.path === 'Projekte/Küche & Bad');
    const appended = must(await client.append(created.path, note('Appended', 'Grüße'), ['\\Seen', '$Forwarded'], date));
    assert.equal(appended.uid, 1);
    await client.mailboxOpen(created.path);
    const message = must(await client.fetchOne('1', { flags: true, internalDate: true, envelope: true, size: true, threadId: true }, { uid: true }));
    assert.ok(message.flags!.has('\\Seen') && message.flags!.has('$Forwarded'));
    assert.equal(new Date(message.internalDate!).getTime(), date.getTime());
    assert.equal(message.envelope!.subject, 'Appended');
    assert.ok(message.emailId !== undefined && message.threadId !== undefined, 'OBJECTID');
    const copied = must(await client.messageCopy('1', 'Archive', { uid: true }));
    assert.equal(copied.uidMap!.get(1), 1);
    const moved = must(await client.messageMove('1', 'Trash', { uid: true }));
    assert.equal(moved.uidMap!.get(1), 1);
    await client.mailboxClose();
    assert.equal(must(await client.status(created.path, { messages: true })).messages, 0);
    await client.mailboxOpen('Trash');
    const there = must(await client.fetchOne('1', { uid: true }, { uid: true }));
    assert.equal(there.emailId, message.emailId);
    assert.equal(await client.messageDelete('1', { uid: true }), true);
    await client.mailboxClose();
    const renamed = await client.mailboxRename(created.path, 'Projekte/Garten');
    assert.equal(renamed.newPath, 'Projekte/Garten');
    const listed = await client.list({ statusQuery: { messages: true, size: true, highestModseq: true } });
    const uses = new Map(listed.map((box) => [box.specialUse, box.path]));
    for (const use of ['\\Inbox', '\\Sent', '\\Drafts', '\\Trash', '\\Junk', '\\Archive']) assert.ok(uses.has(use), `${use}: ${[...uses].join(' ')}`);
    assert.equal(listed.find((box) => box.path === 'Archive')!.status!.messages, 1);
    await client.mailboxDelete('Projekte/Garten');
    await client.logout();
  });

  await t.test('searches by every key it has', async (part) => {
    await imap.ok('CREATE Search');
    await imap.append(
      'Search',
      note('Alpha', 'A needle.', { Date: '1 Nov 2026 10:00:00 +0000', Cc: 'carl@remote.test', Bcc: 'ben@remote.test' }),
      '\\Seen $Work',
    );
    await imap.append(
      'Search',
      note('Grüße', `Nadelöhr\n${'long\n'.repeat(500)}`, { Date: '5 Nov 2026 10:00:00 +0000', 'X-Test': 'yes' }),
      '\\Answered \\Flagged',
    );
    await imap.append('Search', note('Draft', 'x', { Date: '9 Nov 2026 10:00:00 +0000', From: 'anna@us.test' }), '\\Draft \\Deleted');
    const client = await connect(part, posthorn.port('imap'));
    const { highestModseq } = await client.mailboxOpen('Search');
    const message = must(await client.fetchOne('2', { threadId: true }), 'FETCH');
    const today = new Date().toISOString().slice(0, 10);
    const table: readonly (readonly [SearchObject, number[]])[] = [
      [{ seq: '1:2' }, [1, 2]],
      [{ all: true }, [1, 2, 3]],
      [{ answered: true }, [2]],
      [{ answered: false }, [1, 3]],
      [{ deleted: true }, [3]],
      [{ draft: true }, [3]],
      [{ draft: false }, [1, 2]],
      [{ flagged: true }, [2]],
      [{ seen: false }, [2, 3]],
      [{ seen: true }, [1]],
      [{ from: 'RITA' }, [1, 2]],
      [{ to: 'anna@us' }, [1, 2, 3]],
      [{ cc: 'carl' }, [1]],
      [{ bcc: 'ben' }, [1]],
      [{ body: 'needle' }, [1]],
      [{ body: 'Nadelöhr' }, [2]],
      [{ subject: 'grüße' }, [2]],
      [{ text: 'X-Test' }, [2]],
      [{ larger: 1000 }, [2]],
      [{ smaller: 1000 }, [1, 3]],
      [{ uid: '2:*' }, [2, 3]],
      [{ modseq: highestModseq! }, [3]],
      [{ modseq: 1 }, [1, 2, 3]],
      [{ emailId: message.emailId! }, [2]],
      [{ threadId: message.threadId! }, [2]],
      [{ before: '2001-01-01' }, []],
      [{ on: today }, [1, 2, 3]],
      [{ since: today }, [1, 2, 3]],
      [{ sentBefore: '2026-11-05' }, [1]],
      [{ sentOn: '2026-11-05' }, [2]],
      [{ sentSince: '2026-11-05' }, [2, 3]],
      [{ keyword: '$Work' }, [1]],
      [{ unKeyword: '$Work' }, [2, 3]],
      [{ header: { 'x-test': true } }, [2]],
      [{ header: { 'x-test': 'YES' } }, [2]],
      [{ not: { from: 'rita' } }, [3]],
      [{ or: [{ cc: 'carl' }, { draft: true }, { subject: 'Grüße' }] }, [1, 2, 3]],
      [{ or: [{ from: 'anna', draft: true }, { keyword: '$Work' }], not: { deleted: true } }, [1]],
    ];
    for (const [query, expected] of table) assert.deepEqual(must(await client.search(query, { uid: true }), tell(query)), expected, tell(query));
    const returned = must(await client.search({ all: true }, { uid: true, returnOptions: ['MIN', 'MAX', 'COUNT', 'ALL'] }), 'ESEARCH');
    assert.ok(!Array.isArray(returned));
    assert.deepEqual([returned.min, returned.max, returned.count, returned.all], [1, 3, 3, '1:3']);
    // RFC 9394 section 3.1: not together with ALL.
    // Of one message: a range before the closing parenthesis is beyond the parser of imapflow 2.1.2.
    const page = must(await client.search({ all: true }, { uid: true, returnOptions: ['COUNT', { partial: '-1:-1' }] }), 'ESEARCH PARTIAL');
    assert.ok(!Array.isArray(page));
    assert.deepEqual([page.count, page.partial], [3, { range: '-1:-1', messages: '3' }]);
    await client.logout();
  });

  await t.test('downloads a large part in pieces, byte for byte', async (part) => {
    const client = await connect(part, posthorn.port('imap'));
    const bytes = Buffer.from(Array.from({ length: 700_001 }, (_, index) => (index * 31 + (index >> 8)) & 0xff));
    const lines = bytes.toString('base64').replaceAll(/(.{76})/g, '$1\r\n');
    const message = [
      'From: rita@remote.test',
      'Subject: large',
      'MIME-Version: 1.0',
      'Content-Type: multipart/mixed; boundary=b',
      '',
      '--b',
      'Content-Type: text/plain; charset=iso-8859-1',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      'Gr=FC=DFe',
      '--b',
      'Content-Type: application/octet-stream; name=large.bin',
      'Content-Transfer-Encoding: base64',
      'Content-Disposition: attachment; filename=large.bin',
      '',
      lines,
      '--b--',
      '',
    ].join('\r\n');
    await client.append('INBOX', message);
    await client.mailboxOpen('INBOX');
    for (const chunkSize of [64 * 1024, 10_007]) {
      const { meta, content } = await client.download('*', '2', { chunkSize });
      assert.equal(meta?.filename, 'large.bin');
      assert.ok(bytes.equals(await buffer(content!)));
    }
    const text = await client.download('*', '1');
    assert.equal((await buffer(text.content!)).toString('utf8').trim(), 'Grüße');
    const whole = await client.download('*');
    assert.equal((await buffer(whole.content!)).toString('latin1'), message);
    const many = await client.downloadMany('*', ['1', '2']);
    assert.ok(bytes.equals(many['2']!.content!));
    await client.logout();
  });
  await imap.logout();
});

test('imapflow compresses where it is offered', async (t) => {
  const posthorn = await server(t, { imap: { compress: true } });
  const tap = await Wiretap.open(t, posthorn.port('imap'));
  const client = await connect(t, tap.port, { compress: true });
  assert.ok(client.capabilities.has('COMPRESS=DEFLATE'));
  for (let n = 1; n <= 20; n += 1) must(await client.append('INBOX', note(`Letter ${n}`, 'All the same. '.repeat(2000))));
  await client.mailboxOpen('INBOX');
  const [mark, before] = [tap.mark(), tap.heardBytes];
  const messages = await client.fetchAll('1:*', { source: true });
  assert.ok(messages.length === 20 && messages.every(({ source }) => source!.length > 28_000));
  // 600 kB, said in a few: what went by is no text any more.
  const wire = tap.story(mark);
  assert.ok(tap.heardBytes - before < 60_000, `${tap.heardBytes - before} bytes`);
  assert.doesNotMatch(wire, /All the same/);
  const idling = client.idle();
  const heard = once(client, 'exists');
  const other = await connect(t, posthorn.port('imap'));
  await other.append('INBOX', note('While compressed and idle'));
  await within('new mail', heard);
  await client.noop();
  await idling;
  await client.logout();
  await other.logout();
});

test('imapflow resynchronises after the server came back', async (t) => {
  const posthorn = await server(t);
  const before = await connect(t, posthorn.port('imap'), { qresync: true });
  for (let n = 1; n <= 5; n += 1) await before.append('INBOX', note(`Letter ${n}`));
  const { highestModseq, uidValidity } = await before.mailboxOpen('INBOX');
  const closed = once(before, 'close');
  await posthorn.restart();
  await within('the end of the connection', closed);
  const imap = await ImapClient.login(posthorn.port('imap'), USER, PASSWORD);
  await imap.ok('SELECT INBOX');
  await imap.ok('STORE 2 +FLAGS (\\Flagged)');
  await imap.ok('UID MOVE 3:4 Trash');
  const client = await connect(t, posthorn.port('imap'), { qresync: true });
  const gone: number[] = [];
  client.on('expunge', ({ uid }) => gone.push(uid!));
  const mailbox = await client.mailboxOpen('INBOX');
  assert.equal(mailbox.uidValidity, uidValidity);
  const changed = await client.fetchAll('1:*', { flags: true }, { changedSince: highestModseq!, uid: true });
  assert.deepEqual(
    changed.map(({ uid }) => uid),
    [2],
  );
  assert.deepEqual(gone, [3, 4]);
  await client.logout();
  await imap.logout();
});
