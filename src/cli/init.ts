/** posthorn init: asks what a server must know, writes posthorn.toml and makes the first domain and account. */
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { hostname as systemHostname } from 'node:os';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import { type AllSettings, SETTINGS } from '../settings.ts';
import { prepareDataDir } from '../system/checks.ts';
import { parseConfig } from '../system/config/load.ts';
import { wrongHostName } from '../system/settings.ts';
import { commandName } from '../system/version.ts';
import { type CliContext, openAdmin } from './context.ts';

export interface InitAnswers {
  readonly hostname: string;
  readonly domain: string;
  readonly dataDir: string;
  /** Ports from 2525 on instead of the standard ones, which need root. */
  readonly isHighPorts: boolean;
  readonly systemUser: string;
}

interface InitOptions {
  hostname?: string;
  domain?: string;
  user?: string;
  passwordStdin?: boolean;
  dataDir?: string;
  highPorts?: boolean;
  systemUser?: string;
  yes?: boolean;
  force?: boolean;
}

export function registerInit(program: Command, context: CliContext): void {
  program
    .command('init')
    .summary('write posthorn.toml and make the first account')
    .description('Asks for host name, domain and first account (or takes them as options), writes posthorn.toml and makes the domain and the account.')
    .option('--hostname <name>', 'name of this server, such as mail.example.org')
    .option('--domain <name>', 'first mail domain, such as example.org')
    .option('--user <address>', 'first account, such as anna@example.org')
    .option('--password-stdin', 'read its password from the standard input (default: one is made and shown)')
    .option('--data-dir <folder>', 'where everything is kept')
    .option('--high-ports', 'ports from 2525 on instead of 25, 143, 587, …, which need root')
    .option('--system-user <name>', 'become this system user once the ports are bound')
    .option('--yes', 'ask nothing; what is not given takes its default')
    .option('--force', 'replace an existing posthorn.toml')
    .action((options: InitOptions) => init(context, options));
}

async function init(context: CliContext, options: InitOptions): Promise<void> {
  const { io } = context;
  const named = context.configFile();
  const file = named !== null && (named !== '/etc/posthorn/posthorn.toml' || !existsSync(resolve('posthorn.toml'))) ? named : resolve('posthorn.toml');
  if (existsSync(file) && options.force !== true) throw new Error(`${file} exists already; --force replaces it.`);
  const isAsking = options.yes !== true && io.isInteractive;
  const isRoot = process.getuid?.() === 0;

  const guessedHost = wrongHostName(systemHostname()) === undefined && systemHostname().includes('.') ? systemHostname().toLowerCase() : '';
  const hostname = await answer(
    options.hostname,
    '--hostname',
    isAsking,
    () => io.prompt.text('Name of this server (as in its MX record)', guessedHost, wrongHostName),
    guessedHost,
  );
  const guessedDomain = hostname.split('.').length > 2 ? hostname.slice(hostname.indexOf('.') + 1) : hostname;
  const domain = await answer(options.domain, '--domain', isAsking, () => io.prompt.text('First mail domain', guessedDomain, wrongHostName), guessedDomain);
  for (const [flag, name] of [
    ['--hostname', hostname],
    ['--domain', domain],
  ] as const) {
    const wrong = wrongHostName(name);
    if (wrong !== undefined) throw new Error(`${flag} ${wrong}.`);
  }
  const guessedUser = `postmaster@${domain}`;
  const user = await answer(
    options.user,
    '--user',
    isAsking,
    () => io.prompt.text('First account', guessedUser, (v) => (/^[^\s@]+@[^\s@]+$/.test(v) ? undefined : 'must be an address, such as anna@example.org')),
    guessedUser,
  );
  if (!user.includes('@')) throw new Error('--user must be an address, such as anna@example.org.');
  const guessedDir = isRoot ? '/var/lib/posthorn' : './data';
  const dataDir = await answer(options.dataDir, '--data-dir', isAsking, () => io.prompt.text('Where everything is kept', guessedDir), guessedDir);
  const isHighPorts =
    options.highPorts === true || (!isRoot && isAsking && (await io.prompt.confirm('Use ports from 2525 on (25, 143 and 587 need root)?', true)));

  const text = initialConfig({ hostname, domain, dataDir, isHighPorts, systemUser: options.systemUser ?? '' });
  const { settings } = parseConfig(text, file, SETTINGS);
  // Under another name until the account is made: after a mistake in the answers, init can simply be run again.
  const draft = `${file}.new`;
  try {
    mkdirSync(dirname(file), { recursive: true });
    rmSync(draft, { force: true }); // one left by a crash would keep its mode
    // Readable for all: it holds no secrets, and the sendmail command of any user reads it.
    writeFileSync(draft, text, { mode: 0o644 });
  } catch (cause) {
    throw new Error(`The configuration cannot be written to ${file} (${(cause as NodeJS.ErrnoException).code}).`, { cause });
  }
  try {
    prepareDataDir(settings.dataDir);
    const password = options.passwordStdin === true ? io.readInputLine() : undefined;
    const made = await firstAccount(context, settings, domain, user, password);
    renameSync(draft, file);
    io.print(`Written: ${file}`);
    io.print(made === null ? `The account ${user} exists already.` : `Account: ${user}`);
    if (made?.password) io.print(`Password: ${made.password}   (shown once)`);
    if (!isRoot && !isHighPorts)
      io.note('Ports below 1024 belong to root: start the server as root (option user, or --system-user here, gives the rights up), or take --high-ports.');
    io.print(`Start the server with: ${commandName()} start`);
  } catch (error) {
    rmSync(draft, { force: true });
    throw error;
  }
}

