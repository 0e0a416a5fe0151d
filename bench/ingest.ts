/**
 * SMTP in until the message is in the mailbox: Debian's Postfix → Dovecot, Postfix → Maildir and Posthorn in the same run. Posthorn twice:
 * with a client that it passes over (`judge.exempt`), and with one that it knows nothing of, so that every check of the default policy is made.
 */
import { execFileSync } from 'node:child_process';
import { setTimeout as pause } from 'node:timers/promises';
import { need, run } from '../test/harness/run.ts';
import { programOwner, tempDir } from '../test/harness/temp.ts';
import { startNsd } from '../test/peers/nsd.ts';
import { machine, peakMemory } from './harness/group.ts';
import { messageFiles } from './harness/message.ts';
import { median, short, table } from './harness/table.ts';
import { type Target, postfixToDovecot, postfixToMaildir, posthorn, posthornForStrangers, SENDER_ZONES, USERS } from './harness/targets.ts';

export interface IngestOptions {
  readonly isQuick: boolean;
  readonly say: (text: string) => void;
  /** Only Posthorn: while working on it. */
  readonly isAlone?: boolean;
}
interface Shape {
  readonly bytes: number;
  readonly sessions: number;
  readonly messages: number;
  /** Many messages on a connection instead of one. */
  readonly isPersistent: boolean;
}
interface Result {
  readonly perSecond: number;
  readonly acceptedPerSecond: number;
  readonly cpuMs: number;
  readonly anonymousMb: number;
  readonly pssMb: number;
  readonly writtenKb: number;
}
const DELIVERY_MS_MAX = 180_000;

export async function ingest(options: IngestOptions): Promise<void> {
  need('smtp-source', 'nsd');
  const owner = programOwner();
  try {
    const dir = tempDir(owner, 'bench-messages');
    const targets: Target[] = options.isAlone === true ? [] : [await postfixToDovecot(owner), await postfixToMaildir(owner)];
    await startNsd(owner, SENDER_ZONES);
    // The peers have no full-text index either; what ours costs stands in docs/measurements.md.
    const config = { search: { enabled: false } };
    targets.push(await posthorn(owner, config), await posthornForStrangers(owner, config));
    options.say(`SMTP ingest to mailbox, ${machine()}`);
    // Servers run for months: caches, compiled code and process pools are there before anything counts.
    for (const target of targets)
      await measure(target, { bytes: 4096, sessions: 10, messages: 4000, isPersistent: false }, messageFiles(dir, 4096, USERS.length));
    const rows: (string | number)[][] = [];
    for (const shape of shapes(options.isQuick)) {
      const files = messageFiles(dir, shape.bytes, USERS.length);
      const results = new Map<string, Result[]>(targets.map((target) => [target.label, []]));
      for (let round = 0; round < (options.isQuick ? 1 : 3); round += 1)
        for (const target of targets) results.get(target.label)!.push(await measure(target, shape, files));
      const typical = targets.map((target) => typicalOf(results.get(target.label)!));
      const ours = typical.at(-2)!;
      for (const [index, target] of targets.entries()) {
        const one = typical[index]!;
        const ratio = index === targets.length - 2 ? ['', ''] : [`${short(ours.perSecond / one.perSecond)} ×`, `${short(ours.cpuMs / one.cpuMs)} ×`];
        rows.push([describe(shape), target.label, one.perSecond, one.acceptedPerSecond, one.cpuMs, one.anonymousMb, one.pssMb, one.writtenKb, ...ratio]);
      }
      options.say(
        `  ${describe(shape)}: ${targets.map((target, index) => `${target.label} ${Math.round(typical[index]!.perSecond)}/s, ${typical[index]!.cpuMs.toFixed(2)} ms`).join('; ')}`,
      );
    }
    const head = ['messages', 'server', 'in mailbox/s', 'accepted/s', 'CPU ms each', 'anon MB', 'PSS MB', 'KB written each', 'exempt: rate', 'exempt: CPU'];
    options.say(`\n${table(head, rows)}`);
  } finally {
    await owner.end();
  }
}

