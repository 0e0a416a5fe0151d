import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ViewFacts } from './facts.ts';
import { HABIT_REASON } from './rates/habit.ts';
import { scriptedMilter } from './milter/testing.ts';
import { above, ANNA, Client, INTERNET, judgeHouse, kept, OFFICE, replyText, STRANGER } from './testing.ts';

const HELLO = 'From: Rita <rita@good.test>\nTo: anna@us.test\nSubject: hello\nDate: Mon, 1 Jan 2024 00:00:00 +0000\nMessage-ID: <1@good.test>\n\nHello.\n';
const from = (author: string): string => HELLO.replace('rita@good.test', author);

test('mail of a good sender is accepted, with what was found above it', async (t) => {
  const house = judgeHouse(t);
  const client = new Client(house);
  assert.equal(await client.open(), null);
  const ruling = await client.send('rita@good.test', ['anna@us.test'], HELLO);
  assert.equal(ruling.reply, null);
  assert.match(above(ruling), /^Authentication-Results: mx\.us\.test;\r\n\t/);
  assert.match(above(ruling), /spf=pass/);
  assert.match(above(ruling), /\r\nX-Spam-Status: No, /);
  assert.equal(ruling.orders.isJunk, undefined);
  assert.equal((ruling.orders.judged as { action: string }).action, 'accept');
});

const REFUSED: readonly [title: string, from: string, to: string, message: string, reply: RegExp][] = [
  ['to a foreign domain', 'rita@good.test', 'x@elsewhere.test', HELLO, /^554 5\.7\.1 .*Relay access denied; ref message1$/],
  ['to nobody here', 'rita@good.test', 'nobody@us.test', HELLO, /^550 5\.1\.1 .*; ref message1$/],
  ['from a domain that does not exist', 'x@nowhere.test', 'anna@us.test', HELLO, /^(450 4|550 5)\.1\.8 .*Domain not found; ref message1$/],
  ['with a forged author whose domain asks to refuse it', 'rita@good.test', 'anna@us.test', from('boss@strict.test'), /^550 5\.7\.26 .*; ref message1$/],
];
for (const [title, sender, to, message, reply] of REFUSED)
  test(`mail ${title} is refused, and the journey has it`, async (t) => {
    const house = judgeHouse(t);
    const client = new Client(house);
    await client.open();
    assert.match(replyText((await client.send(sender, [to], message)).reply), reply);
    assert.deepEqual(
      house.journey.map(({ id, event }) => [id, event]),
      [['message1', 'refused']],
    );
  });

/** What else is found in that message weighs nothing. */
const OTHERS = ['DKIM_NONE=0', 'DMARC_NONE=0', 'ARC_NONE=0', 'HELO_NONE=0'];
const SCORES: readonly [score: number, outcome: string][] = [
  [0, 'accept'],
  [3.9, 'accept'],
  [4, 'greylisted, then accept'],
  [6, 'greylisted, then junk'],
  [14.9, 'greylisted, then junk'],
  [15, 'refused'],
];
for (const [score, outcome] of SCORES)
  test(`a score of ${score}: ${outcome}`, async (t) => {
    const house = judgeHouse(t, { 'judge.weights': [`SPF_PASS=${score}`, ...OTHERS] });
    const client = new Client(house);
    await client.open();
    const said: string[] = [];
    for (let turn = 0; turn < 2; turn += 1) {
      const ruling = await client.send('rita@good.test', ['anna@us.test'], HELLO);
      client.done();
      const { reply } = ruling;
      const isGreylisted = reply?.code === 451 && reply.text.startsWith('Greylisted');
      said.push(isGreylisted ? 'greylisted' : reply !== null ? `refused ${reply.code}` : ruling.orders.isJunk === true ? 'junk' : 'accept');
      if (!isGreylisted) {
        if (reply === null) assert.equal(/^X-Spam-Flag: YES\r$/m.test(above(ruling)), score >= 6);
        break;
      }
      house.now += 300_000;
    }
    assert.equal(said.join(', then ').replace(' 550', ''), outcome);
  });

