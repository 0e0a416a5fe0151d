/** Bounds of tables that people write; those worth changing are options (settings.ts). */
export const TABLE_LIMITS = {
  /** Nested braces and tables made of tables. */
  depth: 10,
  /** Characters of one spec: inline tables stand in the configuration itself. */
  specChars: 65_536,
  /** Nested if … endif. */
  nesting: 50,
  /** Warnings of one reading that are logged one by one. */
  warnings: 20,
  /** Characters of the result of a unionmap or of $n expansion. */
  valueChars: 65_536,
  /** A file is looked at for changes this often, in milliseconds, and only when the table is asked. */
  statIntervalMs: 1000,
} as const;
