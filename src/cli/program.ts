/** The command line: one program, one file a command. */
import { Command, CommanderError } from 'commander';
import { version } from '../system/version.ts';
import { registerAcl } from './acl.ts';
import { registerAlias } from './alias.ts';
import { registerConfig } from './config.ts';
import { type CliContext, type CliHooks, cliContext } from './context.ts';
import { registerDkim } from './dkim.ts';
import { registerDmarc } from './dmarc.ts';
import { registerDns } from './dns-command.ts';
import { registerDoctor } from './doctor-command.ts';
import { registerDomain } from './domain.ts';
import { registerFilter } from './filter.ts';
import { registerInit } from './init.ts';
import { CancelledError, type CliIo, endWithReader, terminal } from './io.ts';
import { registerExplain } from './explain.ts';
import { registerQueue } from './queue.ts';
import { REPLAY_CONFIG, registerReplay } from './replay.ts';
import { registerSendmail, sendmail } from './sendmail.ts';
import { registerSpam } from './spam.ts';
import { registerChallenge } from './challenge.ts';
import { registerRoute } from './route.ts';
import { registerSieve } from './sieve.ts';
import { registerServer } from './server.ts';
import { registerStore } from './store.ts';
import { registerTable } from './table-command.ts';
import { registerTrace } from './trace.ts';
import { registerUser } from './user.ts';

export type { CliHooks, Config } from './context.ts';

/** The whole tree of commands; also read by the reference page. */
export function buildProgram(context: (program: Command) => CliContext): { program: Command; context: CliContext } {
  const program = new Command('posthorn')
    .description('A complete mail system: SMTP, submission, LMTP, IMAP, POP3, queue and store.')
    .version(version(), '-V, --version', 'print the version')
    .option('-c, --config <file>', 'configuration file (default: posthorn.toml here, then /etc/posthorn/posthorn.toml)')
    .option('--debug', 'show where an error comes from')
    .showHelpAfterError('(posthorn --help lists the commands)')
    .configureHelp({ sortSubcommands: false });
  const made = context(program);
  registerServer(program, made);
  registerInit(program, made);
  registerConfig(program, made);
  registerUser(program, made.open, made.io);
  registerDomain(program, made.open, made.io);
  registerAlias(program, made.open, made.io);
  registerAcl(program, made.open, made.io);
  registerQueue(program, made.open, made.io);
  registerSpam(program, made.open, made.io);
  registerChallenge(program, made.open, made.io);
  registerRoute(program, made.open, made.io);
  registerSieve(program, made.open, made.io);
  registerFilter(program, made.open, made.io, () => made.config().settings);
  registerTrace(program, made.open, made.io);
  registerExplain(program, made.open, made.io);
  registerReplay(program, made);
  registerTable(program, made.io, () => made.config().settings);
  registerDkim(program, made.open, made.io);
  registerDmarc(program, made.open, made.io);
  registerDns(program, made);
  registerDoctor(program, made);
  registerStore(program, made);
  registerSendmail(program);
  describe(program);
  return { program, context: made };
}

/** A command that says what it does in the list of commands says so in its own help as well. */
function describe(command: Command): void {
  for (const inner of command.commands) {
    const summary = inner.summary();
    if (inner.description() === '' && summary !== '') inner.description(`${summary[0]!.toUpperCase()}${summary.slice(1)}.`);
    describe(inner);
  }
}

/** Runs one command line (without the program's own name) and answers the exit code. Errors are one sentence on the standard error. */
export async function runCli(argv: readonly string[], hooks: CliHooks, io: CliIo = terminal()): Promise<number> {
  const { program, context } = buildProgram((command) => cliContext(io, hooks, () => command.opts().config as string | undefined));
  // sendmail has options of its own shape (-oi, -fsender, -t), which are not commander's to judge.
  const at = argv.findIndex((word, i) => !word.startsWith('-') && argv[i - 1] !== '--config' && argv[i - 1] !== '-c');
  const isSendmail = argv[at] === 'sendmail';
  // The server goes on when nobody reads its log any more; sendmail's answer is its exit code.
  if (argv[at] !== 'start' && argv[at] !== 'serve' && !isSendmail) endWithReader();
  try {
    if (isSendmail) {
      program.parseOptions([...argv.slice(0, at)]);
      return await sendmail(argv.slice(at + 1), context);
    }
    exitByException(program, io);
    const words = argv[at] === 'replay' ? argv.map((word, i) => (i > at && (word === '--config' || word === '-c') ? REPLAY_CONFIG : word)) : [...argv];
    await program.parseAsync(words, { from: 'user' });
    return Number(process.exitCode ?? 0); // a command that found something wrong without failing itself says so there
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode;
    io.note(error instanceof CancelledError ? error.message : sentence(error));
    if (program.opts().debug === true || argv.includes('--debug')) io.note(error instanceof Error ? (error.stack ?? '') : '');
    return isSendmail ? 75 : 1; // EX_TEMPFAIL: the caller may try again
  }
}

/** "posthorn: …", with each line of a configuration's problems as it is. */
function sentence(error: unknown): string {
  const message = error instanceof Error ? (fileWords(error) ?? error.message) : String(error);
  return error instanceof Error && error.name === 'ConfigError' ? message : `posthorn: ${message || 'an error without a message; --debug tells more'}`;
}

/** What the system says of a file that the person named; null for other errors. */
function fileWords({ code, path }: NodeJS.ErrnoException): string | null {
  if (code === 'EISDIR') return path === undefined ? 'A folder was given where a file is needed.' : `${path} is a folder, not a file.`;
  if (path === undefined) return null;
  if (code === 'ENOENT') return `There is no file ${path}.`;
  return code === 'EACCES' ? `This user has no right to use ${path}.` : null;
}

function exitByException(command: Command, io: CliIo): void {
  command.exitOverride();
  command.configureOutput({ writeOut: (text) => io.print(text.trimEnd()), writeErr: (text) => io.note(text.trimEnd()) });
  for (const inner of command.commands) exitByException(inner, io);
}