function shapes(isQuick: boolean): Shape[] {
  const list: Shape[] = [];
  for (const [bytes, counts] of [
    [4096, isQuick ? [500, 1500, 1500] : [2000, 5000, 5000]],
    [65_536, isQuick ? [200, 500, 500] : [1000, 2000, 2000]],
  ] as const)
    for (const [index, sessions] of [1, 10, 50].entries()) list.push({ bytes, sessions, messages: counts[index]!, isPersistent: false });
  list.push({ bytes: 4096, sessions: 10, messages: isQuick ? 2000 : 5000, isPersistent: true });
  return list;
}
const describe = (shape: Shape): string =>
  `${shape.bytes / 1024} KB, ${shape.sessions} session${shape.sessions === 1 ? '' : 's'}${shape.isPersistent ? ', kept open' : ''}`;

async function measure(target: Target, shape: Shape, files: readonly string[]): Promise<Result> {
  target.reset();
  execFileSync('sync');
  await pause(300); // What the last run left behind is not this one's work.
  const before = await target.count();
  const used = target.groups.map((group) => group.usage());
  const { value, peak } = await peakMemory(target.groups, async () => {
    const start = performance.now();
    await send(target.smtpPort, shape, files);
    const acceptedMs = performance.now() - start;
    while ((await target.count()) - before < shape.messages) {
      if (performance.now() - start > DELIVERY_MS_MAX) throw new Error(`${target.label}: the last message did not arrive`);
      await pause(10);
    }
    return { acceptedMs, deliveredMs: performance.now() - start };
  });
  const now = target.groups.map((group) => group.usage());
  const sum = (of: 'cpuSeconds' | 'writtenBytes'): number => now.reduce((total, usage, index) => total + usage[of] - used[index]![of], 0);
  return {
    perSecond: (shape.messages * 1000) / value.deliveredMs,
    acceptedPerSecond: (shape.messages * 1000) / value.acceptedMs,
    cpuMs: (sum('cpuSeconds') * 1000) / shape.messages,
    anonymousMb: peak.anonymous / 1e6,
    pssMb: peak.pss / 1e6,
    writtenKb: sum('writtenBytes') / 1024 / shape.messages,
  };
}

/** smtp-source(1) sends to one recipient: a process for each user, as many side by side as there are sessions. */
async function send(port: number, shape: Shape, files: readonly string[]): Promise<void> {
  const lanes = Math.min(shape.sessions, USERS.length);
  const sessionsEach = Math.floor(shape.sessions / lanes);
  const messagesEach = shape.messages / USERS.length;
  await Promise.all(
    Array.from({ length: lanes }, async (_, lane) => {
      for (let user = lane; user < USERS.length; user += lanes) {
        const args = ['-4', ...(shape.isPersistent ? ['-d'] : []), '-M', 'client.example.com', '-f', 'sender@example.com', '-t', `${USERS[user]}@perf.test`];
        const result = await run(
          'smtp-source',
          [...args, '-s', String(sessionsEach), '-m', String(messagesEach), '-F', files[user]!, `inet:127.0.0.1:${port}`],
          { timeoutMs: DELIVERY_MS_MAX },
        );
        if (result.code !== 0) throw new Error(`smtp-source ended with ${result.code}: ${result.stderr}`);
      }
    }),
  );
}

function typicalOf(results: readonly Result[]): Result {
  const of = (key: keyof Result): number => median(results.map((result) => result[key]));
  return {
    perSecond: of('perSecond'),
    acceptedPerSecond: of('acceptedPerSecond'),
    cpuMs: of('cpuMs'),
    anonymousMb: of('anonymousMb'),
    pssMb: of('pssMb'),
    writtenKb: of('writtenKb'),
  };
}
