/**
 * IMAP and POP3 on mailboxes of 10,000 and 100,000 messages: Debian's Dovecot over Maildir and Posthorn, the same messages, the same
 * commands, in the same run. `first`: Dovecot without its index files, both without the page cache; `cold`: without the page cache.
 */
import { cpSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Posthorn } from '../test/harness/posthorn.ts';
import { need, succeed } from '../test/harness/run.ts';
import { atEnd, type Owner, programOwner, tempDir } from '../test/harness/temp.ts';
import { startDovecot } from '../test/peers/dovecot.ts';
import { MAIL_UID } from '../test/peers/postfix.ts';
import { Group, machine } from './harness/group.ts';
import { appendPool, RARE_WORD, writeMaildir } from './harness/mailbox.ts';
import { RawImap } from './harness/raw-imap.ts';
import { median, table } from './harness/table.ts';
import { WAITS_HEAD, type WaitsRow, waitsOnMailboxes, waitsOnMessages } from './imap-waits.ts';

export interface ImapBenchOptions {
  readonly isQuick: boolean;
  readonly say: (text: string) => void;
  readonly isAlone?: boolean;
}

interface Server {
  readonly label: string;
  readonly imap: number;
  readonly pop3: number;
  readonly group: Group;
  readonly user: (name: string) => string;
  /** Forgets what the server knows of a mailbox beyond its messages; null: there is no such thing. */
  readonly forget: ((name: string) => void) | null;
}

interface Sample {
  readonly seconds: number;
  readonly cpu: number;
}
type Samples = Map<string, Sample[]>;

const PASSWORD = 'measure-it';
const OURS = 'Posthorn';
/** What the design expects: our time is at most the peer's divided by this. */
const GOALS: Readonly<Record<string, number>> = {
  'FETCH 1:* FLAGS': 1,
  'FETCH 1:* ENVELOPE BODYSTRUCTURE': 3,
  'first: FETCH 1:* ENVELOPE BODYSTRUCTURE': 30,
  'STORE 1:* +FLAGS': 5,
  '1,000 APPENDs of 4 KB': 3,
  'COPY of 1,000': 1,
  'MOVE of 1,000': 1,
  'EXPUNGE of 1,000': 1,
  'SEARCH BODY': 50,
  'SEARCH TEXT': 50,
  'SORT (REVERSE DATE)': 1,
  'THREAD REFERENCES': 1,
};

export async function imap(options: ImapBenchOptions): Promise<void> {
  options.say(`IMAP and POP3 on large mailboxes; ${machine()}`);
  for (const count of options.isQuick ? [10_000] : [10_000, 100_000]) await mailbox(options, count);
  await manyMailboxes(options);
  await logins(options);
}

async function manyMailboxes(options: ImapBenchOptions): Promise<void> {
  const owner = programOwner();
  try {
    options.say(`\n${table(WAITS_HEAD, await waitsOnMailboxes(owner, OURS, options.isQuick ? 1 : 5, options.say))}`);
  } finally {
    await owner.end();
  }
}

async function mailbox(options: ImapBenchOptions, count: number): Promise<void> {
  const owner = programOwner();
  try {
    const source = join(tempDir(owner, 'bench-source'), 'Maildir');
    const bytes = writeMaildir(source, count);
    options.say(`\n${count.toLocaleString('en')} messages, ${Math.round(bytes / 1e6).toLocaleString('en')} MB`);
    const servers: Server[] = [];
    if (options.isAlone !== true) {
      need('dovecot');
      servers.push(await dovecot(owner, source));
    }
    servers.push(await posthorn(owner, source, count, options.say));
    const rounds = options.isQuick ? 1 : 3;
    const results = new Map<string, Samples>();
    for (const server of servers) results.set(server.label, await measure(server, rounds));
    options.say(`\n${compare(results)}`);
    const waits: WaitsRow[] = [];
    for (const { label, imap: port, user } of servers) waits.push(...(await waitsOnMessages(label, port, user('big'), PASSWORD, rounds)));
    options.say(`\n${table(WAITS_HEAD, waits)}`);
  } finally {
    await owner.end();
  }
}

function compare(results: ReadonlyMap<string, Samples>): string {
  const ours = results.get(OURS)!;
  const peer = [...results].find(([label]) => label !== OURS)?.[1];
  const rows = [...ours].map(([name, samples]) => {
    const middle = (of: keyof Sample, list: readonly Sample[] | undefined): number =>
      list === undefined ? Number.NaN : median(list.map((sample) => sample[of]));
    const [us, them] = [middle('seconds', samples), middle('seconds', peer?.get(name))];
    return [
      name,
      them * 1000,
      us * 1000,
      them / us,
      middle('cpu', peer?.get(name)) / middle('cpu', samples),
      GOALS[name] === undefined ? '' : `${GOALS[name]} ×`,
    ];
  });
  return table(['operation', 'Dovecot ms', 'Posthorn ms', 'times faster', 'times less CPU', 'goal'], rows);
}

