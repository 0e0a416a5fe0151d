/** posthorn queue: look at the mail that waits, and act on it. */
import type { Command } from 'commander';
import type { Admin } from '../ports.ts';
import type { QueueEntryView, QueueFilter, QueueList, QueueRecipientView } from '../queue/admin.ts';
import { duration } from '../system/declare.ts';
import { CancelledError, type CliIo } from './io.ts';
import { humanBytes, humanSpan, printable, table } from './table.ts';
import { withAdmin } from './with-admin.ts';

interface FilterOptions {
  from?: string;
  to?: string;
  domain?: string;
  older?: string;
  held?: boolean;
  all?: boolean;
  json?: boolean;
  yes?: boolean;
  limit?: string;
}

function filterOf(ids: readonly string[], options: FilterOptions): QueueFilter {
  return {
    ids: ids.length > 0 ? ids : undefined,
    sender: options.from,
    recipient: options.to,
    domain: options.domain,
    olderThanMs: options.older === undefined ? undefined : duration({ default: 0, doc: '' }).parse(options.older),
    isHeld: options.held,
    all: options.all,
  };
}

function withFilter(command: Command): Command {
  return command
    .option('--from <address>', 'sent by this address, "@domain", or "<>"')
    .option('--to <address>', 'waiting for this recipient')
    .option('--domain <domain>', 'waiting for a recipient of this domain')
    .option('--older <time>', 'in the queue for at least so long: 30m, 4h, 2d')
    .option('--json', 'as JSON');
}

/** "in 3 min", "now". */
function until(at: number, now: number): string {
  return at <= now ? 'now' : `in ${humanSpan(at - now)}`;
}

function state(entry: QueueEntryView, now: number): string {
  if (entry.isHeld) return 'held';
  const next = Math.min(...entry.recipients.map((recipient) => recipient.nextAttemptAt));
  const attempts = Math.max(0, ...entry.recipients.map((recipient) => recipient.attempts));
  return attempts === 0 ? 'new' : `try ${attempts + 1} ${until(next, now)}`;
}

function names(entry: QueueEntryView): string {
  const first = entry.recipients[0]?.address ?? '';
  return entry.recipientCount > 1 ? `${first} +${entry.recipientCount - 1}` : first;
}

function reason(recipient: QueueRecipientView): string {
  if (recipient.lastReply === null) return '';
  return recipient.lastHost === null || recipient.lastHost === '' ? recipient.lastReply : `${recipient.lastHost} said: ${recipient.lastReply}`;
}

function listText(list: QueueList, now: number): string {
  if (list.total === 0) return 'Nothing waits in the queue.';
  const rows = list.entries.map((entry) => [
    entry.id,
    humanSpan(now - entry.createdAt),
    humanBytes(entry.size),
    entry.sender ?? '<>',
    names(entry),
    state(entry, now),
  ]);
  const last =
    list.entries.length < list.total
      ? `${list.entries.length} of ${list.total} messages; --limit shows more.`
      : `${list.total} ${list.total === 1 ? 'message' : 'messages'}.`;
  return `${table(['id', 'age', 'size', 'from', 'to', 'state'], rows)}\n${last}`;
}

function entryText(entry: QueueEntryView, now: number): string {
  const lines = [
    `Message     ${entry.id}`,
    `From        ${printable(entry.sender ?? '<>')} (${entry.source})`,
    `Message-ID  ${printable(entry.messageId ?? '(none)')}`,
    `Size        ${humanBytes(entry.size)}`,
    `Waiting     ${humanSpan(now - entry.createdAt)}${entry.isHeld ? `, held${entry.holdReason === null ? '' : `: ${entry.holdReason}`}` : ''}`,
    `Recipients  ${entry.recipientCount}`,
  ];
  for (const recipient of entry.recipients) {
    lines.push(`  ${printable(recipient.address)}${recipient.kind === 'local' ? ' (local)' : ''}`);
    lines.push(
      `    ${recipient.attempts === 0 ? 'not tried yet' : `tried ${recipient.attempts} ${recipient.attempts === 1 ? 'time' : 'times'}, next ${until(recipient.nextAttemptAt, now)}`}`,
    );
    if (recipient.lastReply !== null) lines.push(`    ${printable(reason(recipient))}`);
  }
  return lines.join('\n');
}

