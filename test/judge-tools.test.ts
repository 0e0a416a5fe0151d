/** What an administrator asks about the judge: mistakes of the configuration, explain, replay, and the small tools. */
import { ownNetwork } from './harness/own-network.ts';

ownNetwork();

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { type Config, Posthorn, startPosthorn } from './harness/posthorn.ts';
import { atEnd, tempDir } from './harness/temp.ts';
import { within } from './harness/wait.ts';
import { attempt, BARE, idOf, JUDGED, mail, zones } from './judge/world.ts';
import { startNsd } from './peers/nsd.ts';
import { CLIENT, US } from './peers/small-internet.ts';

const USERS = { 'anna@us.test': 'anna-password' };

/** The line of the configuration on which this stands. */
function lineOf(file: string, text: string): number {
  const at = readFileSync(file, 'utf8')
    .split('\n')
    .findIndex((line) => line.includes(text));
  assert.notEqual(at, -1, `${text} is not in ${file}`);
  return at + 1;
}

test('mistakes of the configuration are found before it counts', async (t) => {
  await startNsd(t, zones());
  const dir = tempDir(t, 'tables');
  const server = await startPosthorn(t, { config: JUDGED, users: USERS });
  const file = (name: string, text: string): string => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };
  const pcre = file('bad.pcre', '# first\n/^ok$/ OK\n/(unclosed/ REJECT\n');
  const cidr = file('bad.cidr', '192.0.2.0/24 OK\n192.0.2.300 REJECT\n');
  const checks = file('bad.header', '/^Subject: ok/ WARN\n/^Subject: (x/ REJECT\n');
  const mysql = file('bad.cf', 'hosts = 127.0.0.1\nuser = x\nqurey = SELECT 1\n');

  /** By the option on whose line the fault is told. */
  const MISTAKES: readonly (readonly [what: string, option: string, value: string | readonly string[], said: RegExp])[] = [
    [
      'a restriction that does not exist',
      'policy.recipientRestrictions',
      ['reject_unlisted_recipent'],
      /"reject_unlisted_recipent"; did you mean "reject_unlisted_recipient"\?/,
    ],
    ['a restriction in a list where it cannot work', 'policy.clientRestrictions', ['check_etrn_access inline:{x=OK}'], /"check_etrn_access" cannot work here/],
    ['a class that does not exist', 'policy.senderRestrictions', ['strict'], /unknown restriction "strict"/],
    ['an open relay', 'policy.relayRestrictions', ['permit'], /open relay/],
    ['a table file that is not there', 'policy.clientRestrictions', [`check_client_access hash:${dir}/nowhere`], /nowhere.*no such file/],
    ['a table type that does not exist', 'policy.clientRestrictions', ['check_client_access hahs:/x'], /no table type "hahs"/],
    ['a bad pattern', 'policy.senderRestrictions', [`check_sender_access pcre:${pcre}`], new RegExp(`${pcre}:3`)],
    ['a bad network', 'policy.clientRestrictions', [`check_client_access cidr:${cidr}`], new RegExp(`${cidr}:2`)],
    ['a bad pattern of header checks', 'patterns.headerChecks', [`pcre:${checks}`], new RegExp(`${checks}:2`)],
    ['a parameter that does not exist', 'policy.relayRecipientMaps', [`mysql:${mysql}`], new RegExp(`${mysql}:3.*qurey.*query`)],
    ['a list entry that is none', 'door.dnsbl', ['bl.test=127.0.0.[2..'], /bl\.test/],
    ['a rate that is none', 'rates.limits', ['client messages many/1h'], /many/],
    ['a milter that is none', 'milter.milters', ['unix'], /unix/],
    ['a threshold that is none', 'judge.rejectScore', 'fifteen', /number/],
  ];
  for (const [what, option, value, said] of MISTAKES)
    await t.test(what, async () => {
      const [table, key] = option.split('.') as [string, string];
      const good = readFileSync(server.configFile, 'utf8');
      server.configure({ ...JUDGED, [table]: { ...(JUDGED[table] as object), [key]: value } } as Config);
      const line = lineOf(server.configFile, `${key} = `);
      const check = await server.cli(['config', 'check']);
      assert.equal(check.code, 1, check.stdout);
      assert.match(check.stderr, said);
      assert.match(check.stderr, new RegExp(`posthorn\\.toml:${line}(?::\\d+)?: `));
      writeFileSync(server.configFile, good);
    });

  const wrong = { ...JUDGED, policy: { clientRestrictions: [`check_client_access cidr:${cidr}`] } };
  await t.test('a reload keeps the configuration in force, and says where the mistake is', async () => {
    server.configure({ ...wrong, listen: server.listen, judge: { exempt: [], rejectScore: '-10' } });
    const reload = await server.cli(['reload']);
    assert.notEqual(reload.code, 0);
    assert.match(reload.stderr, new RegExp(`posthorn\\.toml:${lineOf(server.configFile, 'clientRestrictions')}.*${cidr}:2`, 's'));
    assert.match((await attempt({ message: mail() })).reply, /^250 /);
  });
  await t.test('a start ends, and says where the mistake is', async () => {
    const other = new Posthorn(tempDir(t, 'failing'), { config: { ...wrong, listen: {} } });
    atEnd(t, () => other.kill());
    const [code] = await within('the failing start to end', once(other.spawn(), 'close'), 15_000);
    assert.notEqual(code, 0);
    assert.match(other.log.text, new RegExp(`posthorn\\.toml:${lineOf(other.configFile, 'clientRestrictions')}.*${cidr}:2`));
    assert.doesNotMatch(other.log.text, /^\s+at /m, 'a stack trace is not for administrators');
  });
});

