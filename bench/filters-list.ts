/**
 * One message to a list of 10,000 members: Postfix and Posthorn in the same run. The members stand in a file (:include:) or in one long line of the
 * aliases; they are of another domain, and their mail is thrown away (discard) or goes to smtp-sink. From DATA to the answer, and until nothing is queued.
 */
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause } from 'node:timers/promises';
import { LineClient } from '../test/harness/line-client.ts';
import { Posthorn } from '../test/harness/posthorn.ts';
import { keepRunning, need, succeed } from '../test/harness/run.ts';
import { atEnd, type Owner, programOwner, tempDir } from '../test/harness/temp.ts';
import { eventually } from '../test/harness/wait.ts';
import { setUpPostfix } from '../test/peers/postfix.ts';
import type { FilterBenchOptions } from './filters-load.ts';
import { Group, machine } from './harness/group.ts';
import { median, short, table } from './harness/table.ts';

const MEMBERS = 10_000;
const SINK_PORT = 11097;
const MS_MAX = 60_000;
const TRANSPORTS = `inline:{ { thrown.test = discard: }, { sink.test = smtp:[127.0.0.1]:${SINK_PORT} } }`;
/** Where the members' mail goes, and how the list is written. */
const WAYS = [
  { name: ':include:, discarded', list: 'included', domain: 'thrown.test' },
  { name: 'one line, discarded', list: 'line', domain: 'thrown.test' },
  { name: ':include:, to smtp-sink', list: 'sunk', domain: 'sink.test' },
] as const;

interface ListServer {
  readonly label: string;
  readonly port: number;
  readonly group: Group;
  isIdle(): boolean;
}
interface Expanded {
  readonly answeredMs: number;
  readonly doneMs: number;
  readonly cpuMs: number;
}

export async function list(options: FilterBenchOptions): Promise<void> {
  need('smtp-sink');
  const owner = programOwner();
  try {
    const aliases = writeLists(tempDir(owner, 'bench-lists'));
    const sink = keepRunning('smtp-sink', ['-4', '-u', 'nobody', `inet:127.0.0.1:${SINK_PORT}`, '1000']);
    atEnd(owner, () => sink.child.kill());
    await eventually('smtp-sink listens', async () => (await LineClient.open(SINK_PORT)).close() === undefined);
    const servers: ListServer[] = [];
    if (options.isAlone !== true) {
      need('postfix', 'postalias');
      servers.push(await postfix(owner, aliases));
    }
    servers.push(await posthorn(owner, aliases));
    options.say(`One message of 4 KB to a list of ${MEMBERS} members; ${machine()}`);
    for (const server of servers) await expand(server, 'included');
    const rows: (string | number)[][] = [];
    for (const { name, list } of WAYS) {
      const all = new Map<string, Expanded[]>(servers.map(({ label }) => [label, []]));
      for (let round = 0; round < (options.isQuick ? 1 : 5); round += 1) for (const server of servers) all.get(server.label)!.push(await expand(server, list));
      const typical = [...all].map(([label, results]) => ({ label, ...medians(results) }));
      const own = typical.at(-1)!;
      for (const one of typical)
        rows.push([
          name,
          one.label,
          one.answeredMs,
          one.doneMs,
          one.cpuMs,
          ...(one === own ? ['', ''] : [`${short(one.doneMs / own.doneMs)} ×`, `${short(own.cpuMs / one.cpuMs)} ×`]),
        ]);
      options.say(
        `  ${name}: ${typical.map((one) => `${one.label} answers after ${short(one.answeredMs)} ms, done after ${short(one.doneMs)} ms, ${short(one.cpuMs)} ms CPU`).join('; ')}`,
      );
    }
    options.say(`\n${table(['members', 'server', 'answer, ms', 'all done, ms', 'CPU ms', 'our speed', 'our CPU'], rows)}`);
  } finally {
    await owner.end();
  }
}

const medians = (results: readonly Expanded[]): Expanded => ({
  answeredMs: median(results.map((one) => one.answeredMs)),
  doneMs: median(results.map((one) => one.doneMs)),
  cpuMs: median(results.map((one) => one.cpuMs)),
});

