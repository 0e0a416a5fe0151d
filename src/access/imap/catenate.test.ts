import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ALICE, type Client, talk, TestServer } from './testing.ts';

const DRAFT = [
  'Subject: trip',
  'Content-Type: multipart/mixed; boundary=b',
  '',
  '--b',
  'Content-Type: text/plain',
  '',
  'schedule',
  '--b',
  'Content-Type: application/zip',
  '',
  '0123456789',
  '--b--',
  '',
].join('\r\n');

function setUp(): { server: TestServer; drafts: number } {
  const server = new TestServer();
  const drafts = server.store.addMailbox(ALICE.id, 'Drafts', 'drafts').id;
  server.store.deliver(drafts, DRAFT);
  return { server, drafts };
}

function text(server: TestServer, mailboxId: number, uid: number): string {
  const row = server.store.message(ALICE.id, mailboxId, uid)!;
  return Buffer.from(server.store.open(server.store.email(ALICE.id, row[6])!).slice(0, row[5]) as Uint8Array).toString('latin1');
}

test('CATENATE: an attachment is replaced as in RFC 4469, example 1', async () => {
  const { server, drafts } = setUp();
  const client = await server.client();
  const validity = server.store.mailboxById(ALICE.id, drafts)!.uidValidity;
  await talk(
    client,
    `
    C: a APPEND Drafts (\\Seen \\Draft $MDNSent) CATENATE (URL "/Drafts;UIDVALIDITY=${validity}/;UID=1/;section=HEADER" TEXT {7}
    S: + OK
    C:
    C: --b
    C:  URL "/Drafts;UIDVALIDITY=${validity}/;UID=1/;section=1.MIME" URL "/Drafts;UIDVALIDITY=${validity}/;UID=1/;section=1" TEXT {9}
    S: + OK
    C:
    C: --b--
    C: )
    S: a OK [APPENDUID ${validity} 2] APPEND completed
  `,
  );
  const expected = 'Subject: trip\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nschedule\r\n--b--\r\n';
  assert.equal(text(server, drafts, 2), expected);
  const [, , flags, keywords] = server.store.message(ALICE.id, drafts, 2)!;
  assert.deepEqual([flags, keywords], [17, '$MDNSent']);
});

test('CATENATE of URLs alone is one line; relative ones are of the selected mailbox; nothing becomes \\Seen', async () => {
  const { server, drafts } = setUp();
  const client = await server.client('Drafts');
  await talk(
    client,
    `
    C: a APPEND INBOX CATENATE (URL ;UID=1 URL "/Drafts/;UID=1/;SECTION=2")
    S: a OK [APPENDUID 1001 1] APPEND completed
    C: b APPEND INBOX CATENATE (URL Drafts/;UID=1/;SECTION=1) (\\Flagged) CATENATE (URL ;UID=1/;SECTION=2/;PARTIAL=3.4)
    S: b OK [APPENDUID 1001 2:3] APPEND completed
    C: c FETCH 1 FLAGS
    S: * 1 FETCH (FLAGS (\\Recent))
    S: c OK FETCH completed
  `,
  );
  assert.equal(text(server, server.inbox, 1), `${DRAFT}0123456789`);
  assert.equal(text(server, server.inbox, 2), 'schedule');
  assert.equal(text(server, server.inbox, 3), '3456');
  assert.equal(drafts > 0, true);
});

test('CATENATE: URLs as literals, UTF8 parts, several messages, fields of a header', async () => {
  const { server } = setUp();
  const client = await server.client();
  await talk(
    client,
    `
    C: a APPEND INBOX CATENATE (URL {27+}
    C: /Drafts/;UID=1/;SECTION=1.1 TEXT {1+}
    C: x)
    S: a NO [BADURL /Drafts/;UID=1/;SECTION=1.1] No message or part is there
    C: b APPEND INBOX CATENATE (URL {25+}
    C: /Drafts/;UID=1/;SECTION=1 TEXT {1+}
    C: x UTF8 (~{1+}
    C: y)) {2+}
    C: hi (\\Seen) CATENATE (URL "/Drafts/;UID=1/;SECTION=HEADER.FIELDS%20(Subject)")
    S: b OK [APPENDUID 1001 1:3] APPEND completed
  `,
  );
  assert.deepEqual(
    [1, 2, 3].map((uid) => text(server, server.inbox, uid)),
    ['schedulexy', 'hi', 'Subject: trip\r\n\r\n'],
  );
});

const BAD_URLS = [
  '/Nowhere/;UID=1',
  '/Drafts/;UID=2',
  '/Drafts;UIDVALIDITY=9/;UID=1',
  '/Drafts/;UID=1/;SECTION=3',
  '/Drafts/;UID=1/;SECTION=NONSENSE',
  '/Drafts',
  '/Drafts?SUBJECT%20x',
  ';UID=1',
  'imap://alice%40example.org@mx/Drafts/;UID=1',
  '//mx/Drafts/;UID=1',
  'http://example.org/',
  '/Drafts/;UID=1;URLAUTH=anonymous:internal:0123456789abcdef0123456789abcdef',
  '/Drafts/;UID=0',
  '/Drafts;UID=1',
  '/Drafts/;UID=1;SECTION=1',
  '/%FF/;UID=1',
];
for (const url of BAD_URLS) {
  test(`CATENATE with ${url} is BADURL, and nothing is stored`, async () => {
    const { server } = setUp();
    const client = await server.client();
    await talk(
      client,
      `
      C: a APPEND INBOX CATENATE (TEXT {1+}
      C: x URL "${url}" TEXT {3}
      S: a NO [BADURL ${url}] No message or part is there
      C: b APPEND INBOX CATENATE (URL "${url}" TEXT {3+}
      C: abc)
      S: b NO [BADURL ${url}] No message or part is there
      C: c NOOP
      S: c OK NOOP completed
    `,
    );
    assert.equal(server.store.mailboxById(ALICE.id, server.inbox)!.exists, 0);
  });
}

