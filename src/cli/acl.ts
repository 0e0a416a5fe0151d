/** posthorn acl: list, set, remove: who else may do what with a user's mailboxes. */
import type { Command } from 'commander';
import type { AclRow } from '../access/acl/admin.ts';
import type { Admin } from '../ports.ts';
import type { CliIo } from './io.ts';
import { table } from './table.ts';
import { withAdmin } from './with-admin.ts';

export function registerAcl(program: Command, open: () => Promise<Admin>, io: CliIo): void {
  const acl = program
    .command('acl')
    .summary('mailboxes that users share')
    .description(
      'Who else may do what with a mailbox (RFC 4314). Users do the same from their mail program. The owner of a mailbox has all rights and is not in its list.',
    );

  acl
    .command('list')
    .summary('show who has rights on the mailboxes of a user')
    .argument('<login>', 'whose mailboxes: anna@example.org')
    .argument('[mailbox]', 'only this one')
    .option('--json', 'one JSON object for each mailbox and identifier')
    .action((login: string, mailbox: string | undefined, options: { json?: boolean }) =>
      withAdmin(open, async (admin) => {
        const rows: AclRow[] = await admin.call('acl.list', { login, mailbox });
        if (options.json === true) for (const row of rows) io.print(JSON.stringify(row));
        else if (rows.length === 0) io.note('Nobody else has rights there.');
        else
          io.print(
            table(
              ['mailbox', 'who', 'rights'],
              rows.map((row) => [row.mailbox, row.identifier, row.rights]),
            ),
          );
      }),
    );

  acl
    .command('set')
    .summary('give rights on a mailbox')
    .argument('<login>', 'whose mailbox: anna@example.org')
    .argument('<mailbox>', 'INBOX, "INBOX/Projects"')
    .argument('<identifier>', 'who gets them: bert@example.org, or anyone; "-bert@example.org" takes away what anyone has')
    .argument('<rights>', 'letters of "lrswipkxtea", or read (lr), write (lrswite) or all; +LETTERS adds, -LETTERS takes away (after --)')
    .option('--json', 'the result as one JSON object')
    .action((login: string, mailbox: string, identifier: string, rights: string, options: { json?: boolean }) =>
      withAdmin(open, async (admin) => {
        const row: AclRow = await admin.call('acl.set', { login, mailbox, identifier, rights });
        io.print(options.json === true ? JSON.stringify(row) : sentence(row));
      }),
    );

  acl
    .command('remove')
    .summary('take all rights on a mailbox away from somebody')
    .argument('<login>')
    .argument('<mailbox>')
    .argument('<identifier>')
    .option('--json', 'the result as one JSON object')
    .action((login: string, mailbox: string, identifier: string, options: { json?: boolean }) =>
      withAdmin(open, async (admin) => {
        const row: AclRow = await admin.call('acl.remove', { login, mailbox, identifier });
        io.print(options.json === true ? JSON.stringify(row) : sentence(row));
      }),
    );
}

function sentence({ mailbox, identifier, rights }: AclRow): string {
  return rights === '' ? `${identifier} has no rights of its own on ${mailbox} any more.` : `${identifier} has ${rights} on ${mailbox}.`;
}
