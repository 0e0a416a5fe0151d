/** posthorn store check, backup, restore, export, import. */
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Imported, ImportProgress } from '../store/import.ts';
import type { CliContext } from './context.ts';
import { humanBytes } from './table.ts';

const progressLine =
  (context: CliContext) =>
  (progress: any): void => {
    if (context.io.isInteractive) context.io.note(`${progress.mailbox}: ${progress.done}${progress.total === null ? '' : ` of ${progress.total}`}`);
  };

/** While the server runs it reads and writes these files itself, as the user it became: what root may do says nothing. */
const explained =
  (path: string) =>
  (cause: Error): never => {
    if (!/\bEACCES\b/.test(cause.message)) throw cause;
    throw new Error(`The server may not reach ${resolve(path)} as the user it runs as: choose a folder which that user owns (its parent included).`, { cause });
  };

const counted = (n: number, one: string, several = `${one}s`): string => (n === 1 ? `1 ${one}` : `${n} ${several}`);

export function registerStore(program: Command, context: CliContext): void {
  const { io } = context;
  const store = program.command('store').summary('check and repair what is kept').description('Checks and repairs the store.');
  store
    .command('check')
    .summary('read every message and count everything again')
    .description('Reads every message and compares every count. Works beside the running server. The exit code is 1 when something is wrong.')
    .option('--repair', 'set wrong counts right')
    .option('--json', 'as one JSON object')
    .action(async (options: { repair?: boolean; json?: boolean }) => {
      const admin = await context.open();
      try {
        let result = await admin.call('store.check', {});
        if (options.repair === true && result.isRepairable) {
          const { repaired } = await admin.call('store.repair', {});
          io.note(`${repaired} counts were set right.`);
          result = await admin.call('store.check', {});
        }
        if (options.json === true) io.print(JSON.stringify(result));
        else {
          io.print(
            `${counted(result.accounts, 'account')}, ${counted(result.mailboxes, 'mailbox', 'mailboxes')}, ${counted(result.messages, 'message')}, ${result.queued} in the queue; ${counted(result.blobs, 'blob')} with ${humanBytes(result.bytes)} read.`,
          );
          for (const problem of result.problems) io.print(`- ${problem}`);
          io.print(
            result.problems.length === 0
              ? 'All is well.'
              : `${counted(result.problems.length, 'problem')}${result.isRepairable ? '; wrong counts are set right by: posthorn store check --repair' : ''}.`,
          );
        }
        if (result.problems.length > 0) process.exitCode = 1;
      } finally {
        await admin.close();
      }
    });

  program
    .command('backup <directory>')
    .summary('copy everything into a new folder, while the server runs')
    .description('Copies messages, queue, accounts, keys and configuration into a new folder: one consistent moment, also under load.')
    .action(async (directory: string) => {
      const admin = await context.open();
      try {
        const result = await admin.call('store.backup', { directory: resolve(directory) }).catch(explained(directory));
        io.print(
          `Backup in ${result.directory}: database ${humanBytes(result.databaseBytes)}, ${counted(result.files, 'large message')} with ${humanBytes(result.fileBytes)}.`,
        );
      } finally {
        await admin.close();
      }
    });

  program
    .command('restore <directory>')
    .summary('put a backup into the empty data folder; the server must be stopped')
    .description('Puts a backup into the data folder of the configuration, which must be empty or absent. The server must be stopped.')
    .action(async (directory: string) => {
      const { restoreStore } = await import('../store/backup.ts');
      const dataDir = context.config().settings.dataDir;
      await restoreStore(resolve(directory), dataDir);
      io.print(`Restored into ${dataDir}. Check it with: posthorn store check`);
    });

  program
    .command('export <account> <target>')
    .summary("write an account's mail as Maildir or mbox")
    .description(
      'Writes all mailboxes of an account into the new folder <target>, as Maildir++ or as one mbox file for each mailbox; flags, keywords and dates go along.',
    )
    .option('--format <format>', 'maildir or mbox', 'maildir')
    .action(async (login: string, target: string, options: { format: string }) => {
      const admin = await context.open();
      try {
        const result = await admin
          .call('store.export', { login, target: resolve(target), format: options.format }, progressLine(context))
          .catch(explained(target));
        io.print(
          `${counted(result.messages, 'message')} of ${counted(result.mailboxes, 'mailbox', 'mailboxes')} ${result.messages === 1 ? 'is' : 'are'} in ${resolve(target)}.`,
        );
        for (const which of result.damaged) io.note(`Could not be read: ${which}`);
        if (result.damaged.length > 0) process.exitCode = 1;
      } finally {
        await admin.close();
      }
    });

  program
    .command('import <account> <source>')
    .summary('add the mail of a Maildir or mbox files to an account')
    .description(
      "Adds the messages of a Maildir (with its folders), of a folder of mbox files or of one mbox file to an account. Flags, keywords, dates and subscriptions are kept; so are the UIDs that IMAP clients know (into mailboxes without messages) and POP3's unique-ids. It can be stopped at any moment: the same command goes on there, and later brings what is new.",
    )
    .option('--mailbox <name>', 'mailbox that takes the messages (default: the same names; INBOX for one mbox file)')
    .option('--uidl <format>', "format of the old server's POP3 unique-ids, as Dovecot writes it (%u, %v, %f …), or none", 'auto')
    .option('--again', 'take also what an earlier import of this source has taken')
    .action(async (login: string, source: string, options: { mailbox?: string; uidl: string; again?: boolean }) => {
      const admin = await context.open();
      let isStopped = false;
      const stop = (): void => {
        isStopped = true;
        void admin.close();
      };
      process.once('SIGINT', stop);
      try {
        const args = { login, source: resolve(source), mailbox: options.mailbox ?? null, uidl: options.uidl, isAgain: options.again === true };
        const result = await admin.call('store.import', args, importProgress(context) as (progress: unknown) => void).catch(explained(source));
        sayImported(context, login, result);
        if (result.unreadableCount > 0) process.exitCode = 1;
      } catch (error) {
        if (!isStopped) throw error;
        io.note('Stopped. What was added stays; the same command goes on there.');
        process.exitCode = 130;
      } finally {
        process.off('SIGINT', stop);
        if (!isStopped) await admin.close();
      }
    });
}

