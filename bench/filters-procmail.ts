/**
 * System users with a .procmailrc of ten recipes: Postfix's local(8) with Debian's procmail as mailbox_command, procmail alone (started for each
 * message, no queue), and Posthorn, whose user agent reads the same file. SMTP until the message is in the user's maildir or mbox.
 */
import { closeSync, constants, existsSync, mkdirSync, openSync, readdirSync, readSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { privateMachine } from '../test/harness/private-machine.ts';
import { Posthorn } from '../test/harness/posthorn.ts';
import { findProgram, need, run } from '../test/harness/run.ts';
import { atEnd, type Owner, programOwner, tempDir } from '../test/harness/temp.ts';
import { setUpPostfix } from '../test/peers/postfix.ts';
import { deliverAll, type FilterBenchOptions, inTurns, type Load, type Measured, rowsOf, type Server, summary, timed } from './filters-load.ts';
import { Group, machine } from './harness/group.ts';
import { messageFiles } from './harness/message.ts';
import { table } from './harness/table.ts';

const USERS = Array.from({ length: 10 }, (_, index) => `user${index + 1}`);
/** The users whose messages recipe 7 puts into a maildir; those of the others go to an mbox by recipe 9. */
const TO_MAILDIR = 5;
const OURS = 'Posthorn';

export const RECIPES = `PATH=/usr/bin:/bin
MAILDIR=$HOME/Mail
DEFAULT=$HOME/Maildir/
LIST=dev@lists.example.org

:0
* ^X-Spam-Flag: *YES
spam/

:0
* ^List-Id:.*<([^>]*)>
lists/

:0
* $ ^TO_$LIST
work/

:0 c
* ^Subject:.*invoice
* ! ^FROM_DAEMON
invoices

:0
* ^From:.*(no-?reply|do-not-reply)@
* ^Subject:.*(order|receipt|delivery)
machines/

:0
* > 20000000
large/

:0
* ^To:.*user[1-5]@
* ^Subject: *Measurement
measured/

:0
* -1^0
* 1^1 B ?? million dollars
* 1^1 B ?? dear friend
spam/

:0 :
* ^Subject: *Measurement.*of a message
measured.mbox

:0
* ^FROM_MAILER
daemons/
`;

export async function procmail(options: FilterBenchOptions): Promise<void> {
  need('smtp-source');
  const owner = programOwner();
  try {
    const own = privateMachine(owner);
    for (const name of ['posthorn', ...USERS]) own.addUser(name);
    for (const user of USERS) {
      own.homeFile(user, '.procmailrc', RECIPES);
      own.homeFolder(user, 'Mail');
    }
    const files = messageFiles(tempDir(owner, 'bench-messages'), 4096, USERS.length);
    const servers: Server[] = [];
    let alone: Group | null = null;
    if (options.isAlone !== true) {
      need('procmail');
      servers.push(await postfix(owner));
      alone = Group.make(owner, 'procmail');
    }
    servers.push(await posthorn(owner));
    options.say(`.procmailrc of ten recipes, 4 KB, SMTP to the user's folder; ${machine()}`);
    const kinds = [
      { name: 'to a maildir', from: 0, to: TO_MAILDIR },
      { name: 'to an mbox', from: TO_MAILDIR, to: USERS.length },
    ];
    const rows: (string | number)[][] = [];
    for (const kind of kinds) {
      const users = USERS.slice(kind.from, kind.to);
      const load = { users, files: files.slice(kind.from, kind.to) };
      // Servers run for months: a worker's code is compiled after some hundred messages.
      for (const server of servers) await deliverAll(server, { ...load, sessions: 10, messages: server.label === OURS ? 4000 : 500 });
      for (const [sessions, messages] of [
        [1, 500],
        [10, options.isQuick ? 1000 : 3000],
      ] as const) {
        const what = `${kind.name}, ${sessions} session${sessions === 1 ? '' : 's'}`;
        const tests = servers.map((server) => ({
          label: server.label,
          run: () => deliverAll(server, { ...load, sessions, messages }),
        }));
        if (alone !== null) tests.splice(1, 0, { label: 'procmail alone', run: () => byItself(alone, { ...load, sessions, messages }) });
        const results = await inTurns(tests, options.isQuick ? 1 : 3, (one) => one.run());
        rows.push(...rowsOf(what, results, OURS));
        options.say(summary(what, results));
      }
    }
    options.say(`\n${table(['SMTP', 'server', 'messages/s', 'CPU ms each', 'our rate', 'our CPU'], rows)}`);
  } finally {
    await owner.end();
  }
}

/** A process for each message, as Postfix starts it. */
async function byItself(group: Group, { users, files, sessions, messages }: Load): Promise<Measured> {
  const { reset, count } = mailboxes();
  reset();
  const before = await count();
  const each = messages / users.length;
  const script = `i=0; while [ $i -lt ${each} ]; do ${findProgram('procmail')} -d "$1" <"$2" || exit 1; i=$((i+1)); done`;
  const measured = await timed([group], messages, async () => {
    await Promise.all(
      Array.from({ length: Math.min(sessions, users.length) }, async (_, lane) => {
        for (let user = lane; user < users.length; user += sessions) {
          const [program, ...args] = [...group.prefix, 'sh', '-c', script, 'sh', users[user]!, files[user]!];
          const result = await run(program!, args, { timeoutMs: 300_000 });
          if (result.code !== 0) throw new Error(`procmail ended with ${result.code}: ${result.stderr}`);
        }
      }),
    );
  });
  const found = (await count()) - before;
  if (found !== messages) throw new Error(`procmail delivered ${found} of ${messages} messages where they belong`);
  return measured;
}

/** Debian's way: mailbox_command. */
async function postfix(owner: Owner): Promise<Server> {
  const group = Group.make(owner, 'local');
  const port = 11028;
  const instance = await setUpPostfix(tempDir(owner, 'bench-postfix'), {
    address: `127.0.0.1:${port}`,
    hostname: 'mx.perf.test',
    domains: [],
    users: [],
    tls: false,
    // One at a time for each user: with two, as Debian has it, one of them sleeps for 8 seconds (LOCKSLEEP) when they meet at a lock file.
    main: { mydestination: 'perf.test', local_destination_concurrency_limit: '1', mailbox_command: `${findProgram('procmail')} -a "$EXTENSION"` },
  });
  atEnd(owner, () => instance.stop());
  await instance.start(group.prefix);
  return { label: 'Postfix + procmail', port, isLmtp: false, groups: [group], ...mailboxes() };
}

async function posthorn(owner: Owner): Promise<Server> {
  const group = Group.make(owner, 'posthorn-users');
  const server = new Posthorn(tempDir(owner, 'bench-posthorn'), {
    config: {
      hostname: 'mx.perf.test',
      domain: 'perf.test',
      user: 'posthorn',
      listen: { lmtp: [], imap: [], imaps: [], pop3: [], pop3s: [], submission: [], submissions: [], sieve: [] },
      policy: { localDomains: ['perf.test'] },
      local: { mailbox: 'Maildir/' },
    },
    prefix: group.prefix,
  });
  atEnd(owner, () => server.stop());
  await server.start();
  return { label: OURS, port: server.port('smtp'), isLmtp: false, groups: [group], ...mailboxes() };
}

/** Where the recipes put it. What was counted is not read again. */
function mailboxes(): Pick<Server, 'count' | 'reset'> {
  const seen = new Map<string, { at: number; count: number }>();
  let trash = 0;
  const inMbox = (path: string): number => {
    if (!existsSync(path)) return 0;
    const known = seen.get(path) ?? { at: 0, count: 0 };
    seen.set(path, known);
    const bytes = Buffer.allocUnsafe(Math.max(0, statSync(path).size - known.at));
    // Procmail waits for a second when an mbox was read in the one in which it is written.
    const file = openSync(path, constants.O_RDONLY | constants.O_NOATIME);
    const got = readSync(file, bytes, 0, bytes.length, known.at);
    closeSync(file);
    // Only whole lines: what is being written is counted when it is there.
    const text = bytes.toString('latin1', 0, bytes.lastIndexOf(10, got - 1) + 1);
    known.at += text.length;
    known.count += text.match(/^From /gm)?.length ?? 0;
    return known.count;
  };
  return {
    count: async () => {
      let sum = 0;
      for (const [index, user] of USERS.entries()) {
        const mail = join('/home', user, 'Mail');
        const dir = join(mail, 'measured/new');
        sum += index < TO_MAILDIR ? (existsSync(dir) ? readdirSync(dir).length : 0) : inMbox(join(mail, 'measured.mbox'));
      }
      return sum;
    },
    // Maildirs are moved, since large ones are slow. An mbox stays: a new one costs procmail that second, too.
    reset: () => {
      trash += 1;
      for (const user of USERS.slice(0, TO_MAILDIR)) {
        const measured = join('/home', user, 'Mail/measured');
        if (!existsSync(measured)) continue;
        const old = `/home/.trash/${trash}.${process.pid}.${performance.now()}`;
        mkdirSync(old, { recursive: true });
        renameSync(measured, join(old, user));
      }
    },
  };
}
