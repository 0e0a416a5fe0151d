/** Debian's Postfix as an instance of its own: configuration, queue, log and mailboxes below one directory. */
import { chmodSync, chownSync, copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { need, run, succeed } from '../harness/run.ts';
import { atEnd, type Owner, tempDir } from '../harness/temp.ts';
import { eventually } from '../harness/wait.ts';
import { makeCertificate } from './certificate.ts';

/** Owner of the virtual mailboxes; no such account needs to exist. */
export const MAIL_UID = 5000;

export interface PostfixOptions {
  readonly name?: string;
  /** Where it listens: "192.0.2.2:25". */
  readonly address: string;
  readonly hostname: string;
  /** Its mail domains; every user has an address and one Maildir in all of them. */
  readonly domains: readonly string[];
  /** Local parts with a Maildir. */
  readonly users: readonly string[];
  /** More lines for main.cf; later ones win. */
  readonly main?: Readonly<Record<string, string>>;
  /** STARTTLS with a self-signed certificate; default true. */
  readonly tls?: boolean;
  /** Runs the start within control groups and such. */
  readonly prefix?: readonly string[];
  /** Where mailboxes are; below its own directory unless given. */
  readonly mailboxes?: string;
}

export class Postfix {
  readonly dir: string;
  readonly config: string;
  readonly mailboxes: string;
  constructor(dir: string, mailboxes: string) {
    this.dir = dir;
    this.config = join(dir, 'etc');
    this.mailboxes = mailboxes;
  }
  /** Messages in a user's Maildir, whole, with the LF line ends of a file. */
  messages(user: string): string[] {
    return ['new', 'cur'].flatMap((part) => {
      const dir = join(this.mailboxes, user, 'Maildir', part);
      return existsSync(dir) ? readdirSync(dir).map((file) => readFileSync(join(dir, file), 'latin1')) : [];
    });
  }
  get log(): string {
    const file = join(this.dir, 'log/mail.log');
    return existsSync(file) ? readFileSync(file, 'utf8') : '';
  }
  /** Messages in the queue, one JSON object each, as postqueue(1) tells. */
  async queue(): Promise<{ queue_id: string; sender: string; recipients: { address: string; delay_reason?: string }[] }[]> {
    const text = await succeed('postqueue', ['-c', this.config, '-j']);
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line));
  }
  async start(prefix: readonly string[] = []): Promise<void> {
    const command = [...prefix, 'postfix', '-c', this.config, 'start'];
    await succeed(command[0]!, command.slice(1));
    await eventually('Postfix is running', async () => (await run('postfix', ['-c', this.config, 'status'])).code === 0);
  }
  async stop(): Promise<void> {
    await run('postfix', ['-c', this.config, 'abort']);
  }
  /** Replaces settings; a second line for the same name would be a warning in the log of every process. */
  set(lines: Readonly<Record<string, string>>): void {
    const file = join(this.config, 'main.cf');
    const others = readFileSync(file, 'utf8')
      .split('\n')
      .filter((line) => line !== '' && !Object.hasOwn(lines, line.slice(0, line.indexOf(' '))));
    writeFileSync(file, `${others.join('\n')}\n${mainLines(lines)}`);
  }
  /**
   * New connections find the settings of now. Not by "postfix reload": what that logs while postlogd is being replaced can fill its
   * socket, and then the master, which is to start the new postlogd, waits for room in it for ever.
   */
  async reload(): Promise<void> {
    const reloads = (): number => this.log.split(': reload -- version').length;
    const before = reloads();
    process.kill(Number(readFileSync(join(this.dir, 'spool/pid/master.pid'), 'utf8')), 'SIGHUP');
    await eventually('Postfix has read its settings again', () => reloads() > before);
  }
}

/** Makes and starts an instance; it ends with its owner. */
export async function startPostfix(owner: Owner, options: PostfixOptions): Promise<Postfix> {
  need('postfix', 'postqueue');
  const postfix = await setUpPostfix(tempDir(owner, `postfix-${options.name ?? 'peer'}`), options);
  atEnd(owner, () => postfix.stop());
  await postfix.start(options.prefix);
  return postfix;
}