/** Without a terminal (a log, a batch job) a line now and then is enough. */
const QUIET_PROGRESS_EVERY_MS = 30_000;

function importProgress(context: CliContext): (progress: ImportProgress) => void {
  let told = performance.now();
  return ({ mailbox, done, total, perSecond, remainingMs }) => {
    const now = performance.now();
    if (!context.io.isInteractive && now - told < QUIET_PROGRESS_EVERY_MS) return;
    told = now;
    const of = total === null ? '' : ` of ${grouped(total)}`;
    const left = remainingMs === null ? '' : `, ${duration(remainingMs)} left`;
    context.io.note(`${mailbox}: ${grouped(done)}${of} messages, ${grouped(Math.round(perSecond))} a second${left}`);
  };
}

function sayImported({ io }: CliContext, login: string, result: Imported): void {
  const { messages, known } = result;
  io.print(
    `${counted(messages, 'message')} ${messages === 1 ? 'was' : 'were'} added to ${counted(result.mailboxes, 'mailbox', 'mailboxes')} of ${login}.` +
      (known === 0 ? '' : ` ${counted(known, 'message')} had been added before.`),
  );
  if (result.uidsKept.length > 0) io.print(`IMAP clients find what they know by its old UID in ${counted(result.uidsKept.length, 'mailbox', 'mailboxes')}.`);
  for (const name of result.uidsLost) io.note(`Other mail came into ${name} meanwhile: IMAP clients fetch that mailbox again.`);
  for (const name of result.uidsNew)
    io.note(`IMAP clients fetch ${name} again: it had messages before, or its old UIDVALIDITY lies too far in the future to be taken over.`);
  for (const what of result.unreadable) io.note(what);
  if (result.unreadableCount > result.unreadable.length) io.note(`… and ${result.unreadableCount - result.unreadable.length} more that could not be read.`);
}

const grouped = (n: number): string => n.toLocaleString('en-US');

/** "2 hours 5 minutes", "4 minutes", "20 seconds". */
function duration(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 90) return counted(seconds, 'second');
  const minutes = Math.round(seconds / 60);
  if (minutes < 90) return counted(minutes, 'minute');
  return `${counted(Math.floor(minutes / 60), 'hour')} ${counted(minutes % 60, 'minute')}`;
}
