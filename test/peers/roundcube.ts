/** Debian's Roundcube with PHP's own web server and a database of its own in a file. */
import { spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { need } from '../harness/run.ts';
import { atEnd, type Owner, tempDir } from '../harness/temp.ts';
import { eventually } from '../harness/wait.ts';
import { ended } from './process.ts';

/** Where the package puts what it consists of. */
const PUBLIC = '/var/lib/roundcube/public_html';
const SCHEMA = '/usr/share/roundcube/SQL/sqlite.initial.sql';
/** With one process a page that fetches another page of the same server would wait for itself. */
const PROCESSES = 3;

export interface RoundcubeOptions {
  readonly imapPort: number;
  readonly submissionPort: number;
  /** PHP lines of config.inc.php, after ours. */
  readonly extra?: string;
}
export interface Roundcube {
  readonly url: string;
  /** What went over the wire by IMAP, as Roundcube wrote it down. */
  imapLog(): string;
  /** What PHP and Roundcube had to complain about. */
  errors(): string;
}

/** Starts it on a free port; it ends with its owner. */
export async function startRoundcube(owner: Owner, options: RoundcubeOptions): Promise<Roundcube> {
  need('php');
  for (const file of [PUBLIC, SCHEMA, '/etc/roundcube/defaults.inc.php'])
    if (!existsSync(file)) throw new Error(`${file} is missing: Debian's package roundcube-core is not installed`);
  const dir = tempDir(owner, 'roundcube');
  for (const name of ['config', 'logs', 'temp', 'sessions']) mkdirSync(join(dir, name));
  for (const name of ['defaults.inc.php', 'mimetypes.php']) copyFileSync(join('/etc/roundcube', name), join(dir, 'config', name));
  writeFileSync(join(dir, 'config/config.inc.php'), configuration(dir, options));
  const database = new DatabaseSync(join(dir, 'roundcube.sqlite'));
  database.exec(readFileSync(SCHEMA, 'utf8'));
  database.close();
  const port = await freePort();
  const words = [
    '-d',
    `error_log=${dir}/logs/php`,
    '-d',
    'display_errors=0',
    '-d',
    `session.save_path=${dir}/sessions`,
    '-S',
    `127.0.0.1:${port}`,
    '-t',
    PUBLIC,
  ];
  const env = { PATH: process.env['PATH'] ?? '/usr/bin:/bin', HOME: dir, ROUNDCUBE_CONFIG_DIR: join(dir, 'config'), PHP_CLI_SERVER_WORKERS: `${PROCESSES}` };
  const child = spawn('php', words, { cwd: dir, stdio: 'ignore', env });
  atEnd(owner, () => ended(child));
  const url = `http://127.0.0.1:${port}/`;
  await eventually('Roundcube shows its login page', async () => (await (await fetch(url)).text()).includes('rcmloginuser'));
  const text = (name: string): string => (existsSync(join(dir, 'logs', name)) ? readFileSync(join(dir, 'logs', name), 'utf8') : '');
  return { url, imapLog: () => text('imap.log'), errors: () => text('errors.log') + text('php') };
}

function configuration(dir: string, { imapPort, submissionPort, extra = '' }: RoundcubeOptions): string {
  return `<?php
$config = [];
$config['db_dsnw'] = 'sqlite:////${dir}/roundcube.sqlite?mode=0600';
$config['imap_host'] = 'ssl://localhost:${imapPort}';
$config['smtp_host'] = 'tls://localhost:${submissionPort}';
$config['imap_conn_options'] = ['ssl' => ['verify_peer' => false, 'verify_peer_name' => false]];
$config['smtp_conn_options'] = ['ssl' => ['verify_peer' => false, 'verify_peer_name' => false]];
$config['smtp_user'] = '%u';
$config['smtp_pass'] = '%p';
$config['des_key'] = 'twenty-four-characters-1';
$config['log_dir'] = '${dir}/logs/';
$config['temp_dir'] = '${dir}/temp/';
$config['imap_debug'] = true;
$config['log_driver'] = 'file';
$config['plugins'] = [];
$config['skin'] = 'elastic';
$config['language'] = 'en_US';
$config['enable_spellcheck'] = false;
$config['imap_cache'] = null;
$config['messages_cache'] = false;
$config['mail_read_time'] = 0;
$config['refresh_interval'] = 60;
$config['identities_level'] = 0;
${extra}
`;
}

/** A port that nobody has: in a network of the test's own it stays so. */
function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as { port: number };
      server.close(() => resolve(port));
    });
  });
}
