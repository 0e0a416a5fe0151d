import assert from 'node:assert/strict';
import { test } from 'node:test';
import { talk, TestServer } from './testing.ts';

test('UTF8=ONLY: named instead of UTF8=ACCEPT, and nothing is done before ENABLE UTF8=ACCEPT (RFC 6855 section 6)', async () => {
  const server = new TestServer({ 'imap.utf8Only': true });
  const client = await server.client();
  const capability = await client.exchange('a CAPABILITY\r\n');
  assert.match(capability, / UTF8=ONLY[ \r]/);
  assert.doesNotMatch(capability, /UTF8=ACCEPT/);
  await talk(
    client,
    `
    C: a SELECT INBOX
    S: a NO [CANNOT] ENABLE UTF8=ACCEPT first
    C: b LIST "" "*"
    S: b NO [CANNOT] ENABLE UTF8=ACCEPT first
    C: c APPEND INBOX {3}
    S: c NO [CANNOT] ENABLE UTF8=ACCEPT first
    C: d APPEND INBOX {3+}
    C: abc
    S: d NO [CANNOT] ENABLE UTF8=ACCEPT first
    C: e NOOP
    S: e OK NOOP completed
    C: f ENABLE UTF8=ONLY
    S: * ENABLED
    S: f OK ENABLE completed
    C: g ENABLE UTF8=ACCEPT
    S: * ENABLED UTF8=ACCEPT
    S: g OK ENABLE completed
    C: h APPEND INBOX {3+}
    C: abc
    S: h OK [APPENDUID 1001 1] APPEND completed
    C: i CREATE "Grüße"
    S: i OK [MAILBOXID (F3-1003)] CREATE completed
    C: j LIST "" Gr*
    S: * LIST (\\HasNoChildren) "/" "Grüße"
    S: j OK LIST completed
  `,
  );
});

test('without the switch UTF8=ACCEPT is named, and older clients are served', async () => {
  const server = new TestServer();
  const client = await server.client();
  const capability = await client.exchange('a CAPABILITY\r\n');
  assert.match(capability, / UTF8=ACCEPT[ \r]/);
  assert.doesNotMatch(capability, /UTF8=ONLY/);
});
