/** Schema version 4: DMARC reports: what is to be reported, and what others reported. */
export const SCHEMA_0004 = `
-- What we owe to others: one row for each UTC day and domain whose policy was applied.
CREATE TABLE dmarc_day (
  day INTEGER NOT NULL,               -- days since 1970
  domain TEXT NOT NULL,               -- where the policy was found; A-labels, lower case
  policy TEXT NOT NULL,               -- JSON: the policy as last seen, and where reports go
  row_count INTEGER NOT NULL DEFAULT 0,
  state TEXT NOT NULL DEFAULT 'open', -- 'open' | 'sent' | 'given up'
  attempts INTEGER NOT NULL DEFAULT 0,
  note TEXT,                          -- why it was not sent, in words
  PRIMARY KEY (day, domain)
) WITHOUT ROWID;
CREATE TABLE dmarc_row (
  day INTEGER NOT NULL,
  domain TEXT NOT NULL,
  key TEXT NOT NULL,                  -- hash of the facts
  facts TEXT NOT NULL,                -- JSON
  count INTEGER NOT NULL,
  PRIMARY KEY (day, domain, key),
  FOREIGN KEY (day, domain) REFERENCES dmarc_day (day, domain) ON DELETE CASCADE
) WITHOUT ROWID;

-- What others reported of our domains.
CREATE TABLE dmarc_report (
  id INTEGER PRIMARY KEY,
  domain TEXT NOT NULL,
  organization TEXT NOT NULL,
  report_id TEXT NOT NULL,
  email TEXT NOT NULL,
  begin_at INTEGER NOT NULL,          -- milliseconds
  end_at INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  policy TEXT NOT NULL,               -- JSON
  messages INTEGER NOT NULL,
  passed INTEGER NOT NULL,
  UNIQUE (organization, report_id, domain)
);
CREATE INDEX dmarc_report_domain ON dmarc_report (domain, end_at);
CREATE INDEX dmarc_report_received ON dmarc_report (received_at);
CREATE TABLE dmarc_record (
  report_id INTEGER NOT NULL REFERENCES dmarc_report (id) ON DELETE CASCADE,
  n INTEGER NOT NULL,
  source_ip TEXT NOT NULL,
  count INTEGER NOT NULL,
  disposition TEXT NOT NULL,
  dkim TEXT NOT NULL,                 -- aligned result: 'pass' | 'fail'
  spf TEXT NOT NULL,
  header_from TEXT NOT NULL,
  details TEXT NOT NULL,              -- JSON: identifiers, single results, reasons
  PRIMARY KEY (report_id, n)
) WITHOUT ROWID;
`;
