/** Mail clients run without a person: mutt, mbsync and fetchmail against any server. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { need, type RunResult, run, succeed } from '../harness/run.ts';

/** Where a client finds its account; the server's certificate names `host`. */
export interface MailAccount {
  readonly host: string;
  readonly imapsPort: number;
  readonly user: string;
  readonly password: string;
  readonly certificate: string;
}
const quoted = (text: string): string => `"${text.replaceAll(/(["\\])/g, '\\$1')}"`;

/** mutt with a clean home; `keys` are pressed in order in the opened mailbox. Needs a terminal, which script(1) gives it. */
export async function muttKeys(
  dir: string,
  account: MailAccount,
  mailbox: string,
  keys: string,
  settings: Readonly<Record<string, string>> = {},
): Promise<RunResult> {
  need('mutt', 'script');
  const rc = muttRc(dir, account, {
    ...settings,
    folder: `imaps://${account.host}:${account.imapsPort}/`,
    wait_key: 'no',
    delete: 'yes',
    timeout: '5',
    mail_check: '0',
  });
  writeFileSync(rc, `push ${quoted(keys)}\n`, { flag: 'a' });
  const command = `mutt -n -F ${rc} -f imaps://${account.host}:${account.imapsPort}/${mailbox}`;
  return run('script', ['-q', '-e', '-c', command, '/dev/null'], { env: { TERM: 'xterm', HOME: dir }, timeoutMs: 45_000 });
}

/** mutt in its batch form: sends `body` through the submission service and keeps a copy in Sent by IMAP. */
export async function muttSend(
  dir: string,
  account: MailAccount,
  smtpUrl: string,
  to: string,
  subject: string,
  body: string,
  attach: readonly string[] = [],
): Promise<void> {
  need('mutt');
  const rc = muttRc(dir, account, {
    smtp_url: smtpUrl,
    smtp_pass: account.password,
    from: account.user,
    realname: 'Anna Öster',
    record: `imaps://${account.host}:${account.imapsPort}/Sent`,
    ssl_force_tls: 'yes',
  });
  const files = attach.length === 0 ? [] : ['-a', ...attach, '--'];
  await succeed('mutt', ['-n', '-F', rc, '-s', subject, ...files, to], { input: body, env: { HOME: dir, TERM: 'dumb' } });
}

function muttRc(dir: string, account: MailAccount, settings: Readonly<Record<string, string>>): string {
  const rc = join(dir, 'muttrc');
  const all = {
    imap_user: account.user,
    imap_pass: account.password,
    ssl_ca_certificates_file: account.certificate,
    certificate_file: account.certificate,
    header_cache: '',
    charset: 'utf-8',
    ...settings,
  };
  const lines = Object.entries(all).map(([name, value]) => `set ${name}=${quoted(value)}\n`);
  writeFileSync(rc, lines.join(''), { mode: 0o600 });
  return rc;
}

/** mbsync between `dir`/mail (Maildir) and all of the account's mailboxes, both ways, deletions included. */
export async function mbsync(dir: string, account: MailAccount): Promise<string> {
  need('mbsync');
  const mail = join(dir, 'mail');
  mkdirSync(mail, { recursive: true });
  const rc = join(dir, 'mbsyncrc');
  writeFileSync(
    rc,
    `IMAPStore remote
Host ${account.host}
Port ${account.imapsPort}
User ${account.user}
Pass ${quoted(account.password)}
SSLType IMAPS
CertificateFile ${account.certificate}
AuthMechs LOGIN

MaildirStore local
Path ${mail}/
Inbox ${mail}/INBOX
SubFolders Verbatim

Channel all
Far :remote:
Near :local:
Patterns *
Create Both
Remove Both
Expunge Both
CopyArrivalDate yes
SyncState *
`,
    { mode: 0o600 },
  );
  const result = await run('mbsync', ['-c', rc, '-V', '-a'], { env: { HOME: dir } });
  if (result.code !== 0) throw new Error(`mbsync ended with ${result.code}\n${result.stdout}\n${result.stderr}`);
  return result.stdout;
}

/** fetchmail of everything in the inbox into `dir`/fetched by way of a local delivery program; deletes it at the server; answers what it said. */
export async function fetchmail(dir: string, account: MailAccount, protocol: 'IMAP' | 'POP3', port: number): Promise<string> {
  need('fetchmail');
  const rc = join(dir, 'fetchmailrc');
  const fetched = join(dir, 'fetched');
  const options = `ssl sslproto "TLS1.2+" sslcertck sslcertfile ${quoted(account.certificate)} no keep fetchall no rewrite mda "/bin/sh -c 'cat >> ${fetched}; echo >> ${fetched}'"`;
  writeFileSync(
    rc,
    `poll ${account.host} protocol ${protocol} service ${port} user ${quoted(account.user)} password ${quoted(account.password)} ${options}\n`,
    { mode: 0o600 },
  );
  const result = await run('fetchmail', ['-f', rc, '--nosyslog', '--verbose', '--pidfile', join(dir, 'fetchmail.pid')], {
    env: { HOME: dir, FETCHMAILHOME: dir },
  });
  if (result.code !== 0) throw new Error(`fetchmail ended with ${result.code}\n${result.stdout}\n${result.stderr}`);
  return result.stdout;
}