/** Rows that a dry run must not add to. */
function rowCounts(server: Posthorn): Record<string, number> {
  const store = new DatabaseSync(join(server.dataDir, 'store.db'), { readOnly: true });
  const counts: Record<string, number> = {};
  for (const name of ['greylist', 'greylist_client', 'address_probe', 'sender_habit', 'dmarc_day', 'email', 'queue_entry'])
    counts[name] = Number(Object.values(store.prepare(`SELECT count(*) FROM ${name}`).get()!)[0]);
  store.close();
  return counts;
}

test('explain prints the whole decision and changes nothing', async (t) => {
  const nsd = await startNsd(t, zones());
  const config = {
    ...JUDGED,
    greylist: { mode: 'likelySpam' },
    dmarc: { sendReports: true },
    policy: { clientRestrictions: ['check_client_access inline:{192.0.2.3=REJECT}'] },
  };
  const server = await startPosthorn(t, { config, users: USERS });
  const dir = tempDir(t, 'messages');
  const explain = (message: string, ip: string, from: string, to = 'anna@us.test', ...more: readonly string[]): Promise<string> => {
    const file = join(dir, 'message.eml');
    writeFileSync(file, message);
    return server.admin('explain', file, '--ip', ip, '--helo', 'client.test', '--from', from, '--to', to, ...more);
  };
  const before = rowCounts(server);

  await t.test('of a message that is accepted', async () => {
    const said = await explain(mail().replaceAll('\r\n', '\n'), CLIENT, 'rita@friend.test');
    assert.match(said, /^Client +192\.0\.2\.20 +client\.test \(leads back to the address\)$/m);
    assert.match(said, /^EHLO +go on$/m);
    assert.match(said, /^RCPT <anna@us\.test> +go on$/m);
    assert.match(said, /^ +relay +reject_unauth_destination +/m);
    assert.match(said, /^ +-0\.2 +SPF_PASS +SPF of friend\.test: pass, client 192\.0\.2\.20$/m);
    assert.match(said, /^ +-?[\d.]+ +in all; greylisting from 4\.0, marked from 6\.0, refused from 15\.0$/m);
    assert.match(said, /^ {2}Authentication-Results: mx\.us\.test;\n {4}\S/m);
    assert.match(said, /^Outcome +accepted\n +for anna@us\.test$/m);
  });
  await t.test('of one that is refused by DMARC', async () => {
    const said = await explain(mail({ from: 'boss@strict.test' }), CLIENT, 'rita@friend.test');
    assert.match(said, /^message +550 5\.7\.26 /m);
    assert.match(said, /^Outcome +refused, because of DMARC_REJECT\n +550 5\.7\.26 /m);
    assert.doesNotMatch(said, /; ref /);
  });
  await t.test('of one that a restriction refuses', async () => {
    const said = await explain(mail(), '192.0.2.3', 'rita@friend.test');
    assert.match(said, /^ +client +check_client_access inline:\{192\.0\.2\.3=REJECT\} +refuse: /m);
    assert.match(said, /^Outcome +refused, because of check_client_access.*\n +554 5\.7\.1 /m);
  });
  await t.test('of one to an unknown recipient', async () => {
    assert.match(
      await explain(mail(), CLIENT, 'rita@friend.test', 'nobody@us.test'),
      /^Outcome +refused, because of reject_unlisted_recipient\n +550 5\.1\.1 /m,
    );
  });
  await t.test('of one that is asked to come back', async () => {
    const said = await explain(mail({ from: 'x@fail.test' }), BARE, 'x@fail.test');
    assert.match(said, /^ +\+3\.0 +SPF_FAIL /m);
    assert.match(said, /^Outcome +asked to come back later, because of greylisting\n +451 4\.7\.1 /m);
  });
  await t.test('of one that is spam', async () => {
    server.configure({ ...config, listen: server.listen, greylist: { mode: 'off' }, judge: { exempt: [], addHeaderScore: '4' } });
    await server.admin('reload');
    const said = await explain(mail({ from: 'x@fail.test' }), BARE, 'x@fail.test');
    assert.match(said, /^ +X-Spam-Flag: YES$/m);
    assert.match(said, /^Outcome +accepted and marked as spam\n +for anna@us\.test\n +into the mailbox for junk$/m);
  });
  await t.test('as JSON, and with a sender of nobody', async () => {
    const answer = JSON.parse(await explain(mail(), CLIENT, '<>', 'anna@us.test', '--json')) as {
      action: string;
      steps: { step: string }[];
      symbols: unknown[];
    };
    assert.equal(answer.action, 'accept');
    assert.deepEqual(
      answer.steps.map(({ step }) => step),
      ['connect', 'EHLO', 'MAIL <>', 'RCPT <anna@us.test>', 'DATA', 'message'],
    );
  });
  await t.test('with dead name servers', async () => {
    await nsd.stop();
    await server.admin('reload'); // Forgets what was asked before.
    assert.match(await explain(mail(), CLIENT, 'rita@friend.test'), /^Outcome +put off, because of reject_unknown_sender_domain\n +450 4\.\d\.\d /m);
  });
  assert.deepEqual(rowCounts(server), before);
});

