/**
 * Recipients whose mail does not simply go to a mailbox: Sieve files it or sends it on, system users have Maildirs, programs and forwards. Each stands in the ledger
 * under its own address, wherever its copy ends.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Posthorn } from '../harness/posthorn.ts';
import { privateMachine, type PrivateMachine } from '../harness/private-machine.ts';
import type { Owner } from '../harness/temp.ts';

export const RULED_USERS = [
  'filed@us.test', // Sieve: into another mailbox
  'onward@us.test', // Sieve: to another account
  'away@us.test', // Sieve: to the remote host
  'boxed@host.test', // a Maildir
  'piped@host.test', // .forward: a program that appends to a file under a lock
  'sent@host.test', // .forward: to an account
] as const;

/** Accounts that are sent what belongs to others. */
const TAKERS = ['onwardtaker', 'senttaker'] as const;
const SCRIPTS: Readonly<Record<string, string>> = {
  filed: 'require ["fileinto", "mailbox"];\nfileinto :create "Filed";\n',
  onward: 'redirect "onwardtaker@us.test";\n',
  away: 'redirect "awaytaker@remote.test";\n',
};
export const AWAY = 'awaytaker@remote.test';

/** What the configuration needs beside the usual. */
export const RULES_CONFIG = { policy: { localDomains: ['host.test'] }, local: { mailbox: 'Maildir/' } } as const;

/** Before the server starts: the users of this machine and their files. */
export function makeSystemUsers(owner: Owner): PrivateMachine {
  const machine = privateMachine(owner);
  for (const user of ['boxed', 'piped', 'sent']) machine.addUser(user, `${user}-password`);
  // The mark goes out in one line, once all of the message is there.
  machine.homeFile('piped', '.forward', `"|exec 9>>lock; flock 9; mark=$(sed -n 's/^X-Torture: //p;/^$/q'); cat >/dev/null; echo $mark >> marks"\n`);
  machine.homeFile('sent', '.forward', 'senttaker@us.test\n');
  return machine;
}

/** Once it runs: accounts and their scripts. */
export async function makeRuledAccounts(server: Posthorn, password: string): Promise<void> {
  for (const user of [...Object.keys(SCRIPTS), ...TAKERS]) await server.addUser(`${user}@us.test`, password);
  for (const [user, text] of Object.entries(SCRIPTS)) {
    const file = join(server.dir, `${user}.sieve`);
    writeFileSync(file, text);
    await server.admin('sieve', 'put', `${user}@us.test`, 'main', file, '--activate');
  }
}

export interface RuledPlace {
  readonly recipient: (typeof RULED_USERS)[number];
  readonly account: string;
  readonly mailbox: string;
}
/** In the store: exactly once. The inboxes of those whose mail is elsewhere are looked into as well. */
export const STORE_PLACES: readonly RuledPlace[] = [
  { recipient: 'filed@us.test', account: 'filed@us.test', mailbox: 'Filed' },
  { recipient: 'filed@us.test', account: 'filed@us.test', mailbox: 'INBOX' },
  { recipient: 'onward@us.test', account: 'onwardtaker@us.test', mailbox: 'INBOX' },
  { recipient: 'onward@us.test', account: 'onward@us.test', mailbox: 'INBOX' },
  { recipient: 'away@us.test', account: 'away@us.test', mailbox: 'INBOX' },
  { recipient: 'sent@host.test', account: 'senttaker@us.test', mailbox: 'INBOX' },
];

/** Outside the store, at least once: marks by recipient, with repetitions. */
export function marksOutside(machine: PrivateMachine, header: string): Map<(typeof RULED_USERS)[number], string[]> {
  const pattern = new RegExp(`^${header}: *(\\S+)`, 'im');
  const boxed = machine.maildir('boxed').map((text) => pattern.exec(text)?.[1] ?? 'unmarked');
  const piped = (machine.read('piped', 'marks') ?? '').split('\n').filter((line) => line !== '');
  return new Map([
    ['boxed@host.test', boxed],
    ['piped@host.test', piped],
  ]);
}
