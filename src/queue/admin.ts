/** Administration of the queue: look, and act on what a filter names, in pages of 1,000 so that mail goes on flowing between. */
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { AdminContext, AdminHandler, AdminHandlers, StoreReader } from '../ports.ts';
import { Failure } from '../system/failure.ts';

/** What all commands take; all given conditions must hold. */
export interface QueueFilter {
  /** Message ids ("0mf…") as in the log and the reply to the sender. */
  readonly ids?: readonly string[];
  /** Address, "<>" for the null sender, or "@domain". Case-insensitive. */
  readonly sender?: string;
  /** Address of a recipient still waiting. */
  readonly recipient?: string;
  /** Domain of a recipient still waiting. */
  readonly domain?: string;
  /** Came in at least so long ago. */
  readonly olderThanMs?: number;
  readonly isHeld?: boolean;
  /** Needed by commands that change something when nothing else is given. */
  readonly all?: boolean;
}

export interface QueueRecipientView {
  readonly address: string;
  readonly kind: 'remote' | 'local';
  readonly attempts: number;
  readonly nextAttemptAt: number;
  readonly lastAttemptAt: number | null;
  readonly lastReply: string | null;
  readonly lastHost: string | null;
}
export interface QueueEntryView {
  readonly id: string;
  readonly createdAt: number;
  readonly size: number;
  readonly sender: string | null;
  readonly source: string;
  readonly messageId: string | null;
  readonly isHeld: boolean;
  /** Why the judge held it; null when an administrator did, or when it is not held. */
  readonly holdReason: string | null;
  readonly recipientCount: number;
  /** The first ones; all of them in 'queue.show'. */
  readonly recipients: readonly QueueRecipientView[];
}
export interface QueueList {
  readonly entries: readonly QueueEntryView[];
  /** How many match in all. */
  readonly total: number;
}

const PAGE = 1000;
const IDS_MAX = 1000;
const LIST_MAX = 10_000;
const RECIPIENTS_LISTED = 5;
const RECIPIENTS_SHOWN = 100_000;
const CAT_PIECE = 48 * 1024; // divisible by 3, so that the base64 pieces join

type Values = (string | number)[];

/** Conditions as SQL. The text depends only on which conditions are given, so few statements are ever prepared. */
function where(filter: QueueFilter, now: number): { sql: string; values: Values } {
  const parts: string[] = [];
  const values: Values = [];
  if (filter.sender !== undefined) {
    const sender = filter.sender.toLowerCase();
    if (sender === '<>' || sender === '') parts.push('e.sender IS NULL');
    else if (sender.startsWith('@')) {
      parts.push('substr(lower(e.sender), -length(?)) = ?');
      values.push(sender, sender);
    } else {
      parts.push('lower(e.sender) = ?');
      values.push(sender);
    }
  }
  if (filter.recipient !== undefined) {
    parts.push('EXISTS (SELECT 1 FROM queue_recipient r WHERE r.entry_id=e.id AND lower(r.address) = ?)');
    values.push(filter.recipient.toLowerCase());
  }
  if (filter.domain !== undefined) {
    parts.push('EXISTS (SELECT 1 FROM queue_recipient r WHERE r.entry_id=e.id AND r.domain = ?)');
    values.push(filter.domain.toLowerCase());
  }
  if (filter.olderThanMs !== undefined) {
    parts.push('e.created_at <= ?');
    values.push(now - filter.olderThanMs);
  }
  if (filter.isHeld !== undefined) parts.push(`e.is_held = ${filter.isHeld ? 1 : 0}`);
  return { sql: parts.map((part) => ` AND ${part}`).join(''), values };
}

/** Refuses what a mistyped call could mean. */
function checked(args: unknown): QueueFilter {
  const filter = (args ?? {}) as QueueFilter;
  if (filter.ids !== undefined && (!Array.isArray(filter.ids) || filter.ids.some((id) => typeof id !== 'string')))
    throw new Error('ids must be a list of message ids.');
  if (filter.ids !== undefined && filter.ids.length > IDS_MAX) throw new Error(`At most ${IDS_MAX} ids at once.`);
  for (const key of ['sender', 'recipient', 'domain'] as const)
    if (filter[key] !== undefined && typeof filter[key] !== 'string') throw new Error(`${key} must be text.`);
  if (filter.olderThanMs !== undefined && !(Number.isFinite(filter.olderThanMs) && filter.olderThanMs >= 0))
    throw new Error('olderThanMs must be a time span in milliseconds.');
  return filter;
}

/** Entry numbers in pages, oldest first. Ids that are not in the queue are an error: the person meant something. */
async function* matching(context: AdminContext, filter: QueueFilter, signal: AbortSignal): AsyncGenerator<number[]> {
  const { sql, values } = where(filter, context.now());
  if (filter.ids !== undefined && filter.ids.length > 0) {
    const found: number[] = [];
    for (const id of filter.ids) {
      const row = context.reader.rows('SELECT id FROM queue_entry WHERE message_id=?', id)[0];
      if (row === undefined) throw new Failure('noSuchEntry', `No message ${id} is in the queue.`);
      if (context.reader.rows(`SELECT 1 FROM queue_entry e WHERE e.id=?${sql}`, row[0] as number, ...values).length > 0) found.push(row[0] as number);
    }
    yield found;
    return;
  }
  for (let after = 0; ; ) {
    signal.throwIfAborted();
    const rows = context.reader.rows(`SELECT e.id FROM queue_entry e WHERE e.id>?${sql} ORDER BY e.id LIMIT ?`, after, ...values, PAGE);
    if (rows.length > 0) yield rows.map((row) => row[0] as number);
    if (rows.length < PAGE) return;
    after = rows[rows.length - 1]![0] as number;
    await nextTurn();
  }
}

