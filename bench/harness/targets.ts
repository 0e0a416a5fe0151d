/** The servers that are measured beside each other: two classic set-ups of Debian's packages, and Posthorn. */
import { chownSync, existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import { ImapClient } from '../../test/harness/imap-client.ts';
import { type Config, Posthorn } from '../../test/harness/posthorn.ts';
import { atEnd, type Owner, tempDir } from '../../test/harness/temp.ts';
import { startDovecot } from '../../test/peers/dovecot.ts';
import { MAIL_UID, setUpPostfix } from '../../test/peers/postfix.ts';
import { Group } from './group.ts';

export const USERS = Array.from({ length: 10 }, (_, index) => `user${index + 1}`);
export const PASSWORD = 'measure-it';

export interface Target {
  readonly label: string;
  readonly smtpPort: number;
  readonly groups: readonly Group[];
  /** Messages that are in mailboxes now. */
  count(): Promise<number>;
  /** Called between runs. */
  reset(): void;
}

export async function postfixToMaildir(owner: Owner): Promise<Target> {
  const group = Group.make(owner, 'virtual');
  const mailboxes = tempDir(owner, 'bench-virtual');
  await startInstance(owner, { port: 11025, mailboxes, group });
  return { label: 'Postfix → virtual Maildir', smtpPort: 11025, groups: [group], ...maildirs(mailboxes) };
}

export async function postfixToDovecot(owner: Owner): Promise<Target> {
  const [postfix, dovecot] = [Group.make(owner, 'postfix'), Group.make(owner, 'dovecot')];
  const mailboxes = tempDir(owner, 'bench-dovecot');
  const instance = await startInstance(owner, { port: 11026, mailboxes, group: postfix, main: { virtual_transport: 'lmtp:unix:private/dovecot-lmtp' } });
  const users = Object.fromEntries(USERS.map((user) => [user, PASSWORD]));
  const lmtpSocket = join(instance.dir, 'spool/private/dovecot-lmtp');
  await startDovecot(owner, { address: '127.0.0.1', imapPort: 11143, lmtpPort: 11024, users, mailboxes, lmtpSocket, prefix: dovecot.prefix });
  return { label: 'Postfix → Dovecot LMTP', smtpPort: 11026, groups: [postfix, dovecot], ...maildirs(mailboxes) };
}

export interface PostfixInstance {
  readonly port: number;
  readonly mailboxes?: string;
  readonly group: Group;
  readonly main?: Readonly<Record<string, string>>;
}
export async function startInstance(owner: Owner, instance: PostfixInstance): Promise<Awaited<ReturnType<typeof setUpPostfix>>> {
  const postfix = await setUpPostfix(tempDir(owner, 'bench-postfix'), {
    address: `127.0.0.1:${instance.port}`,
    hostname: 'mx.perf.test',
    domains: ['perf.test'],
    users: USERS,
    tls: false,
    ...(instance.mailboxes === undefined ? {} : { mailboxes: instance.mailboxes }),
    main: { ...instance.main },
  });
  atEnd(owner, () => postfix.stop());
  await postfix.start(instance.group.prefix);
  return postfix;
}

let groups = 0;

/** Posthorn as it is by default, with the users of the measurement. */
export async function posthorn(owner: Owner, config: Config = {}): Promise<Target & { server: Posthorn; group: Group }> {
  const group = Group.make(owner, `posthorn${(groups += 1)}`);
  const server = new Posthorn(tempDir(owner, 'bench-posthorn'), {
    config: { hostname: 'mx.perf.test', domain: 'perf.test', listen: { lmtp: [], pop3: [], pop3s: [], submission: [], submissions: [] }, ...config },
    prefix: group.prefix,
  });
  atEnd(owner, () => server.stop());
  await server.start();
  if (!(await server.admin('domain', 'list')).includes('perf.test')) await server.admin('domain', 'add', 'perf.test');
  for (const user of USERS) await server.addUser(`${user}@perf.test`, PASSWORD);
  const count = async (): Promise<number> => {
    let sum = 0;
    for (const imap of await clients) sum += await imap.count();
    return sum;
  };
  const clients = Promise.all(USERS.map((user) => ImapClient.login(server.port('imap'), `${user}@perf.test`, PASSWORD)));
  await clients;
  return { label: 'Posthorn', smtpPort: server.port('smtp'), groups: [group], count, reset: () => {}, server, group };
}

/** A sender in good order at 127.0.0.1: what the default policy and SPF, DMARC and reverse DNS ask about it has an answer. */
export const SENDER_ZONES: Readonly<Record<string, string>> = {
  'example.com.': [
    '@ IN MX 10 client',
    '@ IN TXT "v=spf1 ip4:127.0.0.1 -all"',
    '_dmarc IN TXT "v=DMARC1; p=reject"',
    'client IN A 127.0.0.1',
    'client IN TXT "v=spf1 a -all"',
  ].join('\n'),
  'perf.test.': '@ IN MX 10 mx\nmx IN A 127.0.0.1',
  '127.in-addr.arpa.': '1.0.0 IN PTR client.example.com.',
};

/** The same, to which 127.0.0.1 is a stranger; name server: NSD with SENDER_ZONES. */
export async function posthornForStrangers(owner: Owner, config: Config = {}): ReturnType<typeof posthorn> {
  const target = await posthorn(owner, { judge: { exempt: [] }, dns: { servers: ['127.0.0.1:53'] }, ...config });
  return { ...target, label: 'Posthorn, unknown client' };
}

/** Counting files and moving them away. They are not removed: ext4 then searches long for free inodes, which would be measured. */
function maildirs(mailboxes: string): Pick<Target, 'count' | 'reset'> {
  let trash = 0;
  const files = (user: string): number => {
    const dir = join(mailboxes, user, 'Maildir/new');
    return existsSync(dir) ? readdirSync(dir).length : 0;
  };
  return {
    count: async () => USERS.reduce((sum, user) => sum + files(user), 0),
    reset: () => {
      trash += 1;
      for (const user of USERS) {
        mkdirSync(join(mailboxes, `.trash.${trash}`), { recursive: true });
        renameSync(join(mailboxes, user), join(mailboxes, `.trash.${trash}`, user));
        mkdirSync(join(mailboxes, user));
        chownSync(join(mailboxes, user), MAIL_UID, MAIL_UID);
      }
    },
  };
}
