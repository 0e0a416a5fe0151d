/** What Pigeonhole's sieve-test does with a script: whether it compiles, and the actions that it tells. */
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { INCLUDED, MESSAGES } from './messages.ts';

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
  for (const [name, script] of Object.entries(INCLUDED)) writeFileSync(join(dir, 'scripts', `${name}.sieve`), script, { mode: 0o644 });
  writeFileSync(
    join(dir, 'dovecot.conf'),
    `protocols =
mail_location = maildir:${dir}/mail
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
plugin {
  sieve_extensions = +editheader +vnd.dovecot.debug +vacation-seconds +spamtest +spamtestplus +virustest
  sieve_vacation_min_period = 1d
  sieve_vacation_max_period = 60d
  sieve = file:${dir}/scripts;active=${dir}/none.sieve
}
`,
  );
  for (const [name, message] of Object.entries(MESSAGES)) writeFileSync(join(dir, `${name}.eml`), message, { mode: 0o644 });
}

/** null: it broke down (0.5.19 does, at some patterns of :matches with variables). */
export function runOriginal(dir: string, script: string, message: string): (SieveOutcome & { readonly output: string }) | null {
  writeFileSync(join(dir, 'main.sieve'), script, { mode: 0o644 });
  const args = ['-c', join(dir, 'dovecot.conf'), '-f', 'tim@example.com', '-r', 'ken+list@example.net', join(dir, 'main.sieve'), join(dir, `${message}.eml`)];
  const { stdout, stderr } = spawnSync('sieve-test', args, { timeout: 20_000, encoding: 'utf8', env: { ...process.env, TZ: 'UTC', HOME: dir } });
  const output = stdout + stderr;
  if (/failed to compile/.test(stderr)) return { compiles: false, fails: false, actions: [], implicit: null, output };
  if (/^sieve-test: Panic: /m.test(stderr)) return null;
  if (!/Info: final result:/.test(stderr)) throw new Error(`sieve-test came to no result: ${output}`);
  if (/final result: failed/.test(stderr)) return { compiles: true, fails: true, actions: [], implicit: 'store INBOX', output };
  const [performed = '', implicit = ''] = stdout.replaceAll('\r\n', '\n').split('Implicit keep:');
  return { compiles: true, fails: false, actions: actionsOf(performed), implicit: actionsOf(implicit)[0] ?? null, output };
}

/** Lines of the list, each action with what stands indented below it. */
function actionsOf(text: string): string[] {
  const actions: string[] = [];
  for (const item of text.split(/^ \* /m).slice(1)) {
    const [first = ''] = item.split('\n', 1);
    const flags = /\+ add IMAP flags: (.*)/.exec(item)?.[1];
    const store = /^store message in folder: (.*)$/.exec(first);
    const redirect = /^redirect message to: <(.*)>$/.exec(first);
    const reject = /^reject message with reason: ([\s\S]*?)\n*$/.exec(item);
    if (store !== null) actions.push(`store ${store[1]}${flags === undefined ? '' : ` [${sorted(flags.split(' '))}]`}`);
    else if (redirect !== null) actions.push(`redirect ${redirect[1]!.toLowerCase()}`);
    else if (reject !== null) actions.push(`reject ${reject[1]!.trim()}`);
    else if (first.startsWith('send vacation')) {
      actions.push(`vacation ${/=> seconds *: (.*)/.exec(item)?.[1]} ${/START MESSAGE\n([\s\S]*?)\n?END MESSAGE/.exec(item)?.[1]?.trim()}`);
    } else if (first.startsWith('send notification') || first.startsWith('notify')) actions.push('notify');
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
