/** Where our outcome is another on purpose: the script, and why. docs/filter-differences.md tells it to people. */
export const DIFFERENCES: ReadonlyMap<string, string> = new Map([]);
