/** Schema version 1. Never edited once released: a change is a new file with the next number. */
export const SCHEMA_0001 = `
-- Ids are handed out by the writer from this table (in blocks for what deliveries use up) and never reused.
CREATE TABLE counter (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;

-- directory ────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE domain (
  name TEXT PRIMARY KEY,              -- A-labels, lower case
  created_at INTEGER NOT NULL,
  catch_all TEXT,                     -- address that takes what nobody else does, or null
  is_disabled INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
CREATE TABLE account (
  id INTEGER PRIMARY KEY,
  login TEXT NOT NULL UNIQUE,         -- primary address, "local@domain", local part in lower case
  display_name TEXT,
  is_disabled INTEGER NOT NULL DEFAULT 0,
  quota_bytes INTEGER NOT NULL DEFAULT 0,    -- 0 = none
  quota_messages INTEGER NOT NULL DEFAULT 0,
  used_bytes INTEGER NOT NULL DEFAULT 0,
  used_messages INTEGER NOT NULL DEFAULT 0,
  modseq INTEGER NOT NULL DEFAULT 1,         -- raised by every change to any of its mailboxes
  next_uid_validity INTEGER NOT NULL,
  created_at INTEGER NOT NULL
);
CREATE TABLE alias (
  address TEXT NOT NULL,              -- "local@domain"
  target TEXT NOT NULL,               -- "local@domain", local or remote
  created_at INTEGER NOT NULL,
  PRIMARY KEY (address, target)
) WITHOUT ROWID;
CREATE INDEX alias_target ON alias (target);
CREATE TABLE credential (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
  kind TEXT NOT NULL,                 -- 'password' | 'app'
  label TEXT NOT NULL DEFAULT '',
  hash TEXT NOT NULL,                 -- argon2id PHC string, or a foreign form being phased out
  scram TEXT,                         -- RFC 5803: "SCRAM-SHA-256$iterations:salt$StoredKey:ServerKey", or null
  scopes TEXT NOT NULL DEFAULT '*',   -- '*' or protocols separated by spaces
  created_at INTEGER NOT NULL,
  used_at INTEGER, used_from TEXT
);
CREATE INDEX credential_account ON credential (account_id);

-- mailboxes ────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE mailbox (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
  name TEXT NOT NULL,                 -- full, levels joined by '/', "INBOX" for the inbox
  role TEXT,
  is_subscribed INTEGER NOT NULL DEFAULT 1,
  is_selectable INTEGER NOT NULL DEFAULT 1,
  uid_validity INTEGER NOT NULL,
  uid_next INTEGER NOT NULL DEFAULT 1,
  highest_modseq INTEGER NOT NULL,
  message_count INTEGER NOT NULL DEFAULT 0,
  unseen_count INTEGER NOT NULL DEFAULT 0,
  deleted_count INTEGER NOT NULL DEFAULT 0,
  bytes INTEGER NOT NULL DEFAULT 0,
  recent_uid INTEGER NOT NULL DEFAULT 1,
  created_at INTEGER NOT NULL,
  UNIQUE (account_id, name)
);
-- Subscriptions to names that do not exist (any more) must be kept (RFC 9051 section 6.3.7).
CREATE TABLE subscription (account_id INTEGER NOT NULL, name TEXT NOT NULL, PRIMARY KEY (account_id, name)) WITHOUT ROWID;
CREATE TABLE message (
  account_id INTEGER NOT NULL,
  mailbox_id INTEGER NOT NULL,
  uid INTEGER NOT NULL,
  modseq INTEGER NOT NULL,
  flags INTEGER NOT NULL,
  keywords TEXT,                      -- separated by spaces, sorted; null for none
  internal_date INTEGER NOT NULL,     -- ms
  saved_at INTEGER NOT NULL,          -- ms
  size INTEGER NOT NULL,              -- prefix and blob
  email_id INTEGER NOT NULL,
  PRIMARY KEY (account_id, mailbox_id, uid)
) WITHOUT ROWID;
CREATE TABLE email (
  id INTEGER PRIMARY KEY,
  account_id INTEGER NOT NULL,
  refs INTEGER NOT NULL,              -- message rows
  blob_id INTEGER NOT NULL,
  prefix BLOB NOT NULL,
  blob_bytes INTEGER NOT NULL,
  header_bytes INTEGER NOT NULL,      -- in the blob
  envelope TEXT NOT NULL,
  body_structure TEXT NOT NULL,
  parts BLOB,
  message_id TEXT,
  thread_id INTEGER,
  sent_at INTEGER,
  saved_at INTEGER NOT NULL,
  journey_id TEXT                     -- the transaction that brought it, null for APPEND
);
CREATE TABLE expunged (
  account_id INTEGER NOT NULL, mailbox_id INTEGER NOT NULL, modseq INTEGER NOT NULL, uid INTEGER NOT NULL,
  PRIMARY KEY (account_id, mailbox_id, modseq, uid)
) WITHOUT ROWID;
CREATE TABLE blob (
  id INTEGER PRIMARY KEY,
  refs INTEGER NOT NULL,              -- email and queue_entry rows
  bytes INTEGER NOT NULL,             -- uncompressed
  codec INTEGER NOT NULL,             -- 0 raw, 1 zstd, 2 zstd with the mail dictionary
  data BLOB,                          -- the stored form, or null when it is a file
  file TEXT,                          -- name below blobs/, or null
  frames BLOB                         -- file: compressed length of each 256 KiB frame, u32 little-endian
);
CREATE INDEX blob_file ON blob (file) WHERE file IS NOT NULL;

-- queue ────────────────────────────────────────────────────────────────────────────────────────────
CREATE TABLE queue_entry (
  id INTEGER PRIMARY KEY,
  message_id TEXT NOT NULL UNIQUE,    -- the journey's id
  blob_id INTEGER NOT NULL,
  size INTEGER NOT NULL,
  header_bytes INTEGER NOT NULL,
  header_message_id TEXT,
  source TEXT NOT NULL,
  account_id INTEGER,                 -- who submitted it, or null
  sender TEXT,                        -- null = the null reverse-path
  envid TEXT, ret TEXT,               -- RFC 3461
  smtputf8 INTEGER NOT NULL,
  has_8bit INTEGER NOT NULL,
  created_at INTEGER NOT NULL,
  is_held INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE queue_recipient (
  entry_id INTEGER NOT NULL,
  n INTEGER NOT NULL,                 -- 0, 1, 2 … within the entry
  kind TEXT NOT NULL,                 -- 'remote' | 'local'
  address TEXT NOT NULL,
  domain TEXT NOT NULL,
  account_id INTEGER,                 -- for kind 'local'
  orcpt TEXT, notify TEXT,            -- "never" | words of success,failure,delay | null
  attempts INTEGER NOT NULL DEFAULT 0,
  next_attempt_at INTEGER NOT NULL,
  last_attempt_at INTEGER,
  last_code INTEGER, last_enhanced TEXT, last_reply TEXT, last_host TEXT,
  is_warned INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (entry_id, n)
) WITHOUT ROWID;
-- Fresh recipients are handed to the courier by announcement; only those to be tried again need finding by time.
CREATE INDEX queue_due ON queue_recipient (next_attempt_at) WHERE attempts > 0;
-- The courier's fencing token: a report with an older epoch is refused.
CREATE TABLE courier (role TEXT PRIMARY KEY, epoch INTEGER NOT NULL) WITHOUT ROWID;
`;
