/** Writes the pieces of `listing.ts`: after emails of an account have come, are gone, or have other envelopes than before. */
import type { AccountId, EmailId, ListedEnvelope, StoreReader } from '../ports.ts';
import type { Connection } from '../store/engines/sqlite.ts';
import { DamagedText } from './kept-text.ts';
import { firstRow } from './layout.ts';
import { SEARCH_LIMITS } from './limits.ts';
import { decodeListing, encodeListing, PIECE_CHARACTERS_MAX } from './listing.ts';

/** Changes when envelopes of stored emails do ('store.setDerived'); none: they never have. */
export const DERIVED_SQL = "SELECT value FROM counter WHERE name='derived'";
const ENVELOPE_SQL = 'SELECT id, envelope, body_structure FROM email WHERE id=? AND account_id=?';
const SHORT_SQL = 'SELECT data FROM short_header WHERE email_id=?';
/** A piece that has shrunk to this part is joined with one beside it. */
const SPARSE = SEARCH_LIMITS.listingEmails / 4;
/** Pieces written with one transaction: some 30 ms. */
const REFRESHED_AT_ONCE = 16;

/** One character a byte, of a row of short_header. */
export function shortText(data: string | Uint8Array): string {
  return typeof data === 'string' ? data : Buffer.from(data.buffer, data.byteOffset, data.length).toString('latin1');
}

/** May it be in a piece? Longer ones, and halves of pairs, which bytes cannot say, stay in the store alone. */
function isListable(envelope: string, bodyStructure: string): boolean {
  return envelope.length + bodyStructure.length <= SEARCH_LIMITS.listedCharacters && envelope.isWellFormed() && bodyStructure.isWellFormed();
}

interface Piece {
  readonly account: AccountId;
  readonly first: EmailId;
  readonly last: EmailId;
  readonly derived: number;
}

export class ListingKeeper {
  readonly #connection: Connection;
  readonly #reader: StoreReader;

  constructor(connection: Connection, reader: StoreReader) {
    this.#connection = connection;
    this.#reader = reader;
  }

  /** The state that the store's envelopes are in. */
  derived(): number {
    return Number(this.#reader.rows(DERIVED_SQL)[0]?.[0] ?? 0);
  }

  /** Makes pieces of the emails that are in none, where there are enough of them. Within a transaction. */
  extend(account: AccountId): void {
    const connection = this.#connection;
    const known = connection.get('SELECT last, listed, listed_email FROM account WHERE id=?', account) as [number, number, EmailId] | undefined;
    if (known === undefined) return;
    const [last] = known;
    let [, listed, listedEmail] = known;
    if (last - listed < SEARCH_LIMITS.listingEmails) return;
    const derived = this.derived();
    while (last - listed >= SEARCH_LIMITS.listingEmails) {
      const next = connection.all(
        'SELECT id, row FROM email WHERE account_id=? AND id>? ORDER BY id LIMIT ?',
        account,
        listedEmail,
        SEARCH_LIMITS.listingEmails,
      );
      if (next.length === 0) {
        listed = last;
        break;
      }
      const { emails, taken } = this.#take(
        account,
        next.map((row) => row[0]),
      );
      const [lastEmail, lastRow] = next[taken - 1]! as [EmailId, number];
      this.#put({ account, first: next[0]![0], last: lastEmail, derived }, emails);
      listed = lastRow - firstRow(account);
      listedEmail = lastEmail;
    }
    connection.run('UPDATE account SET listed=?, listed_email=? WHERE id=?', listed, listedEmail, account);
  }

  /** Takes emails of one account, ascending, out of their pieces; their short headers are gone already. Within a transaction. */
  remove(account: AccountId, gone: readonly EmailId[]): void {
    for (let at = 0; at < gone.length; ) {
      const row = this.#connection.get(
        'SELECT first_email, last_email, derived, envelopes FROM listing WHERE account_id=? AND last_email>=? ORDER BY last_email LIMIT 1',
        account,
        gone[at]!,
      );
      if (row === undefined) return;
      const [first, last, derived, bytes] = row as [EmailId, EmailId, number, Uint8Array];
      const left = new Set<EmailId>();
      for (; at < gone.length && gone[at]! <= last; at += 1) if (gone[at]! >= first) left.add(gone[at]!);
      if (left.size === 0) continue;
      const before = this.#decode(bytes, last);
      if (before === null) continue;
      const after = before.filter(([email]) => !left.has(email));
      if (after.length === before.length) continue;
      const piece = { account, first, last, derived };
      if (after.length > SPARSE || !this.#join(piece, after)) this.#put(piece, after);
    }
  }