test('BADURL says no more than a response code can hold', async () => {
  const { server } = setUp();
  const client = await server.client();
  await talk(
    client,
    `
    C: a APPEND INBOX CATENATE (URL "/a]b ü")
    S: a NO [BADURL /a%5Db %C3%BC] No message or part is there
  `,
  );
});

const BAD_SYNTAX: readonly [string, string][] = [
  ['CATENATE', 'more arguments expected at byte 24'],
  ['CATENATE ()', 'an atom expected at byte 25'],
  ['CATENATE (TEXT "x")', 'a literal expected at byte 30'],
  ['CATENATE (URL "/Drafts/;UID=1"', 'more arguments expected at byte 45'],
  ['CATENATE (URL "/Drafts/;UID=1") x', 'end of command expected at byte 48'],
  ['CATENATE (BLOB "x")', 'TEXT or URL expected'],
];
for (const [given, answer] of BAD_SYNTAX) {
  test(`APPEND INBOX ${given} is BAD`, async () => {
    const { server } = setUp();
    const client = await server.client();
    const [got] = (await client.exchange(`a APPEND INBOX ${given}\r\n`)).split('\r\n');
    assert.match(got!, /^a BAD /);
    assert.equal(got!.replace(/\d+$/, ''), `a BAD ${answer}`.replace(/\d+$/, ''));
  });
}

test('CATENATE grows no message beyond APPENDLIMIT, no mailbox beyond its quota, and has a bounded number of parts', async () => {
  const { server, drafts } = setUp();
  server.settings = { ...server.settings, 'imap.appendBytesMax': 1000 };
  server.store.deliver(drafts, `Subject: large\r\n\r\n${'x'.repeat(500)}`);
  const client = await server.client();
  const large = 'URL "/Drafts/;UID=2"';
  await talk(
    client,
    `
    C: a APPEND INBOX CATENATE (${large} ${large})
    S: a NO [TOOBIG] Message is larger than APPENDLIMIT
    C: b APPEND INBOX CATENATE (${large} TEXT {600+}
    C: ${'y'.repeat(600)})
    S: b NO [TOOBIG] Message is larger than APPENDLIMIT
  `,
  );
  assert.match(await client.exchange(`c APPEND INBOX CATENATE (${Array.from({ length: 1001 }, () => 'URL x').join(' ')})\r\n`), /^c BAD Too many parts/);
  server.store.quotas.set(ALICE.id, 900);
  await talk(client, `C: d APPEND INBOX CATENATE (${large})\nS: d NO [OVERQUOTA] Quota exceeded`);
  assert.equal(server.store.mailboxById(ALICE.id, server.inbox)!.exists, 0);
});

test('hidden, CATENATE does not work', async () => {
  const { server } = setUp();
  server.settings = { ...server.settings, 'imap.capabilitiesHidden': ['CATENATE'] };
  const client = await server.client();
  await talk(client, 'C: a APPEND INBOX CATENATE (URL "/Drafts/;UID=1")\nS: a BAD CATENATE is not offered');
});

async function stored(client: Client, server: TestServer, command: Buffer, cuts: readonly number[]): Promise<string> {
  let from = 0;
  for (const cut of [...new Set(cuts)].sort((a, b) => a - b)) {
    client.send(command.subarray(from, cut));
    from = cut;
  }
  const answer = await client.exchange(command.subarray(from));
  const uid = Number(/^a OK \[APPENDUID \d+ (\d+)\]/.exec(answer)?.[1]);
  return text(server, server.inbox, uid);
}

test('whatever the parts and wherever packets end, the message is the parts joined', async () => {
  const { server } = setUp();
  const client = await server.client();
  const part = fc.oneof(
    fc.record({ kind: fc.constant('TEXT'), value: fc.string({ maxLength: 40, unit: 'binary-ascii' }) }),
    fc.constantFrom({ kind: 'URL', value: 'schedule' }, { kind: 'URLLITERAL', value: 'schedule' }),
  );
  await fc.assert(
    fc.asyncProperty(fc.array(part, { minLength: 1, maxLength: 8 }), fc.array(fc.nat(400), { maxLength: 5 }), async (parts, cuts) => {
      const url = '/Drafts/;UID=1/;SECTION=1';
      const written = parts.map(({ kind, value }) => {
        if (kind === 'URL') return `URL "${url}"`;
        return kind === 'URLLITERAL' ? `URL {${url.length}+}\r\n${url}` : `TEXT {${Buffer.byteLength(value)}+}\r\n${value}`;
      });
      const expected = parts.map(({ value }) => value).join('');
      fc.pre(expected !== '');
      const command = Buffer.from(`a APPEND INBOX CATENATE (${written.join(' ')})\r\n`);
      assert.equal(
        await stored(
          client,
          server,
          command,
          cuts.map((cut) => Math.min(cut, command.length)),
        ),
        expected,
      );
    }),
    { seed: 4469, numRuns: 150 },
  );
});
