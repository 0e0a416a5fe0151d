/** Schema version 7: routing of single recipients, filter scripts and what filters remember, preferences of accounts, where accounts come from. */
export const SCHEMA_0007 = `
-- The next hop of this recipient alone, and (JSON, LocalTask in ports.ts) what the user agent is to do.
ALTER TABLE queue_recipient ADD COLUMN nexthop TEXT;
ALTER TABLE queue_recipient ADD COLUMN task TEXT;
-- JSON (Arrival in operations/accept.types.ts): what filters that run later ask about; null when nobody will.
ALTER TABLE queue_entry ADD COLUMN arrival TEXT;
-- 'own': made with \`posthorn user\`; 'table': named by lookup tables; 'system': a user of this machine.
ALTER TABLE account ADD COLUMN source TEXT NOT NULL DEFAULT 'own';
ALTER TABLE account ADD COLUMN system_user TEXT;
-- scope: 'account:ID', 'domain:NAME' or 'global'. place: 'personal' (one of them active), 'before', 'after' (in order of name), 'include' (for :global).
CREATE TABLE filter_script (
  scope TEXT NOT NULL,
  name TEXT NOT NULL,
  place TEXT NOT NULL,
  is_active INTEGER NOT NULL DEFAULT 0,
  text BLOB NOT NULL,
  changed_at INTEGER NOT NULL,
  -- When its owner was last told that it fails; null: not since it changed.
  reported_at INTEGER,
  PRIMARY KEY (scope, name)
) WITHOUT ROWID;
-- What filters remember of an account: kind 'vacation', 'duplicate', 'challenge' … key: text or hash, at most 255 characters.
CREATE TABLE filter_memory (
  account_id INTEGER NOT NULL,
  kind TEXT NOT NULL,
  key TEXT NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (account_id, kind, key)
) WITHOUT ROWID;
CREATE INDEX filter_memory_until ON filter_memory (until);
CREATE TABLE account_preference (
  account_id INTEGER NOT NULL,
  name TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (account_id, name)
) WITHOUT ROWID;
-- kind: 'allow' or 'block'. pattern: "user@domain", "@domain" or "@.domain" (with subdomains), lower case.
CREATE TABLE address_list (
  account_id INTEGER NOT NULL,
  kind TEXT NOT NULL,
  pattern TEXT NOT NULL,
  added_at INTEGER NOT NULL,
  PRIMARY KEY (account_id, kind, pattern)
) WITHOUT ROWID;
-- Messages an account sent on to other hosts, by day (days since 1970, UTC).
CREATE TABLE forward_count (
  account_id INTEGER NOT NULL,
  day INTEGER NOT NULL,
  messages INTEGER NOT NULL,
  PRIMARY KEY (account_id, day)
) WITHOUT ROWID;
-- Messages of unknown senders that wait for an answer. token_hash: SHA-256, hex.
CREATE TABLE challenge (
  token_hash TEXT NOT NULL PRIMARY KEY,
  account_id INTEGER NOT NULL,
  sender TEXT NOT NULL,
  created_at INTEGER NOT NULL,
  until INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX challenge_sender ON challenge (account_id, sender);
`;
