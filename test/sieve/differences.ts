// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are variables of Sieve
/** Where our outcome is another on purpose: the script, and the row of docs/filter-differences.md that says why. */
export const DIFFERENCES: ReadonlyMap<string, string> = new Map([
  ['require ["fileinto", "copy"]; fileinto :copy "A"; fileinto "A";', 'sieve: `:copy` and the same mailbox again without'],
  ['require ["variables"]; set "a" "Yes"; if string "${a}" "yes" { discard; }', 'sieve: comparator of `string`'],
  ['require ["encoded-character", "fileinto"]; fileinto "${hex:4}c";', 'sieve: names of mailboxes and header fields'],
  ['require "date"; if date "date" "nonsense" "2026" { discard; }', 'sieve: date parts and zones that do not exist'],
  ['require "date"; if date :zone "nonsense" "date" "year" "2026" { discard; }', 'sieve: date parts and zones that do not exist'],
  ['require ["editheader"]; deleteheader :last "x-multi";', 'sieve: `deleteheader :last` without `:index`'],
  ['require ["include"]; include "recursive";', 'sieve: scripts that include themselves'],
  ['require "relational"; if address :count "eq" "to" "0" { discard; }', 'sieve: groups without members'],
  ['require "body"; if body :text :contains "some bold words" { discard; }', 'sieve: `body :text` of HTML'],
]);
