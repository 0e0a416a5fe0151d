/**
 * The tables of search.db. All of it follows from the store: another version of this file, of the fold (`mail/text.ts`), of the text
 * that is taken from messages (`mail/searchable-text.ts`) or of the dictionary (`kept-text.ts`) needs another number, and then the
 * index is made again.
 */
export const SEARCH_VERSION = 4;
/** Of the tables whose content is taken over into the next index: which thread an email is in must never change. */
export const THREADS_VERSION = 1;

/** Trigrams of the folded text (grams.ts), without positions: they say which emails may contain a text; the kept text says which do. */
const grams = (name: string): string =>
  `CREATE VIRTUAL TABLE ${name} USING fts5(text, content='', contentless_delete=1, detail=none, tokenize='ascii');
   INSERT INTO ${name}(${name}, rank) VALUES('hashsize', 4194304);`;

export const SEARCH_SCHEMA = `
-- 'derived': every piece of listing was made at this state of the store's envelopes, but for those that say otherwise.
-- 'cursor': every email up to this id was looked at, in the same transaction as its rows. 'build': changes when the index is made again. 'threads': THREADS_VERSION.
CREATE TABLE state (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
-- The numbers of an account's emails (layout.ts): the last one given, and the last one in listing, with its email.
CREATE TABLE account (id INTEGER PRIMARY KEY, last INTEGER NOT NULL, listed INTEGER NOT NULL DEFAULT 0, listed_email INTEGER NOT NULL DEFAULT 0);
CREATE TABLE email (
  id INTEGER PRIMARY KEY,             -- the store's
  account_id INTEGER NOT NULL,
  row INTEGER NOT NULL,               -- in kept, header_grams …
  saved_at INTEGER NOT NULL,          -- the store's: tells another store's email of the same id apart
  is_complete INTEGER NOT NULL,       -- 0: not all of its text is here
  message_id TEXT,
  refs TEXT NOT NULL,                 -- separated by line ends
  base_subject TEXT NOT NULL,
  is_reply INTEGER NOT NULL,
  thread_id INTEGER NOT NULL
);
CREATE INDEX email_account ON email (account_id, id);
CREATE INDEX email_thread ON email (thread_id);
CREATE INDEX email_incomplete ON email (account_id, id) WHERE is_complete=0;
-- Folded text, compressed (kept-text.ts).
CREATE TABLE kept (row INTEGER PRIMARY KEY, email_id INTEGER NOT NULL, header BLOB NOT NULL, body BLOB NOT NULL);
CREATE TABLE kept_attachment (row INTEGER PRIMARY KEY, email_id INTEGER NOT NULL, text BLOB NOT NULL);
-- The header without its long fields (mail/short-header.ts), text when it is ASCII, else bytes: lists of messages are read here, not out of the messages.
CREATE TABLE short_header (email_id INTEGER PRIMARY KEY, account_id INTEGER NOT NULL, data NOT NULL);
-- Envelopes of an account's emails from first_email to last_email (listing.ts), as the store had them at 'derived' (its counter).
CREATE TABLE listing (
  last_email INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  first_email INTEGER NOT NULL,
  emails INTEGER NOT NULL,            -- how many
  derived INTEGER NOT NULL,
  envelopes BLOB NOT NULL
);
-- The short headers of the same emails, as far as they have one: copies of short_header.
CREATE TABLE listing_header (last_email INTEGER PRIMARY KEY, account_id INTEGER NOT NULL, headers BLOB NOT NULL);
CREATE INDEX listing_account ON listing (account_id, last_email, first_email, emails, derived);
-- Emails whose attachments are still to be read.
CREATE TABLE attachment_todo (row INTEGER PRIMARY KEY, email_id INTEGER NOT NULL, attempts INTEGER NOT NULL);
-- Which thread a message id belongs to, of the message itself or of one that refers to it (threads.ts).
CREATE TABLE thread_key (account_id INTEGER NOT NULL, key INTEGER NOT NULL, thread_id INTEGER NOT NULL, PRIMARY KEY (account_id, key)) WITHOUT ROWID;
CREATE INDEX thread_key_thread ON thread_key (account_id, thread_id);
-- Threads of emails as the index before this one knew them, until all are indexed again.
CREATE TABLE thread_before (email_id INTEGER PRIMARY KEY, thread_id INTEGER NOT NULL);
${grams('header_grams')}
${grams('body_grams')}
${grams('attachment_grams')}
INSERT INTO state VALUES('cursor', 0), ('derived', 0), ('threads', ${THREADS_VERSION});
PRAGMA user_version=${SEARCH_VERSION};
`;
