/** Reads the messages of one Maildir folder for an import. Files are small and many: one after the other, without a promise each. */
import { closeSync, constants, fstatSync, openSync, readSync, type Stats } from 'node:fs';
import { join } from 'node:path';
import type { MessageWriter, Staging } from '../../ports.ts';
import { OWN_UIDL_FORMAT, type UidlFormat, uidlFormat } from '../../wire/pop3/uidl.ts';
import { keyOf } from './key-set.ts';
import { LineEnds } from './line-ends.ts';
import { MaildirList, type MaildirEntry, uniqueName } from './maildir-list.ts';
import { parseInfo, readKeywords } from './maildir.ts';
import type { Found, ReadOptions } from './source.ts';
import { UidList, uidListHead } from './uidlist.ts';

/** Read at once; a message above it comes in pieces. */
const READ_BYTES = 256 * 1024;
/** A file may be renamed by a program that sets a flag between listing and opening: the folder is then listed again. */
const LISTINGS_MAX = 5;
/** What Dovecot makes when nothing is set (pop3_uidl_format). */
const DOVECOT_UIDL = '%08Xu%08Xv';
/** Known messages told at once. */
const KNOWN_AT_ONCE = 1000;

export async function* readMaildir(directory: string, staging: Staging, options: ReadOptions): AsyncIterable<Found> {
  const head = uidListHead(directory);
  const keywords = await readKeywords(join(directory, 'dovecot-keywords'));
  const unreadable = new Set<string>();
  const uidlOf = uidlMaker(options.uidl, head?.kind ?? null);
  let known = 0;
  let uidMax = 0;
  for (let listing = 1; listing <= LISTINGS_MAX; listing += 1) {
    // Not held while messages are read.
    const list = ((): MaildirList => {
      const uids = head === null ? null : UidList.read(head);
      uidMax = Math.max(uidMax, uids?.uidMax ?? 0);
      return new MaildirList(uids).read(directory);
    })();
    let vanished = 0;
    for (let place = 0; place < list.count; place += 1) {
      const entry = list.at(place);
      const unique = uniqueName(entry.name);
      const key = keyOf(Buffer.from(unique, 'latin1'));
      if (options.done.has(key)) {
        if (listing === 1) known += 1;
        if (known === KNOWN_AT_ONCE) {
          yield { kind: 'known', count: known };
          known = 0;
        }
        continue;
      }
      const taken = take(directory, entry, staging);
      const result = taken instanceof Promise ? await taken : taken;
      if (result === 'vanished') {
        vanished += 1;
        continue;
      }
      if (typeof result === 'string') {
        if (!unreadable.has(unique)) yield { kind: 'unreadable', what: result };
        unreadable.add(unique);
        continue;
      }
      options.done.add(key);
      const { flags, keywords: numbers } = parseInfo(entry.name);
      const words = numbers.map((n) => keywords[n]).filter((word) => word !== undefined);
      yield {
        kind: 'message',
        key,
        message: result.message,
        flags,
        keywords: words.length === 0 ? null : words.sort().join(' '),
        internalDate: Math.floor(result.mtimeMs),
        // A second listing brings what was renamed: the order of UIDs is behind us.
        uid: listing === 1 ? entry.uid : null,
        uidl: entry.uidl ?? uidlOf({ uid: entry.uid, uidValidity: head?.uidValidity ?? 0, file: unique }),
      };
    }
    if (vanished === 0) break;
  }
  if (known > 0) yield { kind: 'known', count: known };
  yield { kind: 'end', uidFloor: Math.max(head?.uidNext ?? 1, uidMax + 1) };
}

type MaybeUid = Omit<Parameters<UidlFormat>[0], 'uid'> & { readonly uid: number | null };

function uidlMaker(format: string | null, kind: 'dovecot' | 'courier' | null): (parts: MaybeUid) => string | null {
  const text = format === 'auto' ? (kind === 'dovecot' ? DOVECOT_UIDL : null) : format;
  const make = text === null ? null : uidlFormat(text);
  if (make === null || 'fault' in make) return () => null;
  // %f alone needs no UID.
  const needsUid = text === OWN_UIDL_FORMAT || /%(?:0\d\d?)?[XxM]?[uv]/.test(text!);
  return (parts) => (parts.uid === null && needsUid ? null : make({ ...parts, uid: parts.uid ?? 0 }));
}

type Taken = { readonly message: ReturnType<MessageWriter['finish']> extends infer T ? Awaited<T> : never; readonly mtimeMs: number };

/** 'vanished': renamed or removed since it was listed; any other text is a sentence. */
function take(directory: string, entry: MaildirEntry, staging: Staging): Taken | string | Promise<Taken | string> {
  const path = Buffer.concat([Buffer.from(join(directory, entry.part, '/')), Buffer.from(entry.name, 'latin1')]);
  let file: number;
  let info: Stats;
  try {
    // A link could lead to what the owner of the Maildir may not read, a pipe would never end.
    file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return code === 'ENOENT' ? 'vanished' : `${path.toString()} cannot be read: ${code === 'ELOOP' ? 'it is a link' : (error as Error).message}`;
  }
  let isOpen = true;
  const close = (): void => {
    if (isOpen) closeSync(file);
    isOpen = false;
  };
  try {
    info = fstatSync(file);
    if (!info.isFile()) {
      close();
      return `${path.toString()} is no file`;
    }
    const writer = staging.open();
    const lines = new LineEnds();
    if (info.size < READ_BYTES) {
      const buffer = Buffer.allocUnsafe(info.size + 1);
      const count = readSync(file, buffer, 0, info.size + 1, null);
      if (count <= info.size) {
        close();
        const written = writer.write(lines.push(buffer.subarray(0, count)));
        const finish = (): Taken | Promise<Taken> => {
          const message = writer.finish();
          return message instanceof Promise ? message.then((done) => ({ message: done, mtimeMs: info.mtimeMs })) : { message, mtimeMs: info.mtimeMs };
        };
        return written === undefined ? finish() : written.then(finish);
      }
      return pieces(file, lines, writer, buffer.subarray(0, count), info, close);
    }
    return pieces(file, lines, writer, Buffer.alloc(0), info, close);
  } catch (error) {
    close();
    return `${path.toString()} cannot be read: ${(error as Error).message}`;
  }
}

async function pieces(file: number, lines: LineEnds, writer: MessageWriter, first: Buffer, info: Stats, close: () => void): Promise<Taken> {
  try {
    await writer.write(lines.push(first));
    for (;;) {
      const buffer = Buffer.allocUnsafe(READ_BYTES / 4);
      const count = readSync(file, buffer, 0, buffer.length, null);
      if (count === 0) break;
      await writer.write(lines.push(buffer.subarray(0, count)));
    }
    return { message: await writer.finish(), mtimeMs: info.mtimeMs };
  } catch (error) {
    writer.abort();
    throw error;
  } finally {
    close();
  }
}