async function dovecot(owner: Owner, source: string): Promise<Server> {
  const group = Group.make(owner, 'dovecot-imap');
  const mailboxes = tempDir(owner, 'bench-mailboxes');
  mkdirSync(join(mailboxes, 'big'));
  cpSync(source, join(mailboxes, 'big/Maildir'), { recursive: true, preserveTimestamps: true });
  await succeed('chown', ['-R', `${MAIL_UID}:${MAIL_UID}`, mailboxes]);
  const extra =
    'protocols = imap lmtp pop3\nservice pop3-login {\n  inet_listener pop3 {\n    port = 11310\n  }\n  inet_listener pop3s {\n    port = 0\n  }\n}\ninstance_name = imap-bench\n';
  await startDovecot(owner, { address: '127.0.0.1', imapPort: 11343, lmtpPort: 11324, users: { big: PASSWORD }, mailboxes, extra, prefix: group.prefix });
  return {
    label: 'Dovecot',
    imap: 11343,
    pop3: 11310,
    group,
    user: (name) => name,
    forget: (name) => {
      const dir = join(mailboxes, name, 'Maildir');
      for (const file of readdirSync(dir)) if (file.startsWith('dovecot')) rmSync(join(dir, file), { recursive: true });
    },
  };
}

async function posthorn(owner: Owner, source: string, count: number, say: (text: string) => void): Promise<Server> {
  const group = Group.make(owner, 'posthorn-imap');
  const server = new Posthorn(tempDir(owner, 'bench-posthorn'), {
    config: { hostname: 'mx.perf.test', domain: 'perf.test', listen: { pop3s: [], submission: [], submissions: [], sieve: [], metrics: ['127.0.0.1:0'] } },
    prefix: group.prefix,
  });
  atEnd(owner, () => server.stop());
  await server.start();
  if (!(await server.admin('domain', 'list')).includes('perf.test')) await server.admin('domain', 'add', 'perf.test');
  await server.addUser('big@perf.test', PASSWORD);
  const begin = performance.now();
  await server.admin('import', 'big@perf.test', source);
  const importSeconds = (performance.now() - begin) / 1000;
  const searchable = await searchableAfter(server, count);
  say(`${OURS}: imported after ${importSeconds.toFixed(1)} s, searchable ${searchable.toFixed(1)} s later`);
  return { label: OURS, imap: server.port('imap'), pop3: server.port('pop3'), group, user: (name) => `${name}@perf.test`, forget: null };
}

/** Seconds until a rare word of the last thousand messages is found by the index alone, so that no search reads messages. */
async function searchableAfter(server: Posthorn, messages: number): Promise<number> {
  const begin = performance.now();
  for (;;) {
    const metrics = await fetch(`http://127.0.0.1:${server.port('metrics')}/metrics`).then((response) => response.text());
    // The indexer waits until it is quiet before it begins, and says nothing until then.
    const metric = (name: string): number => Number(new RegExp(`^posthorn_search_${name}\\S* (\\d+)`, 'm').exec(metrics)?.[1] ?? 0);
    if (metric('indexed') >= messages && metric('backlog') === 0) return (performance.now() - begin) / 1000;
    await pause(200);
  }
}

function dropCaches(): boolean {
  try {
    writeFileSync('/proc/sys/vm/drop_caches', '3');
    return true;
  } catch {
    return false; // in a container it may be read-only: the rows are left out then
  }
}

async function measure(server: Server, rounds: number): Promise<Samples> {
  const samples: Samples = new Map();
  const timed = async (name: string, work: () => Promise<unknown>): Promise<void> => {
    const cpu = server.group.usage().cpuSeconds;
    const begin = performance.now();
    await work();
    const sample = { seconds: (performance.now() - begin) / 1000, cpu: server.group.usage().cpuSeconds - cpu };
    samples.set(name, [...(samples.get(name) ?? []), sample]);
  };
  const user = server.user('big');
  const open = (): Promise<RawImap> => RawImap.open(server.imap, user, PASSWORD);
  await succeed('sync', []);
  const isUncached = dropCaches();
  for (const kind of ['first', 'cold'] as const) {
    for (let round = 0; round < (isUncached || kind === 'first' ? rounds : 0); round += 1) {
      for (const items of ['FLAGS', 'ENVELOPE BODYSTRUCTURE']) {
        if (kind === 'first') server.forget?.('big');
        dropCaches();
        const client = await open();
        await timed(`${kind}: SELECT`, () => client.ask('SELECT INBOX'));
        await timed(`${kind}: FETCH 1:* ${items}`, () => client.ask(`FETCH 1:* (UID ${items})`));
        await client.close();
      }
    }
  }
  // The first round only warms up.
  for (let round = 0; round <= rounds; round += 1) {
    if (round === 1) for (const name of [...samples.keys()]) if (!/^(first|cold):/.test(name)) samples.delete(name);
    await warmRound(server, round, timed);
    await pop3Round(server, timed);
  }
  return samples;
}

