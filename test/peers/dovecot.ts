/** Debian's Dovecot as an instance of its own: IMAP and LMTP over Maildir, users from a file. */
import { appendFileSync, chmodSync, chownSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { need, run, succeed } from '../harness/run.ts';
import { atEnd, type Owner, tempDir } from '../harness/temp.ts';
import { eventually } from '../harness/wait.ts';
import { LineClient } from '../harness/line-client.ts';
import { makeCertificate } from './certificate.ts';
import { MAIL_UID } from './postfix.ts';

export interface DovecotOptions {
  readonly address: string;
  readonly imapPort: number;
  readonly imapsPort?: number;
  readonly lmtpPort: number;
  /** Password by login name (a local part). */
  readonly users: Readonly<Record<string, string>>;
  readonly mailboxes?: string;
  /** A unix socket for LMTP as well, for a Postfix whose queue directory it is in. */
  readonly lmtpSocket?: string;
  readonly extra?: string;
  readonly prefix?: readonly string[];
}

export interface Dovecot {
  readonly mailboxes: string;
  /** Null without imapsPort; names localhost. */
  readonly certificate: string | null;
  stop(): Promise<void>;
}

/** Makes and starts an instance; it ends with its owner. */
export async function startDovecot(owner: Owner, options: DovecotOptions): Promise<Dovecot> {
  need('dovecot', 'doveadm');
  const dir = tempDir(owner, 'dovecot');
  const mailboxes = options.mailboxes ?? join(dir, 'mailboxes');
  for (const sub of ['run', 'state', 'log']) mkdirSync(join(dir, sub));
  mkdirSync(mailboxes, { recursive: true });
  chownSync(mailboxes, MAIL_UID, MAIL_UID);
  writeFileSync(join(dir, 'log/dovecot.log'), '');
  chmodSync(join(dir, 'log/dovecot.log'), 0o666);
  const users = Object.entries(options.users).map(([name, password]) => `${name}:{PLAIN}${password}:${MAIL_UID}:${MAIL_UID}::${mailboxes}/${name}::\n`);
  writeFileSync(join(dir, 'users'), users.join(''));
  const tls = options.imapsPort === undefined ? null : await makeCertificate(dir, ['localhost', 'dovecot.test']);
  const config = join(dir, 'dovecot.conf');
  writeFileSync(config, dovecotConf(dir, options, tls));
  if (options.extra !== undefined) appendFileSync(config, options.extra);
  const command = [...(options.prefix ?? []), 'dovecot', '-c', config];
  await succeed(command[0]!, command.slice(1));
  const stop = async (): Promise<void> => {
    await run('doveadm', ['-c', config, 'stop']);
  };
  atEnd(owner, stop);
  await eventually('Dovecot answers', async () => {
    const client = await LineClient.open(options.imapPort, { host: options.address });
    await client.expect(/^\* OK/);
    client.close();
    return true;
  });
  return { mailboxes, certificate: tls?.certificate ?? null, stop };
}

function dovecotConf(dir: string, options: DovecotOptions, tls: { certificate: string; key: string } | null): string {
  const socket = options.lmtpSocket === undefined ? '' : `unix_listener ${options.lmtpSocket} {\n    mode = 0600\n    user = postfix\n    group = postfix\n  }`;
  return `base_dir = ${dir}/run
state_dir = ${dir}/state
instance_name = peer
log_path = ${dir}/log/dovecot.log
protocols = imap lmtp
listen = ${options.address}
ssl = ${tls === null ? 'no' : 'yes'}
${tls === null ? '' : `ssl_cert = <${tls.certificate}\nssl_key = <${tls.key}`}
disable_plaintext_auth = no
auth_mechanisms = plain login
auth_username_format = %Ln
passdb {
  driver = passwd-file
  args = scheme=PLAIN ${dir}/users
}
userdb {
  driver = passwd-file
  args = ${dir}/users
}
first_valid_uid = ${MAIL_UID}
mail_location = maildir:~/Maildir
namespace inbox {
  inbox = yes
}
protocol lmtp {
  postmaster_address = postmaster@remote.test
}
protocol imap {
  mail_max_userip_connections = 10000
}
service imap-login {
  inet_listener imap {
    port = ${options.imapPort}
  }
  inet_listener imaps {
    port = ${options.imapsPort ?? 0}
  }
  process_limit = 500
}
service imap {
  process_limit = 8000
}
service lmtp {
  inet_listener lmtp {
    address = ${options.address}
    port = ${options.lmtpPort}
  }
  ${socket}
}
service anvil {
  client_limit = 20000
}
service auth {
  client_limit = 20000
}
default_client_limit = 20000
`;
}
