/** The sources of aliases, one after the other: files such as /etc/aliases, read as they are, and lookup tables of any other type. */
import { statSync } from 'node:fs';
import { TableProblem } from '../../directory/tables/errors.ts';
import { openSourceFile } from '../../directory/tables/source-file.ts';
import type { TablesSettings } from '../../directory/tables/settings.ts';
import type { TableContext } from '../../directory/tables/types.ts';
import { type Destination, parseDestinations } from '../../mail/destination.ts';
import type { Log, Table, Tables } from '../../ports.ts';
import { type FileUser, isWorldWritable, ownerOf, passwdNames, type UserName } from './owner.ts';
import { type AliasFile, parseAliasFile } from './text-file.ts';

export interface AliasEntry {
  /** As it was found, in lower case. */
  readonly name: string;
  /** May hold `invalid` ones, where a table that is no text file has them. */
  readonly destinations: readonly Destination[];
  /** "/etc/aliases:12" or "mysql:/etc/…/aliases.cf". */
  readonly by: string;
  /** Whose rights the programs and files have. */
  readonly user: FileUser;
}

export interface Aliases {
  /**
   * The alias of this name, which is in lower case. `isPart`: the name was cut out of a longer one, so tables of patterns are not asked.
   * Throws or rejects with TableError when a table cannot answer.
   */
  find(name: string, isPart?: boolean): AliasEntry | null | Promise<AliasEntry | null>;
}

export interface AliasesConfig {
  /** "hash:/etc/aliases", "text:/etc/aliases", "mysql:/etc/posthorn/aliases.cf". */
  readonly sources: readonly string[];
}

export interface AliasFileSurroundings {
  readonly log: Log;
  settings(): TablesSettings;
  /** Unix time in milliseconds; does not step back. */
  now(): number;
  /** Names of the owners of files; /etc/passwd when left out. */
  readonly userName?: UserName;
}

/** Types whose source is a text that newaliases(1) compiles: the text itself is read. */
const TEXT_TYPES: ReadonlySet<string> = new Set(['text', 'hash', 'btree', 'lmdb', 'cdb', 'dbm', 'sdbm']);
/** Values of tables that were taken to pieces already. */
const PARSED_MAX = 1000;

type Source = (name: string, isPart: boolean) => AliasEntry | null | Promise<AliasEntry | null>;

/** Opens the sources. Throws TableProblem. Tables in memory answer at once. */
export function createAliases(config: AliasesConfig, tables: Tables, surroundings: AliasFileSurroundings): Aliases {
  const userName = surroundings.userName ?? passwdNames();
  const sources = config.sources.map((spec) => {
    const bare = spec.startsWith('proxy:') ? spec.slice('proxy:'.length) : spec;
    const colon = bare.indexOf(':');
    return TEXT_TYPES.has(bare.slice(0, Math.max(0, colon)).toLowerCase())
      ? fileSource(bare.slice(colon + 1), bare, tables, surroundings, userName)
      : tableSource(tables.open(bare));
  });
  const ask = (name: string, isPart: boolean, from: number): AliasEntry | null | Promise<AliasEntry | null> => {
    for (let i = from; i < sources.length; i += 1) {
      const found = sources[i]!(name, isPart);
      if (found instanceof Promise) return found.then((entry) => entry ?? ask(name, isPart, i + 1));
      if (found !== null) return found;
    }
    return null;
  };
  return { find: (name, isPart = false) => ask(name, isPart, 0) };
}

function fileSource(path: string, spec: string, tables: Tables, surroundings: AliasFileSurroundings, userName: UserName): Source {
  const context: TableContext = {
    name: spec,
    log: surroundings.log,
    settings: () => surroundings.settings(),
    now: () => surroundings.now(),
    open: (inner) => tables.open(inner),
  };
  const file = openSourceFile(path, context, (text, name): AliasFile & { readonly user: FileUser } => {
    const stats = statSync(name);
    if (isWorldWritable(stats)) throw new TableProblem(name, null, 'everybody may write to this file; no program is run by it');
    return { ...parseAliasFile(text, name), user: ownerOf(stats, userName) };
  });
  return (name) => {
    const { names, user } = file.current();
    const found = names.get(name);
    return found === undefined ? null : { name, destinations: found.destinations, by: `${path}:${found.line}`, user };
  };
}

/** A value is one logical line; what programs and files it names have the default user's rights, as nobody owns a table. */
function tableSource(table: Table): Source {
  const parsed = new Map<string, readonly Destination[]>();
  const entry = (name: string, value: string | null): AliasEntry | null => {
    if (value === null) return null;
    let destinations = parsed.get(value);
    if (destinations === undefined) {
      const read = parseDestinations(value, { form: 'value' });
      destinations = read.destinations ?? [{ kind: 'invalid', text: value.slice(0, 80), problem: read.problem.text, line: 1 }];
      if (destinations.length === 0) destinations = [{ kind: 'invalid', text: value.slice(0, 80), problem: 'nothing is named there', line: 1 }];
      if (parsed.size >= PARSED_MAX) parsed.clear();
      parsed.set(value, destinations);
    }
    return { name, destinations, by: table.name, user: null };
  };
  return (name, isPart) => {
    if (isPart && table.kind === 'pattern') return null;
    const found = table.find(name);
    return found instanceof Promise ? found.then((value) => entry(name, value)) : entry(name, found);
  };
}
