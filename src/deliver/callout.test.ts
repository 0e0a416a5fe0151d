import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeDns } from '../net/dns-testing.ts';
import { defaultsOf } from '../system/declare.ts';
import { createCallout } from './callout.ts';
import { DELIVER_SETTINGS } from './settings.ts';
import { scriptedServer } from './testing.ts';

const silent = { debug: () => {}, info: () => {}, warn: () => {}, error: () => {} };
const OPEN = 'S: 220 mx\nC: EHLO us.test\nS: 250 mx\n';
const ann = { local: 'ann', domain: 'd.test' };

async function ask(t: { after(done: () => unknown): void }, script: string, sender: string | null = null) {
  const server = await scriptedServer([script]);
  const callout = createCallout({
    settings: () => ({ ...defaultsOf(DELIVER_SETTINGS), hostname: 'us.test', 'deliver.smtpPort': server.port }),
    dns: fakeDns({ 'MX d.test': [{ exchange: 'mx.test', preference: 1 }], 'A mx.test': ['127.0.0.1'] }, () => 0),
    log: silent,
    metrics: { count: () => {}, gauge: () => {} },
    now: () => 0,
    random: () => 0.5,
  });
  t.after(() => {
    callout.close();
    return server.close();
  });
  const answer = await callout.ask(ann, sender, AbortSignal.timeout(10_000));
  return { code: answer.code, enhanced: answer.enhanced, text: answer.text };
}

test('what the host says to RCPT is the answer', async (t) => {
  const taken = await ask(t, `${OPEN}C: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<ann@d.test>\nS: 250 2.1.5 fine\nC: QUIT\nS: 221 bye`);
  assert.equal(taken.code, 250);
  const unknown = await ask(
    t,
    `${OPEN}C: MAIL FROM:<probe@us.test>\nS: 250 ok\nC: RCPT TO:<ann@d.test>\nS: 550 5.1.1 nobody\nC: QUIT\nS: 221 bye`,
    'probe@us.test',
  );
  assert.deepEqual([unknown.code, unknown.enhanced], [550, '5.1.1']);
  assert.match(unknown.text, /nobody/);
});

test('a host that refuses our sender says nothing about the address', async (t) => {
  const answer = await ask(t, `${OPEN}C: MAIL FROM:<>\nS: 550 5.7.1 no probes\nC: QUIT\nS: 221 bye`);
  assert.equal(answer.code, 450);
});
