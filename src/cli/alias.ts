/** posthorn alias: add, list, remove. */
import type { Command } from 'commander';
import type { AliasRow } from '../directory/admin/alias.ts';
import type { Admin } from '../ports.ts';
import type { CliIo } from './io.ts';
import { table } from './table.ts';
import { withAdmin } from './with-admin.ts';

export function registerAlias(program: Command, open: () => Promise<Admin>, io: CliIo): void {
  const alias = program
    .command('alias')
    .summary('addresses that lead to others')
    .description(
      "Addresses that lead to others, here or elsewhere. An alias with the address of a user forwards that user's mail; lead it to the user too to keep a copy.",
    );

  alias
    .command('add')
    .summary('let an address lead to others')
    .argument('<address>', 'such as info@example.org')
    .argument('<targets...>', 'one or more addresses')
    .action((address: string, targets: string[]) =>
      withAdmin(open, async (admin) => {
        const done = await admin.call('alias.add', { address, targets });
        io.print(`${done.address} leads to ${done.targets.join(', ')}.`);
      }),
    );

  alias
    .command('list')
    .summary('show the aliases')
    .argument('[domain]', 'only those of one domain')
    .option('--json', 'one JSON object an alias')
    .action((domain: string | undefined, options: { json?: boolean }) =>
      withAdmin(open, async (admin) => {
        const rows: AliasRow[] = await admin.call('alias.list', { domain });
        if (options.json === true) for (const row of rows) io.print(JSON.stringify(row));
        else if (rows.length === 0) io.note('There is no alias.');
        else
          io.print(
            table(
              ['alias', 'kind', 'leads to'],
              rows.map((row) => [row.address, row.isForwarding ? 'forwarding' : 'alias', row.targets.join(', ')]),
            ),
          );
      }),
    );

  alias
    .command('remove')
    .summary('remove an alias, or some of its targets')
    .argument('<address>')
    .argument('[targets...]', 'only these')
    .action((address: string, targets: string[]) =>
      withAdmin(open, async (admin) => {
        const done = await admin.call('alias.remove', { address, targets });
        io.print(`${done.address}: ${done.removed === 1 ? 'one target' : `${done.removed} targets`} removed.`);
      }),
    );
}
