import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createSecureContext } from 'node:tls';
import { ensureSelfSigned } from '../../system/self-signed.ts';
import { engage, scriptedServer, testOptions } from '../testing.ts';
import { OpenFailure, type OpenOptions, openEndpoint } from './open.ts';

const directory = mkdtempSync(join(tmpdir(), 'posthorn-open-'));
after(() => rmSync(directory, { recursive: true }));
const files = await ensureSelfSigned(directory, ['localhost', '127.0.0.1'], Date.now());
const certificate = readFileSync(files.certificate, 'utf8');
const secureContext = createSecureContext({ cert: certificate, key: readFileSync(files.key, 'utf8') });

const OFFER = `
  S: 220 mx.test
  C: EHLO us.test
  S: 250-mx.test
  S: 250 STARTTLS`;
const CLEAR = `
  S: 220 mx.test
  C: EHLO us.test
  S: 250 mx.test`;

async function open(scripts: string[], more: Partial<OpenOptions> = {}, host = '127.0.0.1'): Promise<string> {
  const server = await scriptedServer(scripts, secureContext);
  try {
    const endpoint = { host, ip: '127.0.0.1', port: server.port, path: null };
    const connection = await openEndpoint(endpoint, testOptions(more), AbortSignal.timeout(10_000)).catch((error: Error) => error);
    assert.deepEqual(server.mistakes, [], server.transcripts.map((lines) => lines.join('\n')).join('\n---\n'));
    if (connection instanceof Error) {
      assert.ok(connection instanceof OpenFailure, String(connection.stack));
      return `${connection.enhanced} ${connection.message}`;
    }
    const { isOpen } = await engage(connection, []);
    assert.equal(isOpen, true);
    const encrypted = (connection.socket as { encrypted?: boolean }).encrypted === true;
    connection.abort('test over');
    return encrypted ? 'open with TLS' : 'open in clear';
  } finally {
    await server.close();
  }
}

const SECURED = `${OFFER}
  C: STARTTLS
  S: 220 go
  T
  C: EHLO us.test
  S: 250 mx.test`;

test('STARTTLS is used where it is offered', async () => {
  assert.equal(await open([SECURED]), 'open with TLS');
  assert.equal(await open([SECURED], { tls: 'encrypt' }), 'open with TLS');
});
test('policy none does not ask for TLS', async () => assert.equal(await open([OFFER], { tls: 'none' }), 'open in clear'));
test('a handshake that fails is followed by a connection in clear, where the policy allows', async () => {
  assert.equal(await open([`${OFFER}\n C: STARTTLS\n S: 220 go\n X`, OFFER]), 'open in clear');
  assert.match(await open([`${OFFER}\n C: STARTTLS\n S: 220 go\n X`], { tls: 'encrypt' }), /^4\.7\.5 TLS handshake failed/);
});
test('454 to STARTTLS leaves the connection usable in clear, where the policy allows', async () => {
  assert.equal(await open([`${OFFER}\n C: STARTTLS\n S: 454 4.7.0 not now`]), 'open in clear');
  assert.match(await open([`${OFFER}\n C: STARTTLS\n S: 454 4.7.0 not now`], { tls: 'encrypt' }), /^4\.7\.0 refused STARTTLS: 454/);
});
test('required TLS that is not offered is a failure for now', async () => {
  assert.match(await open([CLEAR], { tls: 'encrypt' }), /^4\.7\.4 /);
});
test('verify refuses a certificate nobody vouches for, and takes one that is trusted and names the host', async () => {
  assert.match(await open([`${OFFER}\n C: STARTTLS\n S: 220 go\n T`], { tls: 'verify' }, 'localhost'), /^4\.7\.5 TLS handshake failed/);
  assert.equal(await open([SECURED], { tls: 'verify', ca: certificate }, 'localhost'), 'open with TLS');
  assert.match(await open([`${OFFER}\n C: STARTTLS\n S: 220 go\n T`], { tls: 'verify', ca: certificate }, 'other.test'), /^4\.7\.5 TLS handshake failed/);
});
test('text after the answer to STARTTLS is not believed (response injection)', async () => {
  const injected = `${OFFER}\n C: STARTTLS\n S: 220 go\n S: 250 forged\n T`;
  assert.match(await open([injected], { tls: 'encrypt' }), /^4\.7\.5 /);
});
for (const [name, script, expected] of [
  ['a greeting of 554', 'S: 554 5.7.1 no mail here', /^4\.3\.2 refused to talk to us: 554/],
  ['a greeting of 421', 'S: 421 4.3.2 busy', /^4\.3\.2 refused to talk to us: 421/],
  ['a cut before the greeting', 'X', /^4\.4\.2 lost before the first message/],
  ['a cut after EHLO', 'S: 220 mx\nC: EHLO us.test\nX', /^4\.4\.2 lost before the first message/],
  ['450 to EHLO', 'S: 220 mx\nC: EHLO us.test\nS: 450 4.7.1 no', /^4\.7\.1 refused our greeting/],
  ['noise', 'S: SSH-2.0-OpenSSH', /^4\.4\.2 .*no SMTP reply/],
] as const)
  test(`${name} is a failure for now`, async () => assert.match(await open([script]), expected));

test('a closed port is a failure for now', async () => {
  const server = await scriptedServer([]);
  await server.close();
  await assert.rejects(
    openEndpoint({ host: 'x', ip: '127.0.0.1', port: server.port, path: null }, testOptions(), AbortSignal.timeout(5000)),
    (error: unknown) => {
      assert.ok(error instanceof OpenFailure);
      assert.match(error.message, /^connecting failed: .*ECONNREFUSED/);
      return error.enhanced === '4.4.1';
    },
  );
});

const LOGIN = { credentials: { user: 'u', password: 'p' }, tls: 'none' } as const;
const offering = (mechanisms: string): string => `${CLEAR.replace('250 mx', '250-mx')}\n S: 250 AUTH ${mechanisms}`;
test('AUTH PLAIN, AUTH LOGIN', async () => {
  assert.equal(await open([`${offering('LOGIN PLAIN')}\n C: AUTH PLAIN AHUAcA==\n S: 235 2.7.0 ok`], LOGIN), 'open in clear');
  assert.equal(
    await open([`${offering('LOGIN')}\n C: AUTH LOGIN\n S: 334 VXNlcm5hbWU6\n C: dQ==\n S: 334 UGFzc3dvcmQ6\n C: cA==\n S: 235 ok`], LOGIN),
    'open in clear',
  );
});
test('a refused login is a failure for now', async () => {
  assert.match(await open([`${offering('PLAIN')}\n C: AUTH PLAIN AHUAcA==\n S: 535 5.7.8 wrong`], LOGIN), /^4\.7\.8 login refused: 535/);
  assert.match(await open([CLEAR], LOGIN), /^4\.7\.8 offers no way to log in/);
});
