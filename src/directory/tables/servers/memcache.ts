/** memcache:/file.cf: a memcached in front of another table (`backup`), or alone, as in Postfix's memcache_table(5). */
import type { Table } from '../../../ports.ts';
import { TableError, TableProblem } from '../errors.ts';
import type { ClosableTable, TableContext } from '../types.ts';
import { Answers } from './answers.ts';
import { byteServer, type ByteLink } from './byte-link.ts';
import { domainGate } from './domains.ts';
import { expandKey, keyNeeds, type KeyParts, parseTemplate, type Template } from './expand.ts';
import { type Asker, askWithin, parameterFile, reloadingTable } from './file-table.ts';
import { parseServerAddress } from './hosts.ts';
import { MEMCACHE_KEY_BYTES_MAX } from './limits.ts';
import { type Known, readParameters, type TableParameters } from './parameters.ts';
import { LinkLost, LinkPool } from './pool.ts';

const KNOWN: Known = {
  names: ['memcache', 'backup', 'flags', 'ttl', 'key_format', 'domain', 'data_size_limit', 'line_size_limit', 'timeout'],
  ignored: new Map([
    ['max_try', 'a command is tried again once, on a new connection'],
    ['retry_pause', 'a command is tried again at once, on a new connection'],
  ]),
  secrets: [],
};
const DAY_SECONDS = 86_400;

export function openMemcache(source: string, context: TableContext): ClosableTable {
  const file = parameterFile(source, context);
  return reloadingTable(file, context, () => make(readParameters(file, KNOWN, context), context));
}

interface Memcache {
  readonly context: TableContext;
  readonly pool: LinkPool<ByteLink>;
  readonly format: Template;
  readonly dataBytesMax: number;
  readonly lineBytesMax: number;
  readonly flags: number;
  readonly ttlSeconds: number;
}

function make(parameters: TableParameters, context: TableContext): Asker {
  const address = parseServerAddress(parameters.text('memcache', 'inet:localhost:11211'), null);
  if (address === null) throw parameters.problem('memcache', 'must be inet:host:port or unix:path');
  const format = parseTemplate(parameters.text('key_format', '%s'));
  if ('wrong' in format) throw parameters.problem('key_format', format.wrong);
  const dataBytesMax = parameters.count('data_size_limit', 10_240, 1, 16 * 1024 * 1024);
  const lineBytesMax = parameters.count('line_size_limit', 1024, 64, 1024 * 1024);
  const memcache: Memcache = {
    context,
    // Two lines around the value, each with CRLF.
    pool: new LinkPool(context, [[byteServer(address, dataBytesMax + 2 * lineBytesMax)]]),
    format,
    dataBytesMax,
    lineBytesMax,
    flags: parameters.count('flags', 0, 0, 0xffff_ffff),
    ttlSeconds: parameters.count('ttl', 3600, 0, 100 * 365 * DAY_SECONDS),
  };
  const backup = openBackup(parameters, context);
  const rules = { needs: keyNeeds([format], []), gate: domainGate(parameters, context) };
  const timeoutMs = parameters.milliseconds('timeout', 2000, 3600) || 1;
  const answers = new Answers(
    context,
    () => timeoutMs,
    (key, signal) => get(memcache, key, signal),
  );
  const ask = (parts: KeyParts, signal: AbortSignal | undefined): ReturnType<Asker['find']> => {
    const key = expandKey(format, parts, (text) => text);
    if (key === '' || /[\x00-\x20\x7f]/.test(key)) return null; // The protocol has no way to ask for such a key.
    if (Buffer.byteLength(key) > MEMCACHE_KEY_BYTES_MAX) {
      if (backup !== null) return backup.find(parts.key, signal);
      throw new TableError(context.name, `the key has more than ${MEMCACHE_KEY_BYTES_MAX} bytes`);
    }
    if (backup === null) return answers.find(key, signal);
    const value = answers.find(key, signal);
    if (value === null) return fromBackup(memcache, backup, key, parts.key, timeoutMs, signal);
    if (typeof value === 'string') return value;
    return value.then(
      (found) => found ?? fromBackup(memcache, backup, key, parts.key, timeoutMs, signal),
      (error: unknown) => {
        // A cache that is away must not take the table behind it along.
        if (error instanceof TableError && signal?.aborted !== true) return backup.find(parts.key, signal);
        throw error;
      },
    );
  };
  return {
    find: (key, signal) => askWithin(rules, context, key, signal, (parts) => ask(parts, signal)),
    close() {
      answers.close();
      memcache.pool.close();
    },
  };
}

