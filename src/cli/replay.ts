/** posthorn replay: recent messages judged by another configuration, and only those whose outcome changes. */
import { type Command, Option } from 'commander';
import type { ReplayAnswer, ReplayRow } from '../judge/admin.ts';
import { JUDGE_SETTINGS } from '../judge/all-settings.ts';
import type { Admin } from '../ports.ts';
import type { JourneyPageRow } from '../system/journey.ts';
import { type CliContext, readConfig } from './context.ts';
import { printable } from './table.ts';
import { clock } from './trace-words.ts';
import { parseWhen } from './when.ts';

/** What `--config` after the word replay is called inside: before it, it names the configuration in force. */
export const REPLAY_CONFIG = '--judge-with';

const PAGE = 500;

export function registerReplay(program: Command, context: CliContext): void {
  const { io } = context;
  program
    .command('replay')
    .summary('judge recent messages by another configuration')
    .description(
      'Judges messages of the last days again, by the configuration in force and by another one, with the name server answers of then, and prints those whose outcome would change. Nothing is delivered or remembered.',
    )
    .addOption(new Option(`${REPLAY_CONFIG} <file>`, 'the other configuration').makeOptionMandatory().hideHelp())
    .addHelpText('after', '\n  --config <file>    the other configuration; the one in force is named before: posthorn --config OLD replay --config NEW')
    .option('--since <time>', 'messages after this: 2h (ago), 3d, 14:30, 2026-05-01 (default: option judge.replaySince)')
    .option('--limit <number>', 'most messages judged (default: option judge.replayMax)')
    .option('--json', 'one JSON object a message')
    .action(async (options: { judgeWith: string; since?: string; limit?: string; json?: boolean }) => {
      const settings = readConfig(options.judgeWith).settings as Record<string, unknown>;
      const wanted = Object.fromEntries(
        Object.keys(JUDGE_SETTINGS)
          .concat('smtp.relayFrom')
          .map((key) => [key, settings[key]]),
      );
      const now = Date.now();
      const { 'judge.replaySince': sinceMs, 'judge.replayMax': most } = context.config().settings;
      const since = options.since === undefined ? now - sinceMs : parseWhen(options.since, now);
      const limit = options.limit === undefined ? most : Number(options.limit);
      if (!Number.isInteger(limit) || limit < 1) throw new Error(`"${options.limit}" is no number of messages.`);
      const admin: Admin = await context.open();
      const total = { judged: 0, changed: 0, gone: 0 };
      try {
        let after = 0;
        for (;;) {
          const rows: JourneyPageRow[] = await admin.call('journey.page', {
            after,
            since,
            events: ['accepted', 'refused'],
            limit: Math.min(PAGE, limit - total.judged),
          });
          if (rows.length === 0) break;
          after = rows.at(-1)!.row;
          const answer: ReplayAnswer = await admin.call('judge.replay', { rows, settings: wanted }, (progress) => {
            const row = progress as ReplayRow;
            io.print(options.json === true ? JSON.stringify(row) : replayWords(row));
          });
          total.judged += answer.judged;
          total.changed += answer.changed;
          total.gone += answer.gone;
          if (total.judged >= limit) break;
        }
      } finally {
        await admin.close();
      }
      const goneWords = total.gone === 0 ? '' : `; ${total.gone} are no longer kept and could not be judged`;
      if (options.json !== true)
        io.print(`${total.judged} ${total.judged === 1 ? 'message' : 'messages'} judged, ${total.changed} would end differently${goneWords}.`);
    });
}

function replayWords(row: ReplayRow): string {
  const words = ({ action, by, score, reply }: ReplayRow['before']): string =>
    `${action}${by === 'score' || by === '' ? '' : ` (${by})`}, ${score.toFixed(1)} points${reply === null ? '' : `: ${reply}`}`;
  return [`${row.id}  ${clock(row.at)}  ${row.from} → ${row.to.join(', ')}`, `  was    ${words(row.before)}`, `  would  ${words(row.after)}`]
    .map(printable)
    .join('\n');
}
