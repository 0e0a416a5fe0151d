/** Schema version 10: rights on mailboxes (RFC 4314), choices of single accounts, keys of URLAUTH (RFC 4467), and which keywords a mailbox has seen. */
export const SCHEMA_0010 = `
-- Who else may do what with a mailbox. Without rows only its owner may do anything.
CREATE TABLE acl (
  mailbox_id INTEGER NOT NULL REFERENCES mailbox (id) ON DELETE CASCADE,
  identifier TEXT NOT NULL,           -- a login, "anyone", "authenticated"; "-" before it: rights taken away
  rights TEXT NOT NULL,               -- letters, sorted as RFC 4314 lists them
  PRIMARY KEY (mailbox_id, identifier)
) WITHOUT ROWID;
CREATE INDEX acl_identifier ON acl (identifier, mailbox_id);
-- Choices of one account that differ from the settings of the server: "imap.hide", "pop3.shows" …
CREATE TABLE account_option (
  account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (account_id, name)
) WITHOUT ROWID;
-- Signs URLs; a new key takes back all URLs that were given out.
CREATE TABLE urlauth_key (
  mailbox_id INTEGER PRIMARY KEY REFERENCES mailbox (id) ON DELETE CASCADE,
  key BLOB NOT NULL
);
-- Every keyword a message of the mailbox ever had, in the case it was first written in, separated by spaces: SELECT names them without reading messages.
ALTER TABLE mailbox ADD COLUMN keywords TEXT NOT NULL DEFAULT '';
UPDATE mailbox SET keywords=coalesce((
  SELECT group_concat(word, ' ') FROM (
    SELECT DISTINCT j.value AS word FROM message m, json_each('["' || replace(m.keywords, ' ', '","') || '"]') j
    WHERE m.account_id=mailbox.account_id AND m.mailbox_id=mailbox.id AND m.keywords IS NOT NULL ORDER BY 1)), '');
-- POP3 unique-ids that messages brought along from another server; every other message has one made of its UID.
CREATE TABLE pop3_uidl (
  mailbox_id INTEGER NOT NULL REFERENCES mailbox (id) ON DELETE CASCADE,
  uid INTEGER NOT NULL,
  uidl TEXT NOT NULL,                 -- 1 to 70 characters 0x21 to 0x7E (RFC 1939 section 7)
  PRIMARY KEY (mailbox_id, uid)
) WITHOUT ROWID;
CREATE UNIQUE INDEX pop3_uidl_text ON pop3_uidl (mailbox_id, uidl);
-- Messages that POP3 clients have deleted where that only hides them ('pop3.deletes').
CREATE TABLE pop3_hidden (
  mailbox_id INTEGER NOT NULL REFERENCES mailbox (id) ON DELETE CASCADE,
  uid INTEGER NOT NULL,
  PRIMARY KEY (mailbox_id, uid)
) WITHOUT ROWID;
-- Imports: a folder or mbox file and the mailbox it goes to.
CREATE TABLE import_source (
  id INTEGER PRIMARY KEY,
  mailbox_id INTEGER NOT NULL REFERENCES mailbox (id) ON DELETE CASCADE,
  path TEXT NOT NULL,
  batches INTEGER NOT NULL DEFAULT 0, -- rows of import_batch; the next one must know it
  uid_next INTEGER,                   -- the old server's UIDs are kept while this is the mailbox's uid_next; null: they are not
  UNIQUE (mailbox_id, path)
);
-- What was taken, noted in the transaction that took it: an import that was killed goes on without loss and without doubles.
CREATE TABLE import_batch (
  source_id INTEGER NOT NULL REFERENCES import_source (id) ON DELETE CASCADE,
  batch INTEGER NOT NULL,
  keys BLOB NOT NULL,                 -- 8 bytes for each message
  PRIMARY KEY (source_id, batch)
) WITHOUT ROWID;
-- Folders of system users: what changed in a folder is told by name; and the subscriptions that account and folders agreed on last (JSON).
CREATE INDEX mirror_file_name ON mirror_file (account_id, mailbox_id, name);
ALTER TABLE mirror_place ADD COLUMN subscriptions TEXT;
`;
