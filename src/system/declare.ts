/**
 * The builders with which every room declares its options, once: type, default, bounds, unit, help.
 * The check of posthorn.toml, `posthorn config show|docs` and the typed settings all read these rows.
 *
 *   export const SMTP_SETTINGS = {
 *     'smtp.messageBytesMax': bytes({ default: 50 * MiB, least: 64 * KiB, doc: 'Largest message accepted.', see: 'Postfix message_size_limit' }),
 *   };
 *   export type SmtpSettings = SettingsOf<typeof SMTP_SETTINGS>;
 *
 * In posthorn.toml the key 'smtp.messageBytesMax' is `messageBytesMax` in the table `[smtp]`.
 */

/** When a changed value takes effect: at `posthorn reload`, or only at the next start. */
export type TakesEffect = 'reload' | 'restart';

export interface Setting<T> {
  readonly kind: string;
  readonly default: T;
  /** One sentence. */
  readonly doc: string;
  /** The standard or the Postfix/Dovecot option this answers to. */
  readonly see: string | undefined;
  readonly takes: TakesEffect;
  /** What may be written, in words, for the reference page. */
  readonly accepts: string;
  /** Turns a TOML value into the setting's value; throws SettingError with a sentence. */
  parse(value: unknown): T;
  /** The value as one would write it in TOML. */
  show(value: T): string;
}

export type Settings = Readonly<Record<string, Setting<any>>>;
export type SettingsOf<S extends Settings> = { readonly [K in keyof S]: S[K] extends Setting<infer T> ? T : never };

/** What is wrong with one value; the configuration reader adds file, line and column. */
export class SettingError extends Error {}

interface Common<T> {
  default: T;
  doc: string;
  see?: string;
  takes?: TakesEffect;
}

export const KiB = 1024;
export const MiB = 1024 * KiB;
export const GiB = 1024 * MiB;
export const SECOND = 1000;
export const MINUTE = 60 * SECOND;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

const BYTE_UNITS = new Map([
  ['', 1],
  ['B', 1],
  ['KiB', KiB],
  ['MiB', MiB],
  ['GiB', GiB],
  ['KB', 1e3],
  ['MB', 1e6],
  ['GB', 1e9],
]);
const TIME_UNITS = new Map([
  ['ms', 1],
  ['s', SECOND],
  ['m', MINUTE],
  ['h', HOUR],
  ['d', DAY],
]);

function define<T>(kind: string, accepts: string, common: Common<T>, parse: (value: unknown) => T, show: (value: T) => string): Setting<T> {
  return { kind, accepts, default: common.default, doc: common.doc, see: common.see, takes: common.takes ?? 'reload', parse, show };
}

function bounded(value: number, least: number, most: number, show: (n: number) => string): number {
  if (value < least) throw new SettingError(`must be at least ${show(least)}`);
  if (value > most) throw new SettingError(`must be at most ${show(most)}`);
  return value;
}

function withUnit(value: unknown, units: ReadonlyMap<string, number>, example: string): number {
  if (typeof value === 'number' && units.has('')) return value;
  if (typeof value === 'bigint' && units.has('')) return Number(value);
  const match = typeof value === 'string' ? /^(\d+(?:\.\d+)?) ?([A-Za-z]*)$/.exec(value.trim()) : null;
  const unit = match === null ? undefined : units.get(match[2]!);
  if (match === null || unit === undefined) throw new SettingError(`must be a number with a unit, such as ${example}`);
  return Math.round(Number(match[1]) * unit);
}

function largestUnit(value: number, units: ReadonlyMap<string, number>, skip: (unit: string) => boolean): string {
  let best = '';
  let size = 0;
  for (const [unit, factor] of units)
    if (!skip(unit) && factor > size && value >= factor && value % factor === 0) {
      best = unit;
      size = factor;
    }
  return size === 0 ? String(value) : `${value / size}${best}`;
}
const showBytes = (value: number): string => largestUnit(value, BYTE_UNITS, (unit) => unit === 'B' || /^[KMG]B$/.test(unit));
const showTime = (value: number): string => (value === 0 ? '0s' : largestUnit(value, TIME_UNITS, () => false));

