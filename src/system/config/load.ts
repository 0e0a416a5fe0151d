/** Reads posthorn.toml against the declared options: every problem at once, each with file, line, column and a hint. */
import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse, TomlError } from 'smol-toml';
import { defaultsOf, SettingError, type Settings, type SettingsOf } from '../declare.ts';
import { nearestName } from './nearest.ts';
import { keyPositions, type Position } from './positions.ts';

/** A configuration is a page or two; more than this is the wrong file. */
export const CONFIG_BYTES_MAX = 1024 * 1024;

export interface ConfigProblem {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  /** Dotted name, or '' when the text is not TOML. */
  readonly key: string;
  readonly message: string;
}

/** One or more problems in a configuration file. The message has one line for each: "file:line:column: sentence". */
export class ConfigError extends Error {
  readonly problems: readonly ConfigProblem[];
  constructor(problems: readonly ConfigProblem[]) {
    super(problems.map((p) => `${p.file}:${p.line}:${p.column}: ${p.message}`).join('\n'));
    this.name = 'ConfigError';
    this.problems = problems;
  }
}

export interface LoadedConfig<S extends Settings = Settings> {
  readonly settings: SettingsOf<S>;
  /** The file read, absolute, or null when there was none. */
  readonly file: string | null;
  /** Relative paths count from here. */
  readonly baseDir: string;
  /** Names of the options that the file or the profile sets. */
  readonly given: ReadonlySet<string>;
  readonly warnings: readonly string[];
}

export interface LoadOptions<S extends Settings> {
  /** Values before the file's own: a profile's. */
  readonly overrides?: Partial<SettingsOf<S>>;
  /** Options the file must set. */
  readonly required?: readonly string[];
  /** What one option means for another. */
  readonly rules?: (settings: SettingsOf<S>) => readonly { key: string; message: string }[];
  /** Where relative paths count from when there is no file (default: the working directory). */
  readonly baseDir?: string;
}

/** Reads `path` (null: defaults and overrides only). Throws ConfigError, or Error with a sentence when the file cannot be read. */
export function loadConfig<S extends Settings>(path: string | null, settings: S, options: LoadOptions<NoInfer<S>> = {}): LoadedConfig<S> {
  if (path === null) return parseConfig('', null, settings, options);
  const file = resolve(path);
  const warnings: string[] = [];
  let text: string;
  try {
    const stat = statSync(file);
    if (stat.size > CONFIG_BYTES_MAX) throw new Error(`${file} is larger than 1 MiB: that is not a configuration file`);
    if ((stat.mode & 0o022) !== 0 && process.platform !== 'win32') warnings.push(`${file} can be changed by other users of this machine: chmod go-w ${file}`);
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(unreadable(file, error), { cause: error });
  }
  const loaded = parseConfig(text, file, settings, options);
  return { ...loaded, warnings: [...warnings, ...loaded.warnings] };
}

function unreadable(file: string, error: unknown): string {
  const code = (error as NodeJS.ErrnoException).code;
  if (code === 'ENOENT') return `There is no configuration file ${file}. "posthorn init" writes one.`;
  if (code === 'EACCES') return `The configuration file ${file} may not be read by this user.`;
  if (code === 'EISDIR') return `${file} is a folder, not a configuration file.`;
  return `The configuration file ${file} cannot be read: ${(error as Error).message}`;
}

