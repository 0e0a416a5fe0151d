/** posthorn filter: what a filter script would do with a message; filter-convert.ts turns it into Sieve. */
import { readFileSync, statSync } from 'node:fs';
import { hostname as machineName, userInfo } from 'node:os';
import { dirname, resolve } from 'node:path';
import type { Command } from 'commander';
import type { FilterInput, FilterLanguage, FilterProblem, FilterRun, Origin } from '../deliver/filters/filter.ts';
import { spamHeaders } from '../deliver/sorting/spam-headers.ts';
import { toCrlf, toLf } from '../deliver/user-agent/message.ts';
import { parsePath } from '../mail/address.ts';
import { fieldValue, firstField, scanHeaders } from '../mail/header.ts';
import type { Address, Admin } from '../ports.ts';
import type { AllSettings } from '../settings.ts';
import { includedScript, machineScripts, storedScripts } from './filter-around.ts';
import { registerConvert } from './filter-convert.ts';
import { type DryRun, dryRun, type DryStep } from './filter-dry.ts';
import { type Begun, begin, isCrlf, LANGUAGES, languageOption, NOTHING_AROUND } from './filter-languages.ts';
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
  alone?: boolean;
  score?: string;
  run?: boolean;
  variables?: boolean;
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

/** As the judge would have marked it: what scripts are told of the score, and the header fields that recipes look for. */
function scored(message: Uint8Array, text: string, settings: AllSettings): { message: Uint8Array; spam: NonNullable<FilterInput['spam']> } {
  const score = Number(text);
  if (text.trim() === '' || !Number.isFinite(score)) throw new Error(`"${text}" is no number for --score.`);
  const threshold = Number(settings['judge.addHeaderScore']);
  const header = settings['judge.spamHeaders'] ? spamHeaders({ score, symbols: [] }, threshold) : Buffer.alloc(0);
  return { message: Buffer.concat([header, message]), spam: { score, threshold, isSpam: score >= threshold, symbols: [] } };
}

/** Programs that a user's file names get the rights of who tries it: not those of root, unless the file is root's own. */
function mayRun(script: string, user: string | undefined): void {
  if (process.geteuid?.() !== 0 || (statSync(script).uid === 0 && (user === undefined || user === 'root'))) return;
  throw new Error(
    `--run would start what ${script} says with the rights of root. Please try it as its owner: runuser -u ${user ?? 'USER'} -- posthorn filter test …`,
  );
}

function tell(io: CliIo, { file, line, text }: FilterProblem): void {
  io.note(printable(`${file}${line > 0 ? `:${line}` : ''}: ${text}`));
}

function printSteps(io: CliIo, steps: readonly DryStep[], isJson: boolean): void {
  for (const { origin, text, action } of steps) {
    if (isJson) io.print(JSON.stringify({ file: origin.file, line: origin.line, kind: action?.kind ?? 'note', text }));
    else io.print(printable(`${placeWords(origin)}${text}`));
  }
}

function placeWords({ file, line }: Origin): string {
  if (file === '') return '';
  return line > 0 ? `${file}:${line}  ` : `${file} (end)  `;
}

async function testFilter(script: string, messageFile: string, options: TestOptions, { io, open, settings }: FilterParts): Promise<void> {
  const language = languageOption(options, script);
  if (options.run === true) mayRun(script, options.user);
  const given = messageFile === '-' ? io.readInput(MESSAGE_BYTES_MAX) : readFileSync(messageFile);
  const { message, spam } = options.score === undefined ? { message: given, spam: null } : scored(given, options.score, settings);
  const input = { ...inputOf(message, language, options, settings, Date.now()), spam };
  const home = resolve(input.home ?? dirname(script));
  const address = language === 'sieve' && options.alone !== true && options.user?.includes('@') === true ? options.user : null;
  const admin = address === null ? null : await open();
  try {
    const isAlone = options.alone === true || options.user === undefined;
    const around = admin !== null ? await storedScripts(admin, address!) : isAlone ? NOTHING_AROUND : machineScripts(language, script);
    const begun = await begin(language, readFileSync(script), script, input, home, settings, around);
    if ('problems' in begun) {
      for (const problem of begun.problems) tell(io, problem);
      process.exitCode = 1;
      return;
    }
    if (language !== 'sieve' && (statSync(script).mode & 0o002) !== 0)
      tell(io, { file: script, line: 0, text: 'everybody may write to this file, so mail would not be sorted by it' });
    for (const remark of begun.remarks) tell(io, remark);
    const done = await dryRun(begun.run, input, {
      directory: home,
      scriptDirectory: dirname(resolve(script)),
      environment: begun.environment,
      runsPrograms: options.run === true,
      ...(language === 'sieve' ? { programDirectory: settings['sieve.programDirectory'] } : {}),
      ...(admin === null ? {} : { script: (location, name) => includedScript(admin, address!, location, name) }),
    });
    report(io, script, done, begun, options);
  } finally {
    await admin?.close();
  }
}

