/**
 * Makes one folder and its mailbox equal. The order matters: names are reserved before files are written, the folder is changed before the store
 * says that both agree. Killed anywhere between, the next run finds the same differences, or fewer.
 */
import { hostname } from 'node:os';
import { FILES_AT_ONCE, READ_BYTES } from '../../deliver/user-agent/folders/limits.ts';
import { digestOf, freeName } from '../../deliver/user-agent/folders/mbox-format.ts';
import type { FolderFile, ReadResult } from '../../deliver/user-agent/folders/types.ts';
import { toCrlf, toLf } from '../../deliver/user-agent/message.ts';
import type { MailboxRow, MessageWriter, StagedMessage } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import { pause, SliceClock } from '../imap/pace.ts';
import type { KeywordRoom } from './keyword-room.ts';
import { FolderLook } from './look.ts';
import { type Flags, flagsOf, marksFor } from './marks.ts';
import { folderKind } from './names.ts';
import type { ArrivedFile, SettledFile, SettleInput, SettleOutput } from './operations.ts';
import { type FolderPlan, isNothing } from './plan.ts';
import { takeOverUids } from './take-over.ts';
import { askFolders, type Binding, type Work } from './types.ts';

/** Messages taken into the store in one transaction. */
const ARRIVED_AT_ONCE = 200;
const CHANGES_AT_ONCE = 500;
/** Above, a message is staged piece by piece. */
const SMALL_BYTES = 128 * 1024;
const PIECE_BYTES = 64 * 1024;

/** `state`: what the folder looks like now; null: look. True when anything was done. */
export async function syncFolder(work: Work, binding: Binding, state: string | null): Promise<boolean> {
  const row = work.context.reader.mailboxById(work.accountId, binding.mailboxId);
  if (row === null || !row.isSelectable) return false;
  const isFolderChanged = binding.state === null || binding.state !== state;
  if (!isFolderChanged && row.highestModseq === binding.modseq) return false;
  return new FolderSync(work, binding, row).run(isFolderChanged);
}

class FolderSync {
  readonly #work: Work;
  readonly #binding: Binding;
  readonly #row: MailboxRow;
  readonly #look: FolderLook;
  /** Up to here the store's changes are known. */
  #modseq: number;
  #canKeep: KeywordRoom | null = null;

  constructor(work: Work, binding: Binding, row: MailboxRow) {
    this.#work = work;
    this.#binding = binding;
    this.#row = row;
    this.#modseq = row.highestModseq;
    this.#look = new FolderLook(work, binding, work.listings.take(work.accountId, binding));
  }