test('thresholds and junk can be set otherwise', async (t) => {
  const house = judgeHouse(t, {
    'judge.weights': ['SPF_PASS=8'],
    'judge.overrides': ['anna@us.test reject=7'],
    'judge.spamToJunk': false,
    'greylist.mode': 'off',
  });
  const client = new Client(house);
  await client.open();
  assert.equal((await client.send('rita@good.test', ['anna@us.test'], HELLO)).reply?.code, 550);
  client.done();
  // Bert would have it: nobody loses a message because another one is stricter.
  const ruling = await client.send('rita@good.test', ['anna@us.test', 'bert@us.test'], HELLO);
  assert.deepEqual([ruling.reply, ruling.orders.isJunk], [null, undefined]);
});

test('what DMARC quarantines goes to junk, or is held', async (t) => {
  for (const quarantine of ['junk', 'hold'] as const) {
    const house = judgeHouse(t, { 'judge.quarantine': quarantine, 'greylist.mode': 'off' });
    const client = new Client(house);
    await client.open();
    const ruling = await client.send('rita@good.test', ['anna@us.test'], from('boss@wary.test'));
    assert.equal(ruling.reply, null);
    if (quarantine === 'junk') assert.deepEqual([ruling.orders.isJunk, ruling.orders.hold], [true, undefined]);
    else assert.deepEqual([ruling.orders.isJunk, ruling.orders.hold], [undefined, 'quarantined: DMARC_QUARANTINE']);
  }
});

test('greylisting of all strangers is asked at RCPT, for the null sender too', async (t) => {
  const house = judgeHouse(t, { 'greylist.mode': 'all' });
  const client = new Client(house);
  await client.open();
  for (const sender of ['rita@good.test', '']) {
    await client.mail(sender);
    assert.match(replyText(await client.rcpt('anna@us.test')), /^451 4\.7\.1 Greylisted.*; ref message/);
    client.done();
  }
  house.now += 300_000;
  await client.mail('');
  assert.equal(await client.rcpt('anna@us.test'), null);
});

const EFFECTS: readonly [action: string, check: (ruling: Awaited<ReturnType<Client['data']>>) => void][] = [
  ['HOLD look at it', (ruling) => assert.equal(ruling.orders.hold, 'a rule says HOLD')],
  ['DISCARD away', (ruling) => assert.match(ruling.discard ?? '', /check_sender_access/)],
  ['PREPEND X-Rule: seen', (ruling) => assert.match(above(ruling), /^X-Rule: seen\r$/m)],
  ['FILTER smtp:[127.0.0.1]:10025', (ruling) => assert.equal(ruling.orders.nexthop, 'smtp:[127.0.0.1]:10025')],
  [
    'REDIRECT bert@us.test',
    (ruling) =>
      assert.deepEqual(
        ruling.recipients?.map(({ address }) => address.local),
        ['bert'],
      ),
  ],
  ['REDIRECT nobody@us.test', (ruling) => assert.equal(ruling.recipients?.[0]?.address.local, 'anna')],
  [
    'BCC archive@us.test',
    (ruling) =>
      assert.deepEqual(
        ruling.recipients?.map(({ address, notify }) => [address.local, notify]),
        [
          ['anna', null],
          ['archive', 'never'],
        ],
      ),
  ],
];
for (const [action, check] of EFFECTS)
  test(`an access table that says ${action}: it is done for this message and not for the next`, async (t) => {
    const house = judgeHouse(t, { 'policy.senderRestrictions': [`check_sender_access inline:{ {rita@good.test = ${action}} }`], 'greylist.mode': 'off' });
    const client = new Client(house);
    await client.open();
    const ruling = await client.send('rita@good.test', ['anna@us.test'], HELLO);
    assert.equal(ruling.reply, null);
    check(ruling);
    client.done();
    const next = await client.send('paul@good.test', ['anna@us.test'], HELLO);
    assert.deepEqual(
      [next.reply, next.discard, next.orders.hold, next.orders.nexthop, next.recipients, above(next).includes('X-Rule')],
      [null, null, undefined, undefined, undefined, false],
    );
  });

