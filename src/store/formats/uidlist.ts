/** UIDs of the messages in a Maildir, as Dovecot (`dovecot-uidlist`) and Courier (`courierimapuiddb`) keep them. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { eachLine } from './byte-lines.ts';
import { keyOf } from './key-set.ts';

/** The file's first line: "3 V1275660208 N25022 G…", or "1 1275660208 25022" of Courier and old Dovecots. */
export interface UidListHead {
  readonly path: string;
  readonly kind: 'dovecot' | 'courier';
  readonly uidValidity: number;
  readonly uidNext: number;
}
export interface ListedUid {
  readonly uid: number;
  /** A POP3 unique-id that an older server had given. */
  readonly uidl: string | null;
}

const UID_MAX = 0xfffffffe;

/** null: the folder has no list, or one that is not understood. */
export function uidListHead(directory: string): UidListHead | null {
  for (const [name, kind] of [
    ['dovecot-uidlist', 'dovecot'],
    ['courierimapuiddb', 'courier'],
  ] as const) {
    const path = join(directory, name);
    if (statSync(path, { throwIfNoEntry: false })?.isFile() !== true) continue;
    let head: UidListHead | null = null;
    eachLine(path, (line) => {
      const old = /^1 (\d{1,10}) (\d{1,10})$/.exec(line);
      const [v, n] = old === null ? [/^3 (?:.* )?V(\d{1,10})(?: |$)/.exec(line)?.[1], / N(\d{1,10})(?: |$)/.exec(line)?.[1]] : [old[1], old[2]];
      if (v !== undefined && n !== undefined && Number(v) > 0 && Number(v) <= 0xffffffff && Number(n) <= UID_MAX)
        head = { path, kind, uidValidity: Number(v), uidNext: Number(n) };
      return false;
    });
    if (head !== null) return head;
  }
  return null;
}

/** UID (and unique-id) by the name of a file: 20 bytes for each message. */
export class UidList {
  #words = new Uint32Array(4 * 1024);
  #count = 0;
  /** Unique-ids are rare, unless an account was moved before. */
  readonly #uidls = new Map<number, string>();
  uidMax = 0;

  get hasUidls(): boolean {
    return this.#uidls.size > 0;
  }

  /** Reads the whole list. Lines that are not understood are passed over: their messages count as new. */
  static read(head: UidListHead): UidList {
    const list = new UidList();
    let isFirst = true;
    eachLine(head.path, (line) => {
      if (isFirst) isFirst = false;
      else list.#line(line);
      return true;
    });
    return list;
  }

  find(file: string): ListedUid | null {
    const key = keyOf(Buffer.from(file, 'latin1'));
    const uid = this.#words[this.#place(word(key, 0), word(key, 4)) + 2]!;
    return uid === 0 ? null : { uid, uidl: this.#uidls.get(uid) ?? null };
  }

  /** "25006 W4042 Pxyz :1276528487.M364837P9451.host,S=1355", or "25006 1276528487…" without fields. */
  #line(line: string): void {
    const space = line.indexOf(' ');
    const uid = Number(line.slice(0, space));
    if (space < 1 || !Number.isInteger(uid) || uid < 1 || uid > UID_MAX) return;
    const colon = line.indexOf(' :', space);
    const name = colon === -1 ? line.slice(space + 1) : line.slice(colon + 2);
    if (name === '') return;
    const flags = name.indexOf(':');
    if (colon > space)
      for (const field of line.slice(space + 1, colon).split(' ')) if (field.startsWith('P') && field.length > 1) this.#uidls.set(uid, field.slice(1));
    this.#add(flags === -1 ? name : name.slice(0, flags), uid);
  }

  #add(file: string, uid: number): void {
    if (this.#count * 8 >= this.#words.length) this.#grow();
    const key = keyOf(Buffer.from(file, 'latin1'));
    const place = this.#place(word(key, 0), word(key, 4));
    if (this.#words[place + 2] === 0) this.#count += 1;
    this.#words[place] = word(key, 0);
    this.#words[place + 1] = word(key, 4);
    this.#words[place + 2] = uid;
    this.uidMax = Math.max(this.uidMax, uid);
  }

  #place(first: number, second: number): number {
    const mask = this.#words.length - 1;
    let place = (first * 4) & mask;
    while (this.#words[place + 2] !== 0 && (this.#words[place] !== first || this.#words[place + 1] !== second)) place = (place + 4) & mask;
    return place;
  }

  #grow(): void {
    const old = this.#words;
    this.#words = new Uint32Array(old.length * 2);
    for (let at = 0; at < old.length; at += 4) if (old[at + 2] !== 0) this.#words.set(old.subarray(at, at + 3), this.#place(old[at]!, old[at + 1]!));
  }
}

function word(key: Uint8Array, at: number): number {
  return (key[at]! | (key[at + 1]! << 8) | (key[at + 2]! << 16) | (key[at + 3]! << 24)) >>> 0;
}
