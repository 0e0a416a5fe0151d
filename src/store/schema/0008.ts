/** Schema version 8: annotations on mailboxes and accounts (RFC 5464). */
export const SCHEMA_0008 = `
-- mailbox_id 0: on the server, as this account sees it. entry: lower case, "/private/…" or "/shared/…".
CREATE TABLE annotation (
  account_id INTEGER NOT NULL,
  mailbox_id INTEGER NOT NULL,
  entry TEXT NOT NULL,
  value BLOB NOT NULL,
  changed_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, mailbox_id, entry)
) WITHOUT ROWID;
`;
