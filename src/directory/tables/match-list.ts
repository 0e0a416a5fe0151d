/**
 * Lists of an option, such as mynetworks or relay_domains: names, networks, `/file` with more of them, `type:source` tables, each perhaps
 * with "!" before it. The first entry that holds decides; "!" makes that a no. Compiled once.
 */
import type { Table, Tables } from '../../ports.ts';
import { splitList } from './braces.ts';
import { TableProblem } from './errors.ts';
import { ipWords, type IpWords, isInside, type Network, parseNetwork } from './ip.ts';
import { TABLE_LIMITS } from './limits.ts';
import { isTableSpec } from './open.ts';
import { domainKeys, findFirst } from './search.ts';
import { openSourceFile, type SourceFile } from './source-file.ts';
import type { TableContext } from './types.ts';

export interface MatchList {
  readonly isEmpty: boolean;
  /** A host or domain name: equal to an entry, below a ".parent" entry, or in a table (with its parents). */
  domain(name: string, signal?: AbortSignal): boolean | Promise<boolean>;
  /** An address: inside a network of the list, or a key of a table exactly as it is. */
  network(ip: string, signal?: Aborts): boolean | Promise<boolean>;
  /** Either, entry by entry: for lists that hold names and networks. A client without a name has null. */
  client(name: string | null, ip: string, signal?: AbortSignal): boolean | Promise<boolean>;
  /** Any other text, such as a login: equal without case, or a key of a table. */
  text(value: string, signal?: AbortSignal): boolean | Promise<boolean>;
}

/** A function makes the signal when a table is asked: most lists have none. */
export type Aborts = AbortSignal | (() => AbortSignal);

export interface MatchListOptions {
  /** Names the list in problems: "judge.mynetworks". */
  readonly name: string;
  /** As in search.ts: "example.org" is good for its subdomains. */
  readonly parentMatchesSubdomains?: boolean;
  /** For tables. */
  readonly tables: Tables;
  /** For /files, which are read again when they change. */
  readonly context: Pick<TableContext, 'log' | 'settings' | 'now'>;
}

type Entry =
  | { readonly kind: 'name'; readonly isNegated: boolean; readonly name: string; readonly below: string }
  | { readonly kind: 'network'; readonly isNegated: boolean; readonly name: string; readonly network: Network }
  | { readonly kind: 'table'; readonly isNegated: boolean; readonly table: Table }
  | { readonly kind: 'file'; readonly isNegated: boolean; readonly file: SourceFile<FileContent> };
interface FileContent {
  readonly entries: readonly Entry[];
  readonly warnings: readonly [];
}

interface Asked {
  readonly name: string | null;
  readonly ip: string | null;
  readonly words: IpWords | null;
  readonly isText: boolean;
  readonly signal: Aborts | undefined;
}

/** Throws TableProblem for an entry that cannot be: a network with bits beyond its length, an unknown table, a missing file. */
export function matchList(entries: readonly string[], options: MatchListOptions): MatchList {
  const parentMatches = options.parentMatchesSubdomains ?? false;
  const compiled = entries.flatMap((entry) => splitList(entry, options.name)).map((word) => compile(word, options, options.name, 0));
  const ask = (asked: Asked): boolean | Promise<boolean> => {
    const answer = decide(compiled, 0, asked, parentMatches);
    return answer instanceof Promise ? answer.then((found) => found === true) : answer === true;
  };
  return {
    isEmpty: compiled.length === 0,
    domain: (name, signal) => ask({ name: name.toLowerCase(), ip: null, words: null, isText: false, signal }),
    network: (ip, signal) => compiled.length > 0 && ask({ name: null, ip, words: ipWords(ip), isText: false, signal }),
    client: (name, ip, signal) => ask({ name: name === null ? null : name.toLowerCase(), ip, words: ipWords(ip), isText: false, signal }),
    text: (value, signal) => ask({ name: value.toLowerCase(), ip: null, words: null, isText: true, signal }),
  };
}