type Timed = (name: string, work: () => Promise<unknown>) => Promise<void>;

async function warmRound(server: Server, round: number, timed: Timed): Promise<void> {
  let client!: RawImap;
  await timed('login and SELECT', async () => {
    client = await RawImap.open(server.imap, server.user('big'), PASSWORD);
    await client.ask('SELECT INBOX');
  });
  const total = Number(/\* (\d+) EXISTS/.exec(await client.text('SELECT INBOX'))![1]);
  const middle = Math.floor(total / 2);
  const some = `${middle}:${middle + 999}`;
  const each = async (command: (n: number) => string): Promise<void> => {
    for (let n = middle; n < middle + 1000; n += 1) await client.ask(command(n));
  };
  await timed('SELECT again', () => client.ask('SELECT INBOX'));
  await timed('FETCH 1:* FLAGS', () => client.ask('FETCH 1:* (UID FLAGS)'));
  await timed('FETCH 1:* SIZE DATE', () => client.ask('FETCH 1:* (UID FLAGS RFC822.SIZE INTERNALDATE)'));
  await timed('FETCH 1:* ENVELOPE BODYSTRUCTURE', () => client.ask('FETCH 1:* (UID ENVELOPE BODYSTRUCTURE)'));
  await timed('FETCH 1:* HEADER.FIELDS', () =>
    client.ask('FETCH 1:* (UID BODY.PEEK[HEADER.FIELDS (FROM TO CC SUBJECT DATE MESSAGE-ID REFERENCES CONTENT-TYPE)])'),
  );
  await timed('FETCH of 1,000 bodies', () => client.ask(`FETCH ${some} (UID BODY.PEEK[])`));
  await timed('1,000 FETCHes of a body', () => each((n) => `FETCH ${n} (UID BODY.PEEK[])`));
  await timed('SEARCH UNSEEN', () => client.ask('SEARCH UNSEEN'));
  await timed('SEARCH FROM', () => client.ask('SEARCH FROM "novak"'));
  await timed('SEARCH SUBJECT', () => client.ask('SEARCH SUBJECT "invoice"'));
  await timed('SEARCH BODY', () => client.ask(`SEARCH BODY "${RARE_WORD}"`));
  await timed('SEARCH TEXT', () => client.ask(`SEARCH TEXT "${RARE_WORD}"`));
  if (/ SORT\b/.test(client.capabilities)) await timed('SORT (REVERSE DATE)', () => client.ask('SORT (REVERSE DATE) UTF-8 ALL'));
  if (client.capabilities.includes('THREAD=REFERENCES')) await timed('THREAD REFERENCES', () => client.ask('THREAD REFERENCES UTF-8 ALL'));
  await timed('STORE 1:* +FLAGS', () => client.ask('STORE 1:* +FLAGS (\\Flagged)'));
  await timed('STORE 1:* -FLAGS.SILENT', () => client.ask('STORE 1:* -FLAGS.SILENT (\\Flagged)'));
  await timed('1,000 STOREs', () => each((n) => `STORE ${n} +FLAGS.SILENT (\\Answered)`));
  await client.ask('STORE 1:* -FLAGS.SILENT (\\Answered)');
  const [copied, moved, appended, several] = ['copied', 'moved', 'appended', 'several'].map((name) => `${name}${round}`);
  for (const name of [copied, moved, appended, several]) await client.ask(`CREATE ${name}`);
  await timed('COPY of 1,000', () => client.ask(`COPY ${some} ${copied}`));
  await client.ask(`SELECT ${copied}`);
  await timed('MOVE of 1,000', () => client.ask(`MOVE 1:1000 ${moved}`));
  const messages = appendPool();
  await timed('1,000 APPENDs of 4 KB', async () => {
    for (const message of messages) await client.append(appended!, [message]);
  });
  if (client.capabilities.includes('MULTIAPPEND')) await timed('MULTIAPPEND of 1,000', () => client.append(several!, messages));
  await client.ask(`SELECT ${appended}`);
  await client.ask('STORE 1:* +FLAGS.SILENT (\\Deleted)');
  await timed('EXPUNGE of 1,000', () => client.ask('EXPUNGE'));
  await client.ask('SELECT INBOX');
  for (const name of [copied, moved, appended, several]) await client.ask(`DELETE ${name}`);
  await client.close();
}

