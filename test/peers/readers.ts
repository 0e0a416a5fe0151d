/** Debian's mail readers on a user's own mailbox, as this user: mutt without a person, and Dovecot's imap as a shell would start it. */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, writeFileSync, chmodSync, chownSync } from 'node:fs';
import { join } from 'node:path';
import { need, run, succeed } from '../harness/run.ts';

export interface Reader {
  readonly name: string;
  readonly uid: number;
}
const MESSAGES_MAX = 50;
const as = (reader: Reader, groups: string): string[] => [`--reuid=${reader.uid}`, `--regid=${reader.uid}`, `--groups=${groups}`];
/** Group "mail" of Debian: may lock files in the spool. */
const MAIL_GROUP = '8';

/** Every message of a mailbox as mutt hands it to a program, in the mailbox's order. */
export async function muttMessages(reader: Reader, mailbox: string, count: number): Promise<string[]> {
  need('mutt', 'script', 'setpriv');
  assert.ok(count <= MESSAGES_MAX);
  const home = join('/home', reader.name);
  const dir = mkdtempSync(join(home, 'mutt-'));
  chownSync(dir, reader.uid, reader.uid);
  const keys = Array.from({ length: count }, (_, n) => `${n + 1}<enter><pipe-message>cat >${dir}/${String(n).padStart(3, '0')}<enter>`).join('');
  const rc = join(dir, 'rc');
  writeFileSync(rc, `set pipe_decode=no\nset resolve=no\nset move=no\nset wait_key=no\nset quit=yes\nset sort=mailbox-order\npush "${keys}<exit>"\n`);
  chmodSync(rc, 0o644);
  const command = `setpriv ${as(reader, MAIL_GROUP).join(' ')} mutt -n -F ${rc} -f ${mailbox}`;
  const result = await run('script', ['-q', '-e', '-c', command, '/dev/null'], { env: { TERM: 'xterm', HOME: home, USER: reader.name }, timeoutMs: 30_000 });
  assert.equal(result.code, 0, result.stdout.slice(-2000));
  return readdirSync(dir)
    .filter((name) => /^\d+$/.test(name))
    .sort()
    .map((name) => readFileSync(join(dir, name), 'latin1').replace(/^From .*\n/, ''));
}

/** Every message of a mailbox as Dovecot's imap gives it; `location` as in mail_location. Flags and all are written as Dovecot does. */
export async function dovecotMessages(reader: Reader, location: string, mailbox = 'INBOX'): Promise<string[]> {
  const home = join('/home', reader.name);
  const dir = mkdtempSync(join(home, 'dovecot-'));
  chmodSync(dir, 0o755);
  chownSync(dir, reader.uid, reader.uid);
  const config = join(dir, 'dovecot.conf');
  writeFileSync(
    config,
    `base_dir = ${dir}/run\nlog_path = /dev/stderr\nssl = no\nfirst_valid_uid = 1\nmail_location = ${location}\nmail_privileged_group = mail\n`,
  );
  chmodSync(config, 0o644);
  const input = `a SELECT "${mailbox}"\r\nb FETCH 1:* (BODY[])\r\nc LOGOUT\r\n`;
  const output = await succeed('setpriv', [...as(reader, MAIL_GROUP), '/usr/lib/dovecot/imap', '-c', config], {
    env: { HOME: home, USER: reader.name },
    input,
    timeoutMs: 30_000,
  });
  assert.match(output, /^b OK/m, output);
  const bytes = Buffer.from(output);
  const found: string[] = [];
  for (let at = 0; ; ) {
    const open = /BODY\[\] \{(\d+)\}\r\n/.exec(bytes.toString('latin1', at));
    if (open === null) return found;
    const start = at + open.index + open[0].length;
    at = start + Number(open[1]);
    found.push(bytes.toString('latin1', start, at).replaceAll('\r\n', '\n'));
  }
}
