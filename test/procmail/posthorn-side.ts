/** Drives our run with real files and programs in a directory of its own: what a user's worker does, in its simplest form. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, existsSync, linkSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Action, ActAnswer, Command, FilterEnd, FilterInput, FilterRequest, FilterRun, RunAnswer } from '../../src/deliver/filters/filter.ts';

const NEWLINE = 10;

export class Driver {
  readonly home: string;
  readonly input: FilterInput;
  readonly fromLine: string;
  cwd: string;
  count = 0;

  constructor(home: string, input: FilterInput, fromLine: string) {
    this.home = home;
    this.cwd = home;
    this.input = input;
    this.fromLine = fromLine;
  }

  drive(run: FilterRun): FilterEnd {
    let step = run.next();
    while (step.done !== true) step = run.next(this.answer(step.value));
    return step.value;
  }

  private answer(request: FilterRequest): unknown {
    switch (request.kind) {
      case 'act':
        return this.act(request.action);
      case 'run':
        return this.run(request.command, Buffer.from(request.input ?? []), request.environment, request.wantsOutput);
      case 'file': {
        const path = resolve(this.cwd, request.path);
        return existsSync(path) && statSync(path).isFile() ? readFileSync(path) : null;
      }
      case 'stat': {
        const path = resolve(this.cwd, request.path);
        return !existsSync(path) ? null : statSync(path).isDirectory() ? 'directory' : 'file';
      }
      case 'chdir': {
        if (!existsSync(request.path) || !statSync(request.path).isDirectory()) return false;
        this.cwd = request.path;
        return true;
      }
      case 'lock':
        try {
          writeFileSync(resolve(this.cwd, request.path), '0', { flag: 'wx' });
          return true;
        } catch {
          return false; // the test's directories are missing on purpose
        }
      case 'unlock':
        rmSync(resolve(this.cwd, request.path), { force: true });
        return null;
      case 'log':
        if (request.file !== null) appendFileSync(resolve(this.cwd, request.file), request.text);
        return null;
      default:
        throw new Error(`procmail asks for ${request.kind}`);
    }
  }

  private run(command: Command, input: Buffer, environment: Readonly<Record<string, string>>, wantsOutput: boolean): RunAnswer {
    const argv = command.kind === 'argv' ? command.argv : [command.shell ?? '/bin/sh', command.shellFlags ?? '-c', command.line];
    const log = environment['LOGFILE'];
    const done = spawnSync(argv[0]!, argv.slice(1), { cwd: this.cwd, env: { ...environment }, input, timeout: 10_000 });
    if (log !== undefined && done.stderr) appendFileSync(resolve(this.cwd, log), done.stderr);
    return {
      exit: done.status,
      signal: done.signal,
      isTimedOut: false,
      output: wantsOutput ? (done.stdout ?? Buffer.alloc(0)) : Buffer.alloc(0),
      isTruncated: false,
      isInputRefused: false,
    };
  }

  private act(action: Action): ActAnswer {
    const done: ActAnswer = { isDone: true, problem: null };
    switch (action.kind) {
      case 'discard':
        return done;
      case 'redirect':
        appendFileSync(join(this.home, 'sent'), `TO ${action.address.local}@${action.address.domain}\n`);
        appendFileSync(join(this.home, 'sent'), ended(this.bytes(action, 'both', false)));
        return done;
      case 'pipe': {
        const bytes = this.bytes(action, action.part, false);
        const answer = this.run(action.command, action.isRaw ? bytes : ended(bytes), action.environment, true);
        const isDone = answer.exit !== null && (answer.exit === 0 || !action.waits);
        return { isDone, problem: isDone ? null : 'failed', exit: answer.exit };
      }
      case 'store':
        try {
          return { ...done, stored: this.store(action) };
        } catch (error) {
          return { isDone: false, problem: String(error) };
        }
      default:
        throw new Error(`procmail does ${action.kind}`);
    }
  }

  /** `withFrom`: put the From_ line in front when the header has none and is given. */
  private bytes(action: Action, part: 'both' | 'header' | 'body', withFrom: boolean): Buffer {
    let header = Buffer.from(action.message?.header ?? this.input.header);
    const body = Buffer.from(action.message?.body ?? this.input.body!);
    if (withFrom && action.message === null) header = Buffer.concat([Buffer.from(this.fromLine), header]);
    return part === 'header' ? header : part === 'body' ? body : Buffer.concat([header, body]);
  }

  private store(action: Action & { kind: 'store' }): string {
    const isMaildir = action.format === 'maildir';
    const bytes = this.bytes(action, action.part, !isMaildir);
    const first = this.place(action.path, action.format);
    const whole = isMaildir ? (action.part === 'body' ? bytes : withoutFrom(bytes)) : action.isRaw ? bytes : ended(bytes);
    if (action.format === 'mbox') appendFileSync(resolve(this.cwd, first), action.isRaw ? whole : quoted(whole));
    else writeFileSync(resolve(this.cwd, first), whole, { flag: 'wx' });
    const names = [first];
    for (const link of action.links) {
      const name = this.place(link.path, link.format);
      linkSync(resolve(this.cwd, first), resolve(this.cwd, name));
      names.push(name);
    }
    return names.join(' ');
  }

  private place(path: string, format: string): string {
    const at = resolve(this.cwd, path);
    this.count += 1;
    if (format === 'mbox' || format === 'file') return path;
    if (!existsSync(dirname(at))) throw new Error('no such directory');
    if (format === 'maildir') {
      for (const sub of ['tmp', 'new', 'cur']) mkdirSync(join(at, sub), { recursive: true });
      return `${path}/new/1.${this.count}.host`;
    }
    mkdirSync(at, { recursive: true });
    if (format === 'directory') return `${path}/msg.${this.count}`;
    const last = Math.max(0, ...readdirSync(at).map(Number).filter(Number.isFinite));
    return `${path}/${last + 1}`;
  }
}

export function ended(bytes: Buffer): Buffer {
  return bytes.length > 1 && bytes.at(-1) === NEWLINE && bytes.at(-2) === NEWLINE ? bytes : Buffer.concat([bytes, Buffer.from('\n')]);
}

function withoutFrom(bytes: Buffer): Buffer {
  return bytes.toString('latin1', 0, 5) === 'From ' ? bytes.subarray(bytes.indexOf(NEWLINE) + 1) : bytes;
}

function quoted(bytes: Buffer): Buffer {
  return Buffer.from(bytes.toString('latin1').replace(/\nFrom /g, '\n>From '), 'latin1');
}
