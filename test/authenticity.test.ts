/** Who the sender is, with others as witnesses: zones on NSD, mail signed by OpenDKIM, policies judged by OpenDMARC. */
import assert from 'node:assert/strict';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { authDns } from '../src/judge/authenticity/auth-dns.ts';
import { AUTHENTICITY_SETTINGS } from '../src/judge/authenticity/settings.ts';
import { judgeInput, keyRecord, messageView, signMessage } from '../src/judge/authenticity/testing.ts';
import { type AuthenticityResult, createAuthenticity } from '../src/judge/authenticity/verify.ts';
import type { Address } from '../src/ports.ts';
import { createDns } from '../src/net/dns.ts';
import { DNS_SETTINGS } from '../src/net/dns-settings.ts';
import { defaultsOf } from '../src/system/declare.ts';
import { ownNetwork } from './harness/own-network.ts';
import { need } from './harness/run.ts';
import { type Owner, tempDir } from './harness/temp.ts';
import { showMilter } from './peers/milter-client.ts';
import { startNsd } from './peers/nsd.ts';
import { startOpendkim } from './peers/opendkim.ts';
import { startOpendmarc } from './peers/opendmarc.ts';

ownNetwork();

const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const ed = generateKeyPairSync('ed25519');
/** A TXT record in zone-file form: strings of at most 255 octets. */
const txt = (text: string): string =>
  `IN TXT ${text
    .match(/.{1,250}/g)!
    .map((part) => `"${part.replaceAll('"', '\\"')}"`)
    .join(' ')}`;

/** Rows of policies: name, DMARC record of the domain (null for none). */
const POLICIES: readonly (readonly [domain: string, record: string | null])[] = [
  ['none-policy.org', 'v=DMARC1; p=none'],
  ['quarantine-policy.org', 'v=DMARC1; p=quarantine'],
  ['reject-policy.org', 'v=DMARC1; p=reject'],
  ['strict-policy.org', 'v=DMARC1; p=reject; adkim=s; aspf=s'],
  ['dkimstrict-policy.org', 'v=DMARC1; p=reject; adkim=s'],
  ['spfstrict-policy.org', 'v=DMARC1; p=reject; aspf=s'],
  ['sub-policy.org', 'v=DMARC1; p=none; sp=reject'],
  ['mild-policy.org', 'v=DMARC1; p=reject; sp=none'],
  ['spaced-policy.org', 'v=DMARC1 ; p = reject ;'],
  ['reported-policy.org', 'v=DMARC1; p=reject; rua=mailto:d@reported-policy.org; fo=1; ri=3600'],
  ['plain-policy.org', null],
];
const ZONES = {
  'test.': [
    'ns IN A 127.0.0.1',
    `author ${txt('v=spf1 ip4:192.0.2.0/24 include:_spf.author.test -all')}`,
    `_spf.author ${txt('v=spf1 a:mx.author.test ?all')}`,
    'mx.author IN A 198.51.100.7',
    `_dmarc.author ${txt('v=DMARC1; p=reject; rua=mailto:d@author.test')}`,
    `rsa._domainkey.author ${txt(keyRecord(rsa.publicKey))}`,
    `ed._domainkey.author ${txt(keyRecord(ed.publicKey))}`,
    `exp ${txt('v=spf1 exp=why.exp.test -all')}`,
    `why.exp ${txt('%{i} is not one of %{d}')}`,
  ].join('\n'),
  // A public suffix: OpenDMARC finds organisational domains only below those on its list. This "org" is seen by nobody else.
  'org.': POLICIES.flatMap(([domain, record]) => {
    const name = domain.replace(/\.org$/, '');
    const lines = [name, `mail.${name}`].flatMap((owner) => [
      `${owner} ${txt('v=spf1 ip4:192.0.2.1 -all')}`,
      `ed._domainkey.${owner} ${txt(keyRecord(ed.publicKey))}`,
    ]);
    return record === null ? lines : [...lines, `_dmarc.${name} ${txt(record)}`];
  }).join('\n'),
};
const LETTER = [
  'Received: from mail.author.test by relay.test; Mon, 1 Jan 2024 00:00:00 +0000',
  'From: Anna <anna@author.test>',
  'To: bert@us.test',
  'Subject: two  blanks',
  '\tand a fold',
  'Date: Mon, 1 Jan 2024 00:00:00 +0000',
  'Message-ID: <1@author.test>',
  '',
  'Hello,  world ',
  '',
  'bye',
  '',
  '',
].join('\r\n');

const dnsSettings = { ...defaultsOf(DNS_SETTINGS), 'dns.servers': ['127.0.0.1:53'] };
function ours() {
  return createAuthenticity({
    settings: () => defaultsOf(AUTHENTICITY_SETTINGS),
    hostname: () => 'mx.us.test',
    dns: authDns(createDns(() => dnsSettings)),
    now: Date.now,
  });
}

