// `npm test`: everything from a bare checkout. Packages, the real mail programs that the tests talk to, the checks, all tests.
import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { findRuntime, install, LaunchError, ROOT, RUNTIME_FLAGS, runtimeEnvironment } from './lib.mjs';

/** Debian packages of the peers, each with the program that shows that it is there. */
const PEERS = [
  ['swaks', 'swaks'],
  ['gsasl', 'gsasl'],
  ['libnet-ssleay-perl', '/usr/share/doc/libnet-ssleay-perl/copyright'], // swaks speaks TLS with it
  ['curl', 'curl'],
  ['mutt', 'mutt'],
  ['isync', 'mbsync'],
  ['fetchmail', 'fetchmail'],
  ['python3', 'python3'],
  ['postfix', '/usr/sbin/postfix'],
  ['dovecot-core', '/usr/sbin/dovecot'],
  ['dovecot-imapd', '/usr/lib/dovecot/imap'],
  ['dovecot-lmtpd', '/usr/lib/dovecot/lmtp'],
  ['nsd', '/usr/sbin/nsd'],
  ['postfix-pcre', '/usr/lib/postfix/postfix-pcre.so'],
  ['postfix-mysql', '/usr/lib/postfix/postfix-mysql.so'],
  ['postfix-pgsql', '/usr/lib/postfix/postfix-pgsql.so'],
  ['postfix-ldap', '/usr/lib/postfix/postfix-ldap.so'],
  ['postfix-lmdb', '/usr/lib/postfix/postfix-lmdb.so'],
  ['postfix-cdb', '/usr/lib/postfix/postfix-cdb.so'],
  ['postfix-sqlite', '/usr/lib/postfix/postfix-sqlite.so'],
  ['mariadb-server', '/usr/sbin/mariadbd'],
  ['postgresql', '/usr/lib/postgresql'],
  ['slapd', '/usr/sbin/slapd'],
  ['ldap-utils', 'ldapadd'],
  ['memcached', 'memcached'],
  ['rbldnsd', '/usr/sbin/rbldnsd'],
  ['opendkim', '/usr/sbin/opendkim'],
  ['opendkim-tools', '/usr/sbin/opendkim-testmsg'],
  ['opendmarc', '/usr/sbin/opendmarc'],
  ['publicsuffix', '/usr/share/publicsuffix/public_suffix_list.dat'],
  ['rspamd', 'rspamd'],
  ['mimedefang', 'mimedefang'],
  ['mariadb-client', 'mariadb'],
  ['openssl', 'openssl'],
  ['procps', 'ps'],
  ['procmail', 'procmail'],
  ['maildrop', 'maildrop'],
  ['dovecot-sieve', 'sieve-test'],
  ['dovecot-managesieved', '/usr/lib/dovecot/managesieve'],
  ['sieve-connect', 'sieve-connect'],
  ['iproute2', 'ip'],
  ['dovecot-pop3d', '/usr/lib/dovecot/pop3'],
  ['getmail6', '/usr/bin/getmail'],
  ['alpine', 'alpine'],
  ['offlineimap3', '/usr/bin/offlineimap'],
  ['thunderbird', 'thunderbird'],
  ['xvfb', 'Xvfb'],
  ['xdotool', 'xdotool'],
  ['fonts-dejavu-core', '/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf'],
  ['chromium', 'chromium'],
  ['roundcube-core', '/var/lib/roundcube/public_html/index.php'],
  ['roundcube-sqlite3', '/usr/share/doc/roundcube-sqlite3'],
  ['php-cli', 'php'],
  ['php-sqlite3', '/usr/share/doc/php-sqlite3'],
];

const step = (title) => process.stdout.write(`\n── ${title}\n`);
const run = (command, words, options = {}) => spawnSync(command, words, { cwd: ROOT, stdio: 'inherit', ...options });
const has = (program) =>
  program.startsWith('/')
    ? existsSync(program)
    : ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'].some((dir) => existsSync(join(dir, program)));