/** The same for a text in hand; `file` is only named in problems and null stands for "no file". */
export function parseConfig<S extends Settings>(text: string, file: string | null, settings: S, options: LoadOptions<NoInfer<S>> = {}): LoadedConfig<S> {
  const name = file ?? 'posthorn.toml';
  let document: Record<string, unknown>;
  try {
    document = parse(text.startsWith('\uFEFF') ? text.slice(1) : text);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    throw new ConfigError([{ file: name, line: error.line, column: error.column, key: '', message: sentenceOf(error) }]);
  }
  const positions = keyPositions(text);
  const problems: ConfigProblem[] = [];
  const report = (key: string, message: string): void => {
    const position: Position = positionOf(positions, key);
    problems.push({ file: name, line: position.line, column: position.column, key, message });
  };

  const baseDir = file === null ? (options.baseDir ?? process.cwd()) : dirname(file);
  const values: Record<string, unknown> = { ...defaultsOf(settings), ...options.overrides };
  const given = new Set<string>(Object.keys(options.overrides ?? {}));
  visit(document, '', settings, report, (key, value) => {
    try {
      values[key] = settings[key]!.parse(value);
      given.add(key);
    } catch (error) {
      if (!(error instanceof SettingError)) throw error;
      report(key, `${key} ${error.message}`);
    }
  });
  if (file !== null)
    for (const key of options.required ?? [])
      if (!given.has(key) && !problems.some((p) => p.key === key || p.message.endsWith(`did you mean ${key}?`)))
        report(key, `${key} is missing. ${settings[key]!.doc}`);
  for (const key of Object.keys(settings)) {
    if (settings[key]!.kind === 'path' && values[key] !== '') values[key] = resolve(baseDir, values[key] as string);
  }
  if (problems.length === 0) for (const wrong of options.rules?.(values as SettingsOf<S>) ?? []) report(wrong.key, `${wrong.key} ${wrong.message}`);
  if (problems.length > 0) throw new ConfigError(problems.sort((a, b) => a.line - b.line || a.column - b.column));
  return { settings: values as SettingsOf<S>, file, baseDir, given, warnings: [] };
}

/** smol-toml's message begins with the sentence and goes on with a drawing of the line. */
function sentenceOf(error: TomlError): string {
  const first = error.message.split('\n', 1)[0]!.replace(/^Invalid TOML document: /, '');
  return `not valid TOML: ${first}`;
}

/** The key itself, else the nearest table around it that the text mentions, else the first line. */
function positionOf(positions: ReadonlyMap<string, Position>, key: string): Position {
  for (let name = key; name !== ''; name = name.slice(0, Math.max(0, name.lastIndexOf('.')))) {
    const position = positions.get(name);
    if (position !== undefined) return position;
  }
  return { line: 1, column: 1 };
}

/** Walks the tables of the document, at most as deep as declared names go, and hands over each declared value. */
function visit(
  table: Record<string, unknown>,
  prefix: string,
  settings: Settings,
  report: (key: string, message: string) => void,
  take: (key: string, value: unknown) => void,
): void {
  for (const [name, value] of Object.entries(table)) {
    const key = prefix + name;
    const isTable = typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof Date);
    const hasInside = Object.keys(settings).some((other) => other.startsWith(`${key}.`));
    if (Object.hasOwn(settings, key)) take(key, value);
    else if (isTable && hasInside) visit(value as Record<string, unknown>, `${key}.`, settings, report, take);
    else if (hasInside) report(key, `${key} is a table: write [${key}] and its options below`);
    else report(key, `unknown ${isTable ? 'table' : 'option'} ${isTable ? `[${key}]` : key}${hint(key, prefix, isTable, settings)}`);
  }
}

/** "; did you mean …?": a sibling first, then an option of that name in another table, then the whole dotted name. */
function hint(key: string, prefix: string, isTable: boolean, settings: Settings): string {
  const names = Object.keys(settings);
  if (isTable) {
    const tables = new Set(names.filter((name) => name.includes('.')).map((name) => name.slice(0, name.lastIndexOf('.'))));
    const table = nearestName(key, tables);
    return table === null ? '' : `; did you mean [${table}]?`;
  }
  const siblings = names.filter((name) => name.startsWith(prefix) && !name.slice(prefix.length).includes('.'));
  const leaf = key.slice(prefix.length);
  const sibling = nearestName(
    leaf,
    siblings.map((name) => name.slice(prefix.length)),
  );
  if (sibling !== null) return `; did you mean ${prefix}${sibling}?`;
  const elsewhere = names.filter((name) => name.slice(name.lastIndexOf('.') + 1).toLowerCase() === leaf.toLowerCase());
  if (elsewhere.length > 0) return `; did you mean ${elsewhere.slice(0, 3).join(' or ')}?`;
  const whole = nearestName(key, names);
  return whole === null ? '' : `; did you mean ${whole}?`;
}
