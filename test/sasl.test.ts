/** Logins without the plain password: SCRAM with both hashes, tokens of an authorization server, certificates of clients, anybody; and choices of one account. */
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { TestIssuer } from '../src/directory/oauth/testing.ts';
import { ImapClient } from './harness/imap-client.ts';
import { LineClient } from './harness/line-client.ts';
import { ownNetwork } from './harness/own-network.ts';
import { type Config, type Posthorn, startPosthorn } from './harness/posthorn.ts';
import { need, type RunResult, run } from './harness/run.ts';
import { atEnd, tempDir } from './harness/temp.ts';
import { type CertificateFiles, makeCertificate } from './peers/certificate.ts';
import { UserAuthority } from './peers/client-certificate.ts';

ownNetwork();
const PASSWORD = 'a-good-password';
type Service = 'imap' | 'imaps' | 'pop3' | 'submission' | 'submissions';

async function start(t: TestContext, config: Record<string, any> = {}): Promise<{ server: Posthorn; certificate: string }> {
  const files = await makeCertificate(tempDir(t, 'certificate'), ['mx.us.test', 'localhost', 'IP:127.0.0.1']);
  const server = await startPosthorn(t, {
    config: {
      ...config,
      auth: { failureDelay: '1ms', failureDelayMax: '2ms', ...config['auth'] },
      tls: { certificate: files.certificate, key: files.key, ...config['tls'] },
    } as Config,
    users: { 'anna@us.test': PASSWORD, 'bert@us.test': PASSWORD },
    aliases: { 'info@us.test': ['anna@us.test'] },
  });
  return { server, certificate: files.certificate };
}

/** curl as a mail program: lists the mailbox, or sends a message to Anna. */
function curl(server: Posthorn, service: Service, certificate: string, args: readonly string[], letter?: string): Promise<RunResult> {
  const scheme = { imap: 'imap', imaps: 'imaps', pop3: 'pop3', submission: 'smtp', submissions: 'smtps' }[service];
  const where = `${scheme}://localhost:${server.port(service)}/`;
  const send = letter === undefined ? [] : ['--mail-from', 'anna@us.test', '--mail-rcpt', 'anna@us.test', '--upload-file', letter];
  return run('curl', ['--silent', '--show-error', '--verbose', '--ssl-reqd', '--cacert', certificate, ...send, ...args, where], { timeoutMs: 20_000 });
}

test('GNU SASL logs in by SCRAM with SHA-1, bound to the channel and not', async (t) => {
  need('gsasl');
  const { server, certificate } = await start(t);
  for (const service of ['imap', 'submission'] as const)
    for (const [mechanism, binding] of [
      ['SCRAM-SHA-1', ['--no-cb']],
      ['SCRAM-SHA-1-PLUS', []],
    ] as const) {
      const to = [`--connect=localhost:${server.port(service)}`, service === 'imap' ? '--imap' : '--smtp', '--starttls', `--x509-ca-file=${certificate}`];
      const login = [...to, '-m', mechanism, '-a', 'anna@us.test', ...binding];
      const good = await run('gsasl', [...login, '-p', PASSWORD], { timeoutMs: 15_000 });
      assert.equal(good.code, 0, `${service} ${mechanism}\n${good.stdout}\n${good.stderr}`);
      assert.match(good.stderr, /server trusted/);
      const bad = await run('gsasl', [...login, '-p', 'wrong-password'], { timeoutMs: 15_000 });
      assert.notEqual(bad.code, 0);
      assert.match(bad.stdout, service === 'imap' ? /^\. NO \[AUTHENTICATIONFAILED\]/m : /^535 5\.7\.8/m);
    }
});

/** Python's own clients; prints "ok" or the server's refusal. */
const PYTHON = `
import imaplib, smtplib, ssl, sys
kind, port, ca, mechanism, user, token = sys.argv[1:]
context = ssl.create_default_context(cafile=ca)
sep = chr(1)
if mechanism == 'XOAUTH2':
    first = 'user=%s%sauth=Bearer %s%s%s' % (user, sep, token, sep, sep)
else:
    first = 'n,a=%s,%shost=localhost%sport=%s%sauth=Bearer %s%s%s' % (user, sep, sep, port, sep, token, sep, sep)
answers = [first, '' if mechanism == 'XOAUTH2' else sep]
try:
    if kind == 'imap':
        client = imaplib.IMAP4('localhost', int(port))
        client.starttls(context)
        client.authenticate(mechanism, lambda challenge: answers.pop(0).encode())
        print('ok', client.select('INBOX')[0])
    else:
        client = smtplib.SMTP('localhost', int(port))
        client.starttls(context=context)
        client.ehlo()
        print('ok', client.auth(mechanism, lambda challenge=None: answers.pop(0), initial_response_ok=True)[0])
    client.logout() if kind == 'imap' else client.quit()
except (imaplib.IMAP4.error, smtplib.SMTPAuthenticationError) as error:
    print('refused', error)
`;

