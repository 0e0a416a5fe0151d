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
  /** Result options of one SEARCH, and mailboxes that one ESEARCH names (RFC 7377); "personal" may be more. */
  searchReturns: 20,
  searchMailboxes: 200,
  /** FILTER keys put in place for one search, filters named by filters counted too: with them a short command could stand for a long one (RFC 5466). */
  searchFilters: 50,
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
  /** Event groups of one NOTIFY, and mailbox names in all of them. */
  notifyGroups: 50,
  notifyNames: 1000,
  /** Capabilities of one ENABLE: some clients name all that were announced to them. */
  enable: 200,
  /** Bytes of an identifier in an access control list, and resources of one SETQUOTA. */
  identifierBytes: 1000,
  quotaResources: 20,
  /** Keys of one SORT: each once, REVERSE or not. */
  sortCriteria: 20,
  /** Comparators that one COMPARATOR asks for, and tags that one CANCELUPDATE names. */
  comparators: 50,
  contextTags: 100,
  /** Parts of the messages of one CATENATE, and bytes of one URL: a mailbox name of 1000 bytes, each as %XX, and what stands around it. */
  catenateParts: 1000,
  urlBytes: 4096,
  /** URLs of one URLFETCH or GENURLAUTH, and mechanisms of one RESETKEY. */
  urls: 100,
  urlMechanisms: 10,
  /** Languages of one LANGUAGE, and bytes of one (RFC 4647 ranges are far shorter). */
  languages: 50,
  languageBytes: 100,
} as const;
