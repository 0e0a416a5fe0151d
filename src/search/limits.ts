/** Bounds of the search index, with their reasons. */
export const SEARCH_LIMITS = {
  /** Header octets that are read of a message; what is longer is not a header anybody wrote. The message counts as not indexed. */
  headerBytes: 1024 * 1024,
  /** Messages of one transaction, and characters after which it ends early: more saves little time and costs memory. */
  batchMessages: 500,
  batchCharacters: 8 * 1024 * 1024,
  /** Of the indexer's thread: how long it works before it looks at its messages. */
  sliceMs: 20,
  /** Of a query in a session's thread, before others run: half of what `access/imap/pace.ts` allows. */
  querySliceMs: 6,
  /** Trigrams of a text that are looked up: more leave out hardly any candidate that the check would refuse. */
  gramsMax: 12,
  /** Words of a FUZZY search, and characters of one that count. */
  fuzzyWords: 16,
  fuzzyWordLength: 40,
  /** Emails whose text is compared with the words; those that have the most trigrams in common come first. */
  fuzzyCandidates: 2000,
  /** Different words of one text that are looked at. */
  fuzzyTextWords: 50_000,
  /** Emails removed from the index with one transaction: 100 take some 20 ms. */
  removeAtOnce: 100,
  /** Attachments of one message, and encoded octets of one that are read. */
  attachments: 20,
  attachmentBytes: 24 * 1024 * 1024,
  /** Tries for the attachments of one message, counted before each: one that ends the process is not tried for ever. */
  attachmentAttempts: 2,
  /** Emails whose envelopes stand together in one piece (listing.ts), characters after which it ends early, and of the longest email in one: some 10 KB on the disk, 0.1 ms to unpack. Three octets a character must fit into one frame. */
  listingEmails: 128,
  listingCharacters: 64 * 1024,
  listedCharacters: 16 * 1024,
} as const;
