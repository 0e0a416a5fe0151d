/** posthorn filter convert: procmail, maildrop, .forward and .qmail files as Sieve. */
import { readFileSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { Note } from '../deliver/filters/convert/converted.ts';
import type { AllSettings } from '../settings.ts';
import { LANGUAGES, languageOption } from './filter-languages.ts';
import type { CliIo } from './io.ts';
import { printable } from './table.ts';

/** Of a script in any language. */
const SCRIPT_BYTES_MAX = 1024 * 1024;

interface ConvertCommandOptions {
  language?: string;
  output?: string;
  user?: string;
  home?: string;
}

/** Mostly it is in the home directory of who wrote it: "/home/anna/.procmailrc". */
function ownerOf(file: string): { user: string; home: string } | null {
  const home = /^(\/(?:home|usr\/home|Users)\/([^/]+))\//.exec(resolve(file));
  return home === null ? null : { home: home[1]!, user: home[2]! };
}

async function convert(file: string, options: ConvertCommandOptions, io: CliIo, settings: AllSettings): Promise<void> {
  const language = languageOption(options, file);
  if (language === 'sieve') throw new Error(`${file} is Sieve already.`);
  const [{ convertFilter }, { sieveEngine }] = await Promise.all([import('../deliver/filters/convert/convert.ts'), import('../deliver/scripts/engine.ts')]);
  const text = file === '-' ? io.readInput(SCRIPT_BYTES_MAX) : readFileSync(file);
  if (text.length > SCRIPT_BYTES_MAX) throw new Error(`${file} is larger than ${SCRIPT_BYTES_MAX} bytes.`);
  const owner = ownerOf(file);
  const user = (options.user ?? owner?.user ?? userInfo().username).replace(/@.*/s, '');
  const home = options.home ?? (options.user === undefined ? (owner?.home ?? null) : `/home/${user}`);
  const { domain, hostname } = settings;
  const result = convertFilter(text, file, language, { user, domain, hostname, home, redirectsMax: settings['sieve.redirectsMax'] });
  if ('problem' in result) throw new Error(`${file}:${result.problem.line}: ${result.problem.why}`);
  const { sieve, notes } = result.converted;
  if (options.output === undefined) io.print(sieve.trimEnd());
  else writeFileSync(options.output, sieve, { mode: 0o600 });
  for (const note of notes) io.note(printable(noteWords(file, note)));
  const compiled = sieveEngine(() => settings).compile(Buffer.from(sieve), options.output ?? 'the script');
  // Extensions can be switched off, and limits lowered.
  if ('problems' in compiled) {
    for (const { file: where, line, text: why } of compiled.problems) io.note(printable(`${where}:${line}: ${why}`));
    io.note('This server does not take the script as it is (see sieve.extensions).');
    process.exitCode = 1;
  } else if (notes.length > 0) io.note(`${notes.length} ${notes.length === 1 ? 'thing was' : 'things were'} left out; each has a comment in the script.`);
  if (options.output !== undefined) io.print(`Written to ${resolve(options.output)}. Try it: posthorn filter test ${options.output} MESSAGE`);
}

const noteWords = (file: string, { line, why }: Note): string => `${file}${line > 0 ? `:${line}` : ''}: not converted: ${why}`;

export function registerConvert(filter: Command, io: CliIo, settings: () => AllSettings): void {
  filter
    .command('convert')
    .summary('turn a procmail, maildrop, .forward or .qmail file into Sieve')
    .description(
      'Writes a Sieve script that does the same, where Sieve has words for it. What it has none for is left out and named, on the standard error and in a comment of ' +
        'the script. Folders become mailboxes: $MAILDIR/lists is "lists", Maildir/.Lists.Foo/ is "Lists/Foo".',
    )
    .argument('<file>', 'the file; - for the standard input')
    .option('--language <name>', LANGUAGES.slice(1).join(', '))
    .option('--output <file>', 'where the script goes (default: the standard output)')
    .option('--user <name>', 'whose file it is (default: by its place below /home)')
    .option('--home <directory>', 'home directory of that user')
    .action((file: string, options: ConvertCommandOptions) => convert(file, options, io, settings()));
}
