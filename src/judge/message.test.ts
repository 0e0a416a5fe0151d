import assert from 'node:assert/strict';
import { test } from 'node:test';
import { viewOf } from '../mail/view.ts';
import type { JudgeInput } from '../ports.ts';
import { judgeMessage } from './message.ts';
import { ANNA, judgeHouse, OFFICE, STRANGER } from './testing.ts';

const FORGED = 'From: boss@strict.test\r\nX-Spam-Status: No\r\nAuthentication-Results: mx.us.test; dmarc=pass\r\n\r\nHello.\r\n';

function input(ip: string | null, more: Partial<JudgeInput> = {}): JudgeInput {
  return {
    id: 'm1',
    source: 'smtp',
    client: ip === null ? null : { ip, port: 1, name: null },
    helo: 'client.test',
    sender: { local: 'rita', domain: 'good.test' },
    recipients: [{ local: 'anna', domain: 'us.test' }],
    auth: null,
    tls: null,
    at: 0,
    message: viewOf(Buffer.from(FORGED)),
    ...more,
  };
}

test('for another server: a stranger that forges an author is refused, and fields in our name are taken out', async (t) => {
  const { judge } = judgeHouse(t);
  const verdict = await judgeMessage(judge, input(STRANGER));
  assert.equal(verdict.action, 'reject');
  assert.equal(verdict.reply?.enhanced, '5.7.26');
  assert.deepEqual(
    verdict.edits.filter(({ kind }) => kind === 'change').map(({ name }) => name.toLowerCase()),
    ['x-spam-status', 'authentication-results'],
  );
});

test('its own machine, its own networks and its own users are no strangers', async (t) => {
  const { judge } = judgeHouse(t);
  for (const own of [input('127.0.0.1'), input(OFFICE), input(STRANGER, { auth: ANNA }), input(null)]) {
    const { action, reply, symbols } = await judgeMessage(judge, own);
    assert.deepEqual([action, reply, symbols], ['accept', null, []]);
  }
});