/** A size in bytes: 1048576, "1MiB", "50 MiB". */
export function bytes(o: Common<number> & { least?: number; most?: number }): Setting<number> {
  return define(
    'bytes',
    'a size: 1048576, "512KiB", "50MiB", "2GiB"',
    o,
    (value) => bounded(withUnit(value, BYTE_UNITS, '"50MiB"'), o.least ?? 0, o.most ?? Number.MAX_SAFE_INTEGER, showBytes),
    (v) => `"${showBytes(v)}"`,
  );
}

/** A time span, in milliseconds once read: "500ms", "30s", "5m", "4h", "5d". */
export function duration(o: Common<number> & { least?: number; most?: number }): Setting<number> {
  return define(
    'duration',
    'a time span: "500ms", "30s", "5m", "4h", "5d"',
    o,
    (value) => bounded(withUnit(value, TIME_UNITS, '"5m"'), o.least ?? 0, o.most ?? Number.MAX_SAFE_INTEGER, showTime),
    (v) => `"${showTime(v)}"`,
  );
}

/** A whole number. */
export function count(o: Common<number> & { least?: number; most?: number }): Setting<number> {
  return define(
    'count',
    'a whole number',
    o,
    (value) => {
      const number = typeof value === 'bigint' ? Number(value) : value;
      if (typeof number !== 'number' || !Number.isInteger(number)) throw new SettingError('must be a whole number');
      return bounded(number, o.least ?? 0, o.most ?? Number.MAX_SAFE_INTEGER, String);
    },
    String,
  );
}

/** true or false. */
export function flag(o: Common<boolean>): Setting<boolean> {
  return define(
    'flag',
    'true or false',
    o,
    (value) => {
      if (typeof value !== 'boolean') throw new SettingError('must be true or false');
      return value;
    },
    String,
  );
}

/** Text; `check` returns a sentence when the text will not do. */
export function text(o: Common<string> & { accepts?: string; check?: (value: string) => string | undefined }): Setting<string> {
  return define(
    'text',
    o.accepts ?? 'text',
    o,
    (value) => {
      if (typeof value !== 'string') throw new SettingError('must be text in quotes');
      const wrong = value === o.default ? undefined : o.check?.(value);
      if (wrong !== undefined) throw new SettingError(wrong);
      return value;
    },
    (v) => JSON.stringify(v),
  );
}

/** A file or folder. Relative ones are resolved against the folder of the configuration file when it is read; '' means none. */
export function path(o: Common<string>): Setting<string> {
  return define(
    'path',
    'a path; relative to the configuration file',
    o,
    (value) => {
      if (typeof value !== 'string') throw new SettingError('must be a path in quotes');
      if (value.includes('\0')) throw new SettingError('must not contain a NUL character');
      return value;
    },
    (v) => JSON.stringify(v),
  );
}

/** One of a few words. */
export function choice<const C extends readonly string[]>(o: Common<NoInfer<C>[number]> & { of: C }): Setting<C[number]> {
  return define(
    'choice',
    `one of ${o.of.map((word) => `"${word}"`).join(', ')}`,
    o,
    (value) => {
      if (typeof value !== 'string' || !o.of.includes(value)) throw new SettingError(`must be one of ${o.of.map((word) => `"${word}"`).join(', ')}`);
      return value as C[number];
    },
    (v) => JSON.stringify(v),
  );
}

/** A list of texts; `check` returns a sentence when an entry will not do. */
export function list(o: Common<readonly string[]> & { accepts?: string; check?: (entry: string) => string | undefined }): Setting<readonly string[]> {
  return define(
    'list',
    o.accepts ?? 'a list of texts',
    o,
    (value) => {
      if (!Array.isArray(value) || value.some((entry) => typeof entry !== 'string')) throw new SettingError('must be a list of texts: ["a", "b"]');
      for (const entry of value as string[]) {
        const wrong = o.check?.(entry);
        if (wrong !== undefined) throw new SettingError(`"${entry}": ${wrong}`);
      }
      return value as string[];
    },
    (v) => `[${v.map((entry) => JSON.stringify(entry)).join(', ')}]`,
  );
}

/** The defaults of a set of declarations, as settings. */
export function defaultsOf<S extends Settings>(settings: S): SettingsOf<S> {
  return Object.fromEntries(Object.entries(settings).map(([key, setting]) => [key, setting.default])) as SettingsOf<S>;
}
