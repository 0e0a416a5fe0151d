import assert from 'node:assert/strict';
import { createPrivateKey, generateKeyPairSync } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fieldValue } from '../../mail/header.ts';
import { type ArcResult, checkArc } from './arc.ts';
import { saysDmarcPass } from './arc-chain.ts';
import { type ArcFields, sealArc } from './arc-seal.ts';
import { BodyHashes } from './body-hash.ts';
import { createMemo } from './memo.ts';
import { MessageHeader } from './message-header.ts';
import { run } from './steps.ts';
import { messageView, tableDns, type Zones } from './testing.ts';

interface Scenario {
  readonly description: string;
  readonly 'txt-records': Readonly<Record<string, string>>;
  readonly privatekey: string;
  readonly domain: string;
  readonly sel: string;
  readonly tests: Readonly<Record<string, { message: string; cv: string | null; t: number; 'sig-headers': string; AS: string; AMS: string; AAR: string }>>;
}
const vectors = (name: string): Scenario[] =>
  JSON.parse(readFileSync(new URL(`../../../test/vectors/arc/${name}-tests.json`, import.meta.url), 'utf8')) as Scenario[];
const zonesOf = (scenario: Scenario): Zones =>
  Object.fromEntries(Object.entries(scenario['txt-records']).map(([name, text]) => [name, { txt: [text.replaceAll('\n', '')] }]));
const OPTIONS = { rsaBitsMin: 1024, nowSeconds: 1_500_000_000 };

async function validate(bytes: Buffer, zones: Zones, pieceBytes = 0): Promise<{ header: MessageHeader; result: ArcResult }> {
  const view = messageView(bytes, pieceBytes);
  const header = new MessageHeader(view.header, view.size);
  const hashes = new BodyHashes();
  const finish = await run(checkArc(header, tableDns(zones), createMemo(10), OPTIONS, hashes));
  await hashes.feed(view, header.end);
  return { header, result: finish() };
}

test('the suite has its 171 validations', () => {
  assert.equal(
    vectors('validation').reduce((sum, scenario) => sum + Object.keys(scenario.tests).length, 0),
    171,
  );
});

for (const scenario of vectors('validation'))
  test(`ARC test suite: ${scenario.description}`, async (t) => {
    for (const [name, row] of Object.entries(scenario.tests))
      await t.test(name, async () => {
        // Three rows leave the status open: their newest or first seal says cv=fail, which is fail by RFC 8617 section 5.2.
        const expected = row.cv === null || row.cv === '' ? 'fail' : row.cv.toLowerCase();
        for (const text of [row.message, row.message.replace(/\r?\n/g, '\r\n')])
          for (const pieceBytes of [0, 7]) {
            const { result } = await validate(Buffer.from(text), zonesOf(scenario), pieceBytes);
            assert.equal(result.result, expected, result.reason ?? '');
          }
      });
  });

/** The results of all Authentication-Results fields of one server, as a forwarder puts them into its ARC set. */
function payloadOf(header: MessageHeader, authservId: string): string {
  const values = header.results.map((field) => fieldValue(header.bytes, field)).filter((value) => value.split(';')[0]!.trim() === authservId);
  return [authservId, ...values.map((value) => value.slice(value.indexOf(';') + 1).trim())].join('; ').replace(/[ \t]+/g, ' ');
}

/** Blanks within values differ between signers; the signatures themselves do not. */
const bare = (value: string): string => value.replace(/\s+/g, '');

test('the suite has its 17 seals', () => {
  assert.equal(
    vectors('sign').reduce((sum, scenario) => sum + Object.keys(scenario.tests).length, 0),
    17,
  );
});

