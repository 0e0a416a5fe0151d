/** The command line of posthorn doctor; what it does is loaded when it is called. */
import type { Command } from 'commander';
import type { CliContext } from './context.ts';
import type { DoctorOptions } from './doctor.ts';

export function registerDoctor(program: Command, context: CliContext): void {
  program
    .command('doctor')
    .summary('check the running installation')
    .description(
      'Checks ports, names and addresses, certificates, DNS of every domain, keys, queue, disk, clock and files. Each finding says what is wrong, what it breaks, and the command or record that cures it. ' +
        'The exit code is 0 when all is well, 1 when something deserves a look, 2 when something is broken.',
    )
    .option('--full', 'read every message in the store too')
    .option('--json', 'one JSON object a finding')
    .action(async (options: DoctorOptions) => (await import('./doctor.ts')).examine(context, options));
}
