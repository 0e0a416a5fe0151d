/** Schema version 3: what the judge remembers of clients: greylist, clients that passed the door, the sending habit of accounts. */
export const SCHEMA_0003 = `
-- greylist: one row for each triplet; key is a digest of (network or SPF domain, sender, recipient).
CREATE TABLE greylist (
  key TEXT PRIMARY KEY,
  first_at INTEGER NOT NULL,          -- ms
  passed_at INTEGER,                  -- when it came back, or null while it has not
  expires_at INTEGER NOT NULL         -- end of the retry window, then of the lifetime; the lowest go first when there are too many
) WITHOUT ROWID;
CREATE INDEX greylist_expires ON greylist (expires_at);
-- Networks and SPF domains whose triplets came back: enough of them and the client need not wait any more.
CREATE TABLE greylist_client (
  key TEXT PRIMARY KEY,               -- "192.0.2.0/24", "2001:db8:0:1::/64", "spf example.org"
  good INTEGER NOT NULL,
  seen_at INTEGER NOT NULL,           -- written at most once an hour
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX greylist_client_expires ON greylist_client (expires_at);
-- What each account usually sends: recipients in an hour and in a day, among the hours and days in which it sends at all.
CREATE TABLE sender_habit (
  account_id INTEGER PRIMARY KEY REFERENCES account (id) ON DELETE CASCADE,
  since INTEGER NOT NULL,             -- ms; first time it was seen to send
  hour_at INTEGER NOT NULL, hour_count INTEGER NOT NULL, hour_mean REAL NOT NULL, hour_deviation REAL NOT NULL, hour_peak REAL NOT NULL,
  day_at INTEGER NOT NULL, day_count INTEGER NOT NULL, day_mean REAL NOT NULL, day_deviation REAL NOT NULL, day_peak REAL NOT NULL,
  held_until INTEGER NOT NULL DEFAULT 0,     -- an incident is open: its mail is held
  allowed_until INTEGER NOT NULL DEFAULT 0   -- released by the administrator: not judged until then
);
-- door: clients that waited for their greeting.
CREATE TABLE passed_client (
  client TEXT PRIMARY KEY,            -- "192.0.2.1", "2001:db8:0:1::/64"
  passed_at INTEGER NOT NULL          -- ms; the lowest go first when there are too many
) WITHOUT ROWID;
CREATE INDEX passed_client_at ON passed_client (passed_at);
`;
