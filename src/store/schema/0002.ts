/** Schema version 2: the expunge history knows when, so that it can be cut (RFC 7162 section 5 leaves its length to the server); usage is no longer kept twice. */
export const SCHEMA_0002 = `
ALTER TABLE expunged ADD COLUMN at INTEGER NOT NULL DEFAULT 0;
CREATE INDEX expunged_at ON expunged (at);
-- Usage is the sum over the mailboxes: a copy of it in the account's row cost a page in every commit.
ALTER TABLE account DROP COLUMN used_bytes;
ALTER TABLE account DROP COLUMN used_messages;
-- Of each mailbox: history up to this modseq was cut. A client that was last here before must compare all UIDs.
ALTER TABLE mailbox ADD COLUMN expunged_floor INTEGER NOT NULL DEFAULT 0;
`;
