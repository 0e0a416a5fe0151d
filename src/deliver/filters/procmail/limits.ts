/** Bounds of the procmail language, each with its reason. */
export const PROCMAIL_LIMITS = {
  /** Bytes of one rc file; INCLUDERC files too. */
  fileBytes: 1 << 20,
  /** Rc files opened in one run: a file that includes itself ends here. */
  filesOpened: 256,
  /** INCLUDERC within INCLUDERC. */
  includeDepth: 32,
  /** Blocks within blocks, `${a:-${b:-…}}` within itself, parentheses in an expression. */
  nesting: 128,
  /** Copies of the run made by `c` on a block; each may make more, so the sum counts. */
  clones: 256,
  /** Instructions of one expression (macros expand to some hundred). */
  expressionSize: 16_384,
  /** States of one expression kept as a table before it is started anew. */
  tableStates: 2_000,
  /** Expressions made of `$` conditions kept for the next message. */
  expressionsKept: 200,
  /** LINEBUF may be set within these. */
  lineBytesLeast: 128,
  lineBytesMost: 1 << 20,
  /** Standard output of a filter that becomes the message. */
  filterBytes: 64 << 20,
  /** Recipes and assignments carried out in one run. */
  steps: 100_000,
} as const;
