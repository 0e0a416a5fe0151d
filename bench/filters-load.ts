/** What the measurements of filters share: messages sent by `smtp-source`, counted until the last has arrived, with the CPU of all of a server's processes. */
import { execFileSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { run } from '../test/harness/run.ts';
import type { Group } from './harness/group.ts';
import { median, short } from './harness/table.ts';

export interface FilterBenchOptions {
  readonly isQuick: boolean;
  readonly say: (text: string) => void;
  readonly isAlone?: boolean;
}

/** A server that takes messages at a port. */
export interface Server {
  readonly label: string;
  readonly port: number;
  readonly isLmtp: boolean;
  readonly groups: readonly Group[];
  /** Messages that have arrived since the server's start or the last reset. */
  count(): Promise<number>;
  reset(): void;
}

export interface Load {
  readonly users: readonly string[];
  /** One for each user. */
  readonly files: readonly string[];
  readonly sessions: number;
  readonly messages: number;
}
export interface Measured {
  readonly perSecond: number;
  readonly cpuMs: number;
}
const MS_MAX = 300_000;

/** Sends a load and waits until all of it has arrived. */
export async function deliverAll(server: Server, load: Load): Promise<Measured> {
  server.reset();
  execFileSync('sync');
  await pause(300); // What the last run left behind is not this one's work.
  const before = await server.count();
  return timed(server.groups, load.messages, async () => {
    const begin = performance.now();
    await send(server, load);
    while ((await server.count()) - before < load.messages) {
      if (performance.now() - begin > MS_MAX) throw new Error(`${server.label}: only ${(await server.count()) - before} of ${load.messages} messages arrived`);
      await pause(10);
    }
  });
}

/** Rate and CPU of something done `times` times. */
export async function timed(groups: readonly Group[], times: number, work: () => Promise<void>): Promise<Measured> {
  const cpu = (): number => groups.reduce((sum, group) => sum + group.usage().cpuSeconds, 0);
  const used = cpu();
  const begin = performance.now();
  await work();
  const ms = performance.now() - begin;
  return { perSecond: (times * 1000) / ms, cpuMs: ((cpu() - used) * 1000) / times };
}

/** smtp-source(1) sends to one recipient: a process for each user, as many side by side as there are sessions. Connections are kept, as an MTA keeps them. */
async function send({ port, isLmtp }: Server, { users, files, sessions, messages }: Load): Promise<void> {
  const lanes = Math.min(sessions, users.length);
  await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      for (let user = lane; user < users.length; user += lanes) {
        const who = ['-M', 'client.example.com', '-f', 'sender@example.com', '-t', `${users[user]}@perf.test`];
        const how = ['-s', String(Math.floor(sessions / lanes)), '-m', String(messages / users.length), '-F', files[user]!];
        const result = await run('smtp-source', ['-4', '-d', ...(isLmtp ? ['-L'] : []), ...who, ...how, `inet:127.0.0.1:${port}`], { timeoutMs: MS_MAX });
        if (result.code !== 0) throw new Error(`smtp-source ended with ${result.code}: ${result.stderr}`);
      }
    }),
  );
}

/** The servers in turn, `rounds` times; the median of each. */
export async function inTurns<S extends { readonly label: string }>(
  servers: readonly S[],
  rounds: number,
  measure: (server: S) => Promise<Measured>,
): Promise<Map<string, Measured>> {
  const all = new Map<string, Measured[]>(servers.map(({ label }) => [label, []]));
  for (let round = 0; round < rounds; round += 1) for (const server of servers) all.get(server.label)!.push(await measure(server));
  return new Map(
    [...all].map(([label, results]) => [label, { perSecond: median(results.map((one) => one.perSecond)), cpuMs: median(results.map((one) => one.cpuMs)) }]),
  );
}

/** A row for each server; the last two columns say how `ours` stands to it. */
export function rowsOf(what: string, results: ReadonlyMap<string, Measured>, ours: string): (string | number)[][] {
  const own = results.get(ours)!;
  return [...results].map(([label, one]) => [
    what,
    label,
    one.perSecond,
    one.cpuMs,
    ...(label === ours ? ['', ''] : [`${short(own.perSecond / one.perSecond)} ×`, `${short(own.cpuMs / one.cpuMs)} ×`]),
  ]);
}

export function summary(what: string, results: ReadonlyMap<string, Measured>): string {
  return `  ${what}: ${[...results].map(([label, one]) => `${label} ${short(one.perSecond)}/s, ${one.cpuMs.toFixed(2)} ms`).join('; ')}`;
}
