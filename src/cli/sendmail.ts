/** posthorn sendmail: the classic command that cron, PHP and mutt call. Its options are its own; all of them are passed on. */
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import type { CliContext } from './context.ts';

/** Only for the list of commands: runCli takes the arguments before commander sees them. */
export function registerSendmail(program: Command): void {
  program
    .command('sendmail')
    .summary('hand in a message, as the classic sendmail command does')
    .description(
      'Reads a message from the standard input and hands it in. Takes the classic options: -t, -i, -f, -F, -bp, -bs and others. A link named sendmail to posthorn does the same.',
    )
    .argument('[options-and-recipients...]')
    .helpOption(false);
}

const HELP = `Usage: posthorn sendmail [options] [recipients...]

Reads a message from the standard input and hands it in; works with the server up or down.

  -t             recipients are those of To, Cc and Bcc too
  -i, -oi        a line with a single dot is part of the message
  -f, -r <from>  envelope sender; "" for none
  -F <name>      name of the sender
  -N <when>      report success, failure, delay, or never
  -R <what>      a report returns the full message, or hdrs
  -V <id>        envelope id that reports name
  -bs            speak SMTP on standard input and output
  -bp            show the queue
  -q, -v, -bi    taken, and change nothing

A link named sendmail, mailq or newaliases to bin/posthorn.mjs does the same as those commands.`;

/** Exit code as in sysexits.h: 0, 64 (usage), 75 (try again) … */
export async function sendmail(argv: readonly string[], context: CliContext): Promise<number> {
  // The classic command knows no long options; a person who asks is answered all the same.
  if (argv[0] === '--help') {
    context.io.print(HELP);
    return 0;
  }
  const { settings, baseDir } = context.config();
  const { runSendmail } = await import('../receive/pickup/sendmail.ts');
  const directory = settings['pickup.directory'];
  return runSendmail(argv, {
    stdin: process.stdin,
    stdout: (text) => void process.stdout.write(text),
    stderr: (text) => void process.stderr.write(text),
    directory: directory === '' ? join(settings.dataDir, 'pickup') : resolve(baseDir, directory),
    hostname: settings.hostname,
    messageBytesMax: settings['smtp.messageBytesMax'],
    async printQueue() {
      const [{ printQueue }, admin] = await Promise.all([import('./queue.ts'), context.open()]);
      try {
        await printQueue(admin, context.io);
      } finally {
        await admin.close();
      }
      return 0;
    },
  });
}