/** What 'user.add' answered; null when the account was there. */
async function firstAccount(
  context: CliContext,
  settings: AllSettings,
  domain: string,
  login: string,
  password: string | undefined,
): Promise<{ password?: string | null } | null> {
  const admin = await openAdmin(settings, context.hooks);
  try {
    for (const name of new Set([domain, login.slice(login.lastIndexOf('@') + 1)])) await unlessExists(admin.call('domain.add', { domain: name }));
    return await unlessExists(admin.call('user.add', { login, password }));
  } finally {
    await admin.close();
  }
}

async function answer(given: string | undefined, flag: string, isAsking: boolean, ask: () => Promise<string>, fallback: string): Promise<string> {
  if (given !== undefined) return given;
  const value = isAsking ? await ask() : fallback;
  if (value === '') throw new Error(`Please give ${flag}.`);
  return value;
}

/** The result, or null when it was there already: init may be run again over an old data folder. */
async function unlessExists(call: Promise<any>): Promise<any> {
  try {
    return await call;
  } catch (error) {
    if ((error as { code?: unknown }).code === 'exists') return null;
    throw error;
  }
}

/** The text of a new posthorn.toml. Pure. */
export function initialConfig(answers: InitAnswers): string {
  const lines = [
    '# Posthorn. Every option: docs/configuration.md, or "posthorn config show".',
    '# After a change: "posthorn config check", then "posthorn reload".',
    `hostname = ${JSON.stringify(answers.hostname)}`,
    `domain = ${JSON.stringify(answers.domain)}`,
    `dataDir = ${JSON.stringify(answers.dataDir)}`,
    ...(answers.systemUser === '' ? [] : [`user = ${JSON.stringify(answers.systemUser)}`]),
  ];
  if (answers.isHighPorts)
    lines.push(
      '',
      '[listen]',
      'smtp = ["[::]:2525"]',
      'submission = ["[::]:2587"]',
      'submissions = ["[::]:2465"]',
      'imap = ["[::]:1143"]',
      'imaps = ["[::]:1993"]',
      'pop3 = ["[::]:1110"]',
      'pop3s = ["[::]:1995"]',
      'sieve = ["[::]:5190"]',
    );
  lines.push(
    '',
    '# A certificate that clients trust; without one, a self-signed one is made.',
    '# [tls]',
    '# certificate = "/etc/letsencrypt/live/NAME/fullchain.pem"',
    '# key = "/etc/letsencrypt/live/NAME/privkey.pem"',
    '',
  );
  return lines.join('\n');
}
