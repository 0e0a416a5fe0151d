/** Where an import reads from: a Maildir with its folders, a directory of mbox files, or one mbox file. Runs in the import's own thread. */
import { readdirSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import type { StagedMessage, Staging } from '../../ports.ts';
import { decodeUtf7 } from '../../wire/imap/utf7.ts';
import type { KeySet } from './key-set.ts';
import { readMaildir } from './maildir-source.ts';
import { maildirSubscriptions, maildirTree } from './maildir-tree.ts';
import { isMbox, mboxHead, readMbox } from './mbox-source.ts';
import { countMaildir } from './maildir-list.ts';
import { uidListHead } from './uidlist.ts';

export interface SourceFolder {
  readonly kind: 'maildir' | 'mbox';
  /** As the old server called it. */
  readonly mailbox: string;
  readonly path: string;
  /** Messages; null: not known before it is read (mbox). */
  readonly total: number | null;
  /** Of an mbox file; otherwise 0. */
  readonly bytes: number;
  /** What the old server's clients know the messages by; null: not kept there. */
  readonly uidValidity: number | null;
  /** The old server has given out UIDs below this one. */
  readonly uidNext: number;
}
export interface Source {
  readonly folders: readonly SourceFolder[];
  /** null: not told; then all are to be subscribed. */
  readonly subscriptions: ReadonlySet<string> | null;
}

export interface ReadOptions {
  /** What was taken before; grows as messages are read. */
  readonly done: KeySet;
  /** Format of the old server's POP3 unique-ids; null: not to be kept (no inbox), 'auto': what such a server does when nothing is set. */
  readonly uidl: string | null;
}
/** What reading a folder gives, one after the other. */
export type Found =
  | {
      readonly kind: 'message';
      /** 8 bytes that tell it from all others of the folder. */
      readonly key: Uint8Array;
      readonly message: StagedMessage;
      readonly flags: number;
      readonly keywords: string | null;
      readonly internalDate: number;
      readonly uid: number | null;
      readonly uidl: string | null;
    }
  /** Taken before. */
  | { readonly kind: 'known'; readonly count: number }
  /** There, but it cannot be read: a sentence. */
  | { readonly kind: 'unreadable'; readonly what: string }
  /** Bytes of an mbox that are behind us. */
  | { readonly kind: 'position'; readonly bytes: number }
  /** The last one: UIDs from here on were never given out by the old server. */
  | { readonly kind: 'end'; readonly uidFloor: number };

const MBOX_DEPTH_MAX = 10;
const MBOX_FILES_MAX = 10_000;

/** Throws with a sentence when there is nothing that could be imported. */
export function openSource(path: string): Source {
  const info = statSync(path, { throwIfNoEntry: false });
  if (info === undefined) throw new Error(`${path} does not exist or cannot be read.`);
  if (!info.isDirectory()) return { folders: [mboxFolder(path, 'INBOX')], subscriptions: null };
  let isMaildirFault: unknown;
  try {
    const folders = maildirTree(path).map(({ mailbox, directory }): SourceFolder => {
      const head = uidListHead(directory);
      const total = countMaildir(directory);
      return { kind: 'maildir', mailbox, path: directory, total, bytes: 0, uidValidity: head?.uidValidity ?? null, uidNext: head?.uidNext ?? 1 };
    });
    return { folders, subscriptions: maildirSubscriptions(path) };
  } catch (error) {
    isMaildirFault = error;
  }
  const files: SourceFolder[] = [];
  mboxFiles(path, '', 1, files);
  if (files.length === 0) throw isMaildirFault;
  return { folders: files, subscriptions: maildirSubscriptions(path) };
}

/** `done` grows. Throws when the folder as a whole cannot be read. */
export function readFolder(folder: SourceFolder, staging: Staging, options: ReadOptions): AsyncIterable<Found> {
  return folder.kind === 'maildir' ? readMaildir(folder.path, staging, options) : readMbox(folder.path, staging, options);
}

function mboxFolder(path: string, mailbox: string): SourceFolder {
  if (!isMbox(path)) throw new Error(`${path} is no mbox file: it does not begin with a "From " line`);
  const head = mboxHead(path);
  return { kind: 'mbox', mailbox, path, total: null, bytes: statSync(path).size, uidValidity: head?.uidValidity ?? null, uidNext: (head?.uidLast ?? 0) + 1 };
}

/** "Work/Old.mbox" as our own export writes it, and "Work/Old" of mail programs; "inbox" and "mbox" at the top are INBOX. */
function mboxFiles(directory: string, prefix: string, depth: number, files: SourceFolder[]): void {
  for (const entry of readdirSync(directory, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (entry.name.startsWith('.')) continue;
    const path = join(directory, entry.name);
    if (entry.isDirectory() && depth < MBOX_DEPTH_MAX) mboxFiles(path, `${prefix}${levelOf(entry.name)}/`, depth + 1, files);
    if (!entry.isFile() || !isMbox(path)) continue;
    if (files.length >= MBOX_FILES_MAX) throw new Error(`There are more than ${MBOX_FILES_MAX} mbox files.`);
    const name = prefix + levelOf(basename(entry.name, '.mbox'));
    files.push(mboxFolder(path, /^(inbox|mbox)$/i.test(name) ? 'INBOX' : name));
  }
}

function levelOf(name: string): string {
  return decodeUtf7(name) ?? name;
}