for (const scenario of vectors('sign'))
  test(`ARC test suite, sealing: ${scenario.description}`, async (t) => {
    for (const [name, row] of Object.entries(scenario.tests))
      await t.test(name, async () => {
        const bytes = Buffer.from(row.message.replace(/\r?\n/g, '\r\n'));
        const { header, result } = await validate(bytes, zonesOf(scenario));
        const fields = (await sealArc({
          message: messageView(bytes),
          header,
          chain: result,
          payload: payloadOf(header, 'lists.example.org'),
          domain: scenario.domain,
          selector: scenario.sel,
          key: createPrivateKey(scenario.privatekey),
          algorithm: 'rsa-sha256',
          names: row['sig-headers'].split(':'),
          nowSeconds: row.t,
        })) as ArcFields | null;
        if (row.AS === '') assert.equal(fields, null);
        else
          assert.deepEqual(
            fields!.map((field) => `${field.name}:${bare(field.value)}`),
            [`ARC-Authentication-Results:${bare(row.AAR)}`, `ARC-Message-Signature:${bare(row.AMS)}`, `ARC-Seal:${bare(row.AS)}`],
          );
      });
  });

const MESSAGE = 'From: Anna <anna@author.test>\r\nTo: list@list.test\r\nSubject: hello\r\n\r\nbody\r\n';
const { privateKey, publicKey } = generateKeyPairSync('ed25519');
const SEALER: Zones = {
  'k._domainkey.list.test': { txt: [`v=DKIM1; k=ed25519; p=${publicKey.export({ format: 'der', type: 'spki' }).subarray(12).toString('base64')}`] },
};

async function sealed(bytes: Buffer, pieceBytes = 0): Promise<Buffer | null> {
  const { header, result } = await validate(bytes, SEALER);
  const fields = await sealArc({
    message: messageView(bytes, pieceBytes),
    header,
    chain: result,
    payload: 'list.test; dmarc=pass header.from=author.test',
    domain: 'list.test',
    selector: 'k',
    key: privateKey,
    algorithm: 'ed25519-sha256',
    names: ['from', 'to', 'subject', 'cc', 'arc-seal'],
    nowSeconds: OPTIONS.nowSeconds,
  });
  if (fields === null) return null;
  return Buffer.concat([
    Buffer.from(
      fields
        .map(({ name, value }) => `${name}: ${value}\r\n`)
        .reverse()
        .join(''),
    ),
    bytes,
  ]);
}

test('what we seal with Ed25519 validates, again and again, up to 50 sets', async () => {
  let bytes: Buffer = Buffer.from(MESSAGE);
  for (let instance = 1; instance <= 50; instance += 1) {
    bytes = (await sealed(bytes, instance % 2 === 0 ? 11 : 0))!;
    if (instance > 3 && instance < 49) continue;
    const { result } = await validate(bytes, SEALER);
    assert.deepEqual([result.result, result.highest, result.sealer, result.isFromSigned], ['pass', instance, 'list.test', true], result.reason ?? '');
  }
  assert.equal(await sealed(bytes), null, 'no 51st');
});

test('a chain that broke is sealed once as failed, and then no more', async () => {
  const once = (await sealed(Buffer.from(MESSAGE)))!;
  const changed = Buffer.from(once.toString('latin1').replace('Subject: hello', 'Subject: other'), 'latin1');
  const twice = (await sealed(changed))!;
  assert.match(twice.toString('latin1'), /^ARC-Seal: .*\r\n .* cv=fail;/);
  const { result } = await validate(twice, SEALER);
  assert.deepEqual([result.result, result.isClosed], ['fail', true]);
  assert.equal(await sealed(twice), null);
});

for (const [payload, expected] of [
  ['mx.test; dmarc=pass header.from=author.test', true],
  ['mx.test; spf=pass; DMARC = pass (p=none) header.from=AUTHOR.test', true],
  ['mx.test; dmarc=pass', true],
  ['mx.test; dmarc=pass header.from=other.test', false],
  ['mx.test; dmarc=fail header.from=author.test', false],
  ['mx.test; spf=fail (dmarc=pass header.from=author.test)', false],
  ['mx.test; spf=fail reason="; dmarc=pass header.from=author.test"', false],
  ['mx.test; xdmarc=pass', false],
  ['mx.test; dmarc=passed', false],
  ['mx.test; dkim=pass (\\); dmarc=pass', false],
] as const)
  test(`"${payload}" ${expected ? 'says' : 'does not say'} dmarc=pass for author.test`, () => assert.equal(saysDmarcPass(payload, 'author.test'), expected));
