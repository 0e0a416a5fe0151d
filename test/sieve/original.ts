/** What Pigeonhole's sieve-test does with a script: whether it compiles, and the actions that it tells. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Case } from './cases.ts';
import { INCLUDED, MESSAGES, PROGRAMS } from './messages.ts';

export interface SieveOutcome {
  readonly compiles: boolean;
  readonly fails: boolean;
  /** In order; "store NAME [flags]", "redirect ADDRESS", "discard", "reject TEXT", "vacation SECONDS TEXT", "notify". */
  readonly actions: readonly string[];
  /** The implicit keep, with its flags; null: none. */
  readonly implicit: string | null;
}

/** Makes what sieve-test needs in the folder, which it reads as nobody. */
export function prepareOriginal(dir: string): void {
  chmodSync(dir, 0o755);
  mkdirSync(join(dir, 'mail'), { mode: 0o777 });
  chmodSync(join(dir, 'mail'), 0o777);
  mkdirSync(join(dir, 'scripts'));
  chmodSync(join(dir, 'scripts'), 0o755);
  mkdirSync(join(dir, 'bin'));
  chmodSync(join(dir, 'bin'), 0o755);
  for (const [name, text] of Object.entries(PROGRAMS)) {
    writeFileSync(join(dir, 'bin', name), text);
    chmodSync(join(dir, 'bin', name), 0o755);
  }
  for (const [name, script] of Object.entries(INCLUDED)) writeFileSync(join(dir, 'scripts', `${name}.sieve`), script, { mode: 0o644 });
  writeFileSync(
    join(dir, 'dovecot.conf'),
    `protocols =
mail_location = maildir:${dir}/mail
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
mail_attribute_dict = file:${dir}/mail/attributes
plugin {
  sieve_extensions = +editheader +vnd.dovecot.debug +vacation-seconds +spamtest +spamtestplus +virustest +vnd.dovecot.report +vnd.dovecot.environment +special-use +mboxmetadata +servermetadata +vnd.dovecot.pipe +vnd.dovecot.filter +vnd.dovecot.execute
  sieve_plugins = sieve_extprograms
  sieve_pipe_bin_dir = ${dir}/bin
  sieve_filter_bin_dir = ${dir}/bin
  sieve_execute_bin_dir = ${dir}/bin
  sieve_spamtest_status_type = score
  sieve_spamtest_status_header = X-Spam-Score: ([0-9.]+)
  sieve_spamtest_max_value = 10
  sieve_virustest_status_type = text
  sieve_virustest_status_header = X-Virus: (.*)
  sieve_virustest_text_value1 = clean
  sieve_virustest_text_value3 = mended
  sieve_virustest_text_value5 = infected
  sieve_vacation_min_period = 1d
  sieve_vacation_max_period = 60d
  sieve = file:${dir}/scripts;active=${dir}/none.sieve
}
`,
  );
  for (const [name, message] of Object.entries(MESSAGES)) writeFileSync(join(dir, `${name}.eml`), message, { mode: 0o644 });
}

/** null: it broke down (0.5.19 does, at some patterns of :matches with variables). */
export function runOriginal(dir: string, { script, message, before = [], text }: Case): (SieveOutcome & { readonly output: string }) | null {
  writeFileSync(join(dir, 'main.sieve'), script, { mode: 0o644 });
  for (const [index, earlier] of before.entries()) writeFileSync(join(dir, `before${index}.sieve`), earlier, { mode: 0o644 });
  if (text !== undefined) writeFileSync(join(dir, 'text.eml'), text, { mode: 0o644 });
  const chain = before.flatMap((_, index) => ['-s', join(dir, `before${index}.sieve`)]);
  const files = [join(dir, 'main.sieve'), join(dir, text === undefined ? `${message}.eml` : 'text.eml')];
  const args = ['-c', join(dir, 'dovecot.conf'), '-f', 'tim@example.com', '-r', 'ken+list@example.net', ...chain, ...files];
  const { stdout, stderr } = spawnSync('sieve-test', args, { timeout: 20_000, encoding: 'utf8', env: { ...process.env, TZ: 'UTC', HOME: dir } });
  const output = stdout + stderr;
  if (/failed to compile/.test(stderr)) return { compiles: false, fails: false, actions: [], implicit: null, output };
  if (/^sieve-test: Panic: /m.test(stderr)) return null;
  if (!/Info: final result:/.test(stderr)) throw new Error(`sieve-test came to no result: ${output}`);
  const fails = /final result: failed/.test(stderr);
  const runs = stdout.replaceAll('\r\n', '\n').split('Performed actions:').slice(1);
  const actions: string[] = [];
  let implicit: string | null = null;
  for (const [index, run] of runs.entries()) {
    const [performed = '', rest = ''] = run.split('Implicit keep:');
    // What one script of a chain keeps is left to the next one.
    const isLast = index === runs.length - 1 && !fails;
    actions.push(...actionsOf(performed).filter((action) => isLast || !action.startsWith('store INBOX')));
    if (isLast) implicit = actionsOf(rest)[0] ?? null;
  }
  return { compiles: true, fails, actions, implicit: fails ? 'store INBOX' : implicit, output };
}

/** Lines of the list, each action with what stands indented below it. */
function actionsOf(text: string): string[] {
  const actions: string[] = [];
  for (const item of text.split(/^ \* /m).slice(1)) {
    const [first = ''] = item.split('\n', 1);
    const flags = /\+ add IMAP flags: (.*)/.exec(item)?.[1];
    const store = /^store message in folder: (.*)$/.exec(first) ?? /^()keep$/.exec(first);
    const pipe = /^pipe message to external program '(.*)':$/.exec(first);
    const report = /^report incoming message as `(.*)' to: <(.*)>$/.exec(first);
    const redirect = /^redirect message to: <(.*)>$/.exec(first);
    const reject = /^reject message with reason: ([\s\S]*?)\n*$/.exec(item);
    if (store !== null) actions.push(`store ${store[1] === '' ? 'INBOX' : store[1]}${flags === undefined ? '' : ` [${sorted(flags.split(' '))}]`}`);
    else if (redirect !== null) actions.push(`redirect ${redirect[1]!.toLowerCase()}`);
    else if (reject !== null) actions.push(`reject ${reject[1]!.trim()}`);
    else if (first.startsWith('send vacation')) {
      actions.push(`vacation ${/=> seconds *: (.*)/.exec(item)?.[1]} ${/START MESSAGE\n([\s\S]*?)\n?END MESSAGE/.exec(item)?.[1]?.trim()}`);
    } else if (first.startsWith('send notification') || first.startsWith('notify')) actions.push('notify');
    else if (pipe !== null) actions.push(`pipe ${pipe[1]}`);
    else if (report !== null) actions.push(`send ${report[2]}`);
    // What the test duplicate remembers is no action to us.
    else if (!first.startsWith('track ')) actions.push(first.trim());
  }
  return actions;
}

export function sorted(flags: readonly string[]): string {
  return flags
    .map((flag) => flag.toLowerCase())
    .filter((flag) => flag !== '')
    .sort()
    .join(' ');
}