/** What `mailq` and `sendmail -bp` print. */
export async function printQueue(admin: Admin, io: CliIo): Promise<void> {
  const list: QueueList = await admin.call('queue.list', { limit: 1000 });
  io.print(listText(list, Date.now()));
}

export function registerQueue(program: Command, open: () => Promise<Admin>, io: CliIo): void {
  const queue = program
    .command('queue')
    .summary('mail that waits to be delivered')
    .description('Mail that waits to be delivered: list, look, try again, hold, delete.');

  withFilter(queue.command('list').summary('list what waits').description('Lists the messages in the queue, oldest first.'))
    .option('--held', 'only those that are held')
    .option('--limit <number>', 'most messages shown', '100')
    .action((options: FilterOptions) =>
      withAdmin(open, async (admin) => {
        const list: QueueList = await admin.call('queue.list', { ...filterOf([], options), limit: Number(options.limit) });
        io.print(options.json === true ? JSON.stringify(list) : listText(list, Date.now()));
      }),
    );

  queue
    .command('show')
    .summary('show one message with all its recipients')
    .argument('<id>', 'message id')
    .option('--json', 'as JSON')
    .action((id: string, options: FilterOptions) =>
      withAdmin(open, async (admin) => {
        const entry: QueueEntryView = await admin.call('queue.show', { id });
        io.print(options.json === true ? JSON.stringify(entry) : entryText(entry, Date.now()));
      }),
    );

  queue
    .command('cat')
    .summary('print the message itself')
    .argument('<id>', 'message id')
    .action((id: string) =>
      withAdmin(open, async (admin) => {
        await admin.call('queue.cat', { id }, (progress) => io.write(Buffer.from((progress as { base64: string }).base64, 'base64')));
      }),
    );

  const act = (name: string, summary: string, description: string, done: string, question?: string): void => {
    const command = withFilter(queue.command(name).summary(summary).description(description))
      .argument('[id...]', 'message ids')
      .option('--all', 'all messages');
    if (question !== undefined) command.option('--yes', 'do not ask');
    command.action((ids: string[], options: FilterOptions) =>
      withAdmin(open, async (admin) => {
        const filter = filterOf(ids, options);
        if (question !== undefined && options.yes !== true && ids.length === 0 && io.isInteractive) {
          const { total }: QueueList = await admin.call('queue.list', { ...filter, limit: 0 });
          if (total > 0 && !(await io.prompt.confirm(question.replace('%', String(total))))) throw new CancelledError();
        }
        const { changed }: { changed: number } = await admin.call(`queue.${name}`, filter);
        io.print(options.json === true ? JSON.stringify({ changed }) : `${changed} ${changed === 1 ? 'message' : 'messages'} ${done}.`);
      }),
    );
  };
  act('retry', 'try now', 'Makes messages due now, and forgets which destinations did not answer.', 'will be tried now');
  act('hold', 'put aside', 'Keeps messages in the queue without trying them, until they are released.', 'held');
  act('release', 'let go on', 'Lets held messages go on, at once.', 'released');
  act('requeue', 'start again', 'Treats messages as if they had just come in: attempts and age start again.', 'queued again');
  act('delete', 'delete without a report', 'Deletes messages from the queue. Nobody is told.', 'deleted', 'Delete % messages from the queue?');

  queue
    .command('flush')
    .summary('try everything now')
    .description('Makes everything in the queue due now. Large queues are better left to their schedule.')
    .option('--json', 'as JSON')
    .action((options: FilterOptions) =>
      withAdmin(open, async (admin) => {
        const { changed }: { changed: number } = await admin.call('queue.flush', {});
        io.print(options.json === true ? JSON.stringify({ changed }) : `${changed} ${changed === 1 ? 'message' : 'messages'} will be tried now.`);
      }),
    );
}
