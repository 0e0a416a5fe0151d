/** Import of an account's mail: folders, flags, keywords, dates, subscriptions, and what clients know messages by. Can be stopped at any moment and run again. */
import type { Account, AdminContext, MailboxRow } from '../ports.ts';
import { Failure } from '../system/failure.ts';
import { uidlFormat } from '../wire/pop3/uidl.ts';
import { ImportReader } from './formats/import-client.ts';
import type { Source, SourceFolder } from './formats/source.ts';
import type { ImportBatch, ImportBegun, ImportOutcome } from './operations/import.ts';
import { storePaths } from './paths.ts';

const PROGRESS_EVERY_MS = 1000;
/** Rows of what was taken, read at once. */
const KEYS_PAGE = 500;
/** Sentences about messages that cannot be read; the rest is only counted. */
const UNREADABLE_TOLD_MAX = 100;

export interface ImportArguments {
  readonly account: Account;
  readonly source: string;
  /** Takes the messages instead of the folders' own names; folders go below it. */
  readonly mailbox: string | null;
  /** Format of the old server's POP3 unique-ids; 'auto': found out; 'none': not kept. */
  readonly uidl: string;
  /** Also what was taken before. */
  readonly isAgain: boolean;
}
export interface ImportProgress {
  readonly mailbox: string;
  /** Messages behind us, those taken before included. */
  readonly done: number;
  /** null: not known (mbox). */
  readonly total: number | null;
  /** Added since this run began, a second. */
  readonly perSecond: number;
  /** null: not known yet. */
  readonly remainingMs: number | null;
}
export interface Imported {
  readonly mailboxes: number;
  readonly messages: number;
  /** Taken by an earlier run. */
  readonly known: number;
  readonly unreadable: readonly string[];
  readonly unreadableCount: number;
  /** Mailboxes whose clients find everything under the UIDs they know. */
  readonly uidsKept: readonly string[];
  /** Mailboxes where they could not be kept because other mail came between. */
  readonly uidsLost: readonly string[];
  /** Mailboxes whose old UIDs were known and could not be taken over: they had messages already, or the UIDVALIDITY is none that can be. */
  readonly uidsNew: readonly string[];
}

/** Throws with a sentence for the terminal. What was added until then stays, and the next run goes on there. */
export async function importAccount(
  context: AdminContext,
  args: ImportArguments,
  emit: (progress: ImportProgress) => void,
  signal: AbortSignal,
): Promise<Imported> {
  if (args.uidl !== 'auto' && args.uidl !== 'none') {
    const format = uidlFormat(args.uidl);
    if ('fault' in format) throw new Error(`The format of unique-ids ${format.fault}.`);
  }
  const reader = new ImportReader({
    path: args.source,
    blobDir: storePaths(context.dataDir).blobs,
    inlineBytesMax: context.settings()['store.inlineBytesMax'],
  });
  try {
    return await new Run(context, args, emit, signal, reader).all(await reader.source());
  } catch (error) {
    if (error instanceof Failure && error.code === 'overQuota')
      throw new Error(`The quota of ${args.account.login} is used up: raise it (posthorn user quota) and run the same command again.`, { cause: error });
    throw error;
  } finally {
    await reader.close();
  }
}

class Run {
  readonly #context: AdminContext;
  readonly #args: ImportArguments;
  readonly #emit: (progress: ImportProgress) => void;
  readonly #signal: AbortSignal;
  readonly #reader: ImportReader;
  readonly #startedAt = performance.now();
  #toldAt = 0;
  #messages = 0;
  #known = 0;
  readonly #unreadable: string[] = [];
  #unreadableCount = 0;
  readonly #uidsKept: string[] = [];
  readonly #uidsLost: string[] = [];
  readonly #uidsNew: string[] = [];
  /** null while a folder's count is unknown. */
  #total: number | null = 0;
  /** Of mbox files: bytes of those behind us, and of all. */
  #bytesBehind = 0;
  #bytesAll = 0;

  constructor(context: AdminContext, args: ImportArguments, emit: (progress: ImportProgress) => void, signal: AbortSignal, reader: ImportReader) {
    this.#context = context;
    this.#args = args;
    this.#emit = emit;
    this.#signal = signal;
    this.#reader = reader;
  }

  async all(source: Source): Promise<Imported> {
    for (const folder of source.folders) {
      this.#total = this.#total === null || folder.total === null ? null : this.#total + folder.total;
      this.#bytesAll += folder.bytes;
    }
    for (const [n, folder] of source.folders.entries()) {
      const box = await this.#mailboxOf(folder, source);
      await this.#folder(n, folder, box);
      this.#bytesBehind += folder.bytes;
    }
    await this.#subscribeOthers(source);
    return {
      mailboxes: source.folders.length,
      messages: this.#messages,
      known: this.#known,
      unreadable: this.#unreadable,
      unreadableCount: this.#unreadableCount,
      uidsKept: this.#uidsKept,
      uidsLost: this.#uidsLost,
      uidsNew: this.#uidsNew,
    };
  }