test('replay prints the messages that another configuration would treat differently, with the name server answers of then', async (t) => {
  const nsd = await startNsd(t, zones());
  const server = await startPosthorn(t, { config: JUDGED, users: USERS });
  const clean = await attempt({ message: mail({ subject: 'clean' }) });
  assert.match(clean.reply, /^250 /);
  const doubtful = await attempt({ ip: BARE, sender: 'x@fail.test', message: mail({ from: 'x@fail.test', subject: 'doubtful' }) });
  assert.match(doubtful.reply, /^250 /);
  const forged = await attempt({ sender: 'rob@friend.test', message: mail({ from: 'boss@strict.test', subject: 'forged' }) });
  assert.match(forged.reply, /^550 /);
  const unknown = await attempt({ sender: 'ron@friend.test', recipients: ['nobody@us.test'] });
  assert.match(unknown.reply, /^550 /);
  await nsd.stop();
  await server.restart(); // With nothing in its cache.

  /** By message: what it was and what it would be. */
  async function replay(config: Config): Promise<Record<string, readonly [string, string]>> {
    const other = new Posthorn(tempDir(t, 'other'), { config: { ...JUDGED, ...config } });
    const lines = (await server.admin('replay', '--config', other.configFile, '--json')).split('\n').filter((line) => line !== '');
    const rows = lines.map((line) => JSON.parse(line) as { id: string; before: { action: string }; after: { action: string }; asked: number });
    for (const { asked } of rows) assert.equal(asked, 0);
    return Object.fromEntries(rows.map(({ id, before, after }) => [id, [before.action, after.action]]));
  }

  await t.test('the same configuration changes nothing', async () => assert.deepEqual(await replay({}), {}));
  await t.test('a lower threshold', async () =>
    assert.deepEqual(await replay({ judge: { exempt: [], rejectScore: '4' } }), { [idOf(doubtful.reply)]: ['accept', 'reject'] }),
  );
  await t.test('a milder DMARC policy', async () =>
    assert.deepEqual(await replay({ authenticity: { dmarcPolicy: 'none' } }), { [idOf(forged.reply)]: ['reject', 'accept'] }),
  );
  await t.test('another restriction', async () =>
    assert.deepEqual(await replay({ policy: { senderRestrictions: ['check_sender_access inline:{rita@friend.test=REJECT}'] } }), {
      [idOf(clean.reply)]: ['accept', 'reject'],
    }),
  );
  await t.test('another pattern', async () =>
    assert.deepEqual(await replay({ patterns: { headerChecks: ['pcre:{{/^Subject: clean/ REJECT}}'] } }), { [idOf(clean.reply)]: ['accept', 'reject'] }),
  );

  await t.test('in words', async () => {
    const other = new Posthorn(tempDir(t, 'other'), { config: { ...JUDGED, judge: { exempt: [], rejectScore: '4' } } });
    const said = await server.admin('replay', '--config', other.configFile);
    assert.match(
      said,
      new RegExp(
        `^${idOf(doubtful.reply)}  .* x@fail\\.test → anna@us\\.test\n  was    accept, 4\\.7 points\n  would  reject, 4\\.7 points: 550 5\\.7\\.1 .*spam.*\n4 messages judged, 1 would end differently\\.`,
      ),
    );
  });
  await t.test('not more than were asked for, and not older ones', async () => {
    const other = new Posthorn(tempDir(t, 'other'), { config: JUDGED });
    assert.match(await server.admin('replay', '--config', other.configFile, '--limit', '3'), /^3 messages judged, 0 would end differently\./);
    assert.match(await server.admin('replay', '--config', other.configFile, '--since', '2099-01-01'), /^0 messages judged/);
  });
  await t.test('messages that are no longer kept are counted', async () => {
    const imap = await ImapClient.login(server.port('imap'), 'anna@us.test', USERS['anna@us.test']);
    await imap.ok('SELECT INBOX');
    await imap.ok('STORE 1:* +FLAGS (\\Deleted)');
    await imap.ok('EXPUNGE');
    await imap.logout();
    const other = new Posthorn(tempDir(t, 'other'), { config: JUDGED });
    assert.match(
      await server.admin('replay', '--config', other.configFile),
      /^2 messages judged, 0 would end differently; 2 are no longer kept and could not be judged\./,
    );
  });
  await t.test('a mistake in the other configuration is told', async () => {
    const other = new Posthorn(tempDir(t, 'other'), { config: { ...JUDGED, policy: { senderRestrictions: ['rejct'] } } });
    const result = await server.cli(['replay', '--config', other.configFile]);
    assert.notEqual(result.code, 0);
    assert.match(result.stderr, /unknown restriction "rejct"/);
  });
});

