/** posthorn explain: what would happen to a message, check by check, without delivering it. */
import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { Rehearsal } from '../judge/rehearsal.ts';
import type { Admin } from '../ports.ts';
import type { RouteAnswer } from '../route/admin.ts';
import type { CliIo } from './io.ts';
import { routeWords } from './route.ts';
import { printable } from './table.ts';

const MESSAGE_BYTES_MAX = 32 * 1024 * 1024;

export interface ExplainAnswer extends Rehearsal {
  readonly client: { readonly ip: string; readonly name: string; readonly status: string };
  readonly thresholds: { readonly greylist: number | null; readonly addHeader: number | null; readonly reject: number | null };
}

export function registerExplain(program: Command, open: () => Promise<Admin>, io: CliIo): void {
  program
    .command('explain')
    .summary('say what would happen to a message, and why')
    .description(
      'Plays a message from FILE through every check as if a stranger sent it now, and prints what each of them says, and the way of each recipient. Nothing is delivered, remembered or sent.',
    )
    .argument('<file>', 'the message as it would arrive; - for the standard input')
    .requiredOption('--ip <address>', 'address of the client')
    .option('--helo <name>', 'name the client gives itself', 'client.example.net')
    .requiredOption('--from <address>', 'envelope sender; "<>" for none')
    .requiredOption('--to <address...>', 'envelope recipients')
    .option('--name <name>', 'host name of the client, instead of looking it up')
    .option('--json', 'everything as JSON')
    .action(async (file: string, options: { ip: string; helo: string; from: string; to: string[]; name?: string; json?: boolean }) => {
      const bytes = readFileSync(file === '-' ? 0 : file);
      if (bytes.length > MESSAGE_BYTES_MAX) throw new Error('The message is too large to be explained here (32 MiB at most).');
      const admin = await open();
      try {
        const answer: ExplainAnswer = await admin.call('judge.explain', {
          message: withCrlf(bytes).toString('base64'),
          ip: options.ip,
          helo: options.helo,
          from: options.from,
          to: options.to,
          name: options.name ?? null,
        });
        const routes: Routed[] = [];
        if (answer.reply === null)
          for (const address of answer.accepted)
            routes.push({ address, route: await admin.call('route.explain', { address, sender: options.from, mx: false }) });
        io.print(options.json === true ? JSON.stringify({ ...answer, routes }) : [explainWords(answer), ...routes.map(routedWords)].join('\n\n'));
      } finally {
        await admin.close();
      }
    });
}

interface Routed {
  readonly address: string;
  readonly route: RouteAnswer;
}

function routedWords({ address, route }: Routed): string {
  return `Way of ${printable(address)}\n${routeWords(route)
    .split('\n')
    .map((line) => (line === '' ? line : `  ${line}`))
    .join('\n')}`;
}

/** A file saved on this machine has bare LF; what arrives by SMTP has not. */
function withCrlf(bytes: Buffer): Buffer {
  if (!bytes.includes('\n') || bytes.includes('\r\n')) return bytes;
  return Buffer.from(bytes.toString('latin1').replace(/\n/g, '\r\n'), 'latin1');
}

const OUTCOMES: Readonly<Record<string, string>> = {
  accept: 'accepted',
  addHeader: 'accepted and marked as spam',
  greylist: 'asked to come back later',
  quarantine: 'accepted into quarantine',
  reject: 'refused',
  defer: 'put off',
  discard: 'accepted and thrown away',
};

export function explainWords(answer: ExplainAnswer): string {
  const lines: string[] = [`Client   ${answer.client.ip}  ${answer.client.name === '' ? 'no name' : answer.client.name} (${answer.client.status})`, ''];
  for (const { step, reply, trace } of answer.steps) {
    lines.push(`${step.padEnd(40)} ${reply === null ? 'go on' : `${reply.code} ${reply.enhanced} ${reply.text}`}`);
    for (const entry of trace) {
      const says = entry.says === 'nothing' ? (entry.text === '' ? 'nothing' : entry.text) : `${entry.says}${entry.text === '' ? '' : `: ${entry.text}`}`;
      lines.push(`  ${entry.list.padEnd(10)} ${entry.restriction.padEnd(42)} ${says}`);
    }
  }
  if (answer.symbols.length > 0) {
    lines.push('', 'Symbols');
    for (const { name, score, text } of [...answer.symbols].sort((a, b) => b.score - a.score))
      lines.push(`  ${`${score > 0 ? '+' : ''}${score.toFixed(1)}`.padStart(6)}  ${name.padEnd(24)} ${text}`);
    const { greylist, addHeader, reject } = answer.thresholds;
    lines.push(
      `  ${answer.score.toFixed(1).padStart(6)}  in all; greylisting from ${limit(greylist)}, marked from ${limit(addHeader)}, refused from ${limit(reject)}`,
    );
  }
  if (answer.added.length > 0)
    lines.push('', 'Header fields added', ...answer.added.flatMap((field) => field.split('\r\n')).map((line) => `  ${line.replace(/^\t/, '  ')}`));
  lines.push('', `Outcome  ${OUTCOMES[answer.action] ?? answer.action}${answer.by === 'score' || answer.by === '' ? '' : `, because of ${answer.by}`}`);
  if (answer.reply !== null) lines.push(`         ${answer.reply.code} ${answer.reply.enhanced} ${answer.reply.text}`);
  else lines.push(`         for ${answer.accepted.join(', ')}`);
  if (answer.isJunk) lines.push('         into the mailbox for junk');
  if (answer.hold !== null) lines.push(`         held in the queue: ${answer.hold}`);
  if (answer.nexthop !== null) lines.push(`         to ${answer.nexthop}`);
  return lines.map(printable).join('\n');
}

function limit(value: number | null): string {
  return value === null ? 'no score' : value.toFixed(1);
}
