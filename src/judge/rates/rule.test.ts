import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRule } from './rule.ts';

const HOUR = 3_600_000;
for (const [line, rule] of [
  ['client messages 100/1h', { direction: null, subject: 'client', event: 'messages', amount: 100, windowMs: HOUR, burst: 100 }],
  [
    '  outbound  account recipients 5000/1d burst 500 ',
    { direction: 'outbound', subject: 'account', event: 'recipients', amount: 5000, windowMs: 24 * HOUR, burst: 500 },
  ],
  ['inbound network connections 30/m', { direction: 'inbound', subject: 'network', event: 'connections', amount: 30, windowMs: 60_000, burst: 30 }],
  [
    'senderDomain bytes 2GiB/1d burst 100MiB',
    { direction: null, subject: 'senderDomain', event: 'bytes', amount: 2 * 2 ** 30, windowMs: 24 * HOUR, burst: 100 * 2 ** 20 },
  ],
  ['recipient messages 5/10s', { direction: null, subject: 'recipient', event: 'messages', amount: 5, windowMs: 10_000, burst: 5 }],
] as const)
  test(`rule: ${line}`, () => assert.deepEqual(parseRule(line), { ...rule, text: line.trim().replace(/\s+/g, ' ') }));

for (const [line, wrong] of [
  ['', /"" is not one of client, network/],
  ['customer messages 100/1h', /"customer" is not one of client, network/],
  ['client mails 100/1h', /"mails" is not one of connections, messages/],
  ['client', /"" is not one of connections/],
  ['sender connections 5/1m', /only a client or a network/],
  ['client messages', /must follow/],
  ['client messages 100', /must follow/],
  ['client messages 100/', /number with a unit/],
  ['client messages 100/1y', /number with a unit/],
  ['client messages 100/500ms', /at least 1s/],
  ['client messages 0/1h', /too small/],
  ['client messages 1.5/1h', /no whole number/],
  ['client messages 99999999999999999999/1h', /no whole number/],
  ['client bytes 1XB/1h', /number with a unit/],
  ['client messages 100/1h burst', /only "burst"/],
  ['client messages 100/1h 500', /only "burst"/],
  ['client messages 100/1h burst 5 6', /only "burst"/],
  ['client messages 100/1h burst many', /"many" is no whole number/],
] as const)
  test(`no rule: ${line}`, () => {
    const rule = parseRule(line);
    assert.match(typeof rule === 'string' ? rule : JSON.stringify(rule), wrong);
  });
