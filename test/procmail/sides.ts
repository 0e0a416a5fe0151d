/** One case in Debian's procmail and in ours: the same files before, and what is there afterwards. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { dirname, join } from 'node:path';
import { fromLine } from '../../src/deliver/agents/mbox.ts';
import type { FilterInput, FilterRun } from '../../src/deliver/filters/filter.ts';
import { runProcmail } from '../../src/deliver/filters/procmail/run.ts';
import { Driver } from './posthorn-side.ts';

export interface Case {
  readonly name: string;
  readonly rc: string;
  readonly message?: string;
  readonly arguments?: readonly string[];
  /** More files before the run; a name that ends with a slash is a directory. */
  readonly files?: Readonly<Record<string, string>>;
  /** Assignments before the rc file. */
  readonly variables?: Readonly<Record<string, string>>;
  /** A row of docs/filter-differences.md; then the outcomes must differ. */
  readonly differs?: string;
  /** Made by chance: the original may go round for ever. */
  readonly isGenerated?: boolean;
}

export interface Outcome {
  readonly exit: number | null;
  readonly files: Readonly<Record<string, string>>;
  /** Folders of the abstracts, and lines that begin with `@`. */
  readonly log: readonly string[];
}

export const AT = new Date(2024, 0, 1).getTime();
export const SENDER = { local: 'alice', domain: 'example.org' };
const FROM = fromLine('alice@example.org', AT).toString('latin1');
export const LETTER = `From: Alice <alice@example.org>
To: bob@example.net, "Team, A" <team@example.net>
Cc: joe.doe@example.com
Subject: Hello there
 folded World
Message-ID: <1@example.org>
Precedence: list

First line of the body
From here it goes on
$5.00 for (you) [and] me

Last line
`;
const RECORDER = `#!/bin/sh
cat > "$HOME/.in"
for a in "$@"; do case "$a" in -*) ;; *) printf 'TO %s\\n' "$a" >> "$HOME/sent"; cat "$HOME/.in" >> "$HOME/sent";; esac; done
rm "$HOME/.in"
`;
const PATH = '/usr/local/bin:/usr/bin:/bin';
const OURS = new Set(['rc', 'recorder', 'log']);

function prepare(dir: string, one: Case): void {
  mkdirSync(dir, { recursive: true });
  writeFileSync(join(dir, 'rc'), one.rc, 'latin1');
  writeFileSync(join(dir, 'recorder'), RECORDER);
  chmodSync(join(dir, 'recorder'), 0o755);
  for (const [name, text] of Object.entries(one.files ?? {})) {
    const path = join(dir, name);
    mkdirSync(name.endsWith('/') ? path : dirname(path), { recursive: true });
    if (!name.endsWith('/')) writeFileSync(path, text, 'latin1');
  }
}

export async function theirs(dir: string, one: Case): Promise<Outcome> {
  prepare(dir, one);
  const variables = {
    HOME: dir,
    LOGNAME: 'nobody',
    SHELL: '/bin/sh',
    PATH,
    ORGMAIL: 'orgmail',
    DEFAULT: 'default',
    LOGFILE: join(dir, 'log'),
    LOGABSTRACT: 'all',
    SENDMAIL: join(dir, 'recorder'),
    ...one.variables,
  };
  const assignments = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  const child = spawn('procmail', ['-Y', '-m', ...assignments, './rc', ...(one.arguments ?? [])], {
    cwd: dir,
    env: { PATH, HOME: dir },
    stdio: ['pipe', 'ignore', 'ignore'],
    timeout: 8_000,
  });
  child.stdin.on('error', () => child.stdin.destroy()); // it need not read all of it
  child.stdin.end(Buffer.from(FROM + (one.message ?? LETTER), 'latin1'));
  const [status] = await once(child, 'exit');
  return outcome(dir, status as number | null);
}

export function ours(dir: string, one: Case): Outcome {
  const { run, input } = oursToRun(dir, one);
  const end = new Driver(dir, input, FROM).drive(run);
  return outcome(dir, end.kind === 'done' ? end.exitCode : -1);
}

/** The files of the case, and our run of it, which somebody must drive. */
export function oursToRun(dir: string, one: Case): { readonly run: FilterRun; readonly input: FilterInput } {
  prepare(dir, one);
  const letter = Buffer.from(one.message ?? LETTER, 'latin1');
  const blank = letter[0] === 10 ? 1 : letter.indexOf('\n\n') === -1 ? letter.length : letter.indexOf('\n\n') + 2;
  const address = { local: 'bob', domain: 'example.net' };
  const input: FilterInput = {
    header: letter.subarray(0, blank),
    size: letter.length,
    body: letter.subarray(blank),
    envelope: {
      sender: SENDER,
      recipient: address,
      final: address,
      detail: null,
      orcpt: null,
      helo: null,
      clientIp: null,
      clientName: null,
    },
    user: 'nobody',
    home: dir,
    hostname: hostname(),
    domain: 'example.net',
    at: AT,
    zoneMinutes: 0,
    spam: null,
    virus: 0,
  };
  const run = runProcmail(
    {
      rcFiles: [{ path: './rc', text: Buffer.from(one.rc, 'latin1') }],
      environment: {
        HOME: dir,
        LOGNAME: 'nobody',
        SHELL: '/bin/sh',
        PATH,
        ORGMAIL: 'orgmail',
        DEFAULT: 'default',
        LOGFILE: join(dir, 'log'),
        LOGABSTRACT: 'all',
        MAILDIR: '.',
        HOST: hostname(),
        ...one.variables,
      },
      arguments: one.arguments ?? [],
      fromLine: FROM,
      processId: process.pid,
    },
    input,
  );
  return { run, input };
}

export function outcome(dir: string, exit: number | null): Outcome {
  const files: Record<string, string> = {};
  const walk = (sub: string): void => {
    for (const name of readdirSync(join(dir, sub)).sort()) {
      const path = join(sub, name);
      if (statSync(join(dir, path)).isDirectory()) walk(path);
      else if (sub !== '' || !OURS.has(name)) {
        let key = unique(path);
        while (key in files) key += "'";
        files[key] = readFileSync(join(dir, path), 'latin1').replaceAll(dir, 'HOME');
      }
    }
  };
  walk('');
  let log = '';
  try {
    log = readFileSync(join(dir, 'log'), 'latin1');
  } catch {
    // nothing was logged
  }
  const told = log
    .replaceAll(join(dir, 'recorder'), '/usr/sbin/sendmail')
    .replaceAll(dir, 'HOME')
    .split('\n')
    .filter((line) => line.startsWith('  Folder:') || line.startsWith('@'))
    // The forwarding program's path is longer on one side, and the abstract cuts at a column.
    .map((line) =>
      unique(line)
        .replace(/\t+ */, ' ')
        .replace(/^( {2}Folder: \S*sendmail).* (\d+)$/, '$1 $2'),
    );
  return { exit, files, log: told };
}

/** File names without what is different each time. */
function unique(text: string): string {
  return text.replace(/\/new\/[^\s/]+/g, '/new/*').replace(/\bmsg\.[\w,+.-]+/g, 'msg.*');
}
