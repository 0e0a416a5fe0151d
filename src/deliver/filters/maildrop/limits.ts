/** Bounds of what a `.mailfilter` file and one run of it may cost. */
export const MAILDROP_LIMITS = {
  /** Bytes of one file, included ones too. */
  fileBytes: 1024 * 1024,
  /** Blocks and brackets inside one another; the parser and the walks over the tree recurse that deep. */
  depth: 100,
  /** Operators of one statement. */
  operators: 1000,
  /** `if` with its `elsif`s; the conversion recurses that deep. */
  arms: 1000,
  /** Files that include one another. maildrop itself has only its timer. */
  includeDepth: 20,
  /** Statements carried out, turns of loops and lines of lookup files in one run: the end of `while (1)`. */
  steps: 200_000,
  /** Characters of one variable or of any other value: a loop that doubles a variable ends here. */
  valueChars: 4 * 1024 * 1024,
  /** Matches that one `foreach` walks over. */
  matches: 20_000,
  /** Output of a command between backquotes. */
  backquoteBytes: 1024 * 1024,
  /** What `xfilter` may make of a message beyond the message's own size. */
  filteredBytes: 64 * 1024 * 1024,
  /** Text taken from one message for patterns. */
  searchedBytes: 64 * 1024 * 1024,
  /** Longest line or value that RE2 is given; longer ones are taken for not matching. */
  linearChars: 8 * 1024 * 1024,
  /** Compiled patterns kept for one script. */
  patterns: 1000,
  /** Addresses of one `to "!..."`. */
  forwardAddresses: 100,
} as const;
