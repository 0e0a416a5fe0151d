/** Reads: synchronous, short, in the thread that asks, on its own read-only connection. */
import type {
  AccountId,
  BlobId,
  BodyRow,
  EmailId,
  EmailRow,
  MailboxId,
  MailboxRow,
  MessageReader,
  MessageState,
  MessageTuple,
  StoredBody,
  StoreReader,
} from '../ports.ts';
import { Failure } from '../system/failure.ts';
import { openBlobRow } from './blobs/reader.ts';
import { type Connection, openReader, type Row } from './engines/sqlite.ts';
import { MAILBOX_COLUMNS, mailboxRow } from './rows.ts';

const NO_PREFIX = new Uint8Array(0);

const EMAIL_SQL =
  'SELECT id, blob_id, prefix, blob_bytes, header_bytes, envelope, body_structure, parts, message_id, sent_at, saved_at FROM email WHERE id=? AND account_id=?';
const MESSAGES_SQL =
  'SELECT uid, modseq, flags, keywords, internal_date, size, email_id FROM message WHERE account_id=? AND mailbox_id=? AND uid BETWEEN ? AND ? ORDER BY uid LIMIT ?';
const STATES_SQL = 'SELECT uid, modseq, flags, keywords FROM message WHERE account_id=? AND mailbox_id=? AND uid BETWEEN ? AND ? ORDER BY uid LIMIT ?';
const ENVELOPES_SQL =
  'SELECT m.uid, e.envelope, e.body_structure, e.id, length(e.prefix)+e.header_bytes FROM message m JOIN email e ON e.id=m.email_id WHERE m.account_id=? AND m.mailbox_id=? AND m.uid BETWEEN ? AND ? ORDER BY m.uid LIMIT ?';

const BODIES_SQL =
  'SELECT m.uid, m.modseq, m.flags, m.keywords, m.internal_date, m.size, m.email_id, e.prefix, e.blob_bytes, e.header_bytes, e.parts, e.blob_id, b.bytes, b.codec, b.data, b.file, b.frames FROM message m JOIN email e ON e.id=m.email_id LEFT JOIN blob b ON b.id=e.blob_id WHERE m.account_id=? AND m.mailbox_id=? AND m.uid BETWEEN ? AND ? ORDER BY m.uid LIMIT ?';

/** A row of BODIES_SQL. */
class BodyOfRow implements StoredBody {
  readonly message: MessageTuple;
  readonly email: BodyRow;
  readonly #row: Row;
  readonly #blobDir: string;

  constructor(row: Row, blobDir: string) {
    this.message = row as unknown as MessageTuple;
    this.email = { id: row[6], prefix: row[7], blobBytes: row[8], headerBytes: row[9], parts: row[10] };
    this.#row = row;
    this.#blobDir = blobDir;
  }

  open(): MessageReader {
    const row = this.#row;
    if (row[12] === null) throw new Failure('corruptBlob', `blob ${row[11]} is missing`);
    return openBlobRow({ bytes: row[12], codec: row[13], data: row[14], file: row[15], frames: row[16] }, row[7], this.#blobDir);
  }
}

export class SqliteReader implements StoreReader {
  readonly #connection: Connection;
  readonly #blobDir: string;

  constructor(connection: Connection, blobDir: string) {
    this.#connection = connection;
    this.#blobDir = blobDir;
  }

