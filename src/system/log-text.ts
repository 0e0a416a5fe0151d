/** The form of a log line for people: `12:03:04 smtp.rcpt.refused rcpt=a@b code=550`. Pure. */
import type { LogFields } from '../ports.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';
/** A field's text longer than this is cut: whoever sends a kilobyte of host name does not get a page of log. */
const VALUE_CHARACTERS_MAX = 400;

const COLOURS: Readonly<Record<LogLevel, string>> = { debug: '\x1b[2m', info: '', warn: '\x1b[33m', error: '\x1b[31m' };
const two = (n: number): string => (n < 10 ? `0${n}` : String(n));

/** One line with its newline. Control characters of a peer never reach the terminal: such values are quoted with escapes. */
export function textLine(level: LogLevel, at: Date, event: string, fields: LogFields | undefined, isColoured: boolean): string {
  let line = `${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())} `;
  if (level === 'warn' || level === 'error') line += `${level.toUpperCase()} `;
  line += event;
  if (fields !== undefined) for (const key in fields) if (fields[key] !== undefined) line += ` ${key}=${fieldText(fields[key])}`;
  return isColoured && COLOURS[level] !== '' ? `${COLOURS[level]}${line}\x1b[0m\n` : `${line}\n`;
}

/** A value as it stands after `key=`. Errors give their message and those of their causes. */
export function fieldText(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'boolean' || value === null) return String(value);
  if (value instanceof Error) return quoted(errorText(value));
  if (typeof value === 'string') return quoted(value);
  if (value instanceof Uint8Array) return `<${value.length} bytes>`;
  let json: string;
  try {
    json = JSON.stringify(value, (_key, inner) => (typeof inner === 'bigint' ? String(inner) : inner)) ?? String(value);
  } catch {
    json = '<circular>'; // a mistake of ours in a log call must not end a session
  }
  return cut(json);
}

const cut = (text: string): string => (text.length > VALUE_CHARACTERS_MAX ? `${text.slice(0, VALUE_CHARACTERS_MAX)}…` : text);
// Printable without quotes; anything else (spaces, quotes, controls, bidirectional marks) is written as a JSON string.
const PLAIN = /^[!#-<>-[\]-~\u00a1-\u024f]+$/;
function quoted(text: string): string {
  const short = cut(text);
  if (PLAIN.test(short)) return short;
  return JSON.stringify(short).replaceAll(/[\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2066-\u2069]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** "message: cause's message: …", at most five deep. */
export function errorText(error: Error): string {
  let text = error.message || error.name;
  let cause: unknown = error.cause;
  for (let depth = 0; depth < 5 && cause instanceof Error; depth += 1, cause = cause.cause) text += `: ${cause.message}`;
  return text;
}
