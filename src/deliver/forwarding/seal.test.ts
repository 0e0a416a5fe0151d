import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { test } from 'node:test';
import { AUTHENTICITY_SETTINGS } from '../../judge/authenticity/settings.ts';
import { tableDns } from '../../judge/authenticity/testing.ts';
import { type AuthenticityResult, createAuthenticity } from '../../judge/authenticity/verify.ts';
import { dkimRecord } from '../../judge/signing/record.ts';
import { testRing } from '../../judge/signing/testing.ts';
import { applyEdits } from '../../mail/edit.ts';
import { viewOf } from '../../mail/view.ts';
import type { MessageView } from '../../ports.ts';
import { defaultsOf } from '../../system/declare.ts';
import { sealForward, type SealForwardResult } from './seal.ts';

const NOW = Date.UTC(2026, 10, 20, 10);
const RECEIVED = 'Received: from mail.sender.example by mx.us.example; Fri, 20 Nov 2026 10:00:00 +0000\r\n';
const MESSAGE = Buffer.from(
  'From: Ann <ann@sender.example>\r\nTo: list@us.example\r\nSubject: on its way\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@sender.example>\r\n\r\nHello.\r\n',
);
const ring = testRing(['us.example', 'two.example'], ['rsa']);
const zones = {
  'sender.example': { txt: ['v=spf1 ip4:192.0.2.1 -all'] },
  '_dmarc.sender.example': { txt: ['v=DMARC1; p=reject'] },
  'rsa._domainkey.us.example': { txt: [dkimRecord('rsa', createPublicKey(ring.signersFor('us.example')[0]!.key))] },
  'rsa._domainkey.two.example': { txt: [dkimRecord('rsa', createPublicKey(ring.signersFor('two.example')[0]!.key))] },
};
const settings = { ...defaultsOf(AUTHENTICITY_SETTINGS), 'authenticity.arcTrustedSealers': ['us.example', 'two.example'] };

async function verify(message: Uint8Array, ip: string, hostname = 'mx.us.example'): Promise<AuthenticityResult> {
  const authenticity = createAuthenticity({ settings: () => settings, hostname: () => hostname, dns: tableDns(zones), now: () => NOW });
  return authenticity.verify({
    id: 'x',
    source: 'smtp',
    client: { ip, port: 25, name: null },
    helo: 'mail.sender.example',
    sender: { local: 'ann', domain: 'sender.example' },
    recipients: [],
    auth: null,
    tls: null,
    at: NOW,
    message: viewOf(message),
  });
}
/** As it is kept: with what the judge found, and our Received field on top. */
async function kept(message: Uint8Array, ip: string, hostname = 'mx.us.example'): Promise<Buffer> {
  const found = await verify(message, ip, hostname);
  return Buffer.concat([Buffer.from(RECEIVED), applyEdits(message, found.edits)]);
}
async function seal(bytes: Uint8Array, over: { hostname?: string; domains?: string[]; message?: MessageView } = {}): Promise<SealForwardResult> {
  return sealForward({
    message: over.message ?? viewOf(bytes),
    hostname: over.hostname ?? 'mx.us.example',
    domains: over.domains ?? ['us.example'],
    ring,
    nowSeconds: NOW / 1000,
  });
}
async function forwarded(bytes: Buffer, over: Parameters<typeof seal>[1] = {}): Promise<Buffer> {
  const result = await seal(bytes, over);
  assert.equal(result.kind, 'sealed', JSON.stringify(result));
  return Buffer.concat([...(result as Extract<SealForwardResult, { kind: 'sealed' }>).fields, bytes]);
}

test('a kept message is sealed with what was found at its arrival, and the next host believes it', async () => {
  const sent = await forwarded(await kept(MESSAGE, '192.0.2.1'));
  const next = await verify(sent, '198.51.100.9', 'mx.next.example');
  assert.equal(next.arc.result, 'pass', next.arc.reason ?? '');
  assert.equal(next.dmarc.disposition, 'none');
  assert.match(sent.toString(), /^ARC-Seal: .*\r\n[\s\S]*ARC-Authentication-Results: i=1; mx\.us\.example; .*dmarc=pass/);
});

test('a chain that was right grows by one, through a second forwarder', async () => {
  const first = await forwarded(await kept(MESSAGE, '192.0.2.1'));
  const second = await forwarded(await kept(first, '198.51.100.9', 'mx.two.example'), { hostname: 'mx.two.example', domains: ['two.example'] });
  const last = await verify(second, '203.0.113.5', 'mx.last.example');
  assert.equal(last.arc.result, 'pass', last.arc.reason ?? '');
  assert.equal(last.arc.sets.length, 2);
});

test('a chain that was broken on the way is sealed as failed, then closed', async () => {
  const first = await forwarded(await kept(MESSAGE, '192.0.2.1'));
  const changed = Buffer.from(first.toString().replace('on its way', 'changed'));
  const second = await forwarded(await kept(changed, '198.51.100.9', 'mx.two.example'), { hostname: 'mx.two.example', domains: ['two.example'] });
  assert.match(second.toString(), /^ARC-Seal: .*cv=fail/s);
  assert.deepEqual(await seal(await kept(second, '203.0.113.5')), { kind: 'unsealed', reason: 'closed' });
});

test('words of the sender in a comment do not speak for us', async () => {
  const first = await forwarded(await kept(MESSAGE, '192.0.2.1'));
  const bytes = Buffer.from(`${RECEIVED}Authentication-Results: mx.two.example; spf=fail (x; arc=pass) smtp.helo="; arc=pass"\r\n${first.toString()}`);
  assert.match((await forwarded(bytes, { hostname: 'mx.two.example', domains: ['two.example'] })).toString(), /^ARC-Seal: .*cv=fail/s);
});

test('what the judge sealed at the door is not sealed twice; what came back later is', async () => {
  const sealed = await forwarded(await kept(MESSAGE, '192.0.2.1'));
  assert.deepEqual(await seal(sealed), { kind: 'unsealed', reason: 'already' });
  assert.equal((await seal(await kept(sealed, '198.51.100.9'))).kind, 'sealed');
});

test('without results of ours or without a key nothing is sealed', async () => {
  assert.deepEqual(await seal(MESSAGE), { kind: 'unsealed', reason: 'unjudged' });
  const bytes = await kept(MESSAGE, '192.0.2.1');
  assert.deepEqual(await seal(bytes, { hostname: 'other.example' }), { kind: 'unsealed', reason: 'unjudged' });
  assert.deepEqual(await seal(bytes, { domains: ['none.example'] }), { kind: 'unsealed', reason: 'noKey' });
});

test('a message that is not in memory gets the same seal', async () => {
  const bytes = await kept(MESSAGE, '192.0.2.1');
  const view = viewOf(bytes);
  assert.deepEqual(await seal(bytes, { message: { ...view, bytes: null } }), await seal(bytes));
});
