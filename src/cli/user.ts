/** posthorn user: add, list, remove, passwd, disable, enable, quota, option, and app passwords. */
import type { Command } from 'commander';
import { ACCOUNT_OPTIONS } from '../directory/options.ts';
import type { OptionRow } from '../directory/admin/option.ts';
import type { AppPasswordRow } from '../directory/admin/app-password.ts';
import type { UserRow } from '../directory/admin/user.ts';
import type { Admin } from '../ports.ts';
import { bytes } from '../system/declare.ts';
import { CancelledError, type CliIo } from './io.ts';
import { humanBytes, table } from './table.ts';
import { withAdmin } from './with-admin.ts';

interface PasswordOptions {
  passwordStdin?: boolean;
  hashStdin?: boolean;
  generate?: boolean;
}
interface QuotaOptions {
  quota?: string;
  quotaMessages?: string;
}

/** Where an account comes from, in words. */
const FROM: Readonly<Record<UserRow['source'], string>> = { own: 'here', table: 'tables', system: 'system users' };

/** Never an argument: the command line is in the shell's history and in the list of processes. */
async function askPassword(io: CliIo, options: PasswordOptions): Promise<{ password?: string; hash?: string }> {
  const given = [options.passwordStdin, options.hashStdin, options.generate].filter((option) => option === true).length;
  if (given > 1) throw new Error('Please give only one of --password-stdin, --hash-stdin and --generate.');
  if (options.passwordStdin === true) return { password: io.readInputLine() };
  if (options.hashStdin === true) return { hash: io.readInputLine().trim() };
  if (options.generate === true || !io.isInteractive) return {};
  return { password: await io.prompt.password('Password', true) };
}

function quotaArguments(options: QuotaOptions): { quotaBytes?: number; quotaMessages?: number } {
  const size = bytes({ default: 0, doc: '' });
  const isNone = (value: string): boolean => value === '0' || value === 'none';
  const quotaBytes =
    options.quota === undefined ? undefined : isNone(options.quota) ? 0 : size.parse(/^\d+$/.test(options.quota) ? Number(options.quota) : options.quota);
  const quotaMessages = options.quotaMessages === undefined ? undefined : isNone(options.quotaMessages) ? 0 : Number(options.quotaMessages);
  if (quotaMessages !== undefined && !Number.isSafeInteger(quotaMessages)) throw new Error('--quota-messages must be a whole number, or none.');
  return { quotaBytes, quotaMessages };
}

function showPassword(io: CliIo, password: string | null): void {
  if (password !== null) io.print(`Password: ${password}   (shown once)`);
}

const day = (ms: number): string => new Date(ms).toISOString().slice(0, 16).replace('T', ' ');
const quota = (used: number, most: number, show: (n: number) => string): string => (most === 0 ? show(used) : `${show(used)} of ${show(most)}`);

