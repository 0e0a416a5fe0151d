/**
 * `.forward` as a run: each destination becomes an action with the line it stands on. What is wrong with the file keeps the message in the
 * mailbox (the run ends as `failed`), beside what the good lines ask for.
 */
import { addressKey, formatAddress } from '../../../mail/address.ts';
import { type Destination, parseDestinations } from '../../../mail/destination.ts';
import type { Address } from '../../../ports.ts';
import { type Action, ask, type FilterEnd, type FilterInput, type FilterProblem, type FilterRequest, type FilterRun, type Origin } from '../filter.ts';
import { hasDeliveredTo } from './loop.ts';
import { exitMeaning } from './sysexits.ts';

export interface ForwardContext {
  /** For "~/file". */
  readonly homeDirectory: string;
  /** The domain of names that have none. Postfix myorigin. */
  readonly origin: string;
  /** Whether this address is the user's own, with or without extension: then it is the mailbox that is meant. */
  isOwn(address: Address): boolean;
  /** Where "|command" and "/file" may stand (`aliases.commands`, `aliases.files`). */
  mayRun(place: ForwardPlace): boolean;
  mayWrite(place: ForwardPlace): boolean;
}
export type ForwardPlace = 'forward' | 'include';

export const FORWARD_LIMITS = {
  /** Destinations of one user, lists included. */
  targets: 10_000,
  /** Lists within each other. */
  depth: 10,
  /** Bytes of a list of members. */
  includeBytes: 8 * 1024 * 1024,
} as const;

/** `text`: the content of the file; `file`: its name, for origins ("~/.forward"). */
export function runForward(text: string, file: string, context: ForwardContext, input: FilterInput): FilterRun {
  return new Forward(file, context, input).run(text);
}

class Forward {
  readonly #file: string;
  readonly #context: ForwardContext;
  readonly #input: FilterInput;
  readonly #seen = new Set<string>();
  #targets = 0;
  #problem: FilterProblem | null = null;
  /** What failed for now; said at the end, when the other destinations have been seen to. */
  #deferred: { readonly origin: Origin; readonly text: string } | null = null;

  constructor(file: string, context: ForwardContext, input: FilterInput) {
    this.#file = file;
    this.#context = context;
    this.#input = input;
  }

