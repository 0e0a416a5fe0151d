import assert from 'node:assert/strict';
import { createPublicKey } from 'node:crypto';
import { test } from 'node:test';
import { authenticate } from 'mailauth';
import { viewOf } from '../mail/view.ts';
import type { JudgeInput, Recipient } from '../ports.ts';
import { defaultsOf } from '../system/declare.ts';
import { AUTHENTICITY_SETTINGS } from './authenticity/settings.ts';
import { tableDns } from './authenticity/testing.ts';
import { createAuthenticity } from './authenticity/verify.ts';
import { forwardingDomain, sealed } from './seal.ts';
import { dkimRecord } from './signing/record.ts';
import { testRing } from './signing/testing.ts';

const MESSAGE =
  'From: Ann <ann@sender.example>\r\nTo: list@us.example\r\nSubject: on its way\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@sender.example>\r\n\r\nHello.\r\n';

test('a message that goes on carries a seal that we and another verifier believe', async () => {
  const ring = testRing(['us.example'], ['rsa']);
  const record = dkimRecord('rsa', createPublicKey(ring.signers[0]!.key));
  const zones = {
    'sender.example': { txt: ['v=spf1 ip4:192.0.2.1 -all'] },
    '_dmarc.sender.example': { txt: ['v=DMARC1; p=reject'] },
    'rsa._domainkey.us.example': { txt: [record] },
  };
  const settings = { ...defaultsOf(AUTHENTICITY_SETTINGS), 'authenticity.arcTrustedSealers': ['us.example'] };
  const authenticity = createAuthenticity({ settings: () => settings, hostname: () => 'mx.us.example', dns: tableDns(zones), now: () => Date.now() });
  const input = (ip: string, message: Buffer): JudgeInput => ({
    id: 'x',
    source: 'smtp',
    client: { ip, port: 25, name: null },
    helo: 'mail.sender.example',
    sender: { local: 'ann', domain: 'sender.example' },
    recipients: [],
    auth: null,
    tls: null,
    at: Date.now(),
    message: viewOf(message),
  });
  const first = await authenticity.verify(input('192.0.2.1', Buffer.from(MESSAGE)));
  assert.equal(first.dmarc.result, 'pass');
  const fields = await sealed(viewOf(Buffer.from(MESSAGE)), first, ['other.example', 'us.example'], ring, Math.floor(Date.now() / 1000));
  assert.deepEqual(
    fields.map((field) => field.toString().split(':', 1)[0]),
    ['ARC-Seal', 'ARC-Message-Signature', 'ARC-Authentication-Results'],
  );
  const forwarded = Buffer.concat([...fields, Buffer.from(MESSAGE)]);
  const second = await authenticity.verify(input('198.51.100.9', forwarded));
  assert.equal(second.spf?.result, 'fail');
  assert.equal(second.arc.result, 'pass');
  assert.equal(second.dmarc.disposition, 'none', 'a trusted sealer saw it pass');
  const txt: Record<string, string> = { 'rsa._domainkey.us.example': record };
  const other = await authenticate(forwarded, {
    ip: '198.51.100.9',
    sender: 'ann@sender.example',
    mta: 'mx.third.example',
    disableBimi: true,
    resolver: async (name: string, type: string) => {
      if (type === 'TXT' && txt[name] !== undefined) return [[txt[name]]];
      throw Object.assign(new Error('none'), { code: 'ENOTFOUND' });
    },
  } as never);
  assert.equal((other as { arc: { status: { result: string } } }).arc.status.result, 'pass');
});

test('only mail that goes on elsewhere is sealed, with the keys of the domain it came for', () => {
  const recipient = (kind: 'deliver' | 'foreign', remote: number): Recipient => ({
    address: { local: 'a', domain: 'Us.example' },
    resolution: kind === 'foreign' ? { kind } : { kind, local: [], remote: Array.from({ length: remote }, () => ({ local: 'b', domain: 'far.example' })) },
    notify: null,
    orcpt: null,
  });
  assert.equal(forwardingDomain([recipient('deliver', 0)]), null);
  assert.equal(forwardingDomain([recipient('deliver', 0), recipient('deliver', 1)]), 'us.example');
  assert.equal(forwardingDomain([recipient('foreign', 0)]), 'us.example');
});

test('without keys nothing is sealed', async () => {
  assert.deepEqual(await sealed(viewOf(Buffer.from(MESSAGE)), null as never, ['us.example'], testRing([]), 0), []);
});
