/** Schema version 5: addresses that were probed (reject_unverified_sender, reject_unverified_recipient). */
export const SCHEMA_0005 = `
CREATE TABLE address_probe (
  address TEXT PRIMARY KEY,            -- local@domain
  status INTEGER NOT NULL,             -- 1 deliverable, 2 undeliverable, 3 not known
  checked_at INTEGER NOT NULL,         -- Unix milliseconds
  text TEXT NOT NULL                   -- what the server said
) STRICT, WITHOUT ROWID;
CREATE INDEX address_probe_checked ON address_probe (checked_at);
`;
