/** The command line of posthorn dns; what it does is loaded when it is called. */
import type { Command } from 'commander';
import type { CliContext } from './context.ts';
import type { DnsOptions } from './dns.ts';

export function registerDns(program: Command, context: CliContext): void {
  program
    .command('dns')
    .summary('print the DNS records a domain should have, and check them')
    .description(
      'Prints every DNS record that a mail domain should have, in the form of a zone file, and asks the name servers which of them are right, missing or wrong. ' +
        'The exit code is 1 when something is wrong that mail depends on.',
    )
    .argument('<domain>', 'such as example.org')
    .option('--zone', 'only print the records, and ask nobody')
    .option('--json', 'one JSON object a record')
    .action(async (text: string, options: DnsOptions) => (await import('./dns.ts')).showRecords(context, text, options));
}
