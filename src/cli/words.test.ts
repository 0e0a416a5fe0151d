import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JourneyMessage } from '../system/journey.ts';
import { initialConfig } from './init.ts';
import { statusText } from './server.ts';
import { humanBytes, humanSpan, printable, table } from './table.ts';
import { clock, messageWords, people } from './trace-words.ts';
import { parseWhen } from './when.ts';

const AT = new Date(2026, 4, 1, 10, 3, 4).getTime();

test('the path of a message reads like a story', () => {
  const message: JourneyMessage = {
    id: '0mabc123def00001',
    events: [
      {
        at: AT,
        stage: 'receive',
        event: 'accepted',
        fields: {
          source: 'smtp',
          from: 'anna@example.net',
          to: ['bob@example.org', 'carol@example.org'],
          recipients: 2,
          size: 4200,
          ip: '192.0.2.1',
          name: 'mx.example.net',
          helo: 'mx.example.net',
          tls: 'TLSv1.3',
          messageId: '<m1@example.net>',
          delivered: ['bob@example.org'],
          queued: ['dave@example.com'],
        },
      },
      {
        at: AT + 1000,
        stage: 'deliver',
        event: 'deferred',
        fields: { to: ['dave@example.com'], host: 'mx.example.com', code: 450, enhanced: '4.2.0', reply: 'Greylisted', nextAttemptAt: AT + 300_000 },
      },
      {
        at: AT + 300_000,
        stage: 'deliver',
        event: 'relayed',
        fields: { to: ['dave@example.com'], host: 'mx.example.com', code: 250, enhanced: '2.0.0', reply: '250 2.0.0 Ok: queued as 1' },
      },
      { at: AT + 86_400_000, stage: 'queue', event: 'something.new', fields: { a: 1, b: null, c: ['x'] } },
    ],
  };
  assert.equal(
    messageWords(message),
    [
      'Message 0mabc123def00001  <m1@example.net>',
      '  2026-05-01 10:03:04  received from mx.example.net [192.0.2.1] by SMTP (TLSv1.3), 4.2 KB, from anna@example.net for bob@example.org and carol@example.org',
      '                       delivered to the mailbox of bob@example.org',
      '                       queued for dave@example.com',
      '             10:03:05  deferred for dave@example.com: mx.example.com said 450 4.2.0 Greylisted, next attempt 10:08:04',
      '             10:08:04  handed over for dave@example.com: mx.example.com said 250 2.0.0 Ok: queued as 1',
      '  2026-05-02 10:03:04  queue: something.new a=1 c=["x"]',
    ].join('\n'),
  );
});

test('a report of our own is not said to have been received', () => {
  const words = messageWords({
    id: 'x',
    events: [{ at: AT, stage: 'receive', event: 'accepted', fields: { source: 'bounce', from: '<>', to: ['a@b'], recipients: 1, size: 1800 } }],
  });
  assert.match(words, / {2}a report made here, 1\.8 KB, for a@b$/);
});

test('a path of events with no fields at all is shown all the same', () => {
  for (const event of ['accepted', 'delivered', 'relayed', 'deferred', 'failed', 'expired', 'bounced', 'hold', 'constructor']) {
    const words = messageWords({ id: 'x', events: [{ at: AT, stage: 'queue', event, fields: {} }] });
    assert.doesNotMatch(words, /undefined|null|NaN/, event);
  }
});

test('words of a peer cannot steer the terminal', () => {
  assert.equal(printable('a\x1b[31mb\r\nc\u202e'), 'a\ufffd[31mb\ufffd\ufffdc\ufffd');
  const words = messageWords({
    id: 'x',
    events: [{ at: AT, stage: 'deliver', event: 'failed', fields: { to: ['a@b'], host: 'h', reply: '\x1b]0;title\x07' } }],
  });
  assert.doesNotMatch(words, /\x1b|\x07/);
});

test('people are named up to three, then counted', () => {
  assert.equal(people(['a']), 'a');
  assert.equal(people(['a', 'b']), 'a and b');
  assert.equal(people(['a', 'b', 'c']), 'a, b and c');
  assert.equal(people(['a', 'b', 'c', 'd']), 'a, b and 2 more');
  assert.equal(people(['a', 'b'], 100), 'a, b and 98 more');
  assert.equal(people(undefined), 'nobody');
});