  /** Makes some pieces again whose envelopes may be others now; `after`: those up to this email are done. The last it looked at; null: no more. Within a transaction. */
  refresh(after: EmailId): EmailId | null {
    const derived = this.derived();
    const pieces = this.#connection.all(
      'SELECT account_id, first_email, last_email FROM listing WHERE last_email>? AND derived<>? ORDER BY last_email LIMIT ?',
      after,
      derived,
      REFRESHED_AT_ONCE,
    ) as [AccountId, EmailId, EmailId][];
    for (const [account, first, last] of pieces) {
      const ids = this.#connection.all(
        'SELECT id FROM email WHERE account_id=? AND id BETWEEN ? AND ? ORDER BY id LIMIT ?',
        account,
        first,
        last,
        SEARCH_LIMITS.listingEmails,
      );
      const { emails } = this.#take(
        account,
        ids.map((row) => row[0]),
      );
      this.#put({ account, first, last, derived }, emails);
    }
    return pieces.at(-1)?.[2] ?? null;
  }

  /** As many of the emails as go into one piece, without those that go into none; `taken`: how many that is with these. At least one. */
  #take(account: AccountId, ids: readonly EmailId[]): { emails: ListedEnvelope[]; taken: number } {
    const emails: ListedEnvelope[] = [];
    let characters = 0;
    let taken = 0;
    while (taken < ids.length && characters < SEARCH_LIMITS.listingCharacters) {
      const row = this.#reader.rows(ENVELOPE_SQL, ids[taken]!, account)[0] as ListedEnvelope | undefined;
      taken += 1;
      if (row === undefined || !isListable(row[1], row[2])) continue;
      emails.push(row);
      characters += row[1].length + row[2].length;
    }
    return { emails, taken };
  }

  #put({ account, first, last, derived }: Piece, emails: readonly ListedEnvelope[]): void {
    if (emails.length === 0) return this.#drop(last);
    this.#connection.run(
      'INSERT OR REPLACE INTO listing (last_email, account_id, first_email, emails, derived, envelopes) VALUES (?, ?, ?, ?, ?, ?)',
      last,
      account,
      first,
      emails.length,
      derived,
      encodeListing(emails, 2),
    );
    this.#connection.run('INSERT OR REPLACE INTO listing_header (last_email, account_id, headers) VALUES (?, ?, ?)', last, account, this.#headers(emails));
  }

  /** Headers that are too long for the piece are left out: they have rows of their own. */
  #headers(emails: readonly ListedEnvelope[]): Uint8Array {
    const headers: [EmailId, string][] = [];
    let characters = 0;
    for (const [email] of emails) {
      const row = this.#connection.get(SHORT_SQL, email);
      if (row === undefined) continue;
      const header = shortText(row[0]);
      if (characters + header.length > PIECE_CHARACTERS_MAX) continue;
      characters += header.length;
      headers.push([email, header]);
    }
    return encodeListing(headers, 1);
  }

  #drop(last: EmailId): void {
    this.#connection.run('DELETE FROM listing WHERE last_email=?', last);
    this.#connection.run('DELETE FROM listing_header WHERE last_email=?', last);
  }

  /** One piece of this and the one before or after it, when both go into one. */
  #join(piece: Piece, emails: readonly ListedEnvelope[]): boolean {
    if (emails.length === 0) return false;
    const most = SEARCH_LIMITS.listingEmails - emails.length;
    for (const side of ['last_email<? ORDER BY last_email DESC', 'last_email>? ORDER BY last_email']) {
      const row = this.#connection.get(
        `SELECT first_email, last_email, emails, derived, envelopes FROM listing WHERE account_id=? AND ${side} LIMIT 1`,
        piece.account,
        piece.last,
      );
      if (row === undefined || row[2] > most || row[3] !== piece.derived) continue;
      const [first, last, , , bytes] = row as [EmailId, EmailId, number, number, Uint8Array];
      const others = this.#decode(bytes, last);
      if (others === null) continue;
      const all = last < piece.last ? [...others, ...emails] : [...emails, ...others];
      if (all.reduce((sum, [, envelope, bodyStructure]) => sum + envelope.length + bodyStructure.length, 0) > SEARCH_LIMITS.listingCharacters) continue;
      this.#drop(last);
      this.#drop(piece.last);
      this.#put({ ...piece, first: Math.min(first, piece.first), last: Math.max(last, piece.last) }, all);
      return true;
    }
    return false;
  }

  /** null: it is damaged, and gone now; its emails are read in the store. */
  #decode(bytes: Uint8Array, last: EmailId): ListedEnvelope[] | null {
    try {
      return decodeListing(bytes, 2) as ListedEnvelope[];
    } catch (error) {
      if (!(error instanceof DamagedText)) throw error;
      this.#drop(last);
      return null;
    }
  }
}
