/** Schema version 9: mailboxes that are kept equal to folders of system users (src/access/mirror). */
export const SCHEMA_0009 = `
-- Where the folders of an account were; when that changes, what is known of them is forgotten.
CREATE TABLE mirror_place (account_id INTEGER PRIMARY KEY, place TEXT NOT NULL);
CREATE TABLE mirror_folder (
  mailbox_id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  path TEXT NOT NULL,                 -- "" for the inbox, ".Lists.Cars" (Maildir++), "Lists/Cars" (mbox)
  name TEXT NOT NULL,                 -- of the mailbox, when both were equal
  identity TEXT NOT NULL,             -- device and inode
  state TEXT,                         -- what it looked like when it was read last; null: read it again
  modseq INTEGER NOT NULL DEFAULT 0,  -- of the mailbox: all changes up to it are in the folder
  UNIQUE (account_id, path)
);
-- What folder and mailbox agreed on last. marks null: the name is taken, whether the file was written is not known.
CREATE TABLE mirror_file (
  account_id INTEGER NOT NULL,
  mailbox_id INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  name TEXT NOT NULL,
  file TEXT NOT NULL,
  marks TEXT,
  PRIMARY KEY (account_id, mailbox_id, uid)
) WITHOUT ROWID;
`;