test('a discarded message is not relayed, whatever its recipients', async (t) => {
  const house = judgeHouse(t, { 'policy.clientRestrictions': ['check_client_access inline:{ {192.0.2.20 = DISCARD} }'] });
  const client = new Client(house);
  await client.open();
  const ruling = await client.send('rita@good.test', ['x@elsewhere.test'], HELLO);
  assert.deepEqual([ruling.reply, ruling.discard !== null, ruling.orders.nexthop], [null, true, undefined]);
});

// ── Who may relay ────────────────────────────────────────────────────────────────────────────────────

const RELAY: readonly [title: string, given: ConstructorParameters<typeof Client>[1], may: boolean][] = [
  ['a stranger', {}, false],
  ['an exempt client on this machine', { ip: '127.0.0.1', isLoopback: true }, false],
  ['a client of smtp.relayFrom', { ip: OFFICE }, true],
  ['an account on port 25', { account: ANNA, mechanism: 'PLAIN' }, true],
  ['submission without a login', { mode: 'submission' }, false],
  ['submission of a client of smtp.relayFrom without a login', { mode: 'submission', ip: OFFICE }, false],
  ['submission with a login', { mode: 'submission', account: ANNA }, true],
];
for (const onSubmission of [false, true])
  for (const [title, given, may] of RELAY)
    test(`${title} ${may ? 'may' : 'may not'} relay${onSubmission ? ', with the lists on submission' : ''}`, async (t) => {
      const house = judgeHouse(t, { 'judge.onSubmission': onSubmission });
      const client = new Client(house, given);
      await client.open();
      await client.mail('anna@us.test');
      const reply = await client.rcpt('x@elsewhere.test');
      if (may) assert.equal(reply, null);
      else assert.match(replyText(reply), /^554 5\.7\.1 .*Relay access denied/);
    });

test('exempt clients and accounts are not judged as strangers', async (t) => {
  const house = judgeHouse(t, { 'judge.weights': ['DMARC_FAIL=50', 'SPF_NONE=50', 'SPF_FAIL=50'], 'greylist.mode': 'all' });
  for (const given of [{ ip: '127.0.0.1' }, { ip: OFFICE }, { mode: 'submission' as const, account: ANNA }, { account: ANNA }]) {
    const client = new Client(house, given);
    assert.equal(await client.open('x'), null);
    const ruling = await client.send('anna@us.test', ['bert@us.test'], from('boss@strict.test'));
    assert.equal(replyText(ruling.reply), 'ok');
    assert.equal(above(ruling), '');
  }
});

test('what DNS lists say of a client does not count against an account', async (t) => {
  const house = judgeHouse(
    t,
    { 'door.dnsbl': ['bl.test*20'], 'door.dnsblThreshold': 0, 'greylist.mode': 'off' },
    { ...INTERNET, 'A 20.2.0.192.bl.test': ['127.0.0.2'] },
  );
  const client = new Client(house);
  await client.open();
  assert.equal((await client.send('rita@good.test', ['anna@us.test'], HELLO)).reply?.code, 550);
  client.done();
  client.view.account = ANNA;
  const ruling = await client.send('anna@us.test', ['bert@us.test'], from('anna@us.test'));
  assert.deepEqual([replyText(ruling.reply), ruling.orders.isJunk], ['ok', undefined]);
});

// ── Fields that strangers send in our name ───────────────────────────────────────────────────────────

const FORGED = `Authentication-Results: mx.us.test; dmarc=pass\nX-Spam-Status: No, score=-100\nX-SPAM-FLAG: NO\n${HELLO}`;

test('fields in our name are taken out', async (t) => {
  const client = new Client(judgeHouse(t));
  await client.open();
  const ruling = await client.send('rita@good.test', ['anna@us.test'], FORGED);
  assert.equal(kept(ruling, FORGED), HELLO);
});

test('also those with unusual letters below a long header', async (t) => {
  const client = new Client(judgeHouse(t));
  await client.open();
  const long = `X-Long: ${'x'.repeat(900)}\n`.repeat(30);
  const given = `${long}X-SPAM-FLAG: NO\n${HELLO}`;
  assert.equal(kept(await client.send('rita@good.test', ['anna@us.test'], given), given), `${long}${HELLO}`);
});