export function registerUser(program: Command, open: () => Promise<Admin>, io: CliIo): void {
  const user = program.command('user').summary('mail users').description('Mail users: who has a mailbox here.');

  user
    .command('add')
    .summary('add a user')
    .description('Adds a user with the usual mailboxes. The password is asked for; --generate, or no terminal, has one made and shown.')
    .argument('<address>', 'such as anna@example.org; this is the login name too')
    .option('--password-stdin', 'read the password from the first line of the standard input')
    .option('--hash-stdin', 'read a hash made by another server ({SCHEME} as Dovecot writes it, $6$, $2y$, …) instead')
    .option('--generate', 'make a password and show it')
    .option('--name <name>', 'name of the person')
    .option('--quota <size>', 'most mail kept, such as 1GiB')
    .option('--quota-messages <number>', 'most messages kept')
    .option('--with-domain', 'add the domain too when it is not served yet')
    .action((login: string, options: PasswordOptions & QuotaOptions & { name?: string; withDomain?: boolean }) =>
      withAdmin(open, async (admin) => {
        const limits = quotaArguments(options);
        const secret = await askPassword(io, options);
        const done = await admin.call('user.add', { login, ...secret, ...limits, displayName: options.name, withDomain: options.withDomain === true });
        io.print(`User: ${done.login}`);
        showPassword(io, done.password);
      }),
    );

  user
    .command('list')
    .summary('show the users')
    .argument('[domain]', 'only those of one domain')
    .option('--json', 'one JSON object a user')
    .action((domain: string | undefined, options: { json?: boolean }) =>
      withAdmin(open, async (admin) => {
        const rows: UserRow[] = await admin.call('user.list', { domain });
        if (options.json === true) for (const row of rows) io.print(JSON.stringify(row));
        else if (rows.length === 0) io.note('There is no user yet: posthorn user add anna@example.org');
        else {
          const isMixed = rows.some(({ source }) => source !== 'own');
          io.print(
            table(
              ['user', ...(isMixed ? ['from'] : []), 'state', 'mail', 'messages', 'last login', 'name'],
              rows.map((row) => [
                row.login,
                ...(isMixed ? [FROM[row.source]] : []),
                row.isDisabled ? 'disabled' : 'active',
                quota(row.usedBytes, row.quotaBytes, humanBytes),
                quota(row.usedMessages, row.quotaMessages, String),
                row.lastLoginAt === null ? 'never' : day(row.lastLoginAt),
                row.displayName ?? '-',
              ]),
            ),
          );
        }
      }),
    );

  user
    .command('remove')
    .summary('remove a user with all mail')
    .argument('<address>')
    .option('--yes', 'do not ask')
    .action((login: string, options: { yes?: boolean }) =>
      withAdmin(open, async (admin) => {
        if (options.yes !== true) {
          if (!io.isInteractive) throw new Error('This removes all mail of the user; say --yes.');
          if (!(await io.prompt.confirm(`Remove ${login} and all mail for ever?`))) throw new CancelledError();
        }
        const done = await admin.call('user.remove', { login });
        io.print(`${done.login} is removed, with ${done.messages === 1 ? 'one message' : `${done.messages} messages`}.`);
      }),
    );

  user
    .command('passwd')
    .summary('change a password')
    .argument('<address>')
    .option('--password-stdin', 'read the password from the first line of the standard input')
    .option('--hash-stdin', 'read a hash made by another server instead')
    .option('--generate', 'make a password and show it')
    .action((login: string, options: PasswordOptions) =>
      withAdmin(open, async (admin) => {
        const done = await admin.call('user.passwd', { login, ...(await askPassword(io, options)) });
        io.print(`${done.login} has a new password.`);
        showPassword(io, done.password);
      }),
    );

  for (const [verb, summary, result] of [
    ['disable', 'switch a user off: no login, no new mail', 'is switched off'],
    ['enable', 'switch a user on again', 'is switched on'],
  ] as const)
    user
      .command(verb)
      .summary(summary)
      .argument('<address>')
      .action((login: string) =>
        withAdmin(open, async (admin) => {
          const done = await admin.call(`user.${verb}`, { login });
          io.print(`${done.login} ${result}.`);
        }),
      );

  user
    .command('quota')
    .summary('limit the mail a user may keep')
    .argument('<address>')
    .argument('[size]', 'such as 1GiB; none for no limit')
    .option('--messages <number>', 'most messages; none for no limit')
    .action((login: string, size: string | undefined, options: { messages?: string }) =>
      withAdmin(open, async (admin) => {
        const limits = quotaArguments({ quota: size, quotaMessages: options.messages });
        if (limits.quotaBytes === undefined && limits.quotaMessages === undefined) throw new Error('Please give a size such as 1GiB, or --messages.');
        const done = await admin.call('user.quota', { login, ...limits });
        const parts = [
          done.quotaBytes === 0 ? 'any size' : `at most ${humanBytes(done.quotaBytes)}`,
          done.quotaMessages === 0 ? 'any number of messages' : `at most ${done.quotaMessages} messages`,
        ];
        io.print(`${done.login} may keep ${parts.join(' and ')}.`);
      }),
    );

  registerOption(user, open, io);
  registerAppPassword(user, open, io);
}

