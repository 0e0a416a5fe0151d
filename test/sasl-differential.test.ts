/** The same AUTHENTICATE exchanges to Debian's Dovecot and to us: challenges, outcomes and order. Words differ, and where more does, the table says why. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { TestIssuer } from '../src/directory/oauth/testing.ts';
import { LineClient } from './harness/line-client.ts';
import { ownNetwork } from './harness/own-network.ts';
import { startPosthorn } from './harness/posthorn.ts';
import { atEnd, tempDir } from './harness/temp.ts';
import { startDovecot } from './peers/dovecot.ts';
import { REMOTE } from './peers/small-internet.ts';

ownNetwork();
const PASSWORD = 'a-good-password';
const base64 = (text: string): string => Buffer.from(text).toString('base64');
const bearer = (token: string, user = 'anna'): string => base64(`n,a=${user},\x01host=localhost\x01port=143\x01auth=Bearer ${token}\x01\x01`);
const xoauth2 = (token: string, user = 'anna'): string => base64(`user=${user}\x01auth=Bearer ${token}\x01\x01`);

interface Row {
  readonly name: string;
  /** What the client says after the tag, then each answer to a "+". */
  readonly says: readonly string[];
  /** Where Dovecot's answers are others on purpose: ours, and why. */
  readonly ours?: readonly string[];
  readonly because?: string;
}

const ROWS: readonly Row[] = [
  { name: 'PLAIN with an initial response', says: [`PLAIN ${base64(`\0anna\0${PASSWORD}`)}`] },
  { name: 'PLAIN after an empty challenge', says: ['PLAIN', base64(`\0anna\0${PASSWORD}`)] },
  { name: 'PLAIN with oneself as identity', says: [`PLAIN ${base64(`anna\0anna\0${PASSWORD}`)}`] },
  { name: 'PLAIN with a wrong password', says: [`PLAIN ${base64('\0anna\0wrong')}`] },
  { name: 'PLAIN, cancelled', says: ['PLAIN', '*'] },
  { name: 'PLAIN that is not base64', says: ['PLAIN', '!!!!'], ours: ['+ ', 'BAD'], because: 'RFC 9051 section 6.2.2 says BAD' },
  { name: 'PLAIN without a password', says: [`PLAIN ${base64('\0anna')}`], ours: ['BAD'], because: 'a message that breaks the grammar is no wrong password' },
  { name: 'LOGIN', says: ['LOGIN', base64('anna'), base64(PASSWORD)] },
  { name: 'LOGIN with the name first', says: [`LOGIN ${base64('anna')}`, base64(PASSWORD)] },
  { name: 'LOGIN with a wrong password', says: ['LOGIN', base64('anna'), base64('wrong')] },
  { name: 'OAUTHBEARER', says: [`OAUTHBEARER ${bearer('good')}`] },
  { name: 'OAUTHBEARER after an empty challenge', says: ['OAUTHBEARER', bearer('good')] },
  { name: 'OAUTHBEARER with a bad token', says: [`OAUTHBEARER ${bearer('bad')}`, 'AQ=='] },
  { name: 'OAUTHBEARER with a bad token and an empty answer', says: [`OAUTHBEARER ${bearer('bad')}`, ''] },
  { name: "OAUTHBEARER with somebody else's token", says: [`OAUTHBEARER ${bearer('good', 'bert')}`, 'AQ=='] },
  {
    name: 'OAUTHBEARER without a token',
    says: [`OAUTHBEARER ${base64('n,a=anna,\x01auth=\x01\x01')}`, 'AQ=='],
    ours: ['+ status', 'NO'],
    because: 'so a program asks where tokens are to be had (RFC 7628 section 4.3)',
  },
  { name: 'XOAUTH2', says: [`XOAUTH2 ${xoauth2('good')}`] },
  { name: 'XOAUTH2 after an empty challenge', says: ['XOAUTH2', xoauth2('good')] },
  { name: 'XOAUTH2 with a bad token', says: [`XOAUTH2 ${xoauth2('bad')}`, ''] },
  { name: "XOAUTH2 with somebody else's token", says: [`XOAUTH2 ${xoauth2('good', 'bert')}`, ''] },
  { name: 'XOAUTH2 that is none', says: [`XOAUTH2 ${base64('hello')}`], ours: ['BAD'], because: 'a message that breaks the grammar is no bad token' },
  { name: 'ANONYMOUS', says: [`ANONYMOUS ${base64('visitor')}`] },
  { name: 'ANONYMOUS after an empty challenge', says: ['ANONYMOUS', base64('visitor')] },
  { name: 'EXTERNAL without a certificate', says: ['EXTERNAL ='] },
  { name: 'a mechanism that nobody has', says: ['SECURID', '='] },
];

/** Each answer: "+" with what it says (JSON by its keys), or the status of the end with its code. */
async function converse(port: number, host: string, says: readonly string[]): Promise<string[]> {
  const client = await LineClient.open(port, { host });
  await client.expect(/^\* OK/);
  const heard: string[] = [];
  client.send(`a AUTHENTICATE ${says[0]!}\r\n`);
  for (let next = 1; ; next += 1) {
    let line = await client.line();
    while (line?.startsWith('* ')) line = await client.line();
    if (line === null || !line.startsWith('+')) {
      heard.push(line === null ? 'closed' : line.split(' ')[1]!);
      break;
    }
    const text = Buffer.from(line.slice(2), 'base64').toString();
    heard.push(`+ ${text.startsWith('{') ? (Object.keys(JSON.parse(text) as object).includes('status') ? 'status' : text) : text}`);
    const answer = says[next];
    if (answer === undefined) break;
    client.send(`${answer}\r\n`);
  }
  client.close();
  return heard;
}

test('AUTHENTICATE beside Dovecot', async (t) => {
  const issuer = await new TestIssuer().start();
  atEnd(t, () => issuer.stop());
  issuer.known.set('good', { active: true, username: 'anna', scope: 'mail' });
  const file = join(tempDir(t, 'oauth'), 'oauth2.conf.ext');
  writeFileSync(
    file,
    `introspection_url = ${issuer.url}/introspect
introspection_mode = post
client_id = dovecot
client_secret = secret
username_attribute = username
active_attribute = active
active_value = true
`,
  );
  await startDovecot(t, {
    ...{ address: REMOTE, imapPort: 1143, lmtpPort: 1024, users: { anna: PASSWORD, bert: PASSWORD } },
    extra: `auth_mechanisms = plain login scram-sha-1 scram-sha-256 xoauth2 oauthbearer anonymous
auth_anonymous_username = bert
auth_failure_delay = 0
service anvil {
  unix_listener anvil-auth-penalty {
    mode = 0
  }
}
passdb {
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = ${file}
}
`,
  });
  const server = await startPosthorn(t, {
    config: {
      auth: { failureDelay: '0s', failureDelayMax: '0s', anonymousAccount: 'bert@us.test', networkFailuresMax: 0, accountFailuresMax: 0 },
      oauth: { introspection: `${issuer.url}/introspect`, userClaim: 'username' },
    },
    users: { 'anna@us.test': PASSWORD, 'bert@us.test': PASSWORD },
  });
  for (const { name, says, ours, because } of ROWS)
    await t.test(because === undefined ? name : `${name} (we differ: ${because})`, async () => {
      const theirs = await converse(1143, REMOTE, says);
      const mine = await converse(server.port('imap'), '127.0.0.1', says);
      if (ours === undefined) assert.deepEqual(mine, theirs);
      else {
        assert.deepEqual(mine, ours);
        assert.notDeepEqual(theirs, ours, 'Dovecot does the same by now: the row says nothing any more');
      }
    });
});
