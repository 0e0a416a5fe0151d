/** posthorn table: query, dump. Looks into a lookup table as the server would, without the server. */
import { resolve } from 'node:path';
import { type Command, Option } from 'commander';
import type { Found } from '../directory/tables/search.ts';
import { TABLES_SETTINGS, type TablesSettings } from '../directory/tables/settings.ts';
import { parseMailbox } from '../mail/address.ts';
import type { Log, Table } from '../ports.ts';
import { defaultsOf } from '../system/declare.ts';
import type { CliIo } from './io.ts';
import { printable, table } from './table.ts';

const ORDERS = ['address', 'domain', 'network', 'rewriting', 'transport'] as const;
type Order = (typeof ORDERS)[number];
interface QueryOptions {
  readonly search?: Order;
  readonly delimiter: string;
  readonly parent?: boolean;
  readonly json?: boolean;
}
/** Keys that are read with "-". */
const INPUT_BYTES_MAX = 16 * 1024 * 1024;

/** `settings` answers the options of tables in the configuration; the defaults when left out. */
export function registerTable(program: Command, io: CliIo, settings: () => TablesSettings = () => defaultsOf(TABLES_SETTINGS)): void {
  const command = program
    .command('table')
    .summary('look into a lookup table')
    .description('Looks into a lookup table such as hash:/etc/posthorn/access or mysql:/etc/posthorn/users.cf, as the server would.');

  command
    .command('query')
    .summary('ask for keys; exit code 1 when none is found')
    .argument('<table>', 'type:source, such as pcre:/etc/posthorn/access.pcre')
    .argument('<keys...>', 'what to look for; "-" reads keys from the standard input, one a line')
    .addOption(new Option('--search <order>', 'try the parts of each key in the order of the server, and show which was found').choices(ORDERS))
    .option('--delimiter <characters>', 'what begins the extension of a local part', '+')
    .option('--parent', 'in the search, "example.org" matches its subdomains (otherwise ".example.org" does)')
    .option('--json', 'one JSON object a key')
    .action((spec: string, keys: string[], options: QueryOptions) => withTable(spec, io, settings, (opened) => query(opened, keysOf(keys, io), options, io)));

  command
    .command('dump')
    .summary('show all keys and values')
    .argument('<table>', 'type:source; a type that can list its content')
    .option('--json', 'one JSON object a pair')
    .action((spec: string, options: { json?: boolean }) =>
      withTable(spec, io, settings, async (opened) => {
        if (opened.entries === undefined) throw new Error(`${opened.name}: a table of this type cannot list its content`);
        for await (const [key, value] of opened.entries()) io.print(options.json === true ? JSON.stringify({ key, value }) : plain(`${key}\t${value}`, io));
      }),
    );
}

async function withTable(spec: string, io: CliIo, settings: () => TablesSettings, use: (table: Table) => Promise<void>): Promise<void> {
  // Loaded when a table is to be opened: other commands start without them.
  const [{ createTables }, { SERVER_TABLES }] = await Promise.all([import('../directory/tables/open.ts'), import('../directory/tables/servers/index.ts')]);
  const tables = createTables({ log: notes(io), settings, now: () => Date.now(), servers: SERVER_TABLES });
  try {
    await use(tables.open(fromHere(spec)));
  } finally {
    tables.close();
  }
}

/** A file named without its folder is looked for here, as in a shell. */
function fromHere(spec: string): string {
  const match = /^((?:proxy:)?[a-z0-9]+):([^/{].*)$/.exec(spec);
  const isFile = match !== null && /(?:hash|btree|lmdb|cdb|dbm|regexp|pcre|cidr|sqlite|mysql|pgsql|ldap|memcache)$/.test(match[1]!);
  return isFile ? `${match[1]}:${resolve(match[2]!)}` : spec;
}

const keysOf = (keys: readonly string[], io: CliIo): string[] =>
  keys.flatMap((key) =>
    key === '-'
      ? io
          .readInput(INPUT_BYTES_MAX)
          .toString('utf8')
          .split('\n')
          .map((line) => line.replace(/\r$/, ''))
          .filter((line) => line !== '')
      : [key],
  );

async function query(opened: Table, keys: readonly string[], options: QueryOptions, io: CliIo): Promise<void> {
  const search = await import('../directory/tables/search.ts');
  const rows: [string, string, string][] = [];
  for (const key of keys) {
    const found = options.search === undefined ? await exactly(opened, key) : await search.findFirst(opened, keysFor(search, options.search, key, options));
    if (found === null) continue;
    if (options.json === true) io.print(JSON.stringify({ asked: key, key: found.key, value: found.value }));
    rows.push([key, found.key, found.value]);
  }
  if (rows.length === 0) {
    if (options.json !== true) io.note('Not found.');
    process.exitCode = 1;
  } else if (options.json === true) return;
  else if (options.search !== undefined) io.print(table(['asked', 'key found', 'value'], rows));
  else for (const [asked, , value] of rows) io.print(plain(keys.length === 1 ? value : `${asked}\t${value}`, io));
}

async function exactly(opened: Table, key: string): Promise<Found | null> {
  const value = await opened.find(key);
  return value === null ? null : { key, value, table: opened };
}

type Search = typeof import('../directory/tables/search.ts');

function keysFor(
  { accessAddressKeys, domainKeys, networkKeys, rewriteKeys, transportKeys }: Search,
  order: Order,
  key: string,
  options: QueryOptions,
): string[] {
  const parentMatchesSubdomains = options.parent === true;
  if (order === 'domain') return domainKeys(key, parentMatchesSubdomains);
  if (order === 'network') return networkKeys(key);
  if (order === 'address' && (key === '' || key === '<>')) return accessAddressKeys(null, { delimiters: options.delimiter, parentMatchesSubdomains });
  const address = parseMailbox(key, { utf8: true, localBytes: 256 });
  if (address === null) throw new Error(`"${key}" is no mail address`);
  if (order === 'rewriting') return rewriteKeys(address, { delimiters: options.delimiter, isOwnDomain: () => true });
  const search = { delimiters: options.delimiter, parentMatchesSubdomains };
  return order === 'address' ? accessAddressKeys(address, search) : transportKeys(address, search);
}

/** For a person's terminal without what could steer it; into a pipe as it is. */
const plain = (text: string, io: CliIo): string => (io.isInteractive ? text.split('\t').map(printable).join('\t') : text);

/** What the server would log is told as a note. */
function notes(io: CliIo): Log {
  const note = (event: string, fields: Readonly<Record<string, unknown>> = {}): void => {
    const where = fields.line === undefined ? fields.file : `${String(fields.file)}:${String(fields.line)}`;
    io.note(printable(`${where === undefined ? event : String(where)}: ${String(fields.cause ?? event)}`));
  };
  return { debug: () => undefined, info: () => undefined, warn: note, error: note };
}