  async run(isFolderChanged: boolean): Promise<boolean> {
    const plan = await this.#look.plan(isFolderChanged);
    let { state } = this.#look;
    this.#canKeep = this.#look.canKeep();
    const files: SettledFile[] = [...plan.files];
    const gone = [...plan.gone];
    if (plan.added.length > 0 || plan.changes.length > 0) {
      // What the folder looks like after our own changes is found out by looking.
      state = null;
      await this.#add(plan, files);
      await this.#change(plan, files, gone);
    }
    const missing = plan.arrived.length > 0 && (await this.#takeAll(plan.arrived));
    if (missing) state = null;
    await this.#settle({ vanished: plan.vanished, flags: [...plan.flags.values()], files, gone, state });
    const { token, keywords, dirty } = this.#look;
    this.#work.listings.put(this.#work.accountId, this.#binding.mailboxId, { token: missing ? null : token, state, modseq: this.#modseq, keywords, dirty });
    const { metrics } = this.#work.context;
    if (plan.arrived.length > 0) metrics.count('mirror.pulled', plan.arrived.length);
    if (plan.added.length + plan.changes.length > 0) metrics.count('mirror.pushed', plan.added.length + plan.changes.length);
    return !isNothing(plan);
  }

  // ── From the store to the folder ─────────────────────────────────────────────────────────────────────

  async #add(plan: FolderPlan, files: SettledFile[]): Promise<void> {
    const { context, accountId, owner } = this.#work;
    const { mailboxId, path } = this.#binding;
    for (let from = 0; from < plan.added.length; ) {
      const batch: { uid: number; flags: Flags; name: string; bytes: Uint8Array; at: number }[] = [];
      let bytes = 0;
      for (; from < plan.added.length && batch.length < FILES_AT_ONCE && bytes < READ_BYTES; from += 1) {
        const { uid, flags, name } = plan.added[from]!;
        const read = await this.#readStored(uid);
        if (read === null) continue; // expunged meanwhile
        batch.push({ uid, flags, name: name ?? this.#newName(uid, read, batch), ...read });
        bytes += read.bytes.length;
      }
      await context.writer.run('mirror.reserve', { accountId, owner, mailboxId, names: batch.map(({ uid, name }) => [uid, name]) });
      const messages = batch.map(({ name, flags, bytes: { length }, at }) => ({ name, marks: marksFor(flags, this.#canKeep), bytes: length, at }));
      const { answer } = await askFolders(this.#work, { op: 'add', path, messages }, Buffer.concat(batch.map((one) => one.bytes)));
      answer.results.forEach((result, i) => {
        const one = batch[i]!;
        if (result === null || result === 'removed') return;
        const name = result.name ?? one.name;
        this.#look.dirty.add(name);
        files.push({ uid: one.uid, name, file: result.file, marks: result.marks });
      });
    }
  }

  /** Maildir: unique among mailboxes, accounts and hosts, in the order in which messages came. mbox: by what the message will be known there. */
  #newName(uid: number, read: { readonly bytes: Uint8Array; readonly at: number }, batch: readonly { readonly name: string }[]): string {
    if (folderKind(this.#work.mailbox) === 'mbox') return this.#digestName(read, batch);
    const now = this.#work.context.now();
    const host = hostname().replaceAll('/', '\\057').replaceAll(':', '\\072').replaceAll(',', '\\054');
    return `${Math.floor(now / 1000)}.M${(now % 1000) * 1000}P${process.pid}V${this.#row.uidValidity}U${uid}.${host}`;
  }

  #digestName(read: { readonly bytes: Uint8Array; readonly at: number }, batch: readonly { readonly name: string }[]): string {
    const digest = digestOf(read.bytes, read.at);
    const rows = this.#work.context.reader.rows(
      'SELECT name FROM mirror_file WHERE account_id=? AND mailbox_id=? AND name>=? AND name<?',
      this.#work.accountId,
      this.#binding.mailboxId,
      `${digest}.`,
      `${digest}/`,
    ) as [string][];
    return freeName(digest, new Set([...rows.map(([name]) => name), ...batch.map(({ name }) => name)]));
  }

  async #readStored(uid: number): Promise<{ bytes: Uint8Array; at: number } | null> {
    const { reader } = this.#work.context;
    const message = reader.message(this.#work.accountId, this.#binding.mailboxId, uid);
    const email = message === null ? null : reader.email(this.#work.accountId, message[6]);
    if (message === null || email === null) return null;
    const open = reader.open(email);
    try {
      const pieces: Uint8Array[] = [];
      if (open.size <= SMALL_BYTES) pieces.push(await open.slice(0, open.size));
      else for await (const piece of open.stream(0, open.size)) pieces.push(Buffer.from(piece));
      return { bytes: toLf(pieces.length === 1 ? pieces[0]! : Buffer.concat(pieces)), at: message[4] };
    } finally {
      open.close();
    }
  }

  async #change(plan: FolderPlan, files: SettledFile[], gone: number[]): Promise<void> {
    for (let from = 0; from < plan.changes.length; from += CHANGES_AT_ONCE) {
      const batch = plan.changes.slice(from, from + CHANGES_AT_ONCE);
      const changes = batch.map(({ name, marks, file, wanted }) => ({ name, marks, file, wanted }));
      const { answer } = await askFolders(this.#work, { op: 'change', path: this.#binding.path, changes });
      answer.results.forEach((result, i) => {
        const { uid, name, wanted } = batch[i]!;
        this.#look.dirty.add(name);
        // What is not there any more another program removed: the next look at the folder tells what that means.
        if (result === 'removed' || (result === null && wanted === null)) gone.push(uid);
        else if (result !== null) files.push({ uid, name: result.name ?? name, file: result.file, marks: result.marks });
      });
    }
  }

  // ── From the folder to the store ─────────────────────────────────────────────────────────────────────

  /** True when some could not be had now. */
  async #takeAll(arrived: readonly FolderFile[]): Promise<boolean> {
    // Until a folder has been settled once, what another server knew of it counts.
    const known = this.#binding.modseq === 0 ? await takeOverUids(this.#work, this.#binding, this.#row) : null;
    if (known === null) return this.#take(arrived, null, 0);
    const uids = new Map(known.messages);
    const listed = arrived.filter(({ name }) => uids.has(name)).sort((a, b) => uids.get(a.name)! - uids.get(b.name)!);
    const isMissing = await this.#take(listed, uids, 0);
    const others = arrived.filter(({ name }) => !uids.has(name));
    return (others.length > 0 && (await this.#take(others, null, known.uidNext))) || isMissing;
  }

  /** The next messages are read while those before are parsed, and those while the ones before them are committed. `uidLeast`: of all but those in `uids`. */
  async #take(arrived: readonly FolderFile[], uids: ReadonlyMap<string, number> | null, uidLeast: number): Promise<boolean> {
    let isMissing = false;
    let committing: Promise<void> = Promise.resolve();
    const read = (from: number): Promise<{ results: readonly ReadResult[]; body: Uint8Array }> | null =>
      from < arrived.length ? this.#read(arrived.slice(from, from + ARRIVED_AT_ONCE)) : null;
    let reading = read(0);
    const clock = new SliceClock();
    try {
      for (let from = 0; reading !== null; ) {
        const { results, body } = await reading;
        if (results.length === 0) throw new Error('the worker read nothing');
        const files = arrived.slice(from, from + results.length);
        from += results.length;
        reading = read(from);
        reading?.catch(() => {}); // it is waited for in the next turn, if there is one
        const batch: Batch = { arrived: [], writers: [] };
        let at = 0;
        for (const [i, result] of results.entries()) {
          const file = files[i]!;
          if (result === null) isMissing = true;
          else if ('tooLarge' in result) this.#refused(file);
          else {
            const bytes = body.subarray(at, at + result.bytes);
            at += result.bytes;
            const message = await this.#stage(toCrlf(bytes), batch.writers);
            batch.arrived.push({ ...file, ...flagsOf(file.marks), message, internalDate: result.at, uidLeast: uids?.get(file.name) ?? uidLeast });
            if (clock.isOver()) await pause(clock);
          }
        }
        await committing;
        committing = this.#commit(batch);
        committing.catch(() => {}); // as above
      }
    } finally {
      await committing;
    }
    return isMissing;
  }

  async #read(files: readonly FolderFile[]): Promise<{ results: readonly ReadResult[]; body: Uint8Array }> {
    const { answer, body } = await askFolders(this.#work, { op: 'read', path: this.#binding.path, files });
    return { results: answer.results, body };
  }

  async #commit({ arrived, writers }: Batch): Promise<void> {
    await this.#settle({ arrived }).catch((error: unknown) => {
      // A writer that was lost may have committed: files whose fate is not known are left to the sweep.
      if (error instanceof Failure && error.code !== 'storeBusy') for (const writer of writers) writer.abort();
      throw error;
    });
  }

  /** Told once: it is met whenever the folder changes. */
  #refused({ name, file }: FolderFile): void {
    const { context, told, accountId, user } = this.#work;
    const key = `${accountId} ${this.#binding.mailboxId} ${name}`;
    if (!told.has(key)) context.log.warn('mirror.message.refused', { user, folder: this.#binding.name, file });
    told.add(key);
  }

  async #stage(bytes: Uint8Array, writers: MessageWriter[]): Promise<StagedMessage> {
    const { staging } = this.#work.context;
    if (bytes.length <= SMALL_BYTES) return staging.stage(bytes);
    const writer = staging.open();
    writers.push(writer);
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) await writer.write(bytes.subarray(at, at + PIECE_BYTES));
    return writer.finish();
  }

  async #settle(part: Partial<SettleInput>): Promise<void> {
    const { context, accountId, owner } = this.#work;
    const input: SettleInput = {
      accountId,
      owner,
      mailboxId: this.#binding.mailboxId,
      modseq: this.#modseq,
      arrived: [],
      vanished: [],
      flags: [],
      files: [],
      gone: [],
      ...part,
    };
    this.#modseq = (await context.writer.run<SettleOutput>('mirror.settle', input)).modseq;
  }
}

/** Messages that are committed together. */
interface Batch {
  readonly arrived: ArrivedFile[];
  readonly writers: MessageWriter[];
}
