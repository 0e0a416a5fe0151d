import assert from 'node:assert/strict';
import { generateKeyPairSync, randomBytes, X509Certificate } from 'node:crypto';
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { before, test } from 'node:test';
import { connect, TLSSocket } from 'node:tls';
import { ensureSelfSigned, selfSigned } from './self-signed.ts';
import { createTlsProvider, expiryWarnings, loadTlsMaterial, type TlsMaterial, tlsFilesOf } from './tls.ts';

const NOW = Date.now();
const ticketKeys = randomBytes(48);
const options = { ticketKeys, minVersion: 'TLSv1.2' as const };
const folder = mkdtempSync(join(tmpdir(), 'posthorn-tls-'));
process.on('exit', () => rmSync(folder, { recursive: true }));

async function pair(...names: string[]): Promise<TlsMaterial> {
  const made = await selfSigned(names, NOW);
  const files = { certificate: join(folder, `${names[0]}.pem`), key: join(folder, `${names[0]}.key`) };
  writeFileSync(files.certificate, made.certificate);
  writeFileSync(files.key, made.key);
  return loadTlsMaterial([files])[0]!;
}
let mail: TlsMaterial;
let other: TlsMaterial;
before(async () => {
  mail = await pair('mail.example.org', 'localhost');
  other = await pair('*.example.net', 'example.net');
});

test('the certificate of our own making is for its names, P-256, and valid from now on for 825 days', () => {
  const certificate = new X509Certificate(mail.certificate);
  assert.equal(certificate.checkHost('mail.example.org'), 'mail.example.org');
  assert.equal(certificate.checkIP('127.0.0.1'), '127.0.0.1');
  assert.equal(certificate.publicKey.asymmetricKeyDetails?.namedCurve, 'prime256v1');
  assert.equal(certificate.ca, false);
  assert.equal(Math.round((Date.parse(certificate.validTo) - NOW) / 86_400_000), 825);
  assert.deepEqual(mail.names, ['mail.example.org', 'localhost']);
});

test('it is made once, kept closed, and made again when a name is missing, the end is near or a file is damaged', async () => {
  const dir = join(folder, 'own');
  const first = await ensureSelfSigned(dir, ['mail.example.org', 'Example.org'], NOW);
  assert.equal(first.isNew, true);
  assert.equal(statSync(first.key).mode & 0o777, 0o600);
  assert.equal(statSync(dir).mode & 0o777, 0o700);
  assert.equal((await ensureSelfSigned(dir, ['example.org'], NOW)).isNew, false);
  assert.equal((await ensureSelfSigned(dir, ['example.net'], NOW)).isNew, true);
  assert.equal((await ensureSelfSigned(dir, ['example.net'], NOW + 800 * 86_400_000)).isNew, true);
  writeFileSync(first.key, 'half a ke');
  assert.equal((await ensureSelfSigned(dir, ['example.net'], NOW + 800 * 86_400_000)).isNew, true);
});

test('what is wrong with a file is told with its name', () => {
  const put = (name: string, content: string): string => {
    writeFileSync(join(folder, name), content);
    return join(folder, name);
  };
  const certificate = put('c.pem', mail.certificate);
  const key = put('k.pem', mail.key);
  const foreign = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({ type: 'pkcs8', format: 'pem' }) as string;
  const locked = generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey.export({
    type: 'pkcs8',
    format: 'pem',
    cipher: 'aes-256-cbc',
    passphrase: 'x',
  }) as string;
  const rows: [string, string, RegExp][] = [
    [join(folder, 'none.pem'), key, /The certificate .*none\.pem cannot be read: there is no such file\./],
    [certificate, join(folder, 'none.key'), /The private key .*none\.key cannot be read: there is no such file\./],
    [put('text.pem', 'hello'), key, /text\.pem holds no certificate in PEM form/],
    [certificate, put('text.key', 'hello'), /text\.key holds no private key in PEM form/],
    [certificate, put('locked.key', locked), /locked\.key is locked with a passphrase/],
    [certificate, put('foreign.key', foreign), /foreign\.key does not belong to the certificate .*c\.pem/],
  ];
  for (const [certificateFile, keyFile, message] of rows) assert.throws(() => loadTlsMaterial([{ certificate: certificateFile, key: keyFile }]), message);
});

test('certificates that end soon are warned of', () => {
  const soon = { ...mail, file: 'a.pem', expiresAt: NOW + 3 * 86_400_000 + 1000 };
  assert.deepEqual(expiryWarnings([mail, soon, { ...mail, file: 'b.pem', expiresAt: Date.UTC(2020, 0, 1) }], NOW), [
    'The certificate a.pem expires in 3 days.',
    'The certificate b.pem has expired on 2020-01-01.',
  ]);
});