  mailboxes(accountId: AccountId): MailboxRow[] {
    return this.#connection.all(`SELECT ${MAILBOX_COLUMNS} FROM mailbox WHERE account_id=? ORDER BY name`, accountId).map(mailboxRow);
  }
  mailboxByName(accountId: AccountId, name: string): MailboxRow | null {
    const row = this.#connection.get(`SELECT ${MAILBOX_COLUMNS} FROM mailbox WHERE account_id=? AND name=?`, accountId, name);
    return row === undefined ? null : mailboxRow(row);
  }
  mailboxById(accountId: AccountId, id: MailboxId): MailboxRow | null {
    const row = this.#connection.get(`SELECT ${MAILBOX_COLUMNS} FROM mailbox WHERE id=? AND account_id=?`, id, accountId);
    return row === undefined ? null : mailboxRow(row);
  }
  messages(accountId: AccountId, mailboxId: MailboxId, fromUid: number, toUid: number, limit: number): MessageTuple[] {
    return this.#connection.all(MESSAGES_SQL, accountId, mailboxId, fromUid, toUid, limit) as MessageTuple[];
  }
  states(accountId: AccountId, mailboxId: MailboxId, fromUid: number, toUid: number, limit: number): MessageState[] {
    return this.#connection.all(STATES_SQL, accountId, mailboxId, fromUid, toUid, limit) as unknown as MessageState[];
  }
  message(accountId: AccountId, mailboxId: MailboxId, uid: number): MessageTuple | null {
    return (this.#connection.get(MESSAGES_SQL, accountId, mailboxId, uid, uid, 1) as MessageTuple | undefined) ?? null;
  }
  expungedSince(accountId: AccountId, mailboxId: MailboxId, since: number, limit: number): [number, number][] {
    return this.#connection.all(
      'SELECT modseq, uid FROM expunged WHERE account_id=? AND mailbox_id=? AND modseq>? ORDER BY modseq, uid LIMIT ?',
      accountId,
      mailboxId,
      since,
      limit,
    ) as [number, number][];
  }
  email(accountId: AccountId, id: EmailId): EmailRow | null {
    const row = this.#connection.get(EMAIL_SQL, id, accountId);
    if (row === undefined) return null;
    return {
      id: row[0],
      blobId: row[1],
      prefix: row[2],
      blobBytes: row[3],
      headerBytes: row[4],
      envelope: row[5],
      bodyStructure: row[6],
      parts: row[7],
      messageId: row[8],
      sentAt: row[9],
      savedAt: row[10],
    };
  }
  envelopes(accountId: AccountId, mailboxId: MailboxId, fromUid: number, toUid: number, limit: number): [number, string, string, EmailId, number][] {
    return this.#connection.all(ENVELOPES_SQL, accountId, mailboxId, fromUid, toUid, limit) as [number, string, string, EmailId, number][];
  }
  open(email: EmailRow): MessageReader {
    return this.#open(email.blobId, email.prefix);
  }
  bodies(accountId: AccountId, mailboxId: MailboxId, fromUid: number, toUid: number, limit: number): StoredBody[] {
    return this.#connection.all(BODIES_SQL, accountId, mailboxId, fromUid, toUid, limit).map((row) => new BodyOfRow(row, this.#blobDir));
  }
  openBlob(blobId: BlobId): MessageReader {
    return this.#open(blobId, NO_PREFIX);
  }
  #open(blobId: BlobId, prefix: Uint8Array): MessageReader {
    const row = this.#connection.get('SELECT bytes, codec, data, file, frames FROM blob WHERE id=?', blobId);
    if (row === undefined) throw new Failure('corruptBlob', `blob ${blobId} is missing`);
    return openBlobRow({ bytes: row[0], codec: row[1], data: row[2], file: row[3], frames: row[4] }, prefix, this.#blobDir);
  }
  usage(accountId: AccountId): { bytes: number; messages: number; quotaBytes: number; quotaMessages: number } | null {
    const row = this.#connection.get(
      'SELECT coalesce(sum(b.bytes), 0), coalesce(sum(b.message_count), 0), a.quota_bytes, a.quota_messages FROM account a LEFT JOIN mailbox b ON b.account_id=a.id WHERE a.id=? GROUP BY a.id',
      accountId,
    );
    return row === undefined ? null : { bytes: row[0], messages: row[1], quotaBytes: row[2], quotaMessages: row[3] };
  }
  rows(sql: string, ...parameters: (string | number | null)[]): unknown[][] {
    return this.#connection.all(sql, ...parameters);
  }
  close(): void {
    this.#connection.close();
  }
}

/** A reader of the store in `databasePath`, whose schema the writer has brought up to date before. */
export function openStoreReader(databasePath: string, blobDir: string): SqliteReader {
  return new SqliteReader(openReader(databasePath), blobDir);
}
