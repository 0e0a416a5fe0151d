/** LMTP to mailbox through a Sieve script of 20 rules: Debian's Dovecot with Pigeonhole and Posthorn in the same run, and both without a script. */
import { chownSync, existsSync, mkdirSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ImapClient } from '../test/harness/imap-client.ts';
import { Posthorn } from '../test/harness/posthorn.ts';
import { need, succeed } from '../test/harness/run.ts';
import { atEnd, type Owner, programOwner, tempDir } from '../test/harness/temp.ts';
import { startDovecot } from '../test/peers/dovecot.ts';
import { MAIL_UID } from '../test/peers/postfix.ts';
import { deliverAll, type FilterBenchOptions, inTurns, rowsOf, type Server, summary } from './filters-load.ts';
import { Group, machine } from './harness/group.ts';
import { messageFiles } from './harness/message.ts';
import { table } from './harness/table.ts';
import { PASSWORD, USERS } from './harness/targets.ts';

/** The users whose messages rule 10 files; those of the others pass all rules and are kept. */
const FILED = 5;
const FOLDER = 'Measurements';
const OURS = 'Posthorn, 20 rules';

/** Twenty rules as people have them. Rule 10 files what goes to the first five users; the vacation at the end is never due. */
export const SCRIPT = `require ["fileinto", "mailbox", "envelope", "variables", "imap4flags", "copy", "vacation", "relational", "comparator-i;ascii-numeric"];

set "me" "user";
if header :contains "X-Spam-Flag" "YES" { fileinto :create "Junk"; stop; }
if exists "List-Id" { fileinto :create "Lists"; stop; }
if header :contains ["To", "Cc"] ["dev@lists.example.org", "ops@lists.example.org", "announce@lists.example.org"] { fileinto :create "Lists.Work"; stop; }
if address :is :domain "From" ["bank.example", "savings.example", "cards.example"] { fileinto :create "Bank"; stop; }
if address :matches :localpart "From" ["no-reply", "noreply*", "do-not-reply*"] { addflag "\\\\Seen"; fileinto :create "Machines"; stop; }
if header :matches "Subject" "*[ticket #*] *" { set "ticket" "\${2}"; fileinto :create "Tickets.\${ticket}"; stop; }
if anyof (header :is "Precedence" ["bulk", "junk"], header :contains "X-Mailer" "massmail") { fileinto :create "Bulk"; stop; }
if envelope :is :domain "from" "partner.example" { fileinto :create "Partners"; stop; }
if allof (header :contains "Subject" "invoice", not address :is :domain "From" "example.com") { redirect :copy "billing@example.net"; }
if allof (header :matches "Subject" "Measurement * of *", address :matches :localpart "To" ["\${me}1", "\${me}2", "\${me}3", "\${me}4", "\${me}5"]) {
  set :lower :upperfirst "folder" "${FOLDER.toLowerCase()}";
  fileinto :create "\${folder}";
  stop;
}
if header :contains "Subject" ["lottery", "million dollars", "dear friend"] { discard; stop; }
if size :over 20M { fileinto :create "Large"; stop; }
if address :contains "From" ["boss@", "director@"] { addflag "\\\\Flagged"; }
if header :value "ge" :comparator "i;ascii-numeric" "X-Priority" "4" { addflag "$LowPriority"; }
if header :contains "Received" "relay.old.example" { fileinto :create "Old"; stop; }
if address :is ["To", "Cc"] ["shop@perf.test", "forum@perf.test", "club@perf.test"] { fileinto :create "Addresses"; stop; }
if header :matches "From" "\\"*\\" <*@social.example>" { set "who" "\${1}"; fileinto :create "Social"; stop; }
if anyof (not exists ["From", "Date"], header :is "From" "") { fileinto :create "Odd"; stop; }
if header :contains "Content-Type" ["text/calendar", "application/ics"] { fileinto :create "Calendar"; stop; }
if allof (header :is "X-On-Leave" "yes", not header :contains "Auto-Submitted" "auto") { vacation :days 7 :subject "Away" "I am away until Monday."; }
`;