/** posthorn user option …: what one user has otherwise than the configuration says. */
function registerOption(user: Command, open: () => Promise<Admin>, io: CliIo): void {
  const known = Object.entries(ACCOUNT_OPTIONS).map(([name, { accepts, doc }]) => `${name} (${accepts}): ${doc}`);
  user
    .command('option')
    .summary('choices of one user')
    .description(`Shows, sets or takes away what one user has otherwise than the configuration says. It counts from the next login on.\n\n${known.join('\n')}`)
    .argument('<address>', 'the user')
    .argument('[name]', 'which option; without a value it is shown')
    .argument('[value]', 'its new value')
    .option('--unset <name>', 'take an option away')
    .option('--json', 'one JSON object an option')
    .action((login: string, name: string | undefined, value: string | undefined, options: { unset?: string; json?: boolean }) =>
      withAdmin(open, async (admin) => {
        if (options.unset !== undefined && name !== undefined) throw new Error('Please either set an option or take one away with --unset.');
        if (name !== undefined && !Object.hasOwn(ACCOUNT_OPTIONS, name))
          throw new Error(`"${name}" is no option of a user; there are ${Object.keys(ACCOUNT_OPTIONS).join(', ')}.`);
        const isChange = options.unset !== undefined || value !== undefined;
        const change = options.unset === undefined ? { name, value } : { name: options.unset, value: null };
        const done: { login: string; options: OptionRow[] } = await admin.call('user.option', isChange ? { login, ...change } : { login });
        const rows = isChange || name === undefined ? done.options : done.options.filter((row) => row.name === name);
        if (options.json === true) for (const row of rows) io.print(JSON.stringify(row));
        else if (rows.length > 0)
          io.print(
            table(
              ['option', 'value'],
              rows.map((row) => [row.name, row.value]),
            ),
          );
        else io.note(name === undefined || isChange ? `${done.login} has no option of its own.` : `${done.login} has no ${name}: as in the configuration.`);
      }),
    );
}

/** posthorn user app-password …: one password for each device. */
function registerAppPassword(user: Command, open: () => Promise<Admin>, io: CliIo): void {
  const app = user
    .command('app-password')
    .summary('passwords for single devices')
    .description('Passwords for single devices and programs: made here, shown once, revoked alone.');

  app
    .command('add')
    .summary('make one')
    .argument('<address>', 'the user')
    .argument('<label>', 'what it is for, such as phone')
    .option('--for <protocols>', 'imap, pop3, smtp, sieve, separated by commas (default: all)')
    .action((login: string, label: string, options: { for?: string }) =>
      withAdmin(open, async (admin) => {
        const done = await admin.call('apppassword.add', { login, label, scopes: options.for });
        io.print(`App password "${done.label}" of ${done.login}, for ${done.scopes === '*' ? 'everything' : done.scopes.split(' ').join(', ')}`);
        showPassword(io, done.password);
      }),
    );

  app
    .command('list')
    .summary('show them (not the passwords)')
    .argument('<address>', 'the user')
    .option('--json', 'one JSON object a password')
    .action((login: string, options: { json?: boolean }) =>
      withAdmin(open, async (admin) => {
        const rows: AppPasswordRow[] = await admin.call('apppassword.list', { login });
        if (options.json === true) for (const row of rows) io.print(JSON.stringify(row));
        else if (rows.length === 0) io.note(`${login} has no app password.`);
        else
          io.print(
            table(
              ['label', 'for', 'made', 'last used', 'from'],
              rows.map((row) => [
                row.label,
                row.scopes === '*' ? 'everything' : row.scopes,
                day(row.createdAt),
                row.usedAt === null ? 'never' : day(row.usedAt),
                row.usedFrom ?? '-',
              ]),
            ),
          );
      }),
    );

  app
    .command('remove')
    .summary('revoke one')
    .argument('<address>', 'the user')
    .argument('<label>')
    .action((login: string, label: string) =>
      withAdmin(open, async (admin) => {
        await admin.call('apppassword.remove', { login, label });
        io.print(`The app password "${label}" is revoked.`);
      }),
    );
}
