/**
 * The file behind a database table: `name = value` lines as Postfix has them in .cf files (comments, continuation lines), or the same
 * names in TOML when the file is called .toml.
 */
import { fstatSync, openSync, closeSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { nearestName } from '../../../system/config/nearest.ts';
import { TableProblem } from '../errors.ts';
import type { TableContext } from '../types.ts';
import { PARAMETER_FILE_BYTES_MAX } from './limits.ts';

export interface Entry {
  readonly value: string;
  readonly line: number | null;
}

/** The values of one file, each asked for once when the table is opened. All readers throw TableProblem with file and line. */
export class TableParameters {
  readonly file: string;
  readonly #entries: ReadonlyMap<string, Entry>;

  constructor(file: string, entries: ReadonlyMap<string, Entry>) {
    this.file = file;
    this.#entries = entries;
  }

  has(name: string): boolean {
    return this.#entries.has(name);
  }
  problem(name: string, sentence: string): TableProblem {
    return new TableProblem(this.file, this.#entries.get(name)?.line ?? null, `${name}: ${sentence}`);
  }
  text<T>(name: string, byDefault: T): string | T {
    return this.#entries.get(name)?.value ?? byDefault;
  }
  /** The value, which must be there and not empty. */
  needed(name: string): string {
    const value = this.#entries.get(name)?.value ?? '';
    if (value === '') throw new TableProblem(this.file, this.#entries.get(name)?.line ?? null, `${name} is missing`);
    return value;
  }
  /** Words with commas or white space between. */
  words(name: string, byDefault: string): readonly string[] {
    return this.text(name, byDefault)
      .split(/[\s,]+/)
      .filter((word) => word !== '');
  }
  count(name: string, byDefault: number, least: number, most: number): number {
    const value = this.#entries.get(name)?.value;
    if (value === undefined) return byDefault;
    const number = /^\d{1,12}$/.test(value) ? Number(value) : Number.NaN;
    if (!(number >= least && number <= most)) throw this.problem(name, `must be a whole number from ${least} to ${most}, not "${value}"`);
    return number;
  }
  /** Seconds, or a number with a unit s, m, h; in milliseconds. */
  milliseconds(name: string, byDefault: number, mostSeconds: number): number {
    const value = this.#entries.get(name)?.value;
    if (value === undefined) return byDefault;
    const match = /^(\d{1,9})([smhd]?)$/.exec(value);
    const seconds = match === null ? Number.NaN : Number(match[1]) * { '': 1, s: 1, m: 60, h: 3600, d: 86_400 }[match[2] as '' | 's' | 'm' | 'h' | 'd'];
    if (!(seconds >= 0 && seconds <= mostSeconds)) throw this.problem(name, `must be a time of at most ${mostSeconds} seconds, not "${value}"`);
    return seconds * 1000;
  }
  flag(name: string, byDefault: boolean): boolean {
    const value = this.#entries.get(name)?.value.toLowerCase();
    if (value === undefined) return byDefault;
    if (value === 'yes' || value === 'true' || value === '1') return true;
    if (value === 'no' || value === 'false' || value === '0') return false;
    throw this.problem(name, `must be yes or no, not "${value}"`);
  }
}

/** What a type of table reads from its file. */
export interface Known {
  /** Names that mean something. */
  readonly names: readonly string[];
  /** Names that Postfix knows and that have no meaning here, with the reason; they are logged once. */
  readonly ignored: ReadonlyMap<string, string>;
  /** Names whose value is a secret. */
  readonly secrets: readonly string[];
}

/** Reads `file`. Throws TableProblem when it cannot be read, makes no sense or has a name that no table of this type knows. */
export function readParameters(file: string, known: Known, context: TableContext): TableParameters {
  const { text, isOpenToAll } = readSmall(file);
  const entries = file.endsWith('.toml') ? tomlEntries(file, text) : cfEntries(file, text, context);
  for (const [name, entry] of entries) {
    if (known.names.includes(name)) continue;
    const reason = known.ignored.get(name);
    if (reason !== undefined) {
      context.log.info('table.warning', { table: context.name, file, line: entry.line, cause: `${name} has no meaning here: ${reason}` });
      continue;
    }
    const near = nearestName(name, [...known.names, ...known.ignored.keys()]);
    throw new TableProblem(file, entry.line, `unknown name ${name}${near === null ? '' : `; did you mean ${near}?`}`);
  }
  if (isOpenToAll && known.secrets.some((name) => (entries.get(name)?.value ?? '') !== ''))
    context.log.warn('table.passwordReadable', { table: context.name, file });
  return new TableParameters(file, entries);
}

/** The text of a small file. Throws TableProblem. */
export function readSmall(file: string): { text: string; isOpenToAll: boolean } {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r');
  } catch (cause) {
    throw new TableProblem(file, null, `cannot be read (${(cause as NodeJS.ErrnoException).code ?? String(cause)})`, { cause });
  }
  try {
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) throw new TableProblem(file, null, 'is not a file');
    if (stat.size > PARAMETER_FILE_BYTES_MAX) throw new TableProblem(file, null, `has more than ${PARAMETER_FILE_BYTES_MAX} bytes`);
    return { text: readFileSync(descriptor, 'utf8'), isOpenToAll: (stat.mode & 0o004) !== 0 };
  } finally {
    closeSync(descriptor);
  }
}

/** The lines of a .cf file. Blank lines and lines whose first character other than white space is "#" are passed over, also inside a continued one. */
function cfEntries(file: string, text: string, context: TableContext): Map<string, Entry> {
  const entries = new Map<string, Entry>();
  let logical = '';
  let from = 0;
  const finish = (): void => {
    if (logical === '') return;
    const equals = logical.indexOf('=');
    const name = (equals === -1 ? logical : logical.slice(0, equals)).trim();
    if (equals === -1 || name === '' || /\s/.test(name)) throw new TableProblem(file, from, 'expected "name = value"');
    if (entries.has(name)) context.log.warn('table.warning', { table: context.name, file, line: from, cause: `${name} is given twice; this one counts` });
    entries.set(name, { value: logical.slice(equals + 1).trim(), line: from });
    logical = '';
  };
  for (const [index, raw] of text.split('\n').entries()) {
    const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    const start = line.trimStart();
    if (start === '' || start.startsWith('#')) continue;
    if (start.length < line.length) {
      if (logical === '') throw new TableProblem(file, index + 1, 'begins with white space and continues nothing');
      logical += ` ${start}`;
      continue;
    }
    finish();
    logical = line;
    from = index + 1;
  }
  finish();
  return entries;
}

function tomlEntries(file: string, text: string): Map<string, Entry> {
  const { parse, TomlError } = createRequire(import.meta.url)('smol-toml') as typeof import('smol-toml'); // few tables are written in TOML
  let root: Record<string, unknown>;
  try {
    root = parse(text);
  } catch (cause) {
    if (!(cause instanceof TomlError)) throw cause;
    throw new TableProblem(file, cause.line, cause.message.split('\n')[0]!.replace(/^Invalid TOML document: /, ''), { cause });
  }
  const lines = text.split('\n');
  const lineOf = (name: string): number | null => {
    const index = lines.findIndex((line) => {
      const key = line.trimStart().replace(/^(["'])([^"']*)\1/, '$2');
      return key.startsWith(name) && /^\s*=/.test(key.slice(name.length));
    });
    return index === -1 ? null : index + 1;
  };
  const entries = new Map<string, Entry>();
  for (const [name, value] of Object.entries(root)) {
    const text = tomlText(value);
    if (text === null) throw new TableProblem(file, lineOf(name), `${name}: must be a text, a number, true, false or a list of texts`);
    entries.set(name, { value: text, line: lineOf(name) });
  }
  return entries;
}

function tomlText(value: unknown): string | null {
  if (typeof value === 'string') return value;
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value.join(', ');
  return null;
}
