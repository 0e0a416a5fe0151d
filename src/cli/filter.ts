/** posthorn filter: what a filter script would do with a message. */
import { readFileSync } from 'node:fs';
import { hostname as machineName, userInfo } from 'node:os';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import type { FilterInput, FilterLanguage } from '../deliver/filters/filter.ts';
import { toCrlf, toLf } from '../deliver/user-agent/message.ts';
import { parsePath } from '../mail/address.ts';
import { fieldValue, firstField, scanHeaders } from '../mail/header.ts';
import type { Address } from '../ports.ts';
import type { AllSettings } from '../settings.ts';
import { dryRun } from './filter-dry.ts';
import { begin, isCrlf, LANGUAGES, languageOf } from './filter-languages.ts';
import type { CliIo } from './io.ts';
import { printable } from './table.ts';

const MESSAGE_BYTES_MAX = 256 * 1024 * 1024;

interface TestOptions {
  language?: string;
  from?: string;
  to?: string;
  user?: string;
  home?: string;
  json?: boolean;
}

/** An address as somebody types it; '' and "<>" are the null sender. */
function addressOption(text: string, what: string): Address | null {
  if (text === '' || text === '<>') return null;
  const path = parsePath(text.startsWith('<') ? text : `<${text}>`);
  const address = path?.address ?? null;
  if (address === null) throw new Error(`"${text}" is no address for ${what}.`);
  return address;
}

/** The sender that the message itself names: Return-Path, as the last server wrote it. */
function returnPath(header: Uint8Array): Address | null {
  const field = firstField(header, scanHeaders(header).fields, 'return-path');
  if (field === null) return null;
  const path = parsePath(fieldValue(header, field).trim());
  return path?.address ?? null;
}

function languageOption(options: TestOptions, file: string): FilterLanguage {
  const { language } = options;
  if (language !== undefined) {
    const known = LANGUAGES.find((name) => name === language);
    if (known === undefined) throw new Error(`There is no filter language "${language}"; there are ${LANGUAGES.join(', ')}.`);
    return known;
  }
  const guessed = languageOf(file);
  if (guessed === null) throw new Error(`Which language is ${file} in? Please give --language: ${LANGUAGES.join(', ')}.`);
  return guessed;
}

/** The message as the language wants it: CRLF for Sieve, LF for the others. */
export function inputOf(message: Uint8Array, language: FilterLanguage, options: TestOptions, settings: AllSettings, at: number): FilterInput {
  const crlf = isCrlf(language);
  const bytes = crlf ? toCrlf(message) : toLf(message);
  const { end } = scanHeaders(bytes);
  const user = options.user ?? userInfo().username;
  const recipient = (options.to === undefined ? null : addressOption(options.to, '--to')) ?? { local: user.replace(/@.*/s, ''), domain: settings.domain };
  const plus = recipient.local.indexOf('+');
  const header = bytes.subarray(0, end);
  return {
    header,
    size: bytes.length,
    body: bytes.subarray(end),
    envelope: {
      sender: options.from === undefined ? returnPath(header) : addressOption(options.from, '--from'),
      recipient,
      final: plus > 0 ? { local: recipient.local.slice(0, plus), domain: recipient.domain } : recipient,
      detail: plus > 0 ? recipient.local.slice(plus + 1) : null,
      orcpt: null,
      helo: null,
      clientIp: null,
      clientName: null,
    },
    user,
    home: options.home ?? (options.user === undefined ? userInfo().homedir : null),
    hostname: settings.hostname || machineName(),
    domain: settings.domain,
    at,
    zoneMinutes: -new Date(at).getTimezoneOffset(),
    spam: null,
    virus: 0,
  };
}

export function registerFilter(program: Command, io: CliIo, settings: () => AllSettings): void {
  const filter = program.command('filter').summary('try filter scripts').description('Filter scripts of every language: what they would do.');
  filter
    .command('test')
    .summary('what a script would do with a message')
    .description(
      'Runs a script over a message without doing anything: prints each action and the line that caused it. Programs are not started, nothing is written. ' +
        'The language is known by the name of the file (x.sieve, .procmailrc, .mailfilter, .forward, .qmail) or given.',
    )
    .argument('<script>', 'file with the script')
    .argument('<message>', 'file with the message; - for the standard input')
    .option('--language <name>', LANGUAGES.join(', '))
    .option('--from <address>', 'sender of the envelope; "" for none (default: Return-Path)')
    .option('--to <address>', 'recipient of the envelope')
    .option('--user <name>', 'whose script it is')
    .option('--home <directory>', 'home directory of that user')
    .option('--json', 'one JSON object an action')
    .action(async (script: string, messageFile: string, options: TestOptions) => {
      const language = languageOption(options, script);
      const message = messageFile === '-' ? io.readInput(MESSAGE_BYTES_MAX) : readFileSync(messageFile);
      const input = inputOf(message, language, options, settings(), Date.now());
      const home = resolve(input.home ?? dirname(script));
      const begun = await begin(language, readFileSync(script), script, input, home, settings());
      if ('problems' in begun) {
        for (const { file, line, text } of begun.problems) io.note(printable(`${file}${line > 0 ? `:${line}` : ''}: ${text}`));
        process.exitCode = 1;
        return;
      }
      for (const { file, line, text } of begun.remarks) io.note(printable(`${file}:${line}: ${text}`));
      const { steps, logged, end } = dryRun(begun.run, input, { directory: home, scriptDirectory: dirname(resolve(script)), environment: begun.environment });
      for (const { origin, text, action } of steps) {
        if (options.json === true) io.print(JSON.stringify({ file: origin.file, line: origin.line, kind: action?.kind ?? 'note', text }));
        else io.print(printable(`${origin.line > 0 ? `${origin.file}:${origin.line}` : `${origin.file} (end)`}  ${text}`));
      }
      if (options.json !== true) {
        for (const line of logged) io.note(printable(`log: ${line.replaceAll('\t', ' ')}`));
        if (steps.every(({ action }) => action === null) && end.kind === 'done')
          io.print(end.exitCode === null ? 'It does nothing.' : `It does nothing, exit code ${end.exitCode}.`);
        else if (end.kind === 'done' && (end.exitCode ?? 0) !== 0) io.print(`Exit code ${end.exitCode}.`);
      }
      if (end.kind === 'failed') {
        const { file, line, text } = end.problem;
        io.note(printable(`It fails, and the message is kept: ${file || script}${line > 0 ? `:${line}` : ''}: ${text}`));
        process.exitCode = 1;
      }
    });
}