test('senders are told by real zones and real peers', async (t) => {
  need('nsd', 'opendkim', 'opendmarc');
  const nsd = await startNsd(t, ZONES);
  const authenticity = ours();

  await t.test('SPF and DMARC of a zone on NSD, and at once when asked again', async () => {
    const first = await authenticity.verify(judgeInput(LETTER));
    assert.deepEqual([first.spf?.result, first.dmarc.result, first.dmarc.spfAligned], ['pass', 'pass', true]);
    const again = authenticity.verify(judgeInput(LETTER));
    assert.ok(!(again instanceof Promise), 'all records are cached');
    assert.equal(again.authenticationResults, first.authenticationResults);
    const other = await authenticity.verify(judgeInput(LETTER, { client: { ip: '198.51.100.7', port: 1, name: null } }));
    assert.deepEqual([other.spf?.result, other.spf?.mechanism], ['pass', 'include:_spf.author.test']);
    const stranger = await authenticity.verify(judgeInput(LETTER, { client: { ip: '203.0.113.1', port: 1, name: null } }));
    assert.deepEqual([stranger.spf?.result, stranger.dmarc.disposition], ['fail', 'reject']);
  });

  await t.test('an explanation is fetched and expanded', async () => {
    const found = await authenticity.spf('203.0.113.1', 'x.test', { local: 'a', domain: 'exp.test' });
    assert.deepEqual([found.result, found.explanation], ['fail', '203.0.113.1 is not one of exp.test']);
  });

  for (const [selector, key] of [
    ['rsa', rsa.privateKey],
    ['ed', ed.privateKey],
  ] as const)
    await t.test(`what OpenDKIM signs (${selector}) passes, and changed does not`, async () => {
      const signed = await signByOpendkim(t, key, selector, LETTER);
      assert.match(signed, /^DKIM-Signature:/);
      const input = (text: string, pieceBytes = 0) =>
        judgeInput(messageView(Buffer.from(text, 'latin1'), pieceBytes), {
          client: { ip: '203.0.113.1', port: 1, name: null },
          sender: { local: 'list', domain: 'plain-policy.org' },
        });
      for (const pieceBytes of [0, 50]) {
        const result = await authenticity.verify(input(signed, pieceBytes));
        assert.deepEqual(
          result.dkim.map((signature) => [signature.result, signature.reason]),
          [['pass', null]],
        );
        assert.deepEqual([result.dmarc.result, result.dmarc.dkimAligned], ['pass', true]);
      }
      for (const changed of [signed.replace('world', 'World'), signed.replace('two', 'three')]) {
        const result = await authenticity.verify(input(changed));
        assert.deepEqual([result.dkim[0]?.result, result.dmarc.disposition], ['fail', 'reject']);
      }
    });

  await t.test('OpenDMARC agrees on a table of policies', async () => {
    const rows: Row[] = [];
    for (const [domain] of POLICIES)
      for (const from of [domain, `mail.${domain}`])
        for (const [sender, ip] of [
          [domain, '192.0.2.1'],
          [`mail.${domain}`, '192.0.2.1'],
          ['author.test', '192.0.2.1'],
          [domain, '203.0.113.9'],
        ] as const)
          for (const signer of [null, domain, `mail.${domain}`, 'author.test']) rows.push({ from, sender: { local: 'x', domain: sender }, ip, signer });
    const found: { row: Row; result: AuthenticityResult }[] = [];
    for (const row of rows)
      found.push({
        row,
        result: await authenticity.verify(
          judgeInput(signedLetter(row), { client: { ip: row.ip, port: 1, name: null }, sender: row.sender, helo: 'x.invalid' }),
        ),
      });
    const socket = await startOpendmarc(t, { authservId: 'mx.us.test', config: { SPFSelfValidate: 'false' } });
    const theirs = await Promise.all(found.map(({ row, result }) => opendmarcSays(socket, row, result)));
    const different: string[] = [];
    let strictBelow = 0;
    for (const [index, { row, result }] of found.entries()) {
      const word = `${result.dmarc.result} ${result.dmarc.disposition}`;
      if (word === theirs[index]) continue;
      if (word === 'fail reject' && theirs[index] === 'pass none' && isStrictBelow(row)) strictBelow += 1;
      else different.push(`${JSON.stringify(row)}: we say ${word}, OpenDMARC ${theirs[index]}`);
    }
    assert.deepEqual(different, []);
    assert.equal(strictBelow, 9, 'the rows in which OpenDMARC is known to be lenient');
    assert.ok(new Set(theirs).size >= 4, [...new Set(theirs)].join(', '));
  });

  await t.test('with the name server dead all is a temporary error, and nothing is refused', async () => {
    await nsd.stop();
    const settings = { ...dnsSettings, 'dns.timeout': 200, 'dns.tries': 1 };
    const fresh = createAuthenticity({
      settings: () => defaultsOf(AUTHENTICITY_SETTINGS),
      hostname: () => 'mx.us.test',
      dns: authDns(createDns(() => settings)),
      now: Date.now,
    });
    const signed = signMessage(LETTER, { key: ed.privateKey, domain: 'author.test', selector: 'ed' });
    const result = await fresh.verify(judgeInput(signed));
    assert.deepEqual(
      [result.spf?.result, result.dkim[0]?.result, result.dmarc.result, result.dmarc.disposition],
      ['temperror', 'temperror', 'temperror', 'none'],
    );
  });
});

