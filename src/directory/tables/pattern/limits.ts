/** Bounds of patterns written by people. */
export const PATTERN_LIMITS = {
  /** Longer patterns are lists of alternatives that belong into a table of their own. */
  sourceChars: 16_384,
  /** Nested brackets; the parser and the walks over the tree recurse that deep. */
  depth: 100,
  /** PCRE allows 65,535; a compiled repeat of a group is as large as its count. */
  repeat: 1000,
  /** Sum of nodes after counted repeats are written out: the compiled size. */
  expandedNodes: 200_000,
  /** Capturing groups. */
  groups: 200,
  /**
   * Elementary steps that a backtracking match may take on the thread that asks, by the analysis in cost.ts: a few milliseconds in the
   * worst case. Where a text is so long that more is possible, the linear engine or the worker does it.
   */
  stepsOnThread: 2_000_000,
  /** The same for RE2: characters of the text times nodes of the pattern. Its usual time is a hundredth of that bound, the worst 50 ms. */
  linearStepsOnThread: 3_000_000,
  /** Matches waiting for the worker; with more the lookup fails for now. */
  workerQueue: 500,
} as const;
