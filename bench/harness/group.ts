/** An accounting control group (v1 or v2): what exactly one server and all it starts has used. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { atEnd, type Owner } from '../../test/harness/temp.ts';

const ROOT = '/sys/fs/cgroup';
const CLOCK_TICKS = 100;

export interface Usage {
  /** CPU seconds since the group was made. */
  readonly cpuSeconds: number;
  /** Bytes of the block layer that pages dirtied by it cost, journal not included (/proc/PID/io). */
  readonly writtenBytes: number;
}
export interface Memory {
  /** Anonymous memory of all processes, in bytes. */
  readonly anonymous: number;
  /** Proportional set size of all processes: anonymous and its share of mapped files. */
  readonly pss: number;
}

export class Group {
  readonly name: string;
  readonly #dirs: string[];
  readonly #isV2: boolean;

  private constructor(name: string, dirs: string[], isV2: boolean) {
    this.name = name;
    this.#dirs = dirs;
    this.#isV2 = isV2;
  }
  static make(owner: Owner, name: string): Group {
    const isV2 = existsSync(join(ROOT, 'cgroup.controllers'));
    const unique = `posthorn-bench-${process.ppid}-${Date.now()}-${name}`;
    const dirs = isV2
      ? [join(ROOT, unique)]
      : ['cpuacct', 'memory'].filter((controller) => existsSync(join(ROOT, controller))).map((controller) => join(ROOT, controller, unique));
    if (dirs.length === 0) throw new Error('no control groups here: /sys/fs/cgroup must be mounted and writable');
    if (isV2) enableV2();
    for (const dir of dirs) mkdirSync(dir);
    atEnd(owner, () => {
      // Still busy when something of it lives; the groups of a benchmark that was killed are empty and cost nothing.
      for (const dir of dirs)
        try {
          rmdirSync(dir);
        } catch {}
    });
    return new Group(name, dirs, isV2);
  }
  /** To be put before a command so that it runs inside. */
  get prefix(): string[] {
    return ['sh', '-c', `${this.#dirs.map((dir) => `echo $$ > ${dir}/cgroup.procs`).join(' && ')} && exec "$@"`, 'in-group'];
  }
  get pids(): number[] {
    return readFileSync(join(this.#dirs[0]!, 'cgroup.procs'), 'latin1')
      .split('\n')
      .filter(Boolean)
      .map(Number)
      .filter((pid) => pid > 0);
  }
  usage(): Usage {
    let writtenBytes = 0;
    // A child that has ended is counted in the parent that waited for it.
    for (const pid of this.pids) writtenBytes += field(`/proc/${pid}/io`, 'write_bytes:');
    return { cpuSeconds: this.#cpuSeconds(), writtenBytes };
  }
  memory(): Memory {
    const stat = this.#dirs.map((dir) => join(dir, 'memory.stat')).find((file) => existsSync(file));
    let pss = 0;
    let anonymousOfProcesses = 0;
    for (const pid of this.pids) {
      pss += field(`/proc/${pid}/smaps_rollup`, 'Pss:') * 1024;
      anonymousOfProcesses += field(`/proc/${pid}/smaps_rollup`, 'Anonymous:') * 1024;
    }
    return { anonymous: stat === undefined ? anonymousOfProcesses : field(stat, this.#isV2 ? 'anon' : 'rss'), pss };
  }
  /** Anonymous memory alone: cheap enough to be asked often. */
  anonymous(): number {
    const stat = this.#dirs.map((dir) => join(dir, 'memory.stat')).find((file) => existsSync(file));
    return stat === undefined ? this.memory().anonymous : field(stat, this.#isV2 ? 'anon' : 'rss');
  }
  #cpuSeconds(): number {
    if (this.#isV2) return field(join(this.#dirs[0]!, 'cpu.stat'), 'usage_usec') / 1e6;
    const exact = join(this.#dirs[0]!, 'cpuacct.usage');
    if (existsSync(exact)) return Number(readFileSync(exact, 'latin1')) / 1e9;
    const file = join(this.#dirs[0]!, 'cpuacct.stat');
    return (field(file, 'user') + field(file, 'system')) / CLOCK_TICKS;
  }
}

function enableV2(): void {
  for (const controller of ['+cpu', '+memory', '+io'])
    try {
      writeFileSync(join(ROOT, 'cgroup.subtree_control'), controller);
    } catch {
      // Not delegated to us: cpu.stat is there anyway, memory is then read from the processes.
    }
}

/** The number behind a word at the start of a line; 0 when the file has gone with its process. */
function field(file: string, word: string): number {
  let text: string;
  try {
    text = readFileSync(file, 'latin1');
  } catch {
    return 0;
  }
  for (const line of text.split('\n'))
    if (line.startsWith(`${word} `) || line.startsWith(`${word}\t`) || (word.endsWith(':') && line.startsWith(word)))
      return Number.parseInt(line.slice(word.length).trim(), 10);
  return 0;
}

/** Watches a group's memory while something runs. */
export async function peakMemory<T>(groups: readonly Group[], work: () => Promise<T>, everyMs = 250): Promise<{ value: T; peak: Memory }> {
  const peak = { anonymous: 0, pss: 0 };
  let round = 0;
  const look = (): void => {
    // PSS walks all page tables: every fourth time is enough.
    const isFull = round++ % 4 === 0;
    const now = groups.map((group) => (isFull ? group.memory() : { anonymous: group.anonymous(), pss: 0 }));
    peak.anonymous = Math.max(
      peak.anonymous,
      now.reduce((sum, one) => sum + one.anonymous, 0),
    );
    peak.pss = Math.max(
      peak.pss,
      now.reduce((sum, one) => sum + one.pss, 0),
    );
  };
  const timer = setInterval(look, everyMs);
  try {
    const value = await work();
    look();
    return { value, peak };
  } finally {
    clearInterval(timer);
  }
}

/** What kind of machine this was: for the head of a table. */
export function machine(): string {
  const cpu = /^model name\s*: (.*)$/m.exec(readFileSync('/proc/cpuinfo', 'latin1'))?.[1] ?? 'unknown processor';
  const cores = readdirSync('/sys/devices/system/cpu').filter((name) => /^cpu\d+$/.test(name)).length;
  const kernel = execFileSync('uname', ['-r'], { encoding: 'utf8' }).trim();
  return `${cores} × ${cpu}, Linux ${kernel}, Node ${process.versions.node}`;
}