test('milters are shown the message without forged fields, and what they add in the same names stays', async (t) => {
  const milter = await scriptedMilter({}, (command) => {
    if (command.kind === 'macro' || command.kind === 'abort' || command.kind === 'quit' || command.kind === 'quitNewConnection') return [];
    if (command.kind !== 'endOfMessage') return [{ kind: 'continue' }];
    return [
      { kind: 'insertHeader', index: 0, name: 'Authentication-Results', value: 'mx.us.test; dkim=pass (by the milter)' },
      { kind: 'addHeader', name: 'X-Spam-Status', value: 'Yes, said the milter' },
      { kind: 'accept' },
    ];
  });
  t.after(() => milter.close());
  const client = new Client(judgeHouse(t, { 'milter.milters': [`inet:127.0.0.1:${milter.port}`] }));
  t.after(() => client.session.close());
  assert.equal(await client.open(), null);
  const ruling = await client.send('rita@good.test', ['anna@us.test'], FORGED);
  const text = kept(ruling, '');
  assert.match(text, /^Authentication-Results: mx\.us\.test; dkim=pass \(by the milter\)\n/);
  assert.match(text, /\nX-Spam-Status: Yes, said the milter\n/);
  assert.equal(text.includes('dmarc=pass'), false);
  assert.equal(text.includes('score=-100'), false);
  const shown = milter.seen.flatMap((command) => (command.kind === 'header' ? [command.name.toString()] : []));
  assert.deepEqual(shown, ['From', 'To', 'Subject', 'Date', 'Message-ID']);
});

test('a client without a name gathers points for it, but not while the name servers do not answer', async (t) => {
  for (const [zone, symbols] of [
    [{ ...INTERNET, 'PTR 192.0.2.20': 'nxdomain' }, ['RDNS_NONE']],
    [{ ...INTERNET, 'A client.test': ['192.0.2.99'] }, ['RDNS_UNCONFIRMED']],
    [{ ...INTERNET, 'PTR 192.0.2.20': 'timeout' }, []],
    [{ ...INTERNET, 'A client.test': 'servfail' }, []],
    [INTERNET, []],
  ] as const) {
    const client = new Client(judgeHouse(t, {}, zone));
    await client.open();
    const ruling = await client.send('rita@good.test', ['anna@us.test'], HELLO);
    const judged = ruling.orders.judged as { symbols: Record<string, number> };
    assert.deepEqual(
      Object.keys(judged.symbols).filter((name) => name.startsWith('RDNS_')),
      symbols,
    );
  }
});

test('clients that never wait are known by their name, too', async (t) => {
  const client = new Client(judgeHouse(t, { 'greylist.mode': 'all', 'greylist.exemptClients': ['client.test'] }));
  await client.open();
  assert.equal((await client.send('rita@good.test', ['anna@us.test'], HELLO)).reply, null);
  const unconfirmed = new Client(
    judgeHouse(t, { 'greylist.mode': 'all', 'greylist.exemptClients': ['client.test'] }, { ...INTERNET, 'A client.test': ['192.0.2.99'] }),
  );
  await unconfirmed.open();
  assert.equal((await unconfirmed.send('rita@good.test', ['anna@us.test'], HELLO)).reply?.code, 451);
});

test('a message is counted for the DMARC report of its author once it is decided', async (t) => {
  const house = judgeHouse(
    t,
    { 'judge.weights': ['SPF_PASS=5'], 'dmarc.sendReports': true },
    { ...INTERNET, 'TXT _dmarc.good.test': [['v=DMARC1; p=none; rua=mailto:d@good.test']] },
  );
  let counted = 0;
  Object.assign(house.judge.context.collector, { add: () => (counted += 1) });
  const client = new Client(house);
  await client.open();
  assert.equal((await client.send('rita@good.test', ['anna@us.test'], HELLO)).reply?.code, 451);
  client.done();
  assert.equal(counted, 0, 'it is to come back');
  house.now += 300_000;
  assert.equal((await client.send('rita@good.test', ['anna@us.test'], HELLO)).reply, null);
  assert.equal(counted, 1);
});

