/** tcp:host:port, the line protocol of Postfix's tcp_table(5): "get key", answered by 200 value, 400 not now, 500 not found. */
import { TableError, TableProblem } from '../errors.ts';
import type { ClosableTable, TableContext } from '../types.ts';
import { Answers } from './answers.ts';
import { byteServer } from './byte-link.ts';
import { isKey } from './file-table.ts';
import { parseServerAddress } from './hosts.ts';
import { TCP_REPLY_BYTES_MAX } from './limits.ts';
import { LinkLost, LinkPool } from './pool.ts';
import { serverSetting } from './settings.ts';

export interface TcpReply {
  readonly code: number;
  /** Decoded; null when the encoding is wrong. */
  readonly text: string | null;
}

export function openTcp(source: string, context: TableContext): ClosableTable {
  const address = parseServerAddress(/^\d+$/.test(source) ? `localhost:${source}` : source, null);
  if (address === null || address.kind !== 'tcp') throw new TableProblem(context.name, null, 'must be tcp:host:port');
  const pool = new LinkPool(context, [[byteServer(address, TCP_REPLY_BYTES_MAX)]]);
  const answers = new Answers(
    context,
    () => serverSetting(context, 'tables.queryTimeout'),
    async (key, signal) => {
      const request = Buffer.from(`get ${encodeTcp(key)}\n`, 'latin1');
      const { code, text } = await pool.use((link) => link.ask(request, readTcpReply), signal);
      if (code === 500) return null;
      if (code === 400) throw new TableError(context.name, `the server said: ${text ?? 'not now'}`);
      if (code !== 200) throw new TableError(context.name, `the server answered with the unknown code ${code}`);
      if (text === null) throw new TableError(context.name, 'the server answered with a malformed value');
      return text;
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

const UTF8 = new TextEncoder();

/** "%", white space, control characters and whatever is not ASCII as %XX. */
export function encodeTcp(text: string): string {
  if (/^[!-$&-~]*$/.test(text)) return text;
  let out = '';
  for (const byte of UTF8.encode(text)) {
    if (byte > 0x20 && byte < 0x7f && byte !== 0x25) out += String.fromCharCode(byte);
    else out += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
  }
  return out;
}

/** Null for "%" without two hexadecimal digits. */
export function decodeTcp(bytes: Uint8Array): string | null {
  const out = Buffer.allocUnsafe(bytes.length);
  let length = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    if (bytes[at] !== 0x25) {
      out[length++] = bytes[at]!;
      continue;
    }
    const digits = String.fromCharCode(bytes[at + 1] ?? 0, bytes[at + 2] ?? 0);
    if (!/^[0-9a-f]{2}$/i.test(digits)) return null;
    out[length++] = Number.parseInt(digits, 16);
    at += 2;
  }
  return out.toString('utf8', 0, length);
}

/** One reply line; throws LinkLost when it is none. */
export function readTcpReply(bytes: Buffer): { value: TcpReply; used: number } | null {
  const end = bytes.indexOf(0x0a);
  if (end === -1) return null;
  const match = /^(\d{3})(?:[ \t]|$)/.exec(bytes.toString('latin1', 0, Math.min(end, 4)));
  if (match === null) throw new LinkLost('the server answered with a malformed line');
  return { value: { code: Number(match[1]), text: decodeTcp(bytes.subarray(4, end)) }, used: end + 1 };
}
