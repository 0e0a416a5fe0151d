/** posthorn route: where mail for an address goes, and who decided that. */
import type { Command } from 'commander';
import type { Admin } from '../ports.ts';
import type { RouteAnswer } from '../route/admin.ts';
import type { CliIo } from './io.ts';
import { printable } from './table.ts';
import { withAdmin } from './with-admin.ts';

export function registerRoute(program: Command, open: () => Promise<Admin>, io: CliIo): void {
  program
    .command('route')
    .summary('say where mail for an address goes, and why')
    .description(
      'Prints the whole path of an address: rewriting, aliases, address classes, transports, each with the table or option that decided. Nothing is sent.',
    )
    .argument('<address>', 'the recipient')
    .option('--sender <address>', 'sender of the envelope; "<>" for none')
    .option('--mx', 'look up the mail hosts, too')
    .option('--json', 'everything as JSON')
    .action((address: string, options: { sender?: string; mx?: boolean; json?: boolean }) =>
      withAdmin(open, async (admin) => {
        const answer: RouteAnswer = await admin.call('route.explain', { address, sender: options.sender ?? null, mx: options.mx === true });
        io.print(options.json === true ? JSON.stringify(answer) : routeWords(answer));
        if (answer.refusal !== '') process.exitCode = 1;
      }),
    );
}

const WIDTH = 44;

/** The tree, and below it one line for each destination. */
export function routeWords(answer: RouteAnswer): string {
  const lines = answer.steps.map(({ depth, what, by }) => {
    const left = `${'  '.repeat(depth)}${depth === 0 ? '' : '→ '}${printable(what)}`;
    return `${left.padEnd(WIDTH)}  ${printable(by)}`.trimEnd();
  });
  lines.push('');
  if (answer.refusal !== '') lines.push(`Refused  ${printable(answer.refusal)}`);
  else
    for (const { address, goes, hosts } of answer.destinations) {
      lines.push(`Goes to  ${printable(address)}: ${printable(goes)}`);
      for (const host of hosts) lines.push(`           ${printable(host)}`);
    }
  return lines.join('\n');
}
