/**
 * Makes one folder and its mailbox equal. The order matters: names are reserved before files are written, the folder is changed before the store
 * says that both agree. Killed anywhere between, the next run finds the same differences, or fewer.
 */
import { hostname } from 'node:os';
import { FILES_AT_ONCE, READ_BYTES } from '../../deliver/user-agent/folders/limits.ts';
import { digestOf, freeName } from '../../deliver/user-agent/folders/mbox-format.ts';
import { type FolderFile, filesFromBody } from '../../deliver/user-agent/folders/types.ts';
import { toCrlf, toLf } from '../../deliver/user-agent/message.ts';
import type { MailboxRow, MessageWriter, StagedMessage } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import { folderKind } from './names.ts';
import { flagsOf, type Flags, marksFor } from './marks.ts';
import type { ArrivedFile, SettledFile, SettleInput, SettleOutput } from './operations.ts';
import { type FolderPlan, isNothing, type Pair, planFolder } from './plan.ts';
import { askFolders, type Binding, type Work } from './types.ts';

/** Rows read in one go. */
const PAGE_ROWS = 5000;
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
  /** Up to here the store's changes are known. */
  #modseq: number;
  #state: string | null;
  /** Lower case; null: the folder keeps any. */
  #canKeep: ReadonlySet<string> | null = null;

  constructor(work: Work, binding: Binding, row: MailboxRow) {
    this.#work = work;
    this.#binding = binding;
    this.#row = row;
    this.#modseq = row.highestModseq;
    this.#state = binding.state;
  }

  async run(isFolderChanged: boolean): Promise<boolean> {
    const plan = (isFolderChanged ? null : this.#planOfStore()) ?? (await this.#planOfBoth());
    const files: SettledFile[] = [...plan.files];
    const gone = [...plan.gone];
    if (plan.added.length > 0 || plan.changes.length > 0) {
      // What the folder looks like after our own changes is found out by looking.
      this.#state = null;
      await this.#add(plan, files);
      await this.#change(plan, files, gone);
    }
    const missing = await this.#take(plan.arrived);
    if (missing) this.#state = null;
    await this.#settle({ vanished: plan.vanished, flags: [...plan.flags.values()], files, gone, state: this.#state });
    const { metrics } = this.#work.context;
    if (plan.arrived.length > 0) metrics.count('mirror.pulled', plan.arrived.length);
    if (plan.added.length + plan.changes.length > 0) metrics.count('mirror.pushed', plan.added.length + plan.changes.length);
    return !isNothing(plan);
  }

  // ── What is to be done ───────────────────────────────────────────────────────────────────────────────

  /** When only the store changed: what changed since. null where that cannot be told so. */
  #planOfStore(): FolderPlan | null {
    const { reader } = this.#work.context;
    const key = [this.#work.accountId, this.#binding.mailboxId] as const;
    const since = this.#binding.modseq;
    const [floor] = (reader.rows('SELECT expunged_floor FROM mailbox WHERE id=?', this.#binding.mailboxId)[0] ?? [0]) as [number];
    if (floor > since) return null;
    const changed = reader.rows(
      'SELECT m.uid, m.flags, m.keywords, f.name, f.file, f.marks FROM message m LEFT JOIN mirror_file f ON f.account_id=m.account_id AND f.mailbox_id=m.mailbox_id AND f.uid=m.uid WHERE m.account_id=? AND m.mailbox_id=? AND m.modseq>?',
      ...key,
      since,
    ) as [number, number, string | null, string | null, string | null, string | null][];
    const expunged = reader.rows(
      'SELECT f.uid, f.name, f.file, f.marks FROM expunged e JOIN mirror_file f ON f.account_id=e.account_id AND f.mailbox_id=e.mailbox_id AND f.uid=e.uid WHERE e.account_id=? AND e.mailbox_id=? AND e.modseq>?',
      ...key,
      since,
    ) as [number, string, string, string | null][];
    const pairs: Pair[] = changed.map(([uid, flags, keywords, name, file, marks]) => ({
      uid,
      store: { flags, keywords },
      base: name === null ? null : { name, file: file ?? '', marks },
    }));
    for (const [uid, name, file, marks] of expunged) pairs.push({ uid, store: null, base: { name, file, marks } });
    // A name taken before a crash: only the folder tells whether its file is there. Keywords: only a listing tells which can be kept.
    if (pairs.some(({ base, store }) => (base !== null && base.marks === null) || (store?.keywords ?? null) !== null)) return null;
    return planFolder(pairs, null, null);
  }

  async #planOfBoth(): Promise<FolderPlan> {
    let files = await this.#list();
    let plan = planFolder(await this.#pairs(), files, this.#canKeep);
    if (plan.vanished.length > 0) {
      // A file that another program renames while the directory is read may be in neither place (readdir(3)): twice missing is gone.
      files = await this.#list();
      plan = planFolder(await this.#pairs(), files, this.#canKeep);
    }
    return plan;
  }

  async #list(): Promise<FolderFile[]> {
    const { answer, body } = await askFolders(this.#work, { op: 'list', path: this.#binding.path });
    this.#state = answer.state;
    this.#canKeep = answer.keywords === null ? null : new Set(answer.keywords.map((word) => word.toLowerCase()));
    return filesFromBody(body);
  }

  /** Everything in the store and in the base, joined by uid. */
  async #pairs(): Promise<Pair[]> {
    const { reader } = this.#work.context;
    const { mailboxId } = this.#binding;
    const base = new Map<number, NonNullable<Pair['base']>>();
    for (let from = 0; ; ) {
      const rows = reader.rows(
        'SELECT uid, name, file, marks FROM mirror_file WHERE account_id=? AND mailbox_id=? AND uid>=? ORDER BY uid LIMIT ?',
        this.#work.accountId,
        mailboxId,
        from,
        PAGE_ROWS,
      ) as [number, string, string, string | null][];
      for (const [uid, name, file, marks] of rows) base.set(uid, { name, file, marks });
      if (rows.length < PAGE_ROWS) break;
      from = rows.at(-1)![0] + 1;
      await breath();
    }
    const pairs: Pair[] = [];
    for (let from = 0; ; ) {
      const rows = reader.messages(this.#work.accountId, mailboxId, from, 0xffffffff, PAGE_ROWS);
      for (const [uid, , flags, keywords] of rows) {
        pairs.push({ uid, store: { flags, keywords }, base: base.get(uid) ?? null });
        base.delete(uid);
      }
      if (rows.length < PAGE_ROWS) break;
      from = rows.at(-1)![0] + 1;
      await breath();
    }
    for (const [uid, known] of base) pairs.push({ uid, store: null, base: known });
    return pairs;
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
        if (result !== null && result !== 'removed') files.push({ uid: one.uid, name: result.name ?? one.name, file: result.file, marks: result.marks });
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
        // What is not there any more another program removed: the next look at the folder tells what that means.
        if (result === 'removed' || (result === null && wanted === null)) gone.push(uid);
        else if (result !== null) files.push({ uid, name: result.name ?? name, file: result.file, marks: result.marks });
      });
    }
  }

  // ── From the folder to the store ─────────────────────────────────────────────────────────────────────

  /** True when some could not be had now. */
  async #take(arrived: readonly FolderFile[]): Promise<boolean> {
    let isMissing = false;
    let waiting: ArrivedFile[] = [];
    let writers: MessageWriter[] = [];
    const commit = async (): Promise<void> => {
      const [taken, made] = [waiting, writers];
      waiting = [];
      writers = [];
      await this.#settle({ arrived: taken }).catch((error: unknown) => {
        // A writer that was lost may have committed: files whose fate is not known are left to the sweep.
        if (error instanceof Failure && error.code !== 'storeBusy') for (const writer of made) writer.abort();
        throw error;
      });
    };
    for (let from = 0; from < arrived.length; ) {
      const batch = arrived.slice(from, from + ARRIVED_AT_ONCE);
      const { answer, body } = await askFolders(this.#work, { op: 'read', path: this.#binding.path, files: batch });
      let at = 0;
      for (const [i, result] of answer.results.entries()) {
        const file = batch[i]!;
        if (result === null) isMissing = true;
        else if ('tooLarge' in result) this.#refused(file);
        else {
          const bytes = body.subarray(at, at + result.bytes);
          at += result.bytes;
          waiting.push({ ...file, ...flagsOf(file.marks), message: await this.#stage(toCrlf(bytes), writers), internalDate: result.at });
        }
      }
      from += answer.results.length;
      if (answer.results.length === 0) throw new Error('the worker read nothing');
      await commit();
    }
    return isMissing;
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

const breath = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
