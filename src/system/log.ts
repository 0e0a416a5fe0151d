/**
 * The log of one thread: pino's JSON lines, or text for people, on one sink. A level that is off costs one empty call.
 * Lines carry `level`, `time`, `thread` and `event`; see docs/log-events.md for the events.
 */
import { pino } from 'pino';
import type { Log, LogFields } from '../ports.ts';
import { errorText, type LogLevel, textLine } from './log-text.ts';
import { type LineSink, openSink } from './sink.ts';

export type { LogLevel } from './log-text.ts';
const LEVELS: readonly LogLevel[] = ['debug', 'info', 'warn', 'error'];

export interface LogOptions {
  readonly level: LogLevel;
  readonly format: 'json' | 'text';
  /** '' is the standard output. */
  readonly file: string;
  /** Name of the thread: 'main', 'loop1', 'writer', …; '' leaves it out. */
  readonly thread: string;
  /** Instead of opening `file`: for tests. */
  readonly sink?: LineSink;
  readonly isColoured?: boolean;
}

export interface ThreadLog extends Log {
  /** Takes effect at once (posthorn reload). */
  setLevel(level: LogLevel): void;
  /** Writes what waits. Also done at exit. */
  flush(): void;
  /** Opens the log file again. */
  reopen(): void;
  close(): void;
}

/** 'auto' is text on a terminal and JSON elsewhere; a log file gets JSON. */
export function logFormat(setting: 'auto' | 'json' | 'text', file: string, isTerminal: boolean): 'json' | 'text' {
  if (setting !== 'auto') return setting;
  return file === '' && isTerminal ? 'text' : 'json';
}

/** Opens the log of this thread. Throws with a sentence when the log file cannot be opened. */
export function createLog(options: LogOptions): ThreadLog {
  const sink = options.sink ?? openSink(options.file);
  const lines = options.format === 'json' ? jsonLines(sink, options.thread) : textLines(sink, options.isColoured ?? process.stdout.isTTY === true);
  const log: ThreadLog = {
    debug: silent,
    info: silent,
    warn: silent,
    error: silent,
    setLevel(level) {
      for (const name of LEVELS) log[name] = LEVELS.indexOf(name) >= LEVELS.indexOf(level) ? lines[name] : silent;
    },
    flush: () => sink.flush(true),
    reopen: () => sink.reopen(),
    close: () => sink.close(),
  };
  log.setLevel(options.level);
  return log;
}

/** For tests and for commands that log nothing. */
export const SILENT_LOG: Log = { debug: silent, info: silent, warn: silent, error: silent };
function silent(): void {}

const NO_FIELDS: LogFields = {};

function jsonLines(sink: LineSink, thread: string): Record<LogLevel, (event: string, fields?: LogFields) => void> {
  const logger = pino(
    {
      level: 'debug',
      base: thread === '' ? null : { thread },
      messageKey: 'event',
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      // Errors are named `cause` or `error` in this code; pino looks into `err` of its own accord.
      serializers: { cause: errorField, error: errorField, err: errorField },
      depthLimit: 5,
      edgeLimit: 100,
    },
    sink,
  );
  return {
    debug: (event, fields) => logger.debug(fields ?? NO_FIELDS, event),
    info: (event, fields) => logger.info(fields ?? NO_FIELDS, event),
    warn: (event, fields) => logger.warn(fields ?? NO_FIELDS, event),
    error: (event, fields) => logger.error(fields ?? NO_FIELDS, event),
  };
}

/** Expected failures are told by their message; a stack only helps for what nobody expected. */
function errorField(value: unknown): unknown {
  if (!(value instanceof Error)) return value;
  const code = (value as { code?: unknown }).code;
  const isBug = code === undefined || value instanceof TypeError || value instanceof RangeError;
  return { message: errorText(value), ...(code === undefined ? {} : { code }), ...(isBug ? { stack: value.stack } : {}) };
}

function textLines(sink: LineSink, isColoured: boolean): Record<LogLevel, (event: string, fields?: LogFields) => void> {
  const line =
    (level: LogLevel) =>
    (event: string, fields?: LogFields): void =>
      sink.write(textLine(level, new Date(), event, fields, isColoured));
  return { debug: line('debug'), info: line('info'), warn: line('warn'), error: line('error') };
}