/** A mail program that looks for new mail by POP3 and fetches 1,000 messages. */
async function pop3Round(server: Server, timed: Timed): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port: server.pop3 });
  socket.setNoDelay(true);
  let tail = '';
  let wake: (() => void) | null = null;
  socket.on('data', (chunk: Buffer) => {
    tail = (tail + chunk.toString('latin1')).slice(-64);
    wake?.();
  });
  const until = async (end: RegExp): Promise<void> => {
    while (!end.test(tail)) {
      await new Promise<void>((resolve) => {
        wake = resolve;
      });
    }
    if (tail.startsWith('-ERR')) throw new Error(tail);
    tail = '';
  };
  const [line, dot] = [/\r\n$/, /\r\n\.\r\n$/];
  const ask = async (command: string, end: RegExp): Promise<void> => {
    socket.write(`${command}\r\n`);
    await until(end);
  };
  await timed('POP3 login and STAT', async () => {
    await until(line);
    await ask(`USER ${server.user('big')}`, line);
    await ask(`PASS ${PASSWORD}`, line);
    await ask('STAT', line);
  });
  await timed('POP3 UIDL', () => ask('UIDL', dot));
  await timed('POP3 1,000 RETRs', async () => {
    for (let n = 1; n <= 1000; n += 1) await ask(`RETR ${n}`, dot);
  });
  await ask('QUIT', line);
  socket.destroy();
}

/** Logins a second with a plain password kept as it is (Dovecot) and as both keep it by default. */
async function logins(options: ImapBenchOptions): Promise<void> {
  const owner = programOwner();
  try {
    const users = Array.from({ length: 50 }, (_, n) => `user${n + 1}`);
    const rows: (string | number)[][] = [];
    const targets: { label: string; port: number; user: (name: string) => string; group: Group }[] = [];
    if (options.isAlone !== true) {
      const group = Group.make(owner, 'dovecot-logins');
      // Dovecot's own advice for many logins: login processes that serve many clients, and passwords kept after the first check.
      const extra =
        'service imap-login {\n  service_count = 0\n  process_min_avail = 2\n}\nservice imap {\n  process_min_avail = 20\n  service_count = 200\n}\nauth_cache_size = 10M\nauth_cache_ttl = 1 hour\ninstance_name = login-bench\n';
      await startDovecot(owner, {
        address: '127.0.0.1',
        imapPort: 11443,
        lmtpPort: 11424,
        users: Object.fromEntries(users.map((user) => [user, PASSWORD])),
        extra,
        prefix: group.prefix,
      });
      targets.push({ label: 'Dovecot, performance mode', port: 11443, user: (name) => name, group });
    }
    const group = Group.make(owner, 'posthorn-logins');
    const server = new Posthorn(tempDir(owner, 'bench-posthorn'), { config: { hostname: 'mx.perf.test', domain: 'perf.test' }, prefix: group.prefix });
    atEnd(owner, () => server.stop());
    await server.start();
    if (!(await server.admin('domain', 'list')).includes('perf.test')) await server.admin('domain', 'add', 'perf.test');
    for (const user of users) await server.addUser(`${user}@perf.test`, PASSWORD);
    targets.push({ label: OURS, port: server.port('imap'), user: (name) => `${name}@perf.test`, group });
    for (const concurrency of [1, 10, 50]) {
      const count = options.isQuick ? 500 : 3000;
      for (const target of targets) {
        await loginRun(target.port, target.user, users, concurrency, 200);
        const cpu = target.group.usage().cpuSeconds;
        const seconds = await loginRun(target.port, target.user, users, concurrency, count);
        rows.push([String(concurrency), target.label, count / seconds, ((target.group.usage().cpuSeconds - cpu) * 1000) / count]);
      }
    }
    options.say(`\n${table(['logins at once', 'server', 'logins/s', 'CPU ms each'], rows)}`);
  } finally {
    await owner.end();
  }
}

async function loginRun(port: number, user: (name: string) => string, users: readonly string[], concurrency: number, count: number): Promise<number> {
  const begin = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: concurrency }, async () => {
      while (next < count) {
        const name = users[next++ % users.length]!;
        await loginOnce(port, user(name));
      }
    }),
  );
  return (performance.now() - begin) / 1000;
}

function loginOnce(port: number, user: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port });
    socket.setNoDelay(true);
    let step = 0;
    let text = '';
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1');
      if (!text.endsWith('\n')) return;
      if (step === 0) socket.write(`a LOGIN ${user} ${PASSWORD}\r\n`);
      else if (step === 1) {
        if (!text.includes('a OK')) reject(new Error(text));
        socket.write('b LOGOUT\r\n');
      } else if (text.includes('b OK')) socket.destroy();
      else return;
      step += 1;
      text = '';
    });
    socket.on('close', () => resolve());
    socket.on('error', reject);
  });
}
