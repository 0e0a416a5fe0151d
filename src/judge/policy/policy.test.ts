import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultsOf } from '../../system/declare.ts';
import { newEffects } from './facts.ts';
import { policyConfig } from './from-settings.ts';
import { SessionMemo } from './memo.ts';
import { POLICY_SETTINGS } from './settings.ts';
import { decide, facts, testDns, testPolicy, textOf, ZONE } from './testing.ts';

const DEFAULTS = policyConfig({ ...defaultsOf(POLICY_SETTINGS), 'smtp.relayFrom': ['10.0.0.0/8'], 'directory.recipientDelimiters': '+' });
const byDefault = (dns = testDns(ZONE)) => testPolicy({ lists: DEFAULTS.lists, config: DEFAULTS, dns });

test('the default policy decides at once when the names are in the cache', () => {
  const policy = byDefault();
  assert.equal(decide(policy, facts()), 'ok');
  assert.equal(decide(policy, facts(), 'data'), 'ok');
  assert.equal(decide(policy, facts(), 'endOfData'), 'ok');
});

const REFUSED: readonly [string, Parameters<typeof facts>[0], string][] = [
  ['relaying', { recipientText: 'otto@good.test' }, '554 5.7.1 <otto@good.test>: Relay access denied'],
  [
    'an unknown recipient',
    { recipientText: 'nobody@us.test' },
    '550 5.1.1 <nobody@us.test>: Recipient address rejected: User unknown in virtual mailbox table',
  ],
  ['a sender domain that does not exist', { senderText: 'a@none.test' }, '550 5.1.8 <a@none.test>: Sender address rejected: Domain not found'],
  [
    'a sender domain that takes no mail',
    { senderText: 'a@null.test' },
    '550 5.7.27 <a@null.test>: Sender address rejected: Domain null.test does not accept mail (nullMX)',
  ],
  ['a sender domain whose name servers do not answer', { senderText: 'a@slow.test' }, '450 4.1.8 <a@slow.test>: Sender address rejected: Domain not found'],
  ['a HELO name that is none', { helo: 'cli!ent' }, '501 5.5.2 <cli!ent>: Helo command rejected: Invalid name'],
  ['a HELO name that is not qualified', { helo: 'client' }, '504 5.5.2 <client>: Helo command rejected: need fully-qualified hostname'],
  ['a percent hack', { recipientText: 'otto%good.test@us.test' }, '554 5.7.1 <otto%good.test@us.test>: Relay access denied'],
];
for (const [what, changed, reply] of REFUSED) test(`the default policy refuses ${what}`, () => assert.equal(decide(byDefault(), facts(changed)), reply));

test('the default policy lets mynetworks and accounts relay, whatever their HELO name', () => {
  const away = { recipientText: 'otto@good.test', helo: 'laptop' };
  assert.equal(decide(byDefault(), facts({ ...away, ip: '10.1.2.3' })), 'ok');
  assert.equal(decide(byDefault(), facts({ ...away, login: 'anna@us.test' })), 'ok');
});

test('commands sent ahead of their time are refused at DATA', () => {
  assert.equal(decide(byDefault(), facts({ isPipelining: true }), 'data'), '503 5.5.0 <DATA>: Data command rejected: Improper use of SMTP command pipelining');
});

test('what does not depend on the recipient is asked once for a message', () => {
  const asked: string[] = [];
  const policy = byDefault(testDns(ZONE, true, asked));
  const memo = new SessionMemo();
  const effects = newEffects();
  for (const recipientText of ['anna@us.test', 'bert@us.test', 'postmaster@us.test'])
    assert.equal(decide(policy, facts({ recipientText }), 'recipient', memo, effects), 'ok');
  assert.deepEqual(asked, ['MX good.test']);
  decide(policy, facts(), 'recipient', memo, newEffects());
  assert.deepEqual(asked, ['MX good.test', 'MX good.test'], 'another message is asked about anew');
});

test('what depends on the recipient is asked for each', () => {
  const policy = testPolicy({ lists: { client: ['check_recipient_access inline:{bert@us.test=REJECT}'] } });
  const memo = new SessionMemo();
  const effects = newEffects();
  assert.equal(decide(policy, facts(), 'recipient', memo, effects), 'ok');
  assert.match(decide(policy, facts({ recipientText: 'bert@us.test' }), 'recipient', memo, effects), /^554/);
});

test('without a cache the answer is the same, and comes later', async () => {
  const policy = byDefault(testDns(ZONE, false));
  const decision = policy.evaluate('recipient', facts({ senderText: 'a@none.test' }), new SessionMemo(), newEffects());
  assert.ok(decision instanceof Promise);
  assert.equal(textOf(await decision), REFUSED[2]![2]);
});