function openBackup(parameters: TableParameters, context: TableContext): Table | null {
  const spec = parameters.text('backup', '');
  if (spec === '') return null;
  if (spec.replace(/^proxy:/, '') === context.name) throw parameters.problem('backup', 'is this table itself');
  try {
    return context.open(spec);
  } catch (cause) {
    if (!(cause instanceof TableProblem)) throw cause;
    throw parameters.problem('backup', cause.message);
  }
}

async function get(memcache: Memcache, key: string, signal: AbortSignal): Promise<string | null> {
  const request = Buffer.from(`get ${key}\r\n`);
  return memcache.pool.use((link) => link.ask(request, (bytes) => readGet(bytes, memcache.dataBytesMax, memcache.lineBytesMax)), signal);
}

async function fromBackup(
  memcache: Memcache,
  backup: Table,
  key: string,
  backupKey: string,
  timeoutMs: number,
  signal: AbortSignal | undefined,
): Promise<string | null> {
  const value = await backup.find(backupKey, signal);
  if (value === null || value === '') return value;
  const bytes = Buffer.from(value);
  if (bytes.length > memcache.dataBytesMax) return value;
  const request = Buffer.concat([Buffer.from(`set ${key} ${memcache.flags} ${memcache.ttlSeconds} ${bytes.length}\r\n`), bytes, Buffer.from('\r\n')]);
  const deadline = AbortSignal.timeout(timeoutMs);
  // Nobody waits for it: the answer is known. That it was not stored only costs the next lookup.
  memcache.pool
    .use((link) => link.ask(request, (reply) => readLine(reply, memcache.lineBytesMax)), deadline)
    .catch((cause: unknown) => memcache.context.log.debug('table.cache.unsaved', { table: memcache.context.name, cause }));
  return value;
}

/** A line without its CRLF. Throws LinkLost for one that is too long. */
function readLine(bytes: Buffer, lineBytesMax: number, from = 0): { value: string; used: number } | null {
  const end = bytes.indexOf(0x0a, from);
  if ((end === -1 ? bytes.length : end) - from > lineBytesMax) throw new LinkLost(`the server sent a line of more than ${lineBytesMax} bytes`);
  if (end === -1) return null;
  return { value: bytes.toString('latin1', from, end > from && bytes[end - 1] === 0x0d ? end - 1 : end), used: end + 1 };
}

/** "END", or "VALUE key flags bytes", the bytes and "END". */
export function readGet(bytes: Buffer, dataBytesMax: number, lineBytesMax: number): { value: string | null; used: number } | null {
  const first = readLine(bytes, lineBytesMax);
  if (first === null) return null;
  if (first.value === 'END') return { value: null, used: first.used };
  const match = /^VALUE \S+ \d{1,10} (\d{1,10})(?: \d+)?$/.exec(first.value);
  if (match === null) throw new LinkLost(`the server answered: ${first.value.slice(0, 100)}`);
  const length = Number(match[1]);
  if (length > dataBytesMax) throw new LinkLost(`the value has more than ${dataBytesMax} bytes`);
  const end = first.used + length;
  if (bytes.length < end + 2) return null;
  const last = readLine(bytes, lineBytesMax, end + 2);
  if (bytes[end] !== 0x0d || bytes[end + 1] !== 0x0a || (last !== null && last.value !== 'END'))
    throw new LinkLost('the server answered with a malformed value');
  return last === null ? null : { value: bytes.toString('utf8', first.used, end), used: last.used };
}