interface Row {
  readonly from: string;
  readonly sender: Address;
  readonly ip: string;
  /** d= of a good signature, or null. */
  readonly signer: string | null;
}
/**
 * RFC 7489 section 3.1: strict alignment wants the same domain. OpenDMARC 1.4.2 lets a domain below that of From pass too; these rows are
 * ours to decide.
 */
function isStrictBelow(row: Row): boolean {
  const isBelow = (domain: string | null): boolean => domain === `mail.${row.from}`;
  const hasSpf = row.ip === '192.0.2.1' && isBelow(row.sender.domain);
  if (row.from === 'strict-policy.org') return hasSpf || isBelow(row.signer);
  if (row.from === 'spfstrict-policy.org') return hasSpf;
  return row.from === 'dkimstrict-policy.org' && isBelow(row.signer);
}
const letterOf = (row: Row): string =>
  `From: a@${row.from}\r\nTo: bert@us.test\r\nSubject: hello\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\nMessage-ID: <1@${row.from}>\r\n\r\nbody\r\n`;
const signedLetter = (row: Row): string =>
  row.signer === null ? letterOf(row) : signMessage(letterOf(row), { key: ed.privateKey, domain: row.signer, selector: 'ed' });

/** OpenDKIM as a milter signs the letter; its signature on top. */
async function signByOpendkim(owner: Owner, key: KeyObject, selector: string, letter: string): Promise<string> {
  const file = join(tempDir(owner, 'key'), 'private.pem');
  writeFileSync(file, key.export({ format: 'pem', type: 'pkcs8' }));
  const algorithm = key.asymmetricKeyType === 'rsa' ? 'rsa-sha256' : 'ed25519-sha256';
  const socket = await startOpendkim(owner, {
    mode: 's',
    key: { domain: 'author.test', selector, file, record: '', text: '' },
    config: { SignatureAlgorithm: algorithm },
  });
  const answers = await showMilter(socket, {
    ip: '127.0.0.1',
    helo: 'mail.author.test',
    sender: '<anna@author.test>',
    recipient: '<bert@us.test>',
    message: letter,
  });
  const signature = answers.find((answer) => answer.kind === 'insertHeader' && answer.name === 'DKIM-Signature') as { name: string; value: string } | undefined;
  assert.ok(signature !== undefined, JSON.stringify(answers));
  return `${signature.name}: ${signature.value.replace(/^ /, '').replace(/\r?\n/g, '\r\n')}\r\n${letter}`;
}

/** What OpenDMARC makes of the SPF and DKIM results we found: "fail reject" and the like. */
async function opendmarcSays(socket: string, row: Row, result: AuthenticityResult): Promise<string> {
  const results = result.authenticationResults
    .split(';\r\n\t')
    .filter((part) => !part.startsWith('dmarc=') && !part.includes('smtp.helo='))
    .join('; ')
    // OpenDMARC takes a domain there only; RFC 8601 section 2.7.2 allows the address.
    .replace(/smtp\.mailfrom=[^@;]*@/, 'smtp.mailfrom=');
  const message = `Authentication-Results: ${results}\r\n${signedLetter(row)}`;
  const answers = await showMilter(socket, {
    ip: row.ip,
    helo: 'x.invalid',
    sender: `<${row.sender.local}@${row.sender.domain}>`,
    recipient: '<bert@us.test>',
    message,
  });
  const found = answers.find((answer) => 'name' in answer && answer.name === 'Authentication-Results') as { value: string } | undefined;
  const last = answers.at(-1)!;
  const action = last.kind === 'reply' || last.kind === 'reject' ? 'reject' : answers.some(({ kind }) => kind === 'quarantine') ? 'quarantine' : 'none';
  if (found === undefined) return action === 'none' ? JSON.stringify(answers) : `fail ${action}`;
  return `${/dmarc=(\w+)/.exec(found.value)?.[1]} ${action}`;
}
