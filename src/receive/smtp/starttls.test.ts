import assert from 'node:assert/strict';
import test from 'node:test';
import { connect as tlsConnect, createSecureContext, type TLSSocket } from 'node:tls';
import type { Listener } from '../../net/listen.ts';
import { selfSigned } from '../../system/self-signed.ts';
import { dial, portOf, serve, TestContext, talk } from '../testing.ts';

const { certificate, key } = await selfSigned(['mx.example.org'], Date.now());
const secure = createSecureContext({ cert: certificate, key });

function tlsContext(settings: Record<string, unknown> = {}): TestContext {
  const context = new TestContext(settings);
  context.tls = { context: () => secure, options: () => ({}) };
  return context;
}

/** Says EHLO, the lines in `before`, and STARTTLS with `extra` in the same packet, then does the handshake. */
async function upgrade(listener: Listener, extra = '', before = ''): Promise<TLSSocket> {
  const socket = await dial(listener);
  await talk(
    socket,
    `
    S: 220 *
    C: EHLO client.example
    S: 250-STARTTLS
    S: 250 HELP
    ${before}
    C: STARTTLS${extra}
    S: 220 2.0.0 *
  `,
  );
  const secured = tlsConnect({ socket, rejectUnauthorized: false, servername: 'mx.example.org' });
  await new Promise((resolve, reject) => secured.once('secureConnect', resolve).once('error', reject));
  return secured;
}

test('after STARTTLS the session begins anew, and the trace names the cipher', async () => {
  const context = tlsContext();
  const listener = await serve(context);
  const secured = await upgrade(listener);
  await talk(
    secured,
    `
    C: MAIL FROM:<a@example.com>
    S: 503 5.5.1 *
    C: EHLO client.example
    S: 250 HELP
    C: STARTTLS
    S: 503 5.5.1 *
    C: MAIL FROM:<a@example.com>
    S: 250 *
    C: RCPT TO:<alice@example.org>
    S: 250 *
    C: DATA
    S: 354 *
    C: .
    S: 250 *
    C: QUIT
    S: 221 *
    S: <closed>
  `,
  );
  assert.match(
    context.accepted[0]!.bytes.toString(),
    /\r\n\t\(using TLSv1\.3 with cipher TLS_\w+ \((128\/128|256\/256) bits\)\)\r\n\tby mx\.example\.org \(Posthorn\) with ESMTPS id /,
  );
  assert.match(context.accepted[0]!.envelope.tls!, /^TLSv1\.3 TLS_/);
  secured.destroy();
  await listener.drain(0);
});

test('a login in clear (on loopback) does not outlive STARTTLS', async () => {
  const context = tlsContext();
  const listener = await serve(context, 'submission');
  const plain = Buffer.from('\0alice@example.org\0secret').toString('base64');
  const secured = await upgrade(listener, '', `C: AUTH PLAIN ${plain}\nS: 235 *\n`);
  await talk(secured, 'C: EHLO client.example\nS: 250 HELP\nC: MAIL FROM:<alice@example.org>\nS: 530 5.7.0 *');
  secured.destroy();
  await listener.drain(0);
});

test('CVE-2011-0411: commands sent in clear behind STARTTLS are dropped', async () => {
  const context = tlsContext();
  const listener = await serve(context);
  const secured = await upgrade(listener, '\\r\\nEHLO evil.example\\r\\nMAIL FROM:<evil@example.com>\\r\\nRCPT TO:<alice@example.org>');
  await talk(secured, 'C: NOOP\nS: 250 2.0.0 OK\nC: RCPT TO:<alice@example.org>\nS: 503 *\nC: QUIT\nS: 221 *\nS: <closed>');
  secured.destroy();
  await listener.drain(0);
});

test('STARTTLS is neither announced nor accepted without a certificate', async () => {
  const listener = await serve(new TestContext());
  await talk(listener, 'S: 220 *\nC: EHLO a\nS: 250 HELP\nC: STARTTLS\nS: 454 4.7.0 *');
  await listener.drain(0);
});

test('a failed handshake ends the connection and nothing else', async () => {
  const context = tlsContext();
  const listener = await serve(context);
  await talk(listener, 'S: 220 *\nC: EHLO a\nS: 250 *\nC: STARTTLS\nS: 220 *\nC: this is no ClientHello\nS: <closed>').catch(() => {}); // or an alert
  await talk(listener, 'S: 220 *\nC: QUIT\nS: 221 *\nS: <closed>');
  assert.deepEqual(
    context.logged.filter(({ event }) => event.startsWith('smtp.s')).map(({ event }) => event),
    ['smtp.starttls.failed'],
  );
  await listener.drain(0);
});

test('submission by implicit TLS', async () => {
  const context = tlsContext();
  const listener = await serve(context, 'submission', true);
  const secured = tlsConnect({ port: portOf(listener), host: '127.0.0.1', rejectUnauthorized: false });
  await new Promise((resolve) => secured.once('secureConnect', resolve));
  const login = Buffer.from('\0alice@example.org\0secret').toString('base64');
  await talk(
    secured,
    `
    S: 220 *
    C: EHLO client.example
    S: 250-AUTH SCRAM-TEST PLAIN LOGIN
    S: 250 HELP
    C: AUTH PLAIN ${login}
    S: 235 2.7.0 *
    C: MAIL FROM:<alice@example.org>
    S: 250 *
    C: RCPT TO:<a@example.net>
    S: 250 *
    C: DATA
    S: 354 *
    C: From: alice@example.org
    C: .
    S: 250 *
  `,
  );
  assert.match(context.accepted[0]!.bytes.toString(), / with ESMTPSA id /);
  secured.destroy();
  await listener.drain(0);
});