export async function setUpPostfix(dir: string, options: PostfixOptions): Promise<Postfix> {
  const mailboxes = options.mailboxes ?? join(dir, 'mailboxes');
  const postfix = new Postfix(dir, mailboxes);
  const etc = postfix.config;
  for (const sub of ['etc', 'etc/dynamicmaps.cf.d', 'etc/postfix-files.d', 'spool', 'data', 'log']) mkdirSync(join(dir, sub), { recursive: true });
  const postfixUid = Number((await succeed('id', ['-u', 'postfix'])).trim());
  chownSync(join(dir, 'data'), postfixUid, 0);
  for (const file of ['dynamicmaps.cf', 'postfix-files']) if (existsSync(`/etc/postfix/${file}`)) copyFileSync(`/etc/postfix/${file}`, join(etc, file));
  writeFileSync(join(etc, 'vmailbox'), options.domains.flatMap((domain) => options.users.map((user) => `${user}@${domain} ${user}/Maildir/\n`)).join(''));
  mkdirSync(mailboxes, { recursive: true });
  for (const user of options.users) {
    mkdirSync(join(mailboxes, user), { recursive: true });
    chownSync(join(mailboxes, user), MAIL_UID, MAIL_UID);
  }
  chownSync(mailboxes, MAIL_UID, MAIL_UID);
  chmodSync(mailboxes, 0o755);
  const tls = options.tls === false ? {} : await tlsLines(dir, options.hostname);
  writeFileSync(join(etc, 'main.cf'), mainLines({ ...mainCf(dir, etc, mailboxes, options), ...tls, ...options.main }));
  writeFileSync(join(etc, 'master.cf'), masterCf(options.address));
  return postfix;
}

function mainCf(dir: string, etc: string, mailboxes: string, options: PostfixOptions): Record<string, string> {
  return {
    compatibility_level: '3.6',
    queue_directory: `${dir}/spool`,
    data_directory: `${dir}/data`,
    command_directory: '/usr/sbin',
    daemon_directory: '/usr/lib/postfix/sbin',
    mail_owner: 'postfix',
    setgid_group: 'postdrop',
    maillog_file: `${dir}/log/mail.log`,
    maillog_file_prefixes: `/var, /dev/stdout, ${dir}`,
    inet_interfaces: options.address.slice(0, options.address.lastIndexOf(':')),
    inet_protocols: 'ipv4',
    myhostname: options.hostname,
    mydestination: '',
    mynetworks: '127.0.0.0/8',
    message_size_limit: '52428800',
    mailbox_size_limit: '0',
    virtual_mailbox_limit: '0',
    alias_maps: '',
    alias_database: '',
    notify_classes: '',
    smtpd_relay_restrictions: 'permit_mynetworks, reject_unauth_destination',
    smtpd_recipient_restrictions: 'permit_mynetworks, reject_unauth_destination',
    smtp_host_lookup: 'dns',
    virtual_mailbox_domains: options.domains.join(' '),
    virtual_mailbox_maps: `texthash:${etc}/vmailbox`,
    virtual_mailbox_base: mailboxes,
    virtual_uid_maps: `static:${MAIL_UID}`,
    virtual_gid_maps: `static:${MAIL_UID}`,
  };
}

async function tlsLines(dir: string, hostname: string): Promise<Record<string, string>> {
  const files = await makeCertificate(join(dir, 'etc'), [hostname]);
  return {
    smtpd_tls_chain_files: `${files.key}, ${files.certificate}`,
    smtpd_tls_security_level: 'may',
    smtp_tls_security_level: 'may',
    smtpd_tls_received_header: 'yes',
  };
}

/** Debian's services, with smtpd at our address and nothing in a chroot: the resolver's files are the namespace's, and sockets may be anywhere. */
function masterCf(address: string): string {
  const text = readFileSync('/usr/share/postfix/master.cf.dist', 'utf8')
    .replace(/^smtp +inet .*$/m, `${address} inet n - n - - smtpd`)
    .replaceAll(/^(\w+ +(?:unix|fifo) +\S +\S +)y/gm, '$1n');
  return /^postlog/m.test(text) ? text : `${text}\npostlog unix-dgram n - n - 1 postlogd\n`;
}

const mainLines = (lines: Readonly<Record<string, string>>): string =>
  Object.entries(lines)
    .map(([key, value]) => `${key} = ${value}\n`)
    .join('');