test('what is held for being unlike its account is no part of the habit', async (t) => {
  const house = judgeHouse(t);
  const sent: number[] = [];
  Object.assign(house.judge.context, {
    holdForHabit: (_: unknown, recipients: number) => (recipients > 1 ? HABIT_REASON : null),
    sent: (_: unknown, recipients: number) => void sent.push(recipients),
  });
  const client = new Client(house, { mode: 'submission', account: ANNA });
  await client.open();
  for (const to of [['x@elsewhere.test', 'y@elsewhere.test'], ['x@elsewhere.test']]) {
    await client.send('anna@us.test', to, HELLO);
    client.session.settled(true);
    client.done();
  }
  assert.deepEqual(sent, [1]);
});

// ── One session, several messages ────────────────────────────────────────────────────────────────────

test('the name lookups kept with a message are its own and those of the client', async (t) => {
  const client = new Client(judgeHouse(t));
  await client.open();
  const dnsOf = (ruling: Awaited<ReturnType<Client['data']>>): string[] => Object.keys((ruling.orders.judged as { dns: object }).dns).sort();
  const first = dnsOf(await client.send('rita@good.test', ['anna@us.test'], HELLO));
  client.done();
  await client.send('bob@wary.test', ['anna@us.test'], from('bob@wary.test'));
  client.done();
  const again = dnsOf(await client.send('rita@good.test', ['anna@us.test'], HELLO));
  assert.ok(first.includes('ptr 192.0.2.20'), first.join());
  assert.deepEqual(again, first);
});

test('a later MAIL does not know the recipient and the size of the message before', async (t) => {
  const house = judgeHouse(t, { 'policy.senderRestrictions': [] });
  const client = new Client(house);
  await client.open();
  const facts = new ViewFacts(client.view);
  facts.recipient = { local: 'anna', domain: 'us.test' };
  facts.recipientText = 'anna@us.test';
  facts.messageBytes = 100;
  facts.etrnDomain = 'us.test';
  facts.forgetMessage();
  assert.deepEqual([facts.recipient, facts.recipientText, facts.messageBytes, facts.etrnDomain], [null, null, 0, null]);
});

test('what content patterns refuse is in the journey too', async (t) => {
  const house = judgeHouse(t, { 'patterns.headerChecks': ['inline:{ {Subject: hello = REJECT no greetings} }'] });
  const client = new Client(house);
  await client.open();
  const ruling = await client.send('rita@good.test', ['anna@us.test'], HELLO);
  assert.match(replyText(ruling.reply), /no greetings; ref message1$/);
  assert.deepEqual(
    house.journey.map(({ event, fields }) => [event, fields.stage]),
    [['refused', 'message']],
  );
});

test('a header that could not be held whole is refused: what lies behind its end would be judged as body', async (t) => {
  const client = new Client(judgeHouse(t));
  await client.open();
  const header = Buffer.from(`From: rita@good.test\r\n${`X: ${'y'.repeat(90)}\r\n`.repeat(2700)}`).subarray(0, 256 * 1024 - 200);
  const ruling = await client.send('rita@good.test', ['anna@us.test'], { size: 400_000, header, bytes: null, stream: () => assert.fail('not read') });
  assert.equal(ruling.reply?.code, 552);
});

test('a client that guesses recipients fills no journey, and is not told of what cannot be found', async (t) => {
  const house = judgeHouse(t);
  const client = new Client(house);
  await client.open();
  await client.mail('rita@good.test');
  const said: string[] = [];
  for (let i = 0; i < 30; i += 1) said.push(replyText(await client.rcpt(`guess${i}@us.test`)));
  assert.equal(house.journey.length, 10);
  assert.equal(said.filter((text) => text.endsWith('; ref message1')).length, 10);
  client.done();
  assert.match(replyText((await client.send('rita@good.test', ['anna@us.test'], from('boss@strict.test'))).reply), /; ref message2$/);
  assert.equal(house.journey.length, 11);
});

test('a reload changes what new sessions are asked, not the one under way', async (t) => {
  const house = judgeHouse(t);
  const before = new Client(house);
  await before.open();
  house.settings = { ...house.settings, 'policy.senderRestrictions': ['reject'] };
  const after = new Client(house);
  await after.open();
  assert.equal((await before.send('rita@good.test', ['anna@us.test'], HELLO)).reply, null);
  assert.equal((await after.send('rita@good.test', ['anna@us.test'], HELLO)).reply?.code, 554);
  house.settings = { ...house.settings, 'policy.senderRestrictions': ['reject_nonsense'] };
  const third = new Client(house);
  await third.open();
  assert.equal((await third.send('rita@good.test', ['anna@us.test'], HELLO)).reply?.code, 554);
  assert.equal(house.logged.filter(({ event }) => event === 'judge.compile.failed').length, 1);
});