function view(reader: StoreReader, entryId: number, recipientsMax: number): QueueEntryView | null {
  const row = reader.rows(
    'SELECT message_id, created_at, size, sender, source, header_message_id, is_held, hold_reason FROM queue_entry WHERE id=?',
    entryId,
  )[0];
  if (row === undefined) return null;
  const recipients = reader.rows(
    'SELECT address, kind, attempts, next_attempt_at, last_attempt_at, last_reply, last_host FROM queue_recipient WHERE entry_id=? ORDER BY n LIMIT ?',
    entryId,
    recipientsMax,
  );
  return {
    id: row[0] as string,
    createdAt: row[1] as number,
    size: row[2] as number,
    sender: row[3] as string | null,
    source: row[4] as string,
    messageId: row[5] as string | null,
    isHeld: row[6] === 1,
    holdReason: row[6] === 1 ? (row[7] as string | null) : null,
    recipientCount:
      recipients.length < recipientsMax ? recipients.length : Number(reader.rows('SELECT count(*) FROM queue_recipient WHERE entry_id=?', entryId)[0]![0]),
    recipients: recipients.map((r) => ({
      address: r[0] as string,
      kind: r[1] as 'remote' | 'local',
      attempts: r[2] as number,
      nextAttemptAt: r[3] as number,
      lastAttemptAt: r[4] as number | null,
      lastReply: r[5] as string | null,
      lastHost: r[6] as string | null,
    })),
  };
}

function entryOf(context: AdminContext, args: any): number {
  const row = typeof args?.id === 'string' ? context.reader.rows('SELECT id FROM queue_entry WHERE message_id=?', args.id)[0] : undefined;
  if (row === undefined) throw new Failure('noSuchEntry', `No message ${String(args?.id)} is in the queue.`);
  return row[0] as number;
}

/** Runs a writer operation over everything that matches. Emits { changed } after each page. */
const change =
  (operation: string, isHeld?: boolean): AdminHandler =>
  async (context, args, emit, signal) => {
    const filter = checked(args);
    const isNarrow =
      (filter.ids?.length ?? 0) > 0 ||
      filter.sender !== undefined ||
      filter.recipient !== undefined ||
      filter.domain !== undefined ||
      filter.olderThanMs !== undefined ||
      filter.isHeld !== undefined;
    if (!isNarrow && filter.all !== true) throw new Error('Say which messages: ids, or a filter, or all.');
    let changed = 0;
    for await (const entryIds of matching(context, isHeld === undefined || filter.ids !== undefined ? filter : { ...filter, isHeld }, signal)) {
      if (entryIds.length === 0) continue;
      changed += (await context.writer.run<{ changed: number }>(operation, { entryIds })).changed;
      emit({ changed });
    }
    return { changed };
  };

export const QUEUE_ADMIN: AdminHandlers = {
  /** Filter and `limit` (100 unless given), oldest first. Answers QueueList. */
  'queue.list': async (context, args, _emit, signal): Promise<QueueList> => {
    const filter = checked(args);
    const limit = Math.min(Math.max(Number(args?.limit ?? 100) || 0, 0), LIST_MAX);
    const entries: QueueEntryView[] = [];
    let total = 0;
    for await (const entryIds of matching(context, filter, signal)) {
      for (const entryId of entryIds) {
        if (entries.length >= limit) break;
        const entry = view(context.reader, entryId, RECIPIENTS_LISTED);
        if (entry !== null) entries.push(entry);
      }
      total += entryIds.length;
    }
    return { entries, total };
  },
  /** { id }: one entry with all its recipients. */
  'queue.show': async (context, args): Promise<QueueEntryView> => {
    const entry = view(context.reader, entryOf(context, args), RECIPIENTS_SHOWN);
    if (entry === null) throw new Failure('noSuchEntry');
    return entry;
  },
  /** { id }: the message itself, emitted as { base64 } pieces. */
  'queue.cat': async (context, args, emit, signal): Promise<{ size: number }> => {
    const row = context.reader.rows('SELECT blob_id, size FROM queue_entry WHERE id=?', entryOf(context, args))[0]!;
    const reader = context.reader.openBlob(row[0] as number);
    try {
      const size = row[1] as number;
      for (let at = 0; at < size; at += CAT_PIECE) {
        signal.throwIfAborted();
        emit({ base64: Buffer.from(await reader.slice(at, Math.min(size, at + CAT_PIECE))).toString('base64') });
      }
      return { size };
    } finally {
      reader.close();
    }
  },
  'queue.hold': change('queue.hold', false),
  'queue.release': change('queue.release', true),
  'queue.retry': change('queue.retry'),
  'queue.requeue': change('queue.requeue'),
  'queue.delete': change('queue.delete'),
  /** Everything at once, whatever its time. */
  'queue.flush': (context, _args, emit, signal) => change('queue.retry')(context, { all: true }, emit, signal),
};