function compile(word: string, options: MatchListOptions, where: string, depth: number): Entry {
  const isNegated = word.startsWith('!');
  const text = isNegated ? word.slice(1) : word;
  if (text === '') throw new TableProblem(where, null, 'a "!" stands alone');
  if (text.startsWith('/')) {
    if (depth >= TABLE_LIMITS.depth) throw new TableProblem(where, null, `files name one another more than ${TABLE_LIMITS.depth} deep`);
    const context: TableContext = { ...options.context, name: where, open: (spec) => options.tables.open(spec) };
    return { kind: 'file', isNegated, file: openSourceFile(text, context, (content, path) => parseFile(content, path, options, depth + 1)) };
  }
  if (isTableSpec(text)) return { kind: 'table', isNegated, table: options.tables.open(text) };
  const network = parseNetwork(text);
  if (typeof network !== 'string') return { kind: 'network', isNegated, name: text.toLowerCase(), network };
  // Digits and a slash, or two colons, can only have been meant as a network.
  if (text.includes('/') || /^[0-9a-f]*:[0-9a-f]*:/i.test(text)) throw new TableProblem(where, null, network);
  const name = text.toLowerCase();
  return { kind: 'name', isNegated, name, below: name.startsWith('.') ? name : `.${name}` };
}

function parseFile(text: string, path: string, options: MatchListOptions, depth: number): FileContent {
  const words = text
    .split('\n')
    .filter((line) => !/^\s*#/.test(line))
    .flatMap((line) => splitList(line, path));
  return { entries: words.map((word) => compile(word, options, path, depth)), warnings: [] };
}

/** What the first entry that holds says; null when none does. */
function decide(entries: readonly Entry[], from: number, asked: Asked, parentMatches: boolean): boolean | null | Promise<boolean | null> {
  for (let i = from; i < entries.length; i += 1) {
    const entry = entries[i]!;
    const answer = holds(entry, asked, parentMatches);
    if (answer instanceof Promise) return answer.then((later) => (later ? !entry.isNegated : decide(entries, i + 1, asked, parentMatches)));
    if (answer) return !entry.isNegated;
  }
  return null;
}

function holds(entry: Entry, asked: Asked, parentMatches: boolean): boolean | Promise<boolean> {
  switch (entry.kind) {
    case 'network':
      return asked.words !== null ? isInside(asked.words, entry.network) : asked.name === entry.name;
    case 'name':
      if (asked.name === null) return false;
      if (asked.name === entry.name) return true;
      return !asked.isText && (parentMatches || entry.name.startsWith('.')) && asked.name.endsWith(entry.below);
    case 'table': {
      const keys: readonly (readonly string[])[] = [
        ...(asked.name === null ? [] : [asked.isText ? [asked.name] : domainKeys(asked.name, parentMatches)]),
        ...(asked.ip === null ? [] : [[asked.ip]]),
      ];
      const signal = typeof asked.signal === 'function' ? asked.signal() : asked.signal;
      const first = findFirst(entry.table, keys[0] ?? [], signal);
      if (first instanceof Promise)
        return first.then((found) => (found !== null || keys[1] === undefined ? found !== null : isFound(entry.table, keys[1], signal)));
      return first !== null || keys[1] === undefined ? first !== null : isFound(entry.table, keys[1], signal);
    }
    case 'file': {
      // The "!" of the file is applied by the caller; inside, its own entries decide.
      const answer = decide(entry.file.current().entries, 0, asked, parentMatches);
      return answer instanceof Promise ? answer.then((found) => found === true) : answer === true;
    }
  }
}

function isFound(table: Table, keys: readonly string[], signal: AbortSignal | undefined): boolean | Promise<boolean> {
  const found = findFirst(table, keys, signal);
  return found instanceof Promise ? found.then((later) => later !== null) : found !== null;
}
