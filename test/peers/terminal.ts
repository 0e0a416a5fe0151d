/** A person at a terminal: a program on a pseudo terminal of script(1), the screen it has drawn, keys that are pressed. */
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { need } from '../harness/run.ts';
import { atEnd, type Owner } from '../harness/temp.ts';
import { eventually, PATIENCE_MS, within } from '../harness/wait.ts';
import { Screen } from './screen.ts';

const ROWS = 40;
const COLUMNS = 120;
/** Less than the patience for other things: several screens must fit into the time of one test. */
const SHOWS_MS = 20_000;
/** A screen that has not changed for so long is one that waits for a key; a loaded machine draws later, so what is waited for is seen again and again. */
const STILL_MS = 40;

export interface TerminalOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

export class Terminal {
  readonly #child: ChildProcess;
  readonly #screen = new Screen(ROWS, COLUMNS);
  readonly #ended: Promise<unknown>;
  #drawnAt = performance.now();
  #story: string[] = [];

  private constructor(child: ChildProcess) {
    this.#child = child;
    this.#ended = once(child, 'close');
    child.stdin!.on('error', () => {}); // The program has ended: whoever waits for its screen is told.
    const read = (chunk: Buffer): void => {
      this.#screen.write(chunk);
      this.#drawnAt = performance.now();
    };
    child.stdout!.on('data', read);
    child.stderr!.on('data', read);
  }

  /** Starts `command` (words for the shell, already quoted) on a terminal of 40 rows and 120 columns; it ends with the test. */
  static open(owner: Owner, command: string, options: TerminalOptions): Terminal {
    need('script', 'stty');
    const child = spawn('script', ['-q', '-e', '-f', '-c', `stty rows ${ROWS} cols ${COLUMNS}; exec ${command}`, '/dev/null'], {
      cwd: options.cwd,
      env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', LC_ALL: 'C.UTF-8', TERM: 'vt100', ...options.env },
    });
    const terminal = new Terminal(child);
    atEnd(owner, () => child.kill('SIGKILL'));
    return terminal;
  }

  /** The screen, rows without the space at their ends. */
  get text(): string {
    return this.#screen.text;
  }

  /** Waits until the screen shows `pattern` and is still; answers the match. The screens since the last keys are told when it never does. */
  async shows(pattern: RegExp): Promise<RegExpExecArray> {
    try {
      return await eventually(
        `${pattern} on the screen`,
        () => {
          assert.ok(this.#child.exitCode === null, 'the program has ended');
          return performance.now() - this.#drawnAt >= STILL_MS ? pattern.exec(this.text) : null;
        },
        SHOWS_MS,
      );
    } catch (error) {
      throw new Error(`${(error as Error).message}; keys so far: ${JSON.stringify(this.#story.join(' '))}; the screen:\n${this.text}`, { cause: error });
    }
  }

  /** Presses keys; with `pattern`, waits until the screen shows it. */
  async press(keys: string, pattern?: RegExp): Promise<void> {
    this.#story.push(keys);
    this.#drawnAt = performance.now();
    this.#child.stdin!.write(keys);
    if (pattern !== undefined) await this.shows(pattern);
  }

  /** Waits for the program's own end. */
  async ended(): Promise<void> {
    await within(`the program to end; its screen:\n${this.text}`, this.#ended, PATIENCE_MS);
  }
}
