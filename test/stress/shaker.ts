/**
 * Shakes the order in which the server's threads meet, from outside: the whole process stands still for some milliseconds, and single
 * threads come last for the processor, beside others that want it. What takes microseconds otherwise then takes as long as a command.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { cpus, setPriority } from 'node:os';
import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../torture/random.ts';

/** Nice values: a starved thread gets about a thirtieth of what one that burns gets. */
const STARVED = 19;
const BURNS = 4;
/** The threads that do most of the work: main, loops, writer and those that read files. */
const THREADS_CHOSEN = 10;

export class Shaker {
  readonly #pid: () => number | null;
  readonly #random: Random;
  readonly #burners: readonly ChildProcess[];
  readonly #life: Promise<void>;
  #isOver = false;
  /** Stops and starvations. */
  count = 0;

  /** `pid`: of the server; null while it is not there. */
  constructor(pid: () => number | null, random: Random) {
    this.#pid = pid;
    this.#random = random;
    this.#burners = cpus().map(() => spawn(process.execPath, ['-e', `os.setPriority(0, ${BURNS}); for (;;) {}`], { stdio: 'ignore' }));
    this.#life = this.#live();
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#life;
    for (const burner of this.#burners) burner.kill('SIGKILL');
  }

  async #live(): Promise<void> {
    const random = this.#random;
    while (!this.#isOver) {
      await pause(random.between(5, 150));
      const pid = this.#pid();
      if (pid === null) continue;
      this.count += 1;
      if (random.next() < 0.3) {
        signal(pid, 'SIGSTOP');
        await pause(random.between(1, 40));
        signal(pid, 'SIGCONT');
        continue;
      }
      const threads = busiest(pid);
      if (threads.length === 0) continue;
      const thread = random.pick(threads);
      nice(thread, STARVED);
      await pause(random.between(5, 400));
      nice(thread, 0);
    }
  }
}

/** The server may be killed and started again at any time: a process that is gone needs no signal. */
function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** Linux has a priority for each thread, and takes its number for that of a process. */
function nice(thread: number, value: number): void {
  try {
    setPriority(thread, value);
  } catch (error) {
    if ((error as { info?: { code?: string } }).info?.code !== 'ESRCH') throw error;
  }
}

/** Numbers of the threads that have used most time; [] when the process is gone. */
function busiest(pid: number): number[] {
  try {
    const used = readdirSync(`/proc/${pid}/task`).map((thread) => {
      const stat = readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1');
      // Behind the name in parentheses, in which anything may stand: state is field 3, utime 14, stime 15.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return { thread: Number(thread), ticks: Number(fields[11]) + Number(fields[12]) };
    });
    return used
      .sort((a, b) => b.ticks - a.ticks)
      .slice(0, THREADS_CHOSEN)
      .map(({ thread }) => thread);
  } catch (error) {
    if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return [];
  }
}