test('every restriction tells what it said, when asked', () => {
  const policy = testPolicy({
    lists: { sender: ['warn_if_reject reject_unknown_sender_domain'], recipient: ['check_sender_access inline:{none.test=OK}', 'reject'] },
  });
  const memo = new SessionMemo();
  memo.trace = [];
  assert.equal(decide(policy, facts({ senderText: 'a@none.test' }), 'recipient', memo), 'ok');
  assert.deepEqual(
    memo.trace.map(({ list, restriction, says }) => `${list} ${restriction}: ${says}`),
    [
      'sender reject_unknown_sender_domain: warning',
      'relay permit_mynetworks: nothing',
      'relay permit_sasl_authenticated: nothing',
      'relay reject_unauth_destination: nothing',
      'recipient check_sender_access inline:{none.test=OK}: permit',
      'recipient (reject_unlisted_recipient): nothing',
    ],
  );
});

test('a decision names the restriction that made it', () => {
  const policy = testPolicy({ lists: { recipient: ['reject_unknown_sender_domain, check_helo_access static:REJECT'] } });
  const decision = policy.evaluate('recipient', facts(), new SessionMemo(), newEffects());
  assert.ok(!(decision instanceof Promise) && decision.by === 'check_helo_access static:REJECT');
});

test('421 and 521 ask for the connection to be closed', () => {
  for (const [action, isHangUp] of [
    ['421 bye', true],
    ['521 bye', true],
    ['554 bye', false],
  ] as const) {
    const decision = testPolicy({ lists: { client: [`check_helo_access static:{${action}}`] } }).evaluate(
      'recipient',
      facts(),
      new SessionMemo(),
      newEffects(),
    );
    assert.ok(!(decision instanceof Promise) && (decision.kind === 'reject' || decision.kind === 'defer') && decision.isHangUp === isHangUp, action);
  }
});

test('actions of tables are collected, once for each text', () => {
  const policy = testPolicy({
    lists: {
      recipient: [
        'check_recipient_access inline:{{anna@us.test=HOLD},{bert@us.test=BCC copy@us.test}}',
        'check_sender_access static:{PREPEND X-Seen: yes}, check_sender_access static:{FILTER smtp:[127.0.0.1]:1}, check_sender_access static:{REDIRECT bert@us.test}',
      ],
    },
  });
  const effects = newEffects();
  const memo = new SessionMemo();
  for (const recipientText of ['anna@us.test', 'bert@us.test', 'bert@us.test'])
    assert.equal(decide(policy, facts({ recipientText }), 'recipient', memo, effects), 'ok');
  assert.deepEqual(effects, {
    isDiscarded: false,
    isHeld: true,
    filter: 'smtp:[127.0.0.1]:1',
    redirect: 'bert@us.test',
    bcc: ['copy@us.test'],
    prepend: ['X-Seen: yes'],
  });
});

test('DISCARD ends all questions of the message', () => {
  const policy = testPolicy({ lists: { client: ['check_helo_access static:DISCARD'], recipient: ['reject'], data: ['reject'] } });
  const effects = newEffects();
  const memo = new SessionMemo();
  assert.equal(decide(policy, facts({ recipientText: 'otto@good.test' }), 'recipient', memo, effects), 'discard');
  assert.equal(decide(policy, facts(), 'data', memo, effects), 'discard');
});

test('refusals that do not wait are given where they arise', () => {
  const policy = testPolicy({ lists: { client: ['permit_mynetworks, reject'], helo: ['reject_non_fqdn_helo_hostname'] }, config: { delayReject: false } });
  assert.equal(decide(policy, facts(), 'client'), '554 5.7.1 <client.test[192.0.2.20]>: Client host rejected: Access denied');
  assert.equal(decide(policy, facts({ ip: '10.0.0.1', helo: 'x' }), 'helo'), '504 5.5.2 <x>: Helo command rejected: need fully-qualified hostname');
});

test('a table that cannot answer is never "not found"', async () => {
  assert.equal(
    decide(testPolicy({ lists: { sender: ['check_sender_access fail:x'] } }), facts()),
    '451 4.3.5 <rita@good.test>: Sender address rejected: Server configuration error',
  );
});

test('hostile texts do not get into replies as they are', () => {
  const policy = testPolicy({ lists: { helo: ['check_helo_access static:{REJECT no}'] } });
  const reply = decide(policy, facts({ helo: `evil\r\n250 ok${'x'.repeat(3000)}` }));
  assert.doesNotMatch(reply, /[\r\n]/);
  assert.ok(reply.length <= 510);
});

test('tables that name each other without end are stopped', () => {
  const policy = testPolicy({ lists: { sender: ['round'] }, config: { classes: ['round = check_sender_access static:{round}'] } });
  assert.equal(decide(policy, facts()), '451 4.3.5 Server configuration error');
});