export async function sieve(options: FilterBenchOptions): Promise<void> {
  need('smtp-source');
  const owner = programOwner();
  try {
    const files = messageFiles(tempDir(owner, 'bench-messages'), 4096, USERS.length);
    const servers: Server[] = [];
    if (options.isAlone !== true) {
      need('dovecot', 'sievec');
      servers.push(await dovecot(owner, 'Dovecot LMTP, 20 rules', 11224, SCRIPT), await dovecot(owner, 'Dovecot LMTP, no script', 11225, null));
    }
    servers.push(await posthorn(owner, OURS, SCRIPT), await posthorn(owner, 'Posthorn, no script', null));
    options.say(`LMTP through a Sieve script of 20 rules, 4 KB, connections kept open; ${machine()}`);
    // Servers run for months: caches, compiled code and process pools are there before anything counts.
    for (const server of servers) await deliverAll(server, { users: USERS, files, sessions: 10, messages: 2000 });
    const rows: (string | number)[][] = [];
    for (const [sessions, messages] of options.isQuick
      ? ([
          [1, 500],
          [10, 2000],
          [50, 2000],
        ] as const)
      : ([
          [1, 2000],
          [10, 5000],
          [50, 5000],
        ] as const)) {
      const what = `${sessions} session${sessions === 1 ? '' : 's'}`;
      const results = await inTurns(servers, options.isQuick ? 1 : 3, (server) => deliverAll(server, { users: USERS, files, sessions, messages }));
      rows.push(...rowsOf(what, results, OURS));
      options.say(summary(what, results));
    }
    options.say(`\n${table(['LMTP', 'server', 'messages/s', 'CPU ms each', 'our rate', 'our CPU'], rows)}`);
  } finally {
    await owner.end();
  }
}

/** Dovecot as it is by default: mail_fsync=optimized, which for a delivery means that it is on disk before 250; the script is compiled beforehand. */
async function dovecot(owner: Owner, label: string, port: number, script: string | null): Promise<Server> {
  const group = Group.make(owner, `dovecot${port}`);
  const dir = tempDir(owner, 'bench-sieve');
  const mailboxes = join(dir, 'mailboxes');
  mkdirSync(mailboxes);
  for (const user of USERS) mkdirSync(join(mailboxes, user));
  for (const path of [mailboxes, ...USERS.map((user) => join(mailboxes, user))]) chownSync(path, MAIL_UID, MAIL_UID);
  let extra = 'instance_name = sieve-bench\n';
  if (script !== null) {
    const file = join(dir, 'main.sieve');
    writeFileSync(file, script);
    await succeed('sievec', [file]);
    chownSync(file, MAIL_UID, MAIL_UID);
    extra += `protocol lmtp {\n  mail_plugins = sieve\n}\nplugin {\n  sieve = file:${file}\n}\n`;
  }
  const users = Object.fromEntries(USERS.map((user) => [user, PASSWORD]));
  await startDovecot(owner, { address: '127.0.0.1', imapPort: port + 1000, lmtpPort: port, users, mailboxes, extra, prefix: group.prefix });
  const filed = USERS.slice(0, FILED);
  const newIn = (path: string): number => (existsSync(path) ? readdirSync(path).length : 0);
  let trash = 0;
  return {
    label,
    port,
    isLmtp: true,
    groups: [group],
    count: async () => {
      const inFolder = script === null ? 0 : filed.reduce((sum, user) => sum + newIn(join(mailboxes, user, `Maildir/.${FOLDER}/new`)), 0);
      return inFolder + (script === null ? USERS : USERS.slice(FILED)).reduce((sum, user) => sum + newIn(join(mailboxes, user, 'Maildir/new')), 0);
    },
    // Moved, not removed: see `harness/targets.ts`.
    reset: () => {
      trash += 1;
      mkdirSync(join(mailboxes, `.trash.${trash}`));
      for (const user of USERS)
        if (existsSync(join(mailboxes, user, 'Maildir'))) renameSync(join(mailboxes, user, 'Maildir'), join(mailboxes, `.trash.${trash}`, user));
    },
  };
}

async function posthorn(owner: Owner, label: string, script: string | null): Promise<Server> {
  const group = Group.make(owner, `posthorn-sieve-${script === null ? 'none' : 'script'}`);
  const dir = tempDir(owner, 'bench-posthorn');
  const server = new Posthorn(dir, {
    config: { hostname: 'mx.perf.test', domain: 'perf.test', listen: { pop3: [], pop3s: [], submission: [], submissions: [], sieve: [] } },
    prefix: group.prefix,
  });
  atEnd(owner, () => server.stop());
  await server.start();
  if (!(await server.admin('domain', 'list')).includes('perf.test')) await server.admin('domain', 'add', 'perf.test');
  const file = join(dir, 'main.sieve');
  if (script !== null) writeFileSync(file, script);
  for (const user of USERS) {
    await server.addUser(`${user}@perf.test`, PASSWORD);
    if (script !== null) await server.admin('sieve', 'put', `${user}@perf.test`, 'main', file, '--activate');
  }
  const clients = await Promise.all(USERS.map((user) => ImapClient.login(server.port('imap'), `${user}@perf.test`, PASSWORD)));
  if (script !== null) for (const client of clients.slice(0, FILED)) await client.ok(`CREATE ${FOLDER}`);
  return {
    label,
    port: server.port('lmtp'),
    isLmtp: true,
    groups: [group],
    count: async () => {
      let sum = 0;
      for (const [index, client] of clients.entries()) sum += await client.count(script !== null && index < FILED ? FOLDER : 'INBOX');
      return sum;
    },
    reset: () => {},
  };
}
