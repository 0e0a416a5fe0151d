/** socketmap:inet:host:port:name and socketmap:unix:path:name, the netstring protocol of socketmap_table(5). */
import { TableError, TableProblem } from '../errors.ts';
import type { ClosableTable, TableContext } from '../types.ts';
import { Answers } from './answers.ts';
import { byteServer } from './byte-link.ts';
import { isKey } from './file-table.ts';
import { parseServerAddress } from './hosts.ts';
import { SOCKETMAP_REPLY_BYTES_MAX } from './limits.ts';
import { LinkLost, LinkPool } from './pool.ts';
import { serverSetting } from './settings.ts';

/** Digits of the largest length, colon and comma. */
const NETSTRING_BYTES = 8;

export function openSocketmap(source: string, context: TableContext): ClosableTable {
  const colon = source.lastIndexOf(':');
  const map = source.slice(colon + 1);
  const where = source.slice(0, Math.max(colon, 0));
  const address = /^(?:inet|unix):/.test(where) ? parseServerAddress(where, null) : null;
  if (address === null || map === '' || /[\s\0]/.test(map))
    throw new TableProblem(context.name, null, 'must be socketmap:inet:host:port:name or socketmap:unix:path:name');
  const pool = new LinkPool(context, [[byteServer(address, SOCKETMAP_REPLY_BYTES_MAX + NETSTRING_BYTES)]]);
  const answers = new Answers(
    context,
    () => serverSetting(context, 'tables.queryTimeout'),
    async (key, signal) => {
      const reply = await pool.use((link) => link.ask(netstring(`${map} ${key}`), readNetstring), signal);
      return socketmapValue(reply, context.name);
    },
  );
  return {
    name: context.name,
    kind: 'pattern',
    find: (key, signal) => (isKey(key, context) ? answers.find(key, signal) : null),
    close() {
      answers.close();
      pool.close();
    },
  };
}

/** What a reply says. Throws TableError for everything but OK and NOTFOUND: even PERM is no "not found". */
export function socketmapValue(reply: string, table: string): string | null {
  const space = reply.indexOf(' ');
  const status = space === -1 ? reply : reply.slice(0, space);
  const rest = space === -1 ? '' : reply.slice(space + 1);
  switch (status) {
    case 'OK':
      return rest;
    case 'NOTFOUND':
      return null;
    case 'TEMP':
    case 'TIMEOUT':
    case 'PERM':
      throw new TableError(table, `the server said ${status}${rest === '' ? '' : `: ${rest.slice(0, 200)}`}`);
    default:
      throw new TableError(table, 'the server answered with an unknown status');
  }
}

/** The text as a netstring: length in bytes, colon, bytes, comma. */
export function netstring(text: string): Uint8Array {
  return Buffer.from(`${Buffer.byteLength(text)}:${text},`);
}

/** Throws LinkLost when the bytes are no netstring, or a longer one than allowed. */
export function readNetstring(bytes: Buffer): { value: string; used: number } | null {
  const colon = bytes.subarray(0, NETSTRING_BYTES).indexOf(0x3a);
  const digits = bytes.toString('latin1', 0, colon === -1 ? Math.min(bytes.length, NETSTRING_BYTES) : colon);
  if (!/^(?:0|[1-9]\d{0,5})?$/.test(digits) || (colon !== -1 && digits === '')) throw new LinkLost('the server answered with something other than a netstring');
  if (colon === -1) return null;
  const length = Number(digits);
  if (length > SOCKETMAP_REPLY_BYTES_MAX) throw new LinkLost(`the answer has more than ${SOCKETMAP_REPLY_BYTES_MAX} bytes`);
  const end = colon + 1 + length;
  if (bytes.length <= end) return null;
  if (bytes[end] !== 0x2c) throw new LinkLost('the server answered with a netstring that does not end');
  return { value: bytes.toString('utf8', colon + 1, end), used: end + 1 };
}