function report(io: CliIo, script: string, { steps, logged, end }: DryRun, begun: Extract<Begun, { run: FilterRun }>, options: TestOptions): void {
  const isJson = options.json === true;
  printSteps(io, steps, isJson);
  if (!isJson) {
    for (const line of logged) io.note(printable(`log: ${line.replaceAll('\t', ' ')}`));
    if (steps.every(({ action }) => action === null) && end.kind === 'done')
      io.print(end.exitCode === null ? 'It does nothing.' : `It does nothing, exit code ${end.exitCode}.`);
    else if (end.kind === 'done' && (end.exitCode ?? 0) !== 0) io.print(`Exit code ${end.exitCode}.`);
  }
  if (options.variables === true) printVariables(io, begun, isJson);
  if (end.kind === 'failed') {
    const { file, line, text } = end.problem;
    io.note(printable(`It fails, and the message is kept: ${file || script}${line > 0 ? `:${line}` : ''}: ${text}`));
    process.exitCode = 1;
  }
}

/** Those that are not what they were at the start. */
function printVariables(io: CliIo, { variables, initial }: Extract<Begun, { run: FilterRun }>, isJson: boolean): void {
  const names = Object.keys(variables)
    .filter((name) => variables[name] !== initial[name])
    .sort();
  if (isJson) io.print(JSON.stringify({ kind: 'variables', variables: Object.fromEntries(names.map((name) => [name, variables[name]])) }));
  else for (const name of names) io.print(printable(`${name}=${variables[name]!.replaceAll('\n', '\\n')}`));
}

export interface FilterParts {
  readonly io: CliIo;
  readonly open: () => Promise<Admin>;
  readonly settings: AllSettings;
}

export function registerFilter(program: Command, open: () => Promise<Admin>, io: CliIo, settings: () => AllSettings): void {
  const filter = program
    .command('filter')
    .summary('try filter scripts, turn them into Sieve')
    .description('Filter scripts of every language (sieve, procmail, maildrop, forward, qmail): what they would do, and how they read as Sieve.');
  filter
    .command('test')
    .summary('what a script would do with a message')
    .description(
      'Runs a script over a message without doing anything: prints each action and the line that caused it. Nothing is written, nothing is sent, and programs are ' +
        'taken to succeed unless --run is given. The language is known by the name of the file (x.sieve, .procmailrc, .mailfilter, .forward, .qmail) or given. ' +
        'With --user anna@example.org the Sieve scripts of the domain and of the server run before and after it, with --user anna /etc/procmailrc or /etc/maildroprc before it.',
    )
    .argument('<script>', 'file with the script')
    .argument('<message>', 'file with the message; - for the standard input')
    .option('--language <name>', LANGUAGES.join(', '))
    .option('--from <address>', 'sender of the envelope; "" for none (default: Return-Path)')
    .option('--to <address>', 'recipient of the envelope')
    .option('--user <name>', 'whose script it is: a system user, or an address for the scripts around it')
    .option('--home <directory>', 'home directory of that user')
    .option('--alone', 'without the scripts before and after it')
    .option('--score <points>', 'as if the judge had given it so many points of spam')
    .option('--run', 'really start the programs of conditions and filters, as who calls this; never those that get the message')
    .option('--variables', 'show the variables at the end (procmail, maildrop)')
    .option('--json', 'one JSON object an action')
    .action((script: string, messageFile: string, options: TestOptions) => testFilter(script, messageFile, options, { io, open, settings: settings() }));
  registerConvert(filter, io, settings);
}
