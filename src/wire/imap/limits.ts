/** Bounds of what one IMAP command may hold. Line and literal sizes are settings of the session; these protect the parser. */
export const IMAP_LIMITS = {
  /** A tag longer than this is not one: real clients send up to about 12 characters. */
  tagBytes: 64,
  /** Ranges in one sequence set; clients that sync send a few thousand, a hostile one sends them to cost us time. */
  sequenceRanges: 8192,
  /** Parentheses, NOT and OR inside each other in SEARCH. The parser recurses, so this bounds the stack. */
  searchDepth: 100,
  /** Search keys of one command. */
  searchKeys: 2000,
  /** BODY and TEXT keys of one command: each looks through all of a message's text, and nobody else has a turn meanwhile. */
  searchTextKeys: 64,
  /** Items of one FETCH. */
  fetchItems: 100,
  /** Field names of one HEADER.FIELDS. */
  headerFields: 200,
  /** Part numbers of one section: deeper than any structure that mail/ keeps. */
  sectionDepth: 100,
  /** Flags and keywords in one list, and bytes of one keyword. */
  flags: 100,
  flagBytes: 200,
  /** Patterns of one LIST. */
  listPatterns: 100,
  /** Field pairs of ID (RFC 2971 section 3.3) and bytes of one value there. */
  idPairs: 30,
  idBytes: 1024,
  /** Entries of one GETMETADATA or SETMETADATA, and options of the former. */
  metadataEntries: 200,
  metadataOptions: 10,
  /** Capabilities of one ENABLE. */
  enable: 50,
} as const;
