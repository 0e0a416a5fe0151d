/** The same run as the user's worker drives it: the files, locks and programs of the user agent. */
import { appendFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { formatAddress } from '../../src/mail/address.ts';
import { NO_KERNEL_LOCKS } from '../../src/deliver/agents/kernel-lock.ts';
import { SIEVE_SETTINGS } from '../../src/deliver/filters/sieve/settings.ts';
import { driveFilter } from '../../src/deliver/user-agent/driver.ts';
import { Effects } from '../../src/deliver/user-agent/effects.ts';
import { toLf } from '../../src/deliver/user-agent/message.ts';
import { LOCAL_SETTINGS, localConfiguration } from '../../src/deliver/user-agent/settings.ts';
import { UserHost } from '../../src/deliver/user-agent/user-host.ts';
import { defaultsOf } from '../../src/system/declare.ts';
import { ended } from './posthorn-side.ts';
import { AT, type Case, type Outcome, oursToRun, outcome, SENDER } from './sides.ts';

const CONFIGURATION = localConfiguration(
  { ...defaultsOf(LOCAL_SETTINGS), ...defaultsOf(SIEVE_SETTINGS) },
  { hostname: hostname(), domain: 'example.net', recipientDelimiter: '+' },
);

/** Cases, and their rows of docs/filter-differences.md. */
export const PRODUCTION_DIFFERENCES: ReadonlyMap<string, string> = new Map([['recipe: several directories', 'names of files in folders']]);

export async function production(dir: string, one: Case): Promise<Outcome> {
  const { run, input } = oursToRun(dir, one);
  const effects = new Effects();
  const running = new Running();
  const form = { header: input.header, body: input.body! };
  const host = new UserHost({
    configuration: CONFIGURATION,
    home: dir,
    user: 'nobody',
    uid: process.getuid!(),
    at: AT,
    envelopeSender: formatAddress(SENDER),
    kernelLocks: NO_KERNEL_LOCKS,
    signal: new AbortController().signal,
    spool: () => Promise.reject(new Error('nobody has a mail spool here')),
    directory: dir,
    environment: {},
    forms: { crlf: form, lf: form, trace: new Uint8Array(0) },
    language: 'procmail',
    effects,
    sessions: running,
    storeMailboxes: null,
  });
  const end = await driveFilter(run, host, new AbortController().signal);
  await host.close(end.kind === 'done');
  await running.none();
  for (const { address, message } of effects.forwards) {
    const bytes = message === null ? Buffer.concat([form.header, form.body]) : toLf(message);
    appendFileSync(join(dir, 'sent'), `TO ${formatAddress(address)}\n${ended(bytes).toString('latin1')}`, 'latin1');
  }
  return outcome(dir, end.kind === 'done' ? end.exitCode : -1);
}

/** Programs that nobody waits for end all the same. */
class Running {
  readonly #sessions = new Set<number>();
  #ended = Promise.withResolvers<void>();

  started(pid: number): void {
    this.#sessions.add(pid);
  }

  ended(pid: number): void {
    this.#sessions.delete(pid);
    if (this.#sessions.size === 0) this.#ended.resolve();
  }

  async none(): Promise<void> {
    // The user agent holds no reference to programs that nobody waits for.
    const awake = setInterval(() => {}, 60_000);
    while (this.#sessions.size > 0) {
      this.#ended = Promise.withResolvers();
      await this.#ended.promise;
    }
    clearInterval(awake);
  }
}
