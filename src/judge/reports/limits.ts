/** Every bound of this folder, with its reason. */
export const REPORT_LIMITS = {
  /** Rows one thread gathers before it hands them to the writer. */
  flushRows: 500,
  /** Rows held while the writer is busy; more are counted as dropped. */
  heldRows: 5000,
  /** Different rows of one domain and day: a flood of made-up names must not fill the disk. */
  rowsPerDay: 5000,
  /** Domains with rows of one day. */
  domainsPerDay: 20_000,
  /** Signatures of one message that are reported. */
  dkimResults: 10,
  /** Places one domain has its reports sent to (RFC 7489 section 6.2 asks for at least two). */
  destinations: 5,
  /** One text of a row or report: a domain has 253 octets, names of organisations are shorter. */
  textCharacters: 255,
  /** Reports prepared in one round of the reporter. */
  reportsPerRound: 100,
  /** A report that could not be made for so many rounds is given up. */
  attempts: 24,

  /** Attached files of one message that are tried. */
  attachments: 5,
  /** A report as attached. */
  packedBytes: 10 * 1024 * 1024,
  /** A report unpacked; the largest real ones have some megabytes. */
  unpackedBytes: 20 * 1024 * 1024,
  /** Files of one zip archive that are looked at. */
  zipEntries: 10,
  /** Elements within elements; the format needs seven. */
  xmlDepth: 20,
  /** Tags of one report, closing ones counted: twenty thousand records of forty elements. */
  xmlTags: 1_600_000,
  /** Records of one report. */
  records: 20_000,
  /** Messages of one record: what is larger is nonsense, and sums stay exact. */
  count: 1_000_000_000,
  /** Reports that are kept; the oldest go first. */
  reportsKept: 20_000,
} as const;

export const FLUSH_MS = 60_000;
/** After the start: when the server has settled. */
export const FIRST_ROUND_MS = 5_000;
export const ROUND_MS = 10 * 60_000;
/** After midnight UTC, until every thread has handed over the day's last rows. */
export const SETTLE_MS = 15 * 60_000;
export const DAY_MS = 86_400_000;
/** How long it stays known that a day was reported. */
export const SENT_KEEP_DAYS = 30;
