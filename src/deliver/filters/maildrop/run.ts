/** Carries out a parsed `.mailfilter` over one message: statements ask and act through the driver. */
import { ask, type FilterInput, type FilterRun } from '../filter.ts';
import { deliver } from './deliver.ts';
import { MaildropFailure, TEMPFAIL } from './errors.ts';
import { type Asking, evaluate, matches, resolve } from './evaluate.ts';
import { MAILDROP_LIMITS } from './limits.ts';
import { MaildropMessage } from './message.ts';
import { parseMaildropBytes } from './parse.ts';
import type { MaildropScript, Statement } from './script.ts';
import { RunState } from './state.ts';
import { echoed, fromBytes, fromUnicode, isTrue, toExitCode, toNumber, toUnicode } from './values.ts';

export interface MaildropContext {
  readonly script: MaildropScript;
  /**
   * Variables at the start, in Unicode: DEFAULT, SHELL, PATH, SENDMAIL, MAILFILTER, "1", "2"...; HOME, LOGNAME, HOSTNAME and FROM come
   * from the input unless they are given here. A destination equal to this DEFAULT is the action `keep`, for which the driver knows best.
   */
  readonly environment: Readonly<Record<string, string>>;
  /** Files that come first, such as /etc/maildroprc: what they set and make of the message holds afterwards, what they deliver ends the run. */
  readonly before?: readonly MaildropScript[];
  /** Gets the variables, in Unicode, as they are at the end, for people who try a script. */
  readonly variables?: Record<string, string>;
}

/**
 * Runs the script. The exit code is that of maildrop: EXITCODE, or 75 (EX_TEMPFAIL) behind a `defer` action that says why when something
 * failed, or the exit code of the program that `to "|..."` names. The input has LF line ends and its body in memory.
 */
export function* runMaildrop(context: MaildropContext, input: FilterInput): FilterRun {
  const state = new RunState(context.script, context.environment, input);
  try {
    const walk = new Walk(state);
    let isEnded = false;
    for (const script of [...(context.before ?? []), context.script]) {
      state.file = script.file;
      isEnded = yield* walk.statements(script.statements);
      if (isEnded) break;
    }
    if (!isEnded) yield* deliver(state.get('DEFAULT'), { line: 0, isFinal: true, isImplicit: true }, state);
  } catch (error) {
    if (!(error instanceof MaildropFailure)) throw error;
    if (state.hasWarnings) yield* state.tellWarnings();
    // Another exit code than 75 is the program's own answer about the mail.
    if (error.exitCode === TEMPFAIL)
      yield* ask({ kind: 'act', action: { kind: 'defer', text: error.message, origin: { file: error.file, line: error.line }, message: null } });
    return { kind: 'done', exitCode: error.exitCode };
  } finally {
    if (context.variables !== undefined) for (const [name, value] of state.variables) context.variables[toUnicode(name)] = toUnicode(value);
  }
  return { kind: 'done', exitCode: toExitCode(state.get('EXITCODE')) };
}

/** Statements answer true when the run is over. */
class Walk {
  readonly #state: RunState;
  #includes = 0;

  constructor(state: RunState) {
    this.#state = state;
  }