test('table, dkim, dns and doctor through the command', async (t) => {
  const dir = tempDir(t, 'tables');
  const server = await startPosthorn(t, {
    config: { ...JUDGED, listen: { smtp: [`${US}:25`], submission: [`${US}:587`], submissions: [`${US}:465`], imaps: [`${US}:993`], pop3: [], pop3s: [] } },
    users: USERS,
  });
  const write = (name: string, text: string): string => {
    writeFileSync(join(dir, name), text);
    return join(dir, name);
  };

  await t.test('table query and dump', async () => {
    const access = write('access', 'friend.test REJECT not him\n192.0.2 OK\n');
    const pcre = write('access.pcre', '/^(.*)@friend\\.test$/ REJECT no $1\n');
    assert.equal(await server.admin('table', 'query', `hash:${access}`, 'friend.test'), 'REJECT not him\n');
    assert.equal(await server.admin('table', 'query', `pcre:${pcre}`, 'rita@friend.test'), 'REJECT no rita\n');
    assert.match(
      await server.admin('table', 'query', `hash:${access}`, 'x@sub.friend.test', '--search', 'address', '--parent'),
      /x@sub\.friend\.test +friend\.test +REJECT not him/,
    );
    assert.match(await server.admin('table', 'query', `hash:${access}`, '192.0.2.7', '--search', 'network'), /192\.0\.2\.7 +192\.0\.2 +OK/);
    assert.equal(await server.admin('table', 'dump', `hash:${access}`), 'friend.test\tREJECT not him\n192.0.2\tOK\n');
    const none = await server.cli(['table', 'query', `hash:${access}`, 'other.test']);
    assert.deepEqual([none.code, none.stdout], [1, '']);
    const wrong = await server.cli(['table', 'query', `cidr:${write('bad.cidr', 'x OK\n')}`, '192.0.2.1']);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /bad\.cidr:1: /);
    assert.doesNotMatch(wrong.stderr, /^\s+at /m);
  });

  await t.test('dkim list and rotate', async () => {
    assert.match(
      await server.admin('dkim', 'list'),
      /^DOMAIN +SELECTOR +ALGORITHM +MADE +STATE\nus\.test +s\d{6} +rsa 2048 +\S+ +signs\nus\.test +s\d{6}e +ed25519 +\S+ +signs\n$/,
    );
    await server.admin('dkim', 'rotate', 'us.test', '--selector', 'next');
    const list = await server.admin('dkim', 'list');
    assert.match(list, /us\.test +next +rsa 2048 +\S+ +signs in (?:2 d|1 d 23 h)$/m);
    assert.equal(list.match(/ signs$/gm)?.length, 2, list);
  });

  await t.test('dns says what is missing, and nothing once the zone has what it prints', async (t) => {
    const empty = await startNsd(t, { 'test.': '', '.': '' });
    const missing = await server.cli(['dns', 'us.test']);
    assert.equal(missing.code, 1);
    assert.match(missing.stdout, /^ *MISSING +us\.test\. 3600 IN MX 10 mx\.us\.test\.$/m);
    const zone = await server.admin('dns', 'us.test', '--zone');
    await empty.stop();
    await startNsd(t, { 'test.': zone, '2.0.192.in-addr.arpa.': '1 IN PTR mx.us.test.', '.': '' });
    assert.match(await server.admin('dns', 'us.test'), /All that us\.test needs is there\./);
    const health = await server.cli(['doctor']);
    assert.doesNotMatch(health.stdout, /WRONG/, health.stdout);
    assert.match(health.stdout, /^ *ok +open relay +strangers may not relay/m);
  });
});
