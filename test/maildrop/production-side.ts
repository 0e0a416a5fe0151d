/** A run of our maildrop language as the user's worker drives it: the files, locks and programs of the user agent. */
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { NO_KERNEL_LOCKS } from '../../src/deliver/agents/kernel-lock.ts';
import { parseMaildrop } from '../../src/deliver/filters/maildrop/parse.ts';
import { runMaildrop } from '../../src/deliver/filters/maildrop/run.ts';
import { SIEVE_SETTINGS } from '../../src/deliver/filters/sieve/settings.ts';
import { driveFilter } from '../../src/deliver/user-agent/driver.ts';
import { Effects } from '../../src/deliver/user-agent/effects.ts';
import { NO_SESSIONS } from '../../src/deliver/user-agent/program.ts';
import { LOCAL_SETTINGS, localConfiguration } from '../../src/deliver/user-agent/settings.ts';
import { UserHost } from '../../src/deliver/user-agent/user-host.ts';
import { formatAddress } from '../../src/mail/address.ts';
import { defaultsOf } from '../../src/system/declare.ts';
import { inputOf, type Outcome } from './driver.ts';

const CONFIGURATION = {
  ...localConfiguration(
    { ...defaultsOf(LOCAL_SETTINGS), ...defaultsOf(SIEVE_SETTINGS) },
    { hostname: 'host.example.test', domain: 'example.test', recipientDelimiter: '+' },
  ),
  mailbox: 'inbox',
};

/** As `runOurs`; `stdout` is what the filter and its programs said. */
export async function runProduction(
  script: string,
  message: Buffer,
  dir: string,
  sender: string,
  environment: Readonly<Record<string, string>>,
): Promise<Outcome> {
  const parsed = parseMaildrop(script, 'filter');
  if ('problem' in parsed) return { exitCode: 75, stdout: '' };
  const input = inputOf(message, sender);
  const effects = new Said();
  const form = { header: input.header, body: input.body! };
  const host = new UserHost({
    configuration: CONFIGURATION,
    home: dir,
    user: 'root',
    uid: process.getuid!(),
    at: input.at,
    envelopeSender: input.envelope.sender === null ? null : formatAddress(input.envelope.sender),
    kernelLocks: NO_KERNEL_LOCKS,
    signal: new AbortController().signal,
    spool: () => Promise.reject(new Error('nobody has a mail spool here')),
    directory: dir,
    environment: { ...environment, HOME: process.env['HOME'] ?? '' },
    forms: { crlf: form, lf: form, trace: new Uint8Array(0) },
    language: 'maildrop',
    effects,
    sessions: NO_SESSIONS,
    storeMailboxes: null,
  });
  const end = await driveFilter(runMaildrop({ script: parsed.script, environment }, input), host, new AbortController().signal);
  await host.close(end.kind === 'done');
  for (const { address } of effects.forwards) appendFileSync(join(dir, 'sent'), `${formatAddress(address)}\n`);
  return { exitCode: end.kind === 'done' ? (end.exitCode ?? 0) : 75, stdout: effects.said };
}

/** Warnings go to the log only; what `echo` and programs print is the original's standard output. */
class Said extends Effects {
  said = '';
  override log(text: string): void {
    if (!/^[\w./-]+\(\d+\): /.test(text)) this.said += text;
  }
}