test('the lists are asked before it is told whose mail is kept', async (t) => {
  const house = judgeHouse(t, { 'policy.relayDomains': ['kept.test'], 'policy.etrnRestrictions': ['check_etrn_access inline:{kept.test=OK}', 'reject'] });
  const client = new Client(house);
  await client.open();
  assert.equal((await client.session.etrn('elsewhere.test'))?.code, 554);
  assert.equal(await client.session.etrn('kept.test'), null);
});

test('a table of logins gives addresses to accounts, and to nobody else', async (t) => {
  const house = judgeHouse(t, { 'policy.senderLoginMaps': ['inline:{boss@good.test=anna@us.test}'] });
  const boss = { local: 'boss', domain: 'good.test' };
  assert.equal(await new Client(house, { account: ANNA }).session.ownsSender(boss), true);
  assert.equal(await new Client(house, { account: ANNA }).session.ownsSender({ local: 'other', domain: 'good.test' }), false);
  assert.equal(await new Client(house).session.ownsSender(boss), false);
  house.settings = { ...house.settings, 'policy.senderLoginMaps': [] };
  assert.equal(await new Client(house, { account: ANNA }).session.ownsSender({ local: 'anna', domain: 'us.test' }), false, 'the directory is asked elsewhere');
});

test('what a proxy tells of the names is not looked up', async (t) => {
  const house = judgeHouse(t, { 'policy.clientRestrictions': ['reject_unknown_client_hostname'] });
  const told = { name: null, nameStatus: 'temporary', reverseName: null, reverseStatus: 'temporary' } as const;
  const client = new Client(house, { client: { ip: STRANGER, port: 1, name: null, told } });
  await client.open();
  assert.equal(await client.mail('rita@good.test'), null);
  assert.equal((await client.rcpt('anna@us.test'))?.code, 450);
  assert.equal(client.session.memo.names?.name, 'unknown');
});

test('a table that fails at ETRN is no bug of the session', async (t) => {
  const house = judgeHouse(t, { 'policy.relayDomains': ['fail:nothing'] });
  const client = new Client(house);
  await client.open();
  const reply = await client.session.etrn('elsewhere.test');
  assert.equal(reply === null ? 0 : Math.floor(reply.code / 100), 4);
});

test('checks that take too long: the client is asked to come back, and the late answer harms nobody', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let reached = (): void => {};
  const isAsked = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const milter = await scriptedMilter({}, (command) => {
    if (command.kind === 'endOfMessage') reached();
    return command.kind === 'endOfMessage' || command.kind === 'macro' || command.kind === 'abort' ? [] : [{ kind: 'continue' }];
  });
  t.after(() => milter.close());
  const house = judgeHouse(t, { 'milter.milters': [`inet:127.0.0.1:${milter.port}`] });
  const client = new Client(house);
  await client.open();
  const ruling = client.send('rita@good.test', ['anna@us.test'], HELLO);
  await isAsked;
  t.mock.timers.tick(300_000);
  assert.match(replyText((await ruling).reply), /^451 4\.3\.0 .*; ref message1$/);
  client.done();
  client.session.close();
  await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(
    house.logged.filter(({ event }) => event.startsWith('judge.')).map(({ event }) => event),
    ['judge.timeout'],
  );
});

test('hostile values cannot write lines into the reply or above the message', async (t) => {
  const house = judgeHouse(t, { 'greylist.mode': 'off' });
  const client = new Client(house, { ip: STRANGER });
  await client.open('x\r\ny.example');
  const ruling = await client.send('"a)\\"\\\\ b;c"@good.test', ['anna@us.test'], HELLO);
  for (const line of above(ruling).split('\r\n')) assert.match(line, /^$|^[A-Za-z-]+: |^\t/);
  assert.equal(above(ruling).includes('\n\n'), false);
});
