/** posthorn domain: add, list, remove, catchall. */
import type { Command } from 'commander';
import type { DomainRow } from '../directory/admin/domain.ts';
import type { Admin } from '../ports.ts';
import type { CliIo } from './io.ts';
import { table } from './table.ts';
import { withAdmin } from './with-admin.ts';

export function registerDomain(program: Command, open: () => Promise<Admin>, io: CliIo): void {
  const domain = program.command('domain').summary('mail domains of this server').description('Mail domains of this server.');

  domain
    .command('add')
    .summary('serve a domain')
    .argument('<domain>', 'such as example.org')
    .action((name: string) =>
      withAdmin(open, async (admin) => {
        const done = await admin.call('domain.add', { domain: name });
        io.print(`${done.domain} is a domain of this server now. Next: posthorn user add NAME@${done.domain}`);
      }),
    );

  domain
    .command('list')
    .summary('show the domains')
    .option('--json', 'one JSON object a domain')
    .action((options: { json?: boolean }) =>
      withAdmin(open, async (admin) => {
        const rows: DomainRow[] = await admin.call('domain.list', {});
        if (options.json === true) for (const row of rows) io.print(JSON.stringify(row));
        else if (rows.length === 0) io.note('There is no domain yet: posthorn domain add example.org');
        else
          io.print(
            table(
              ['domain', 'users', 'aliases', 'state', 'catch-all'],
              rows.map((row) => [row.name, row.users, row.aliases, row.isDisabled ? 'disabled' : 'active', row.catchAll ?? '-']),
            ),
          );
      }),
    );

  domain
    .command('remove')
    .summary('stop serving a domain')
    .description('Stops serving a domain that has no users any more; its aliases go with it.')
    .argument('<domain>')
    .action((name: string) =>
      withAdmin(open, async (admin) => {
        const done = await admin.call('domain.remove', { domain: name });
        io.print(`${done.domain} is no domain of this server any more${done.aliases > 0 ? `; ${done.aliases} aliases went with it` : ''}.`);
      }),
    );

  domain
    .command('catchall')
    .summary('choose who gets mail for addresses that do not exist')
    .argument('<domain>')
    .argument('[target]', 'address that gets it; none ends the catch-all')
    .action((name: string, target: string | undefined) =>
      withAdmin(open, async (admin) => {
        const done = await admin.call('domain.catchall', { domain: name, target: target ?? null });
        io.print(done.target === null ? `${done.domain} has no catch-all.` : `Mail for unknown addresses at ${done.domain} goes to ${done.target}.`);
      }),
    );
}