  *statements(list: readonly Statement[]): Asking<boolean> {
    for (const statement of list) if (yield* this.#statement(statement)) return true;
    return false;
  }

  *#statement(statement: Statement): Asking<boolean> {
    const state = this.#state;
    state.step(statement.line);
    state.line = statement.line;
    if (state.hasWarnings) yield* state.tellWarnings();
    switch (statement.kind) {
      case 'evaluate':
        // Most statements are assignments that need nothing.
        if (statement.value.needs) yield* resolve(statement.value, state);
        else evaluate(statement.value, state);
        return false;
      case 'block':
        return yield* this.statements(statement.body);
      case 'if': {
        let arm: Statement | null = statement;
        while (arm !== null && arm.kind === 'if') {
          if (isTrue(yield* resolve(arm.test, state))) return yield* this.#statement(arm.body);
          arm = arm.otherwise;
        }
        return arm !== null && (yield* this.#statement(arm));
      }
      case 'while':
        while (isTrue(yield* resolve(statement.test, state))) {
          state.step(statement.line);
          if (yield* this.#statement(statement.body)) return true;
        }
        return false;
      case 'foreach': {
        const subject = statement.subject === null ? null : yield* resolve(statement.subject, state);
        for (const match of matches(statement.pattern, subject, state)) {
          state.variables.set('MATCH', match);
          if (yield* this.#statement(statement.body)) return true;
        }
        return false;
      }
      case 'exception':
        return yield* this.#exception(statement.body);
      case 'locked':
        return yield* this.#locked(statement);
      case 'deliver': {
        const { line, isFinal } = statement;
        yield* deliver(yield* resolve(statement.target, state), { line, isFinal, isImplicit: false }, state);
        return isFinal;
      }
      case 'simple':
        return yield* this.#simple(statement.word, yield* resolve(statement.value, state), statement.line);
      case 'import': {
        const value = yield* ask({ kind: 'environment', name: toUnicode(statement.name) });
        state.variables.set(statement.name, fromUnicode(value ?? ''));
        return false;
      }
      case 'unset':
        state.variables.delete(statement.name);
        return false;
      case 'exit':
        return true;
    }
  }

  /** Goes on behind the block when something in it failed. */
  *#exception(body: readonly Statement[]): Asking<boolean> {
    const { file } = this.#state;
    const includes = this.#includes;
    try {
      return yield* this.statements(body);
    } catch (error) {
      if (!(error instanceof MaildropFailure) || error.isFatal) throw error;
      this.#state.warn(error.line, `${error.message}; going on after the exception block`);
      this.#state.file = file;
      this.#includes = includes;
      return false;
    }
  }

  /** A driver that gives up lets go of the locks itself; here they are let go of when the block is over, in whatever way. */
  *#locked({ line, style, path, body }: Statement & { kind: 'locked' }): Asking<boolean> {
    const state = this.#state;
    const file = toUnicode(yield* resolve(path, state));
    const isHeld = yield* ask({
      kind: 'lock',
      path: file,
      style,
      sleepSeconds: seconds(state.get('LOCKSLEEP')),
      staleSeconds: seconds(state.get('LOCKTIMEOUT')),
    });
    if (!isHeld) throw state.failure(line, `the lock "${file}" was not to be had`);
    let isEnded: boolean;
    try {
      isEnded = yield* this.statements(body);
    } catch (error) {
      if (error instanceof MaildropFailure) yield* ask({ kind: 'unlock', path: file });
      throw error;
    }
    yield* ask({ kind: 'unlock', path: file });
    return isEnded;
  }

  *#simple(word: (Statement & { kind: 'simple' })['word'], value: string, line: number): Asking<boolean> {
    const state = this.#state;
    switch (word) {
      case 'echo':
        yield* ask({ kind: 'log', file: null, text: toUnicode(echoed(value)) });
        return false;
      case 'log':
        if (state.logFile !== null) yield* ask({ kind: 'log', file: state.logFile, text: toUnicode(echoed(value)) });
        return false;
      case 'logfile':
        if (value === '') throw state.failure(line, 'the log file has no name');
        state.logFile = toUnicode(value);
        return false;
      case 'system':
        yield* state.run(value, null, 0);
        return false;
      case 'xfilter':
        yield* this.#xfilter(value, line);
        return false;
      case 'include':
        return yield* this.#include(value, line);
    }
  }

  /** The output takes the place of the message. */
  *#xfilter(command: string, line: number): Asking<void> {
    const state = this.#state;
    const answer = yield* state.run(command, state.message.bytes(), state.message.size + MAILDROP_LIMITS.filteredBytes);
    if (answer.exit !== 0) throw state.failure(line, `the filter program ended with ${answer.exit ?? answer.signal ?? 'no exit code'}`);
    if (answer.isInputRefused) throw state.failure(line, 'the filter program did not read the message');
    if (answer.isTruncated) throw state.failure(line, 'the filter program made the message too long');
    state.message = MaildropMessage.parse(answer.output);
    state.setSize();
  }

  *#include(path: string, line: number): Asking<boolean> {
    const state = this.#state;
    const name = toUnicode(path);
    if (this.#includes >= MAILDROP_LIMITS.includeDepth) throw state.failure(line, `files include one another more than ${MAILDROP_LIMITS.includeDepth} deep`);
    const bytes = yield* ask({ kind: 'file', path: name, bytesMax: MAILDROP_LIMITS.fileBytes });
    if (bytes === null) throw state.failure(line, `the include file "${name}" cannot be read`);
    if (bytes === 'unsafe') throw state.failure(line, `the include file "${name}" may be written by others`);
    const parsed = parseMaildropBytes(fromBytes(bytes), name);
    if ('problem' in parsed) throw new MaildropFailure(name, parsed.problem.line, parsed.problem.text);
    const { file } = state;
    state.file = name;
    this.#includes += 1;
    const isEnded = yield* this.statements(parsed.script.statements);
    this.#includes -= 1;
    state.file = file;
    return isEnded;
  }
}

/** A number of seconds that a driver can wait. */
function seconds(value: string): number {
  const number = toNumber(value);
  return Number.isFinite(number) && number > 0 ? Math.min(number, 86_400) : 0;
}