  #nameOf(mailbox: string): string {
    const into = this.#args.mailbox;
    return into === null ? mailbox : mailbox === 'INBOX' ? into : `${into}/${mailbox}`;
  }

  async #mailboxOf(folder: SourceFolder, source: Source): Promise<MailboxRow> {
    const { reader, writer } = this.#context;
    const name = this.#nameOf(folder.mailbox);
    const box = reader.mailboxByName(this.#args.account.id, name);
    if (box?.isSelectable === true) return box;
    const made = await writer.createMailbox(this.#args.account.id, name);
    if (source.subscriptions === null || source.subscriptions.has(folder.mailbox)) await writer.subscribe(this.#args.account.id, name, true);
    return made;
  }

  /** What was subscribed to on the old server and was there before us, or is no mailbox at all. */
  async #subscribeOthers(source: Source): Promise<void> {
    for (const mailbox of source.subscriptions ?? []) {
      const name = this.#nameOf(mailbox);
      if (name === '' || this.#context.reader.mailboxByName(this.#args.account.id, name)?.isSubscribed === true) continue;
      await this.#context.writer.subscribe(this.#args.account.id, name, true).catch((error: unknown) => {
        // Names that cannot be mailboxes are nothing to lose; anything else is.
        if (!(error instanceof Failure) || (error.code !== 'cannot' && error.code !== 'limit')) throw error;
      });
    }
  }

  async #folder(n: number, folder: SourceFolder, box: MailboxRow): Promise<void> {
    const { writer } = this.#context;
    const ids = { accountId: this.#args.account.id, mailboxId: box.id };
    const begun = await writer.run<ImportBegun>('import.begin', { ...ids, path: folder.path, uidValidity: folder.uidValidity, isAgain: this.#args.isAgain });
    const uidl = box.name !== 'INBOX' || this.#args.uidl === 'none' ? null : this.#args.uidl;
    let batch = begun.batches;
    let keepsUids = begun.keepsUids;
    for await (const step of this.#reader.read(n, this.#keysOf(begun.sourceId), uidl, this.#signal)) {
      switch (step.kind) {
        case 'batch': {
          const input: ImportBatch = { ...ids, sourceId: begun.sourceId, batch, keys: step.keys, uidFloor: folder.uidNext, messages: step.messages };
          if ((await writer.run<ImportOutcome>('import.append', input)) === 'uidTaken') {
            await writer.run('import.renumber', { ...ids, sourceId: begun.sourceId });
            keepsUids = false;
            this.#uidsLost.push(box.name);
            await writer.run<ImportOutcome>('import.append', input);
          }
          if (batch === 0 && folder.uidValidity !== null && !begun.keepsUids) this.#uidsNew.push(box.name);
          batch += 1;
          this.#messages += step.messages.length;
          this.#known += step.known;
          this.#tell(box.name, folder, step.position);
          break;
        }
        case 'unreadable':
          this.#unreadableCount += 1;
          if (this.#unreadable.length < UNREADABLE_TOLD_MAX) this.#unreadable.push(step.what);
          break;
        case 'end':
          this.#known += step.known;
          if (keepsUids) {
            await writer.run('import.end', { ...ids, sourceId: begun.sourceId, uidFloor: step.uidFloor });
            this.#uidsKept.push(box.name);
          }
      }
    }
  }

  /** One after the other, 8 bytes a message. */
  #keysOf(sourceId: number): Uint8Array {
    const pieces: Uint8Array[] = [];
    for (let from = 0; ; from += KEYS_PAGE) {
      const rows = this.#context.reader.rows('SELECT keys FROM import_batch WHERE source_id=? AND batch>=? ORDER BY batch LIMIT ?', sourceId, from, KEYS_PAGE);
      for (const [keys] of rows) pieces.push(keys as Uint8Array);
      if (rows.length < KEYS_PAGE) break;
    }
    // A buffer of its own: it is handed over to the other thread.
    const keys = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of pieces) {
      keys.set(piece, at);
      at += piece.length;
    }
    return keys;
  }

  #tell(mailbox: string, folder: SourceFolder, position: number): void {
    const now = performance.now();
    if (now - this.#toldAt < PROGRESS_EVERY_MS) return;
    this.#toldAt = now;
    const perMs = this.#messages / (now - this.#startedAt);
    const done = this.#messages + this.#known;
    let remainingMs: number | null = null;
    if (this.#total !== null) remainingMs = Math.max(0, this.#total - done) / perMs;
    else if (this.#bytesAll > 0) {
      const behind = this.#bytesBehind + (folder.kind === 'mbox' ? position : 0);
      if (behind > 0) remainingMs = ((now - this.#startedAt) * (this.#bytesAll - behind)) / behind;
    }
    this.#emit({ mailbox, done, total: this.#total, perSecond: perMs * 1000, remainingMs });
  }
}
