/** Administration of the store: repair, and export and import of an account as Maildir or mbox. */
import { mkdir, open, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Account, AdminContext, AdminHandlers, MailboxRow, MessageReader } from '../ports.ts';
import { Failure } from '../system/failure.ts';
import { type Derived, outdatedEmails } from './derived.ts';
import { mboxEntry } from './formats/mbox.ts';
import { MaildirWriter } from './formats/maildir.ts';
import { importAccount, type ImportProgress } from './import.ts';

const PAGE = 200;

export interface Progress {
  readonly mailbox: string;
  readonly done: number;
  readonly total: number | null;
}
type Emit = (progress: Progress) => void;

function accountOf(context: AdminContext, login: unknown): Account {
  const account = typeof login === 'string' ? context.directory.accountByLogin(login) : null;
  if (account === null) throw new Failure('noSuchAccount', `There is no account "${String(login)}".`);
  return account;
}

async function* readAll(reader: MessageReader): AsyncIterable<Uint8Array> {
  try {
    yield* reader.stream(0, reader.size);
  } finally {
    reader.close();
  }
}

interface Exported {
  readonly mailboxes: number;
  readonly messages: number;
  /** Messages whose bytes cannot be read; the others are complete. */
  readonly damaged: string[];
}

async function exportAccount(context: AdminContext, args: any, emit: Emit, signal: AbortSignal): Promise<Exported> {
  const account = accountOf(context, args.login);
  const target = String(args.target);
  if (args.format !== 'maildir' && args.format !== 'mbox') throw new Error('The format must be maildir or mbox.');
  if (await stat(target).catch(() => null)) throw new Error(`${target} exists already: name a new one.`);
  const boxes = context.reader.mailboxes(account.id).filter((box) => box.isSelectable);
  await mkdir(target, { recursive: true, mode: 0o700 });
  const damaged: string[] = [];
  let messages = 0;
  for (const box of boxes) {
    messages +=
      args.format === 'maildir'
        ? await exportMaildir(context, box, target, damaged, emit, signal)
        : await exportMbox(context, box, target, damaged, emit, signal);
  }
  return { mailboxes: boxes.length, messages, damaged };
}

/** Every message of a mailbox with its bytes; pages of rows, one message at a time. */
async function eachMessage(
  context: AdminContext,
  box: MailboxRow,
  damaged: string[],
  emit: Emit,
  signal: AbortSignal,
  take: (bytes: AsyncIterable<Uint8Array>, size: number, flags: number, keywords: string | null, internalDate: number, prefix: Uint8Array) => Promise<void>,
): Promise<number> {
  let done = 0;
  for (let from = 1; ; ) {
    const page = context.reader.messages(box.accountId, box.id, from, 0xffffffff, PAGE);
    if (page.length === 0) break;
    for (const [uid, , flags, keywords, internalDate, size, emailId] of page) {
      if (signal.aborted) throw new Error('Stopped before the end.');
      const email = context.reader.email(box.accountId, emailId);
      try {
        if (email === null) throw new Failure('corruptBlob');
        const reader = context.reader.open(email);
        const first = await reader.slice(0, Math.min(reader.size, 1)); // a blob that does not decompress is found before anything is written
        if (first.length > 0 || reader.size === 0) await take(readAll(reader), size, flags, keywords, internalDate, email.prefix);
        done += 1;
      } catch (error) {
        if (!(error instanceof Failure) || error.code !== 'corruptBlob') throw error;
        damaged.push(`${box.name}, UID ${uid}`);
      }
      from = uid + 1;
    }
    emit({ mailbox: box.name, done, total: box.exists });
  }
  return done;
}

async function exportMaildir(context: AdminContext, box: MailboxRow, target: string, damaged: string[], emit: Emit, signal: AbortSignal): Promise<number> {
  const writer = new MaildirWriter(target, box.name);
  await writer.open();
  const count = await eachMessage(context, box, damaged, emit, signal, (bytes, size, flags, keywords, date) => writer.add(bytes, size, flags, keywords, date));
  await writer.close();
  return count;
}

async function exportMbox(context: AdminContext, box: MailboxRow, target: string, damaged: string[], emit: Emit, signal: AbortSignal): Promise<number> {
  const path = join(target, `${box.name}.mbox`);
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const file = await open(path, 'wx', 0o600);
  try {
    return await eachMessage(context, box, damaged, emit, signal, async (bytes, _size, flags, keywords, date, prefix) => {
      const sender = /^Return-Path: <([^>]*)>/i.exec(Buffer.from(prefix).toString('latin1'))?.[1] ?? '';
      for await (const piece of mboxEntry(bytes, sender, flags, keywords, date)) await file.writeFile(piece);
    });
  } finally {
    await file.sync();
    await file.close();
  }
}

/** Email rows set right by one operation. */
const REPAIR_BATCH = 100;

async function repair(context: AdminContext, signal: AbortSignal): Promise<{ repaired: number }> {
  let { repaired } = await context.writer.run<{ repaired: number }>('store.repair', null);
  let batch: Derived[] = [];
  const flush = async (): Promise<void> => {
    if (batch.length > 0) repaired += await context.writer.run<number>('store.setDerived', batch);
    batch = [];
  };
  for await (const derived of outdatedEmails(context.reader, signal)) {
    batch.push(derived);
    if (batch.length >= REPAIR_BATCH) await flush();
  }
  await flush();
  return { repaired };
}

export const STORE_ADMIN: AdminHandlers = {
  'store.export': (context, args, emit, signal) => exportAccount(context, args, emit as Emit, signal),
  'store.import': async (context, args, emit, signal) =>
    importAccount(
      context,
      {
        account: accountOf(context, args.login),
        source: String(args.source),
        mailbox: typeof args.mailbox === 'string' ? args.mailbox : null,
        uidl: typeof args.uidl === 'string' ? args.uidl : 'auto',
        isAgain: args.isAgain === true,
      },
      emit as (progress: ImportProgress) => void,
      signal,
    ),
  'store.repair': (context, _args, _emit, signal) => repair(context, signal),
};
