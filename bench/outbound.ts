/** A full queue drained to smtp-sink: Debian's Postfix and Posthorn in the same run. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { LineClient } from '../test/harness/line-client.ts';
import { need, run, succeed } from '../test/harness/run.ts';
import { programOwner, tempDir } from '../test/harness/temp.ts';
import { eventually } from '../test/harness/wait.ts';
import { Group, machine, peakMemory } from './harness/group.ts';
import { messageFiles } from './harness/message.ts';
import { median, table } from './harness/table.ts';
import { posthorn, startInstance } from './harness/targets.ts';

export interface OutboundOptions {
  readonly isQuick: boolean;
  readonly say: (text: string) => void;
  readonly isAlone?: boolean;
}
interface Sender {
  readonly label: string;
  readonly port: number;
  readonly sinkPort: number;
  readonly groups: readonly Group[];
  /** Mail is taken but not sent on. */
  hold(): Promise<void>;
  release(): Promise<void>;
}
const DRAIN_MS_MAX = 180_000;

export async function outbound(options: OutboundOptions): Promise<void> {
  need('smtp-source', 'smtp-sink');
  const owner = programOwner();
  try {
    const [file] = messageFiles(tempDir(owner, 'bench-messages'), 4096, 1);
    const senders: Sender[] = [];
    if (options.isAlone !== true) {
      const group = Group.make(owner, 'relay');
      const postfix = await startInstance(owner, { port: 11027, group, main: { relayhost: '[127.0.0.1]:11099', virtual_mailbox_domains: '' } });
      senders.push({
        label: 'Postfix',
        port: 11027,
        sinkPort: 11099,
        groups: [group],
        async hold() {
          await succeed('postconf', ['-c', postfix.config, 'defer_transports=smtp,relay']);
          await postfix.reload();
          await pause(1000); // A reload is asynchronous; nothing tells when it is done.
        },
        async release() {
          await succeed('postconf', ['-c', postfix.config, '-X', 'defer_transports']);
          await postfix.reload();
          await pause(500);
          await succeed('postqueue', ['-c', postfix.config, '-f']);
        },
      });
    }
    const ours = await posthorn(owner, { smtp: { relayFrom: ['127.0.0.1/32'] }, deliver: { relayHost: '[127.0.0.1]:11098' } });
    // Held by the sink's absence: everything is deferred, then flushed.
    senders.push({
      label: 'Posthorn',
      port: ours.smtpPort,
      sinkPort: 11098,
      groups: ours.groups,
      hold: async () => {},
      release: async () => void (await ours.server.admin('queue', 'flush')),
    });
    options.say(`Outbound: queue drained to smtp-sink, ${machine()}`);
    const rows: (string | number)[][] = [];
    const messages = options.isQuick ? 2000 : 5000;
    const typical = new Map<string, { perSecond: number; cpuMs: number; mb: number }>();
    const all = new Map<string, { perSecond: number; cpuMs: number; mb: number }[]>(senders.map((sender) => [sender.label, []]));
    for (let round = 0; round < (options.isQuick ? 1 : 3); round += 1)
      for (const sender of senders) all.get(sender.label)!.push(await drain(sender, messages, file!));
    for (const [label, results] of all)
      typical.set(label, {
        perSecond: median(results.map((one) => one.perSecond)),
        cpuMs: median(results.map((one) => one.cpuMs)),
        mb: median(results.map((one) => one.mb)),
      });
    const own = typical.get('Posthorn')!;
    for (const [label, one] of typical)
      rows.push([
        label,
        one.perSecond,
        one.cpuMs,
        one.mb,
        ...(label === 'Posthorn' ? ['', ''] : [`${(own.perSecond / one.perSecond).toFixed(1)} ×`, `1/${(one.cpuMs / own.cpuMs).toFixed(1)}`]),
      ]);
    options.say(`\n${table(['server', 'messages/s', 'CPU ms each', 'anon MB', 'our rate', 'our CPU'], rows)}`);
  } finally {
    await owner.end();
  }
}

async function drain(sender: Sender, messages: number, file: string): Promise<{ perSecond: number; cpuMs: number; mb: number }> {
  await sender.hold();
  const source = [
    '-4',
    '-d',
    '-M',
    'client.example.com',
    '-f',
    'sender@example.com',
    '-t',
    'someone@outside.test',
    '-s',
    '10',
    '-m',
    String(messages),
    '-F',
    file,
  ];
  const result = await run('smtp-source', [...source, `inet:127.0.0.1:${sender.port}`], { timeoutMs: DRAIN_MS_MAX });
  if (result.code !== 0) throw new Error(`smtp-source ended with ${result.code}: ${result.stderr}`);
  const sink = startSink(sender.sinkPort);
  try {
    await eventually('smtp-sink listens', async () => (await LineClient.open(sender.sinkPort)).close() === undefined);
    const used = sender.groups.map((group) => group.usage());
    const { value, peak } = await peakMemory(sender.groups, async () => {
      await sender.release();
      // From the first message in the sink: waking the queue takes Postfix a second, which is not its speed.
      const begin = performance.now();
      while (sink.count() < messages) {
        if (performance.now() - begin > DRAIN_MS_MAX) throw new Error(`${sender.label}: only ${sink.count()} of ${messages} messages came`);
        await pause(2);
      }
      return sink.lastAt() - sink.firstAt();
    });
    const cpu = sender.groups.reduce((sum, group, index) => sum + group.usage().cpuSeconds - used[index]!.cpuSeconds, 0);
    return { perSecond: (messages * 1000) / value, cpuMs: (cpu * 1000) / messages, mb: peak.anonymous / 1e6 };
  } finally {
    await sink.stop();
  }
}

/** smtp-sink(1); its running counters on standard output tell how many messages have come. */
function startSink(port: number): { count(): number; firstAt(): number; lastAt(): number; stop(): Promise<void> } {
  const child: ChildProcess = spawn('smtp-sink', ['-4', '-u', 'nobody', '-c', `inet:127.0.0.1:${port}`, '1000'], { stdio: ['ignore', 'pipe', 'ignore'] });
  let count = 0;
  let firstAt = 0;
  let lastAt = 0;
  let rest = '';
  child.stdout!.on('data', (chunk: Buffer) => {
    rest = (rest + chunk.toString('latin1')).slice(-4096);
    const found = rest.slice(0, rest.lastIndexOf('\r')).match(/mesg=(\d+)/g);
    const now = Number(found?.at(-1)?.slice(5) ?? 0);
    if (now === count) return;
    if (count === 0) firstAt = performance.now();
    count = now;
    lastAt = performance.now();
  });
  return {
    count: () => count,
    firstAt: () => firstAt,
    lastAt: () => lastAt,
    async stop() {
      if (child.exitCode !== null) return;
      const closed = once(child, 'close');
      child.kill('SIGTERM');
      await closed;
    },
  };
}