test('the files of the settings are those of tls.certificate first, then of tls.certificates', () => {
  const settings = { 'tls.certificate': '/a.pem', 'tls.key': '/a.key', 'tls.certificates': ['b.pem  /c/b.key'] } as never;
  assert.deepEqual(tlsFilesOf(settings, '/etc/p'), [
    { certificate: '/a.pem', key: '/a.key' },
    { certificate: '/etc/p/b.pem', key: '/c/b.key' },
  ]);
  assert.deepEqual(tlsFilesOf({ 'tls.certificate': '', 'tls.key': '', 'tls.certificates': [] } as never, '/'), []);
});

/** A TLS server over plain sockets, as the protocol loops have it; answers the names of the certificate a client gets. */
async function subjects(provider: ReturnType<typeof createTlsProvider>, names: (string | undefined)[]): Promise<string[]> {
  const server = createServer((socket) => {
    new TLSSocket(socket, { isServer: true, ...provider.options() }).on('error', () => undefined).resume();
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as { port: number };
  const found: string[] = [];
  for (const servername of names) {
    found.push(
      await new Promise((done, fail) => {
        const client = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...(servername === undefined ? {} : { servername }) }, () => {
          done((client.getPeerCertificate().subject as { CN: string }).CN);
          client.destroy();
        });
        client.on('error', fail);
      }),
    );
  }
  await new Promise((done) => server.close(done));
  return found;
}

test('a client gets the certificate of the name it asks for, in any case and with the dot of the root, else the first', async () => {
  const provider = createTlsProvider([mail, other], options);
  assert.deepEqual(await subjects(provider, [undefined, 'mail.example.org', 'a.example.net', 'A.Example.NET.', 'a.b.example.net', 'unknown.test']), [
    'mail.example.org',
    'mail.example.org',
    '*.example.net',
    '*.example.net',
    'mail.example.org',
    'mail.example.org',
  ]);
});

test('new material serves the next connection', async () => {
  const provider = createTlsProvider([mail], options);
  assert.deepEqual(await subjects(provider, [undefined]), ['mail.example.org']);
  provider.replace([other]);
  assert.deepEqual(await subjects(provider, [undefined]), ['*.example.net']);
  provider.replace([]);
  assert.equal(provider.context(), null);
  assert.equal(provider.options(), null);
});

test('a session begun in one thread is resumed in another that has the same ticket keys', async () => {
  const session = async (provider: ReturnType<typeof createTlsProvider>, old: Buffer | undefined): Promise<{ ticket: Buffer; isReused: boolean }> => {
    const server = createServer((socket) => {
      new TLSSocket(socket, { isServer: true, ...provider.options() }).on('error', () => undefined).end('x');
    });
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    const { port } = server.address() as { port: number };
    const result = await new Promise<{ ticket: Buffer; isReused: boolean }>((done, fail) => {
      let ticket: Buffer | undefined;
      let isReused = false;
      const client = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, servername: 'localhost', session: old });
      client.on('session', (s) => (ticket = s));
      client.on('secureConnect', () => (isReused = client.isSessionReused()));
      client.on('error', fail);
      client.on('close', () => done({ ticket: ticket!, isReused }));
      client.resume();
    });
    await new Promise((done) => server.close(done));
    return result;
  };
  const { ticket } = await session(createTlsProvider([mail], options), undefined);
  assert.equal((await session(createTlsProvider([mail], options), ticket)).isReused, true);
  assert.equal((await session(createTlsProvider([mail], { ...options, ticketKeys: randomBytes(48) }), ticket)).isReused, false);
});

test('a client may not negotiate again in the middle of a TLS 1.2 connection', async (t) => {
  const provider = createTlsProvider([mail], options);
  const server = createServer((socket) => {
    const secured = new TLSSocket(socket, { ...provider.options(), isServer: true, secureContext: provider.context()! });
    secured.on('error', () => {});
    secured.on('data', (chunk) => secured.write(chunk));
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as { port: number };
  const client = connect({ port, host: '127.0.0.1', servername: 'mail.example.org', rejectUnauthorized: false, maxVersion: 'TLSv1.2' });
  t.after(() => {
    client.destroy();
    server.close();
  });
  await new Promise((resolve) => client.once('secureConnect', resolve));
  const isRefused = await new Promise<boolean>((resolve) => {
    client.once('error', () => resolve(true));
    client.renegotiate({ rejectUnauthorized: false }, (error) => resolve(error !== null));
  });
  assert.ok(isRefused);
});