  *run(text: string): FilterRun {
    const { final } = this.#input.envelope;
    const whole: Origin = { file: this.#file, line: 0 };
    if (hasDeliveredTo(this.#input.header, final)) {
      yield* act({ kind: 'reject', text: `mail forwarding loop for ${formatAddress(final)}`, variant: 'ereject', code: '5.4.6', origin: whole, message: null });
      return { kind: 'done', exitCode: null };
    }
    yield* this.#destinations(text, this.#file, 'forward', 0);
    if (this.#deferred !== null) yield* act({ kind: 'defer', text: this.#deferred.text, origin: this.#deferred.origin, message: null });
    const problem: FilterProblem | null = this.#problem;
    if (problem !== null) return { kind: 'failed', problem } satisfies FilterEnd;
    // A file without destinations says "do not forward".
    if (this.#targets === 0) yield* act({ kind: 'keep', flags: null, isImplicit: true, origin: whole, message: null });
    return { kind: 'done', exitCode: null };
  }

  *#destinations(text: string, file: string, place: ForwardPlace, depth: number): Generator<FilterRequest, void, unknown> {
    const read = parseDestinations(text.startsWith('\ufeff') ? text.slice(1) : text, { form: 'lines' });
    if (read.problem !== undefined) {
      this.#fail({ file, line: read.problem.line }, read.problem.text);
      return;
    }
    for (const destination of read.destinations) {
      if (this.#targets > FORWARD_LIMITS.targets) {
        this.#fail({ file, line: destination.line }, `there are more than ${FORWARD_LIMITS.targets} destinations`);
        return;
      }
      yield* this.#destination(destination, { file, line: destination.line }, place, depth);
    }
  }

  *#destination(destination: Destination, origin: Origin, place: ForwardPlace, depth: number): Generator<FilterRequest, void, unknown> {
    switch (destination.kind) {
      case 'address':
        yield* this.#address({ local: destination.local, domain: destination.domain ?? this.#context.origin }, origin);
        return;
      case 'command':
        if (!this.#context.mayRun(place)) this.#fail(origin, 'programs may not be named here');
        else if (this.#once(`| ${destination.command}`)) yield* this.#pipe(destination.command, origin);
        return;
      case 'file':
      case 'maildir':
        if (!this.#context.mayWrite(place)) this.#fail(origin, 'files may not be named here');
        else if (this.#once(`/ ${destination.path}`)) yield* this.#store(destination.path, destination.kind, origin);
        return;
      case 'include':
        yield* this.#include(destination.path, origin, depth);
        return;
      case 'invalid':
        this.#fail(origin, `"${destination.text.slice(0, 80)}": ${destination.problem}`);
    }
  }

  *#address(address: Address, origin: Origin): Generator<FilterRequest, void, unknown> {
    if (this.#context.isOwn(address)) {
      if (this.#once('keep')) yield* act({ kind: 'keep', flags: null, isImplicit: false, origin, message: null });
    } else if (this.#once(`@ ${addressKey(address)}`)) yield* act({ kind: 'redirect', address, sender: null, dsn: null, origin, message: null });
  }

  *#pipe(line: string, origin: Origin): Generator<FilterRequest, void, unknown> {
    const answer = yield* act({
      kind: 'pipe',
      command: { kind: 'shell', line },
      part: 'both',
      environment: {},
      waits: true,
      timeoutMs: null,
      lockFile: null,
      isRaw: false,
      umask: null,
      origin,
      message: null,
    });
    if (answer.isDone) return;
    const meaning = typeof answer.exit === 'number' ? exitMeaning(answer.exit) : null;
    // Not started, killed, or said so: the next time may be better.
    if (meaning === null || meaning.isTemporary) this.#defer(origin, meaning?.text ?? answer.problem ?? 'the program could not be run');
    else {
      const text = `${meaning.text}: "${line.slice(0, 200)}"`;
      yield* act({ kind: 'reject', text, variant: 'ereject', code: meaning.code, origin, message: null });
    }
  }

  *#store(path: string, kind: 'file' | 'maildir', origin: Origin): Generator<FilterRequest, void, unknown> {
    const full = path.startsWith('~') ? this.#context.homeDirectory + path.slice(1) : path;
    const answer = yield* act({
      kind: 'store',
      path: kind === 'maildir' ? full.replace(/(?<!^)\/+$/, '') : full,
      format: kind === 'maildir' ? 'maildir' : 'mbox',
      links: [],
      lockFile: null,
      isRaw: false,
      part: 'both',
      umask: null,
      origin,
      message: null,
    });
    if (!answer.isDone) this.#defer(origin, answer.problem ?? `${full} could not be written`);
  }

  *#include(path: string, origin: Origin, depth: number): Generator<FilterRequest, void, unknown> {
    if (!path.startsWith('/')) {
      this.#fail(origin, `":include:${path.slice(0, 80)}" is no full path`);
      return;
    }
    if (depth >= FORWARD_LIMITS.depth) {
      this.#fail(origin, `lists stand within each other more than ${FORWARD_LIMITS.depth} deep`);
      return;
    }
    // A list that includes itself says nothing new the second time.
    if (this.#seen.has(`: ${path}`)) return;
    this.#seen.add(`: ${path}`);
    const content = yield* ask({ kind: 'file', path, bytesMax: FORWARD_LIMITS.includeBytes });
    if (content === null) this.#fail(origin, `the list ${path} cannot be read`);
    else if (content === 'unsafe') this.#fail(origin, `the list ${path} is not followed, because others may write to it`);
    else yield* this.#destinations(Buffer.from(content).toString('utf8'), path, 'include', depth + 1);
  }

  #once(key: string): boolean {
    if (this.#seen.has(key)) return false;
    this.#seen.add(key);
    this.#targets += 1;
    return true;
  }

  /** The first mistake is told; the user finds the others when that is mended. */
  #fail(origin: Origin, text: string): void {
    this.#problem ??= { ...origin, text };
  }

  #defer(origin: Origin, text: string): void {
    this.#deferred ??= { origin, text };
  }
}

function* act(action: Action) {
  return yield* ask({ kind: 'act', action });
}