const missingPeers = () => PEERS.filter(([, program]) => !has(program)).map(([name]) => name);

/** Installs the missing peers with apt-get; no service of theirs is started. Throws LaunchError with what is missing. */
function installPeers() {
  const missing = missingPeers();
  if (missing.length === 0) return;
  const isRoot = process.getuid?.() === 0;
  if (!has('apt-get')) throw new LaunchError(`The tests need ${missing.join(', ')}; this system has no apt-get to install them with.`);
  const asRoot = (command, ...words) => {
    const [program, ...rest] = [...(isRoot ? [] : ['sudo', '-n']), 'env', 'DEBIAN_FRONTEND=noninteractive', command, ...words];
    return run(program, rest).status === 0;
  };
  step(`Installing ${missing.join(' ')}`);
  const policy = '/usr/sbin/policy-rc.d';
  const isPolicyOurs = !existsSync(policy);
  if (isPolicyOurs) {
    // Debian's packages ask this script before they start a service: 101 means no.
    if (isRoot) writeFileSync(policy, '#!/bin/sh\nexit 101\n', { mode: 0o755 });
    else asRoot('sh', '-c', `printf '#!/bin/sh\\nexit 101\\n' > ${policy} && chmod 755 ${policy}`);
  }
  try {
    asRoot('apt-get', 'update', '-qq');
    asRoot('apt-get', 'install', '-y', '-qq', '--no-install-recommends', '-o', 'DPkg::Lock::Timeout=300', ...missing);
  } finally {
    if (isPolicyOurs) {
      if (isRoot) rmSync(policy, { force: true });
      else asRoot('rm', '-f', policy);
    }
  }
  const still = missingPeers();
  if (still.length > 0) throw new LaunchError(`These could not be installed: ${still.join(', ')}.`);
}

/** The words before a command that must run as root: none for root itself, else sudo. Throws LaunchError where neither is at hand. */
function rootPrefix() {
  if (process.getuid?.() === 0) return [];
  if (spawnSync('sudo', ['-n', 'true'], { stdio: 'ignore' }).status === 0) return ['sudo', '-n', '-E', 'env', `PATH=${process.env.PATH}`];
  const missing = missingPeers();
  const also = missing.length === 0 ? '' : ` Missing here, too: ${missing.join(', ')} (apt-get install ${missing.join(' ')}).`;
  throw new LaunchError(
    `npm test needs root, or sudo without a password: the end-to-end tests run Postfix, Dovecot and NSD in networks of their own.${also}\n` +
      'Without root: npm run check (format, lint, types) and npm run unit (everything beside its source).',
  );
}

function main() {
  const prefix = rootPrefix();
  install(ROOT, 'all');
  installPeers();
  const runtime = findRuntime(ROOT);
  const environment = runtimeEnvironment(ROOT);
  step('Format and lint (biome)');
  const biome = createRequire(join(ROOT, 'package.json')).resolve('@biomejs/biome/bin/biome');
  if (run(process.execPath, [biome, 'check', '--max-diagnostics=30']).status !== 0) return 1;
  step('Types (tsc)');
  if (run(join(ROOT, 'node_modules', '.bin', 'tsc'), ['-p', '.']).status !== 0) return 1;
  step('Tests');
  const words = [
    ...RUNTIME_FLAGS,
    '--test',
    '--test-concurrency=2',
    '--test-reporter=spec',
    '--test-timeout=900000',
    'src/**/*.test.ts',
    'bin/**/*.test.mjs',
    'test/**/*.test.ts',
  ];
  const [program, ...rest] = [...prefix, runtime, ...words];
  const tests = run(program, rest, { env: environment });
  if (tests.error) throw new LaunchError(`The tests could not be started: ${tests.error.message}`);
  process.stdout.write(tests.status === 0 ? '\nAll tests passed.\n' : `\nTests failed (exit code ${tests.status ?? tests.signal}).\n`);
  return tests.status ?? 1;
}

try {
  process.exitCode = main();
} catch (error) {
  if (!(error instanceof LaunchError)) throw error;
  process.stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
