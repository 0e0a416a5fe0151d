/** posthorn challenge: on, off, list, release. */
import type { Command } from 'commander';
import type { WaitingRow } from '../deliver/challenge/admin.ts';
import type { Admin } from '../ports.ts';
import type { CliIo } from './io.ts';
import { table } from './table.ts';
import { withAdmin } from './with-admin.ts';

export function registerChallenge(program: Command, open: () => Promise<Admin>, io: CliIo): void {
  const challenge = program
    .command('challenge')
    .summary('ask unknown senders before their mail goes to the inbox')
    .description(
      'Mail of senders whom a user does not know waits in a mailbox of its own until they have answered a question, once. Off for everybody who has not switched it on.',
    );

  challenge
    .command('on')
    .summary('switch it on for a user')
    .argument('<user>', 'such as anna@example.org')
    .action((user: string) =>
      withAdmin(open, async (admin) => {
        const done = await admin.call('challenge.on', { user });
        io.print(`${done.login} asks unknown senders now. ${done.known === 1 ? 'One address is' : `${done.known} addresses are`} known from the sent folder.`);
      }),
    );

  challenge
    .command('off')
    .summary('switch it off for a user')
    .argument('<user>')
    .action((user: string) =>
      withAdmin(open, async (admin) => {
        const done = await admin.call('challenge.off', { user });
        io.print(`${done.login} asks nobody any more. What waits stays where it is.`);
      }),
    );

  challenge
    .command('list')
    .summary('show who was asked and has not answered')
    .argument('<user>')
    .option('--json', 'one JSON object a sender')
    .action((user: string, options: { json?: boolean }) =>
      withAdmin(open, async (admin) => {
        const view: { login: string; isOn: boolean; waiting: WaitingRow[] } = await admin.call('challenge.list', { user });
        if (options.json === true) for (const row of view.waiting) io.print(JSON.stringify(row));
        else if (view.waiting.length === 0) io.note(view.isOn ? 'Nobody was asked.' : `Challenges are off for ${view.login}.`);
        else
          io.print(
            table(
              ['sender', 'asked', 'until'],
              view.waiting.map((row) => [row.sender, new Date(row.askedAt).toISOString().slice(0, 16), new Date(row.until).toISOString().slice(0, 10)]),
            ),
          );
      }),
    );

  challenge
    .command('release')
    .summary('let a sender in who has not answered')
    .argument('<user>')
    .argument('<sender>')
    .action((user: string, sender: string) =>
      withAdmin(open, async (admin) => {
        const done = await admin.call('challenge.release', { user, sender });
        io.print(`${done.sender} is known to ${done.login} now; ${done.moved === 1 ? 'one message' : `${done.moved} messages`} moved to the inbox.`);
      }),
    );
}
