// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are variables of Sieve
/** Where our outcome is another on purpose: the script, and why. docs/filter-differences.md tells it to people. */
export const DIFFERENCES: ReadonlyMap<string, string> = new Map([
  [
    'require ["fileinto", "copy"]; fileinto :copy "A"; fileinto "A";',
    'the second fileinto has no :copy and cancels the implicit keep (RFC 5228 section 2.10.2); Pigeonhole forgets it with the duplicate',
  ],
  [
    'require ["variables"]; set "a" "Yes"; if string "${a}" "yes" { discard; }',
    'the comparator of the test string is i;ascii-casemap when none is named (RFC 5228 section 2.7.3); Pigeonhole takes i;octet',
  ],
  ['require ["encoded-character", "fileinto"]; fileinto "${hex:4}c";', 'a mailbox name may not hold control characters; said when the script is uploaded'],
  ['require "date"; if date "date" "nonsense" "2026" { discard; }', 'a date part that does not exist is an error, not a test that is never true'],
  ['require "date"; if date :zone "nonsense" "date" "year" "2026" { discard; }', 'a zone that is none is an error, not the zone of the server'],
  ['require ["editheader"]; deleteheader :last "x-multi";', ':last without :index is an error; Pigeonhole says so as well and goes on'],
  ['require ["include"]; include "recursive";', 'scripts are included when they run, so that a script includes itself is found then; the message is kept'],
  [
    'require "relational"; if address :count "eq" "to" "0" { discard; }',
    'a group without members has no addresses (RFC 5228 section 5.1); Pigeonhole counts its text as one',
  ],
  ['require "body"; if body :text :contains "some bold words" { discard; }', 'marks within a line of HTML leave no space behind'],
]);
