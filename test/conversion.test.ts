/** Peers without SMTPUTF8 or 8BITMIME: what cannot be said there comes back, what can be rewritten is, and reads the same. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { letter, sendLetter } from './harness/letter.ts';
import { ownNetwork } from './harness/own-network.ts';
import { startPosthorn } from './harness/posthorn.ts';
import { succeed } from './harness/run.ts';
import { eventually } from './harness/wait.ts';
import { startDns, startRemote, US_CONFIG } from './peers/small-internet.ts';

ownNetwork();
const PASSWORD = 'anna-password';
/** UTF-8 bytes, as latin1: what the wire carries. */
const wire = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
const TEXT = 'Grüße aus Köln, 你好, и ещё.\nEine zweite Zeile mit = und _ und Leerzeichen am Ende \nZeile drei: ñandú';

/** Python's own reading of a message: the text of its parts, by content type, and attachments as hex. */
const READ = `
import sys, json, email, email.policy
m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
parts = []
for p in m.walk():
    if p.is_multipart(): continue
    body = p.get_payload(decode=True)
    charset = p.get_content_charset()
    parts.append({'type': p.get_content_type(), 'encoding': p['content-transfer-encoding'], 'text': body.decode(charset) if charset else body.hex()})
print(json.dumps({'subject': str(m['subject']), 'parts': parts, 'defects': [str(d) for d in m.defects]}))
`;
interface Read {
  readonly subject: string;
  readonly parts: readonly { readonly type: string; readonly encoding: string | null; readonly text: string }[];
  readonly defects: readonly string[];
}
const read = async (message: string): Promise<Read> => JSON.parse(await succeed('python3', ['-c', READ], { input: Buffer.from(message, 'latin1') })) as Read;

