/** posthorn trace: the path of a message, found by anything one knows of it. */
import type { Command } from 'commander';
import type { Admin } from '../ports.ts';
import type { JourneyMessage } from '../system/journey.ts';
import type { CliIo } from './io.ts';
import { messageWords } from './trace-words.ts';
import { parseWhen } from './when.ts';

export function registerTrace(program: Command, open: () => Promise<Admin>, io: CliIo): void {
  program
    .command('trace')
    .summary('show the path of a message')
    .description(
      'Shows what happened to a message, step by step. WHAT is the id from the log or the reply, an address, a Message-ID, or the address of a client.',
    )
    .argument('<what>', 'message id, address, Message-ID or client address')
    .option('--since <time>', 'only messages after this: 2h (ago), 3d, 14:30, 2026-05-01')
    .option('--until <time>', 'only messages before this')
    .option('--limit <number>', 'most messages shown, newest first', '20')
    .option('--json', 'one JSON object a message')
    .action(async (what: string, options: { since?: string; until?: string; limit: string; json?: boolean }) => {
      const now = Date.now();
      const admin = await open();
      try {
        const found: JourneyMessage[] = await admin.call('journey.trace', {
          text: what,
          since: options.since === undefined ? undefined : parseWhen(options.since, now),
          until: options.until === undefined ? undefined : parseWhen(options.until, now),
          limit: Number(options.limit),
        });
        if (options.json === true) for (const message of found) io.print(JSON.stringify(message));
        else if (found.length === 0) throw new Error(`No message is known by ${what}. (Messages are kept in the journey for the time of journey.keep.)`);
        else io.print(found.toReversed().map(messageWords).join('\n\n'));
      } finally {
        await admin.close();
      }
    });
}
