/** Carries out a run of our maildrop language in a folder, as the user agent would: small, synchronous, for comparisons only. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, closeSync, existsSync, linkSync, mkdirSync, openSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import type { ActAnswer, Action, Command, FilterEnd, FilterInput, FilterRequest, FilterRun } from '../../src/deliver/filters/filter.ts';
import { parseMaildrop } from '../../src/deliver/filters/maildrop/parse.ts';
import { runMaildrop } from '../../src/deliver/filters/maildrop/run.ts';
import { parseMailbox } from '../../src/mail/address.ts';
import { scanHeaders } from '../../src/mail/header.ts';

export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
}

/** Runs `script` over `message` in `dir`. `sender`: what the original reads from Return-Path. */
export function runOurs(script: string, message: Buffer, dir: string, sender: string, environment: Readonly<Record<string, string>>): Outcome {
  const parsed = parseMaildrop(script, 'filter');
  if ('problem' in parsed) return { exitCode: 75, stdout: '' };
  const input = inputOf(message, sender);
  const driver = new Driver(dir, message, environment, input);
  const ended = driver.drive(runMaildrop({ script: parsed.script, environment }, input));
  return { exitCode: ended.kind === 'done' ? (ended.exitCode ?? 0) : 75, stdout: Buffer.concat(driver.output).toString('utf8') };
}

/** What the run knows of the message. */
export function inputOf(message: Buffer, sender: string): FilterInput {
  const end = scanHeaders(message).end;
  const address = parseMailbox('root@example.test')!;
  return {
    header: message.subarray(0, end),
    size: message.length,
    body: message.subarray(end),
    envelope: {
      sender: parseMailbox(sender),
      recipient: address,
      final: address,
      detail: null,
      orcpt: null,
      helo: null,
      clientIp: null,
      clientName: null,
    },
    user: 'root',
    home: '/root',
    hostname: 'host.example.test',
    domain: 'example.test',
    at: Date.now(),
    zoneMinutes: -new Date().getTimezoneOffset(),
    spam: null,
    virus: 0,
  };
}

class Driver {
  readonly output: Buffer[] = [];
  readonly #dir: string;
  readonly #message: Buffer;
  readonly #environment: Readonly<Record<string, string>>;
  readonly #sender: string;
  #stored = 0;

  constructor(dir: string, message: Buffer, environment: Readonly<Record<string, string>>, input: FilterInput) {
    this.#dir = dir;
    this.#message = message;
    this.#environment = environment;
    const { sender } = input.envelope;
    this.#sender = sender === null ? 'MAILER-DAEMON' : `${sender.local}@${sender.domain}`;
  }

  drive(run: FilterRun): FilterEnd {
    let step = run.next();
    while (step.done !== true) step = run.next(this.#answer(step.value));
    return step.value;
  }

  #path(path: string): string {
    return resolve(this.#dir, path);
  }

  #answer(request: FilterRequest): unknown {
    switch (request.kind) {
      case 'act':
        return this.#act(request.action);
      case 'run': {
        const { status, stdout, signal } = this.#spawn(request.command, request.input ?? Buffer.alloc(0), request.environment);
        if (!request.wantsOutput) this.output.push(stdout);
        const output = request.wantsOutput ? stdout : Buffer.alloc(0);
        return { exit: status, signal, isTimedOut: false, output, isTruncated: false, isInputRefused: false };
      }
      case 'file':
        return existsSync(this.#path(request.path)) ? readFileSync(this.#path(request.path)) : null;
      case 'stat': {
        const path = this.#path(request.path);
        if (!existsSync(path)) return null;
        const stat = statSync(path);
        if (!stat.isDirectory()) return stat.isFile() ? 'file' : 'other';
        return ['new', 'cur', 'tmp'].every((name) => existsSync(resolve(path, name))) ? 'maildir' : 'directory';
      }
      case 'environment':
        return process.env[request.name] ?? null;
      case 'lock':
        try {
          writeFileSync(this.#path(request.path), '', { flag: request.style === 'dot' ? 'wx' : 'a' });
          return true;
        } catch {
          return false; // which is what the run wants to know
        }
      case 'unlock':
        if (request.path.endsWith('.lock')) rmSync(this.#path(request.path));
        return null;
      case 'log':
        if (request.file !== null) appendFileSync(this.#path(request.file), request.text);
        // Warnings go to the log; echo, which names no file, is the original's standard output.
        else if (!/^[\w./-]+\(\d+\): /.test(request.text)) this.output.push(Buffer.from(request.text));
        return null;
      default:
        throw new Error(`maildrop does not ask for ${request.kind}`);
    }
  }

  #spawn(command: Command, input: Uint8Array, environment: Readonly<Record<string, string>>): { status: number | null; stdout: Buffer; signal: string | null } {
    if (command.kind !== 'shell') throw new Error('maildrop gives its commands to the shell');
    // From a file: what Node calls a pipe is a socket, and a bash that reads from a socket runs ~/.bashrc first.
    const file = `${this.#dir}.input`;
    writeFileSync(file, input);
    const stdin = openSync(file, 'r');
    const { status, stdout, signal } = spawnSync(command.shell ?? '/bin/sh', ['-c', command.line], {
      cwd: this.#dir,
      stdio: [stdin, 'pipe', 'pipe'],
      env: { ...environment },
      maxBuffer: 64 * 1024 * 1024,
      timeout: 20_000,
    });
    closeSync(stdin);
    return { status, stdout, signal };
  }

  #act(action: Action): ActAnswer {
    const done: ActAnswer = { isDone: true, problem: null };
    const bytes = action.message === null ? this.#message : Buffer.concat([action.message.header, action.message.body ?? new Uint8Array(0)]);
    switch (action.kind) {
      case 'defer':
        return done;
      case 'keep':
        return this.#mbox(this.#path(this.#environment['DEFAULT'] ?? 'inbox'), bytes);
      case 'redirect':
        appendFileSync(this.#path('sent'), `${action.address!.local}@${action.address!.domain}\n`);
        return done;
      case 'pipe': {
        const { status, stdout } = this.#spawn(action.command, bytes, action.environment);
        this.output.push(stdout);
        return { isDone: status === 0, problem: status === 0 ? null : 'the program failed', exit: status };
      }
      case 'store':
        return action.format === 'maildir'
          ? this.#maildir(this.#path(action.path), bytes, action.maildirFlags ?? '')
          : this.#mbox(this.#path(action.path), bytes);
      default:
        throw new Error(`maildrop has no action ${action.kind}`);
    }
  }

  #mbox(path: string, bytes: Buffer): ActAnswer {
    const text = bytes.toString('latin1').replace(/(^|\n)From /g, '$1>From ');
    try {
      appendFileSync(path, Buffer.from(`From ${this.#sender} Thu Jan  1 00:00:00 1970\n${text}${text.endsWith('\n') ? '' : '\n'}\n`, 'latin1'));
      return { isDone: true, problem: null };
    } catch {
      return { isDone: false, problem: 'cannot be written' }; // the run decides what follows
    }
  }

  #maildir(path: string, bytes: Buffer, flags: string): ActAnswer {
    this.#stored += 1;
    const name = `${this.#stored}.here`;
    mkdirSync(resolve(path, 'tmp'), { recursive: true });
    writeFileSync(resolve(path, 'tmp', name), bytes);
    linkSync(resolve(path, 'tmp', name), resolve(path, flags === '' ? `new/${name}` : `cur/${name}:2,${flags}`));
    rmSync(resolve(path, 'tmp', name));
    return { isDone: true, problem: null };
  }
}