test('tables have columns, numbers to the right', () => {
  assert.equal(
    table(
      ['name', 'size'],
      [
        ['a', 5],
        ['long name', 12345],
      ],
    ),
    'NAME        SIZE\na              5\nlong name  12345',
  );
  assert.equal(table(['name', 'why'], [['a', 'b']]), 'NAME  WHY\na     b');
});

test('sizes and spans are for people', () => {
  assert.deepEqual([0, 999, 4200, 9960, 999_600, 123_456_789].map(humanBytes), ['0 bytes', '999 bytes', '4.2 KB', '10 KB', '1.0 MB', '123 MB']);
  assert.deepEqual([0, 59_000, 60_000, 3_600_000, 7_800_000, 90_000_000].map(humanSpan), ['0 s', '59 s', '1 min', '1 h', '2 h 10 min', '1 d 1 h']);
});

test('times are taken as people write them', () => {
  assert.equal(parseWhen('2h', AT), AT - 7_200_000);
  assert.equal(parseWhen('3 d', AT), AT - 3 * 86_400_000);
  assert.equal(clock(parseWhen('14:30', AT)), '2026-05-01 14:30:00');
  assert.equal(clock(parseWhen('2026-04-30', AT)), '2026-04-30 00:00:00');
  assert.equal(clock(parseWhen('2026-04-30 09:05', AT)), '2026-04-30 09:05:00');
  for (const wrong of ['', 'yesterday', '2026-02-31', '2x', '1']) assert.throws(() => parseWhen(wrong, AT), /is not a time/);
});

test('the status fits on a page', () => {
  const text = statusText(
    {
      version: '0.1.0',
      pid: 42,
      startedAt: AT - 60_000,
      configFile: null,
      dataDir: '/d',
      listen: { smtp: ['127.0.0.1:2525'] },
      sessions: { smtp: 3 },
      threads: [{ name: 'loop1', state: 'running', restarts: 0 }],
      facts: { queue: 12 },
    },
    AT,
  );
  assert.match(text, /^Posthorn 0\.1\.0, running for 1 min \(process 42\)$/m);
  assert.match(text, /^smtp +3 +127\.0\.0\.1:2525$/m);
  assert.match(text, /^queue +12$/m);
});

test('a new configuration quotes what it is given', () => {
  const text = initialConfig({ hostname: 'mail.example.org', domain: 'example.org', dataDir: 'a "b"', isHighPorts: true, systemUser: 'mail' });
  assert.match(text, /^dataDir = "a \\"b\\""$/m);
  assert.match(text, /^user = "mail"$/m);
  assert.match(text, /^smtp = \["\[::\]:2525"\]$/m);
});

test('deliveries on this machine are told as what they were, and a report after the failure it tells of', () => {
  const event = (name: string, fields: Record<string, unknown>) => ({
    at: AT,
    stage: 'deliver' as const,
    event: name,
    fields: { to: ['bob@example.org'], ...fields },
  });
  const here = (reply: string) => event('delivered', { host: 'local', code: 250, reply });
  const words = (...events: JourneyMessage['events']) =>
    messageWords({ id: 'x', events })
      .split('\n')
      .slice(1)
      .map((line) => line.slice(23));
  assert.deepEqual(words(here('delivered to command (thanks)'), here('forwarded'), here('stored in /home/bob/Maildir/new/1'), here('taken in again as 0m1')), [
    'given to a program for bob@example.org (thanks)',
    'sent on for bob@example.org',
    'delivered to the mailbox of bob@example.org',
    'done with bob@example.org: all else is told of message 0m1',
  ]);
  assert.deepEqual(
    words(
      event('bounced', { to: ['anna@example.net'] }),
      event('filtered', { actions: ['a step'] }),
      event('failed', { code: 554, enhanced: '5.4.6', reply: 'a loop' }),
    ),
    ['what was done for bob@example.org:', '  a step', 'failed for bob@example.org: 554 5.4.6 a loop', 'a report of the failure was sent to anna@example.net'],
  );
});