test('a peer without SMTPUTF8 and 8BITMIME', async (t) => {
  await startDns(t);
  const remote = await startRemote(t, {
    main: { smtputf8_enable: 'no', smtpd_discard_ehlo_keywords: '8bitmime, chunking' },
    domains: ['remote.test', 'fallback.test'],
    users: ['rita', 'grün'],
  });
  const server = await startPosthorn(t, {
    config: { ...US_CONFIG, smtp: { relayFrom: ['127.0.0.1/32'] } },
    users: { 'anna@us.test': PASSWORD },
  });
  const imap = await ImapClient.login(server.port('imap'), 'anna@us.test', PASSWORD);
  const send = (to: string, message: string, mail?: string): Promise<string> =>
    sendLetter({ port: 25, sender: 'anna@us.test', recipients: [wire(to)], message: wire(message), mail });
  const arrived = (mark: string): Promise<string> =>
    eventually(`"${mark}" at the remote host`, () => remote.messages('rita').find((text) => text.includes(`X-Mark: ${mark}\n`)));
  const marked = (mark: string, rest: string): string =>
    `From: <anna@us.test>\r\nTo: <rita@remote.test>\r\nX-Mark: ${mark}\r\nMIME-Version: 1.0\r\n${rest.replaceAll('\n', '\r\n')}\r\n`;

  await t.test('an international address comes back with 5.6.7', async () => {
    const to = 'grün@remote.test';
    await send(to, letter({ from: 'anna@us.test', to, subject: 'to an international address' }), 'SMTPUTF8');
    const report = await eventually('the report', async () =>
      (await imap.messages()).find((text) => text.includes('report-type') && text.includes('to an international address')),
    );
    assert.match(report, /^Status: 5\.6\.7\r$/m);
    assert.match(report, /^Action: failed\r$/m);
    assert.match(report, /^Return-Path: <>\r$/m);
  });
  await t.test('an international header comes back too', async () => {
    const to = 'rita@remote.test';
    await send(to, letter({ from: 'anna@us.test', to, subject: 'Grüße roh' }), 'SMTPUTF8 BODY=8BITMIME');
    const report = await eventually('the report', async () =>
      (await imap.messages()).find((text) => text.includes('report-type') && text.includes(wire('Subject: Grüße roh'))),
    );
    assert.match(report, /^Status: 5\.6\.7\r$/m);
  });
  await t.test('SMTPUTF8 that nothing makes use of is left out, and the mail goes', async () => {
    await send('rita@remote.test', marked('plain', 'Subject: plain\n\nplain'), 'SMTPUTF8');
    await arrived('plain');
  });

  await t.test('8-bit text becomes 7-bit and reads the same', async () => {
    await send(
      'rita@remote.test',
      marked('text', `Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n${TEXT}`),
      'BODY=8BITMIME',
    );
    const got = await arrived('text');
    assert.doesNotMatch(got, /[\x80-\xff]/);
    const seen = await read(got);
    assert.equal(seen.subject, 'Grüße');
    assert.equal(seen.parts[0]!.text.replaceAll('\r\n', '\n').trimEnd(), TEXT.trimEnd());
    assert.match(seen.parts[0]!.encoding!, /quoted-printable|base64/i);
    assert.deepEqual(seen.defects, []);
  });
  await t.test('so do the parts of a multipart, what was encoded before stays as it was', async () => {
    const inner = `Subject: inner\nMIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n${TEXT}`;
    const parts = [
      `Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n${TEXT}`,
      `Content-Type: text/html; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\n<b>gr=FCn</b>`,
      `Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n\nAAEC/w==`,
      `Content-Type: message/rfc822\nContent-Transfer-Encoding: 8bit\n\n${inner}`,
    ];
    const body = `Subject: parts\nContent-Type: multipart/mixed; boundary=b1\nContent-Transfer-Encoding: 8bit\n\n${parts.map((part) => `--b1\n${part}\n`).join('')}--b1--`;
    await send('rita@remote.test', marked('parts', body), 'BODY=8BITMIME');
    const got = await arrived('parts');
    assert.doesNotMatch(got, /[\x80-\xff]/);
    const seen = await read(got);
    assert.deepEqual(
      seen.parts.map((part) => part.type),
      ['text/plain', 'text/html', 'application/octet-stream', 'text/plain'],
    );
    assert.equal(seen.parts[0]!.text.replaceAll('\r\n', '\n').trimEnd(), TEXT.trimEnd());
    assert.equal(seen.parts[1]!.text.trimEnd(), '<b>grün</b>');
    assert.equal(seen.parts[1]!.encoding, 'quoted-printable');
    assert.equal(seen.parts[2]!.text, '000102ff');
    assert.equal(seen.parts[3]!.text.replaceAll('\r\n', '\n').trimEnd(), TEXT.trimEnd());
    assert.doesNotMatch(got, /^Content-Transfer-Encoding: 8bit$/im);
  });
  await t.test('a large one is converted as it streams', async () => {
    const lines = `${TEXT.replaceAll('\n', ' ')} 0123456789\n`.repeat(12_000);
    await send(
      'rita@remote.test',
      marked('large', `Subject: large\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n${lines}`),
      'BODY=8BITMIME',
    );
    const seen = await read(await arrived('large'));
    assert.equal(seen.parts[0]!.text.replaceAll('\r\n', '\n').trimEnd(), lines.trimEnd());
  });

  await t.test('with SMTPUTF8 and 8BITMIME on the other side, all of it goes as it is', async () => {
    remote.set({ smtputf8_enable: 'yes', smtpd_discard_ehlo_keywords: '' });
    await remote.reload();
    const to = 'grün@fallback.test';
    await send(to, letter({ from: 'anna@us.test', to, subject: 'Grüße roh, zweiter Versuch', body: TEXT }), 'SMTPUTF8 BODY=8BITMIME');
    const got = await eventually('it is there', () => remote.messages('grün').find((text) => text.includes(wire('Subject: Grüße roh, zweiter Versuch'))));
    assert.ok(got.includes(wire(TEXT)));
  });
  await imap.logout();
});
