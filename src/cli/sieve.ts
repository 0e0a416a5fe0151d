/** posthorn sieve: the filter scripts of users, of domains and of the whole server. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { CheckedScript, OwnedScriptRow } from '../deliver/scripts/admin.ts';
import type { Admin } from '../ports.ts';
import type { CliIo } from './io.ts';
import { humanBytes, printable, table } from './table.ts';
import { withAdmin } from './with-admin.ts';

const OWNER = 'whose: a user such as anna@example.org, a domain, or "global"';
/** As `sieve.scriptBytesMax` at most. */
const SCRIPT_BYTES_MAX = 16 * 1024 * 1024;

const minute = (ms: number): string => new Date(ms).toISOString().slice(0, 16).replace('T', ' ');

/** The text of a file, "-" for the standard input. Throws with a sentence when it is not UTF-8: a script is. */
export function readText(io: CliIo, file: string): string {
  const bytes = file === '-' ? io.readInput(SCRIPT_BYTES_MAX) : readFileSync(file);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new Error(`${file} is not UTF-8 text.`, { cause });
  }
}

function tellAll(io: CliIo, word: string, problems: CheckedScript['problems']): void {
  for (const { file, line, text } of problems) io.note(printable(`${file}${line > 0 ? `:${line}` : ''}: ${word}${text}`));
}

export function registerSieve(program: Command, open: () => Promise<Admin>, io: CliIo): void {
  const sieve = program
    .command('sieve')
    .summary('Sieve scripts of users, domains and the server')
    .description(
      'Sieve scripts (RFC 5228). Of a user, one is active. Those of a domain and of the server ("global") run before or after it, or are there to be included. ' +
        'Order: global before, domain before, the active script of the user, domain after, global after. Users manage their own by ManageSieve.',
    );

  sieve
    .command('list')
    .summary('show the scripts')
    .argument('[owner]', OWNER)
    .option('--json', 'one JSON object a script')
    .action((owner: string | undefined, options: { json?: boolean }) =>
      withAdmin(open, async (admin) => {
        const rows: OwnedScriptRow[] = await admin.call('sieve.list', { owner });
        if (options.json === true) for (const row of rows) io.print(JSON.stringify(row));
        else if (rows.length === 0) io.note('There is no script.');
        else
          io.print(
            table(
              ['owner', 'script', 'runs', 'size', 'changed', 'note'],
              rows.map((row) => [
                row.owner,
                row.name,
                row.place === 'personal' ? (row.isActive ? 'active' : '') : row.place,
                humanBytes(row.bytes),
                minute(row.changedAt),
                row.reportedAt === null ? '' : `failed, told ${minute(row.reportedAt)}`,
              ]),
            ),
          );
      }),
    );

  sieve
    .command('get')
    .summary('print a script')
    .argument('<owner>', OWNER)
    .argument('<name>')
    .action((owner: string, name: string) =>
      withAdmin(open, async (admin) => {
        const { text } = await admin.call('sieve.get', { owner, name });
        io.write(Buffer.from(text, 'utf8'));
      }),
    );

  sieve
    .command('put')
    .summary('store a script')
    .description('Checks a script and stores it, in place of one of the same name.')
    .argument('<owner>', OWNER)
    .argument('<name>')
    .argument('<file>', 'the script; - for the standard input')
    .option('--place <place>', 'of a domain or the server: before, after or include')
    .option('--activate', 'of a user: the script is active from now on')
    .action((owner: string, name: string, file: string, options: { place?: string; activate?: boolean }) =>
      withAdmin(open, async (admin) => {
        const text = readText(io, file);
        const done = await admin.call('sieve.put', { owner, name, text, place: options.place, activate: options.activate === true });
        tellAll(io, 'warning: ', done.warnings);
        io.print(`"${done.name}" of ${done.owner} is ${done.isNew ? 'stored' : 'replaced'}${options.activate === true ? ' and active' : ''}.`);
      }),
    );

  sieve
    .command('delete')
    .summary('delete a script')
    .argument('<owner>', OWNER)
    .argument('<name>')
    .option('--force', 'also the active one')
    .action((owner: string, name: string, options: { force?: boolean }) =>
      withAdmin(open, async (admin) => {
        const done = await admin.call('sieve.delete', { owner, name, force: options.force === true });
        io.print(`"${done.name}" of ${done.owner} is deleted.`);
      }),
    );

  sieve
    .command('rename')
    .summary('give a script another name')
    .description('Gives a script another name; an active one stays active.')
    .argument('<owner>', OWNER)
    .argument('<name>')
    .argument('<to>')
    .action((owner: string, name: string, to: string) =>
      withAdmin(open, async (admin) => {
        const done = await admin.call('sieve.rename', { owner, name, to });
        io.print(`"${done.name}" of ${done.owner} is called "${done.to}" now.`);
      }),
    );

  sieve
    .command('activate')
    .summary('choose the script that filters the mail of a user')
    .argument('<user>', 'such as anna@example.org')
    .argument('[name]', 'without a name: none')
    .action((owner: string, name: string | undefined) =>
      withAdmin(open, async (admin) => {
        const done = await admin.call('sieve.activate', { owner, name: name ?? null });
        io.print(done.name === '' ? `No script of ${done.owner} is active.` : `"${done.name}" of ${done.owner} is active.`);
      }),
    );

  sieve
    .command('check')
    .summary('check a script without storing it')
    .argument('<file>', 'the script; - for the standard input')
    .action((file: string) =>
      withAdmin(open, async (admin) => {
        const { problems, warnings }: CheckedScript = await admin.call('sieve.check', { text: readText(io, file), file });
        tellAll(io, '', problems);
        tellAll(io, 'warning: ', warnings);
        if (problems.length > 0) process.exitCode = 1;
        else io.print('The script is valid.');
      }),
    );
}
