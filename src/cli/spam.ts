/** posthorn spam: show, set, allow, block. */
import type { Command } from 'commander';
import type { ListRow, SpamView } from '../deliver/sorting/admin.ts';
import type { Admin } from '../ports.ts';
import type { CliIo } from './io.ts';
import { table } from './table.ts';
import { withAdmin } from './with-admin.ts';

export function registerSpam(program: Command, open: () => Promise<Admin>, io: CliIo): void {
  const spam = program
    .command('spam')
    .summary('what becomes of spam, account by account')
    .description(
      'Points from which on mail is junk or thrown away, and the allow and block lists of an account. The options of [sorting] hold for the others.',
    );

  spam
    .command('show')
    .summary('show what holds for a user')
    .argument('<user>', 'such as anna@example.org')
    .option('--json', 'as one JSON object')
    .action((user: string, options: { json?: boolean }) =>
      withAdmin(open, async (admin) => {
        const view: SpamView = await admin.call('spam.show', { user });
        if (options.json === true) io.print(JSON.stringify(view));
        else io.print(describe(view));
      }),
    );

  spam
    .command('set')
    .summary('change what holds for a user')
    .argument('<user>')
    .option('--junk <points>', 'to the junk folder from so many points on, "off", or "judge": what the judge calls spam')
    .option('--discard <points>', 'thrown away from so many points on, or "off"')
    .option('--blocked <what>', 'mail of the block list: "junk" or "discard"')
    .option('--allow-unproven <yes|no>', 'the allow list counts for senders that nothing proves')
    .option('--reset', 'as the server has it, unless another option says otherwise')
    .action((user: string, options: { junk?: string; discard?: string; blocked?: string; allowUnproven?: string; reset?: boolean }) =>
      withAdmin(open, async (admin) => {
        const values: Record<string, string | null> = {};
        if (options.reset === true) for (const name of ['spam.junk', 'spam.discard', 'spam.blocked', 'spam.allowUnproven']) values[name] = null;
        if (options.junk !== undefined) values['spam.junk'] = options.junk;
        if (options.discard !== undefined) values['spam.discard'] = options.discard;
        if (options.blocked !== undefined) values['spam.blocked'] = options.blocked;
        if (options.allowUnproven !== undefined) values['spam.allowUnproven'] = options.allowUnproven;
        await admin.call('spam.set', { user, values });
        io.print(describe(await admin.call('spam.show', { user })));
      }),
    );

  for (const kind of ['allow', 'block'] as const) {
    const list = spam
      .command(kind)
      .summary(kind === 'allow' ? 'senders whose mail is never junk' : 'senders whose mail is always junk')
      .description('An entry is an address, "@example.org", or "@.example.org" for the domain with all its subdomains.');
    list
      .command('add')
      .summary('put senders on the list')
      .argument('<user>')
      .argument('<senders...>')
      .action((user: string, patterns: string[]) =>
        withAdmin(open, async (admin) => {
          const done = await admin.call('list.add', { user, kind, patterns });
          io.print(`${done.login}: ${entries(done.added)} added to the ${kind} list.`);
        }),
      );
    list
      .command('remove')
      .summary('take senders from the list')
      .argument('<user>')
      .argument('<senders...>')
      .action((user: string, patterns: string[]) =>
        withAdmin(open, async (admin) => {
          const done = await admin.call('list.remove', { user, kind, patterns });
          io.print(`${done.login}: ${entries(done.removed)} removed from the ${kind} list.`);
        }),
      );
    list
      .command('list')
      .summary('show the list')
      .argument('<user>')
      .option('--json', 'one JSON object an entry')
      .action((user: string, options: { json?: boolean }) =>
        withAdmin(open, async (admin) => {
          const rows: ListRow[] = await admin.call('list.show', { user, kind });
          if (options.json === true) for (const row of rows) io.print(JSON.stringify(row));
          else if (rows.length === 0) io.note('The list is empty.');
          else
            io.print(
              table(
                ['sender', 'since'],
                rows.map((row) => [row.pattern, new Date(row.addedAt).toISOString().slice(0, 10)]),
              ),
            );
        }),
      );
  }
}

function entries(count: number): string {
  return count === 1 ? 'one entry' : `${count} entries`;
}

function describe(view: SpamView): string {
  const own = (name: string): string => (view.own.includes(name) ? 'own choice' : 'as the server has it');
  const points = (value: number | null | 'judge'): string =>
    value === null ? 'off' : value === 'judge' ? 'what the judge calls spam' : `from ${value} ${value === 1 ? 'point' : 'points'}`;
  return table(
    ['what', 'value', 'why'],
    [
      ['to the junk folder', points(view.junk), own('spam.junk')],
      ['thrown away', points(view.discard), own('spam.discard')],
      ['mail of the block list', view.blocked === 'junk' ? 'to the junk folder' : 'thrown away', own('spam.blocked')],
      ['allow list without proof', view.allowUnproven ? 'counts' : 'does not count', own('spam.allowUnproven')],
      ['entries', `${view.allowed} allowed, ${view.blockedEntries} blocked`, ''],
    ],
  );
}