test('tokens of an authorization server: curl and Python by IMAP, POP3 and submission', async (t) => {
  need('curl', 'python3');
  const dir = tempDir(t, 'issuer');
  const issuer = await new TestIssuer().start();
  atEnd(t, () => issuer.stop());
  await issuer.rotate('one');
  const secret = join(dir, 'secret');
  const letter = join(dir, 'letter');
  const script = join(dir, 'login.py');
  writeFileSync(secret, 'the secret of posthorn\n');
  writeFileSync(letter, 'From: anna@us.test\r\nTo: anna@us.test\r\nSubject: by token\r\n\r\nhello\r\n');
  writeFileSync(script, PYTHON);
  const { server, certificate } = await start(t, {
    oauth: {
      introspection: `${issuer.url}/introspect`,
      clientId: 'posthorn',
      clientSecretFile: secret,
      keys: `${issuer.url}/keys`,
      issuer: 'https://login.example.org',
      audience: ['posthorn'],
      scopes: ['mail'],
      configuration: 'https://login.example.org/.well-known/openid-configuration',
      timeout: '500ms',
    },
  });
  const claims = { email: 'anna@us.test', scope: 'mail' };
  // As long as those of large providers.
  const signed = await issuer.sign({ ...claims, groups: Array.from({ length: 100 }, (_, n) => `a group with a long name, number ${n}`) });
  const opaque = 'opaque-token-of-anna';
  issuer.known.set(opaque, { active: true, ...claims, iss: 'https://login.example.org', aud: 'posthorn' });
  assert.ok(signed.length > 4000);
  const bearer = (token: string, ...more: string[]): string[] => ['--user', 'anna@us.test:', '--oauth2-bearer', token, ...more];

  await t.test('curl chooses by itself, and each mechanism by name', async () => {
    for (const token of [signed, opaque])
      for (const service of ['imap', 'imaps', 'pop3', 'submission', 'submissions'] as const)
        for (const options of [[], ['--login-options', 'AUTH=OAUTHBEARER'], ['--login-options', 'AUTH=XOAUTH2']]) {
          const sent = service.startsWith('submission') ? letter : undefined;
          const result = await curl(server, service, certificate, bearer(token, ...options), sent);
          assert.equal(result.code, 0, `${service} ${options.join(' ')}\n${result.stderr}`);
        }
    const imap = await ImapClient.login(server.port('imap'), 'anna@us.test', PASSWORD);
    assert.ok((await imap.messages()).length > 0);
    await imap.logout();
  });
  const python = async (kind: 'imap' | 'smtp', mechanism: string, token: string, user = 'anna@us.test'): Promise<string> => {
    const port = String(server.port(kind === 'imap' ? 'imap' : 'submission'));
    const result = await run('python3', [script, kind, port, certificate, mechanism, user, token], { timeoutMs: 20_000 });
    assert.equal(result.code, 0, result.stderr);
    return result.stdout;
  };
  await t.test("Python's imaplib and smtplib log in, for an alias of one's own too", async () => {
    for (const mechanism of ['XOAUTH2', 'OAUTHBEARER'])
      for (const token of [signed, opaque]) {
        assert.equal(await python('imap', mechanism, token), 'ok OK\n');
        assert.equal(await python('imap', mechanism, token, 'info@us.test'), 'ok OK\n');
        assert.equal(await python('smtp', mechanism, token), 'ok 235\n');
      }
  });
  await t.test('expired tokens, those for others and those without the scope are refused; so is somebody else', async () => {
    const bad: readonly (readonly [string, string, string?])[] = [
      ['expired', await issuer.sign({ ...claims }, {}, -3600)],
      ['another audience', await issuer.sign({ ...claims, aud: 'webmail' })],
      ['another issuer', await issuer.sign({ ...claims, iss: 'https://login.example.net' })],
      ['no scope', await issuer.sign({ email: 'anna@us.test' })],
      ['not active', 'opaque-token-of-nobody'],
      ["not Bert's", signed, 'bert@us.test'],
    ];
    for (const [what, token, user] of bad)
      for (const mechanism of ['XOAUTH2', 'OAUTHBEARER']) {
        assert.match(await python('imap', mechanism, token, user), /^refused .*AUTHENTICATIONFAILED/, what);
        assert.match(await python('smtp', mechanism, token, user), /^refused \(535/, what);
      }
  });
  await t.test('a refusal tells where a token is to be had, in the words of RFC 7628', async () => {
    const client = await LineClient.open(server.port('imaps'), { tls: true });
    await client.expect(/^\* OK \[CAPABILITY .*AUTH=OAUTHBEARER AUTH=XOAUTH2/);
    client.send(`a AUTHENTICATE OAUTHBEARER ${Buffer.from('n,a=anna@us.test,\x01auth=Bearer wrong\x01\x01').toString('base64')}\r\n`);
    const challenge = await client.expect(/^\+ /);
    assert.deepEqual(JSON.parse(Buffer.from(challenge.slice(2), 'base64').toString()), {
      status: 'invalid_token',
      scope: 'mail',
      'openid-configuration': 'https://login.example.org/.well-known/openid-configuration',
    });
    client.send('AQ==\r\n');
    await client.expect(/^a NO \[AUTHENTICATIONFAILED\]/);
    client.close();
  });
  await t.test('an authorization server that does not answer is a temporary failure in every protocol', async () => {
    for (const mood of ['silent', 'error'] as const) {
      issuer.mood = mood;
      assert.match(await python('imap', 'XOAUTH2', `never-seen-${mood}`), /^refused .*UNAVAILABLE/);
      assert.match(await python('smtp', 'OAUTHBEARER', `never-seen-${mood}`), /^refused \(454/);
      assert.match((await curl(server, 'pop3', certificate, bearer(`never-seen-${mood}`))).stderr, /-ERR \[SYS\/TEMP\]/);
    }
    issuer.mood = 'well';
  });
  await t.test('neither tokens nor the secret are in the log', () => {
    const log = server.log.tail(100_000);
    assert.match(log, /auth\.ok/);
    for (const part of [opaque, signed.slice(-40), signed.slice(0, 60), 'never-seen', 'opaque-token', 'the secret of posthorn'])
      assert.ok(!log.includes(part), part.slice(0, 20));
  });
});

test('certificates of clients: curl and GNU SASL by EXTERNAL', async (t) => {
  need('curl', 'gsasl');
  const dir = tempDir(t, 'authorities');
  const ours = await UserAuthority.make(dir, 'ours');
  const theirs = await UserAuthority.make(dir, 'theirs');
  const anna = await ours.issue('anna', '/CN=Anna', 'email:anna@us.test');
  const named = await ours.issue('named', '/CN=bert@us.test', '');
  const stranger = await ours.issue('stranger', '/CN=Carl', 'email:carl@elsewhere.test');
  const forged = await theirs.issue('forged', '/CN=Anna', 'email:anna@us.test');
  const letter = join(dir, 'letter');
  writeFileSync(letter, 'From: anna@us.test\r\nTo: anna@us.test\r\nSubject: by certificate\r\n\r\nhello\r\n');
  const { server, certificate } = await start(t, {
    tls: { clientCertificates: true, clientCertificatesOf: ['imap', 'submission'], clientCaFile: ours.certificate },
  });
  const login = (files: CertificateFiles, user: string): string[] => [
    ...['--cert', files.certificate, '--key', files.key, '--user', `${user}:`],
    ...['--login-options', 'AUTH=EXTERNAL'],
  ];

  await t.test('with STARTTLS and TLS from the first byte, reading and sending', async () => {
    for (const service of ['imap', 'imaps', 'submission', 'submissions'] as const) {
      const sent = service.startsWith('submission') ? letter : undefined;
      for (const [files, user] of [
        [anna, 'anna@us.test'],
        [anna, 'info@us.test'],
        [named, 'bert@us.test'],
      ] as const) {
        if (sent !== undefined && files === named) continue; // Bert may not send as Anna.
        const result = await curl(server, service, certificate, login(files, user), sent);
        assert.equal(result.code, 0, `${service} ${user}\n${result.stderr}`);
      }
      const other = await curl(server, service, certificate, login(anna, 'bert@us.test'), sent);
      assert.notEqual(other.code, 0, `${service}: not as somebody else`);
    }
  });
  await t.test('it is not offered without a certificate, with one of another authority, or of somebody without an account', async () => {
    for (const files of [null, forged, stranger]) {
      const show = files === null ? ['--user', 'anna@us.test:x'] : login(files, 'anna@us.test');
      const result = await curl(server, 'imap', certificate, show);
      assert.notEqual(result.code, 0);
      assert.match(result.stderr, /< \* CAPABILITY .*AUTH=PLAIN/);
      assert.ok(!/< \* CAPABILITY .*AUTH=EXTERNAL/.test(result.stderr), result.stderr);
    }
    // POP3 was not told to ask for certificates.
    assert.ok(!/EXTERNAL/.test((await curl(server, 'pop3', certificate, login(anna, 'anna@us.test'))).stderr.replaceAll(/^\* .*$/gm, '')));
  });
  await t.test('GNU SASL, with an empty identity', async () => {
    const to = [`--connect=localhost:${server.port('imap')}`, '--imap', '--starttls', `--x509-ca-file=${certificate}`];
    const show = [`--x509-cert-file=${anna.certificate}`, `--x509-key-file=${anna.key}`];
    const good = await run('gsasl', [...to, ...show, '-m', 'EXTERNAL', '-z', ''], { timeoutMs: 15_000 });
    assert.equal(good.code, 0, `${good.stdout}\n${good.stderr}`);
    assert.match(good.stdout, /^\. OK \[CAPABILITY/m);
  });
  assert.match(server.log.tail(100_000), /"method":"EXTERNAL"/);
});

test('anybody may read one account where the administrator says so, and never send', async (t) => {
  need('gsasl', 'curl');
  const { server, certificate } = await start(t, { auth: { anonymousAccount: 'bert@us.test' } });
  const anonymous = (service: 'imap' | 'submission'): Promise<RunResult> => {
    const to = [`--connect=localhost:${server.port(service)}`, service === 'imap' ? '--imap' : '--smtp', '--starttls', `--x509-ca-file=${certificate}`];
    return run('gsasl', [...to, '-m', 'ANONYMOUS', '-n', 'a visitor'], { timeoutMs: 15_000 });
  };
  const good = await anonymous('imap');
  assert.equal(good.code, 0, `${good.stdout}\n${good.stderr}`);
  const { account, trace } = await server.event('auth.ok', (line) => line['method'] === 'ANONYMOUS');
  assert.deepEqual([account, trace], ['bert@us.test', 'a visitor']);
  const visitor = await ImapClient.open(server.port('imap'));
  assert.match((await visitor.command('AUTHENTICATE ANONYMOUS dmlzaXRvcg==')).status, /^OK /);
  assert.match((await visitor.command('SELECT INBOX')).status, /^OK \[READ-ONLY\]/);
  assert.match((await visitor.command('CREATE Here')).status, /^NO \[NOPERM\]/);
  visitor.wire.close();
  const bad = await anonymous('submission');
  assert.notEqual(bad.code, 0);
  assert.ok(!/^250.AUTH .*ANONYMOUS/m.test(bad.stdout));
});

test('choices of one account: hidden capabilities, and the way to where it has moved', async (t) => {
  const { server } = await start(t);
  const greeting = async (user: string): Promise<string> => {
    const imap = await ImapClient.open(server.port('imap'));
    const { status } = await imap.command(`LOGIN "${user}" "${PASSWORD}"`);
    imap.wire.close();
    return status;
  };
  await server.admin('user', 'option', 'anna@us.test', 'imap.hide', 'CONDSTORE NOTIFY');
  assert.match(await server.admin('user', 'option', 'anna@us.test'), /imap\.hide +CONDSTORE NOTIFY/);
  assert.ok(!/CONDSTORE|NOTIFY/.test(await greeting('anna@us.test')));
  assert.match(await greeting('bert@us.test'), /CONDSTORE/);
  await server.admin('user', 'option', 'anna@us.test', 'imap.referral', 'imap://anna;AUTH=*@mail2.us.test/');
  assert.equal(await greeting('anna@us.test'), 'NO [REFERRAL imap://anna;AUTH=*@mail2.us.test/] The account has moved');
  await server.admin('user', 'option', 'anna@us.test', 'imap.referralLogin', 'allow');
  assert.equal(await greeting('anna@us.test'), "OK [REFERRAL imap://anna;AUTH=*@mail2.us.test/] Logged in; the account's own mailboxes are elsewhere");
  await server.admin('user', 'option', 'anna@us.test', '--unset', 'imap.referralLogin');
  await server.admin('user', 'option', 'anna@us.test', '--unset', 'imap.referral');
  await server.admin('user', 'option', 'anna@us.test', '--unset', 'imap.hide');
  assert.match(await greeting('anna@us.test'), /^OK .*CONDSTORE/);
  const wrong = await server.cli(['user', 'option', 'anna@us.test', 'pop3.shows', 'some']);
  assert.notEqual(wrong.code, 0);
  assert.match(wrong.stderr, /will not do for pop3\.shows: it must be one of: all, unseen, everywhere, none/);
});