/** /etc/aliases and its files, the same for both. */
function writeLists(dir: string): string {
  const members = (domain: string): string[] => Array.from({ length: MEMBERS }, (_, index) => `member${index + 1}@${domain}`);
  const lines: string[] = [];
  for (const { list, domain } of WAYS) {
    if (list === 'line') {
      lines.push(`${list}: ${members(domain).join(', ')}\n`);
      continue;
    }
    writeFileSync(join(dir, list), `${members(domain).join('\n')}\n`);
    lines.push(`${list}: :include:${join(dir, list)}\n`);
  }
  const file = join(dir, 'aliases');
  writeFileSync(file, lines.join(''));
  return file;
}

async function expand(server: ListServer, list: string): Promise<Expanded> {
  const client = await LineClient.open(server.port);
  await client.smtp(null, /^220/);
  await client.smtp('EHLO client.example.com', /^250/);
  const used = server.group.usage().cpuSeconds;
  const begin = performance.now();
  await client.smtp('MAIL FROM:<sender@example.com>', /^250/);
  await client.smtp(`RCPT TO:<${list}@perf.test>`, /^250/);
  await client.smtp('DATA', /^354/);
  const head = `From: Sender <sender@example.com>\r\nTo: ${list}@perf.test\r\nSubject: To all\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <${begin}@example.com>\r\n\r\n`;
  client.send(`${head}${'news of the week, for everybody\r\n'.repeat(120)}.\r\n`);
  await client.smtp(null, /^250/);
  const answeredMs = performance.now() - begin;
  while (!server.isIdle()) {
    if (performance.now() - begin > MS_MAX) throw new Error(`${server.label}: the members were not served in time`);
    await pause(20);
  }
  const doneMs = performance.now() - begin;
  const cpuMs = (server.group.usage().cpuSeconds - used) * 1000;
  client.close();
  return { answeredMs, doneMs, cpuMs };
}

async function postfix(owner: Owner, aliases: string): Promise<ListServer> {
  const group = Group.make(owner, 'lists');
  const port = 11029;
  const instance = await setUpPostfix(tempDir(owner, 'bench-postfix'), {
    address: `127.0.0.1:${port}`,
    hostname: 'mx.perf.test',
    domains: [],
    users: [],
    tls: false,
    main: {
      mydestination: 'perf.test',
      alias_maps: `hash:${aliases}`,
      transport_maps: TRANSPORTS,
      local_recipient_maps: '',
      smtpd_client_connection_count_limit: '0',
    },
  });
  atEnd(owner, () => instance.stop());
  await succeed('postalias', ['-c', instance.config, `hash:${aliases}`]);
  await instance.start(group.prefix);
  const queues = ['maildrop', 'incoming', 'active', 'deferred'].map((name) => join(instance.dir, 'spool', name));
  return { label: 'Postfix', port, group, isIdle: () => queues.every(isEmpty) };
}

/** No queue file in it or in the folders it is divided into. */
function isEmpty(folder: string): boolean {
  return readdirSync(folder).every((name) => {
    const stat = statSync(join(folder, name), { throwIfNoEntry: false });
    return stat === undefined || (stat.isDirectory() && isEmpty(join(folder, name)));
  });
}

async function posthorn(owner: Owner, aliases: string): Promise<ListServer> {
  const group = Group.make(owner, 'posthorn-lists');
  const server = new Posthorn(tempDir(owner, 'bench-posthorn'), {
    config: {
      hostname: 'mx.perf.test',
      domain: 'perf.test',
      listen: { lmtp: [], imap: [], imaps: [], pop3: [], pop3s: [], submission: [], submissions: [], sieve: [] },
      policy: { localDomains: ['perf.test'] },
      aliases: { sources: [`text:${aliases}`] },
      route: { transportMaps: [TRANSPORTS] },
    },
    prefix: group.prefix,
  });
  atEnd(owner, () => server.stop());
  await server.start();
  const store = new DatabaseSync(join(server.dataDir, 'store.db'), { readOnly: true });
  atEnd(owner, () => store.close());
  const waiting = store.prepare('SELECT 1 FROM queue_recipient LIMIT 1');
  return { label: 'Posthorn', port: server.port('smtp'), group, isIdle: () => waiting.get() === undefined };
}
