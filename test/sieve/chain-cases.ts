// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are variables of Sieve
/** Scripts that run one after another: what one leaves to the next. The last one of each row is the user's. */
import type { Case } from './cases.ts';

const CHAINS: readonly (readonly string[])[] = [
  ['', ''],
  ['', 'discard;'],
  ['keep;', ''],
  ['keep;', 'keep;'],
  ['keep;', 'require "fileinto"; fileinto "B";'],
  ['discard;', 'require "fileinto"; fileinto "B";'],
  ['discard; keep;', 'require "fileinto"; fileinto "B";'],
  ['stop;', 'require "fileinto"; fileinto "B";'],
  ['require "fileinto"; fileinto "A";', 'require "fileinto"; fileinto "B";'],
  ['require "fileinto"; fileinto "A"; keep;', 'require "fileinto"; fileinto "B";'],
  ['require ["fileinto", "copy"]; fileinto :copy "A";', 'require "fileinto"; fileinto "B";'],
  ['require ["fileinto", "copy"]; fileinto :copy "A";', 'require "fileinto"; fileinto "A";'],
  ['require "copy"; redirect :copy "a@example.org";', 'redirect "b@example.org";'],
  ['redirect "a@example.org";', 'discard;'],
  ['redirect "a@example.org"; keep;', 'discard;'],
  ['require "imap4flags"; setflag "\\\\Seen";', 'require "fileinto"; fileinto "B";'],
  ['require "imap4flags"; setflag "\\\\Seen";', ''],
  ['require "imap4flags"; setflag "\\\\Seen"; keep;', 'require "imap4flags"; addflag "\\\\Flagged";'],
  ['require "imap4flags"; keep :flags "\\\\Seen";', 'keep;'],
  ['require "variables"; set "a" "b";', 'require "variables"; if string "${a}" "b" { discard; }'],
  ['require ["include", "variables"]; global "a"; set "a" "b";', 'require ["include", "variables"]; global "a"; if string "${a}" "b" { discard; }'],
  ['require "editheader"; addheader "X-A" "b";', 'if header "x-a" "b" { discard; }'],
  ['require "editheader"; deleteheader "subject"; keep;', 'if not exists "subject" { discard; }'],
  ['require "reject"; reject "no";', 'keep;'],
  ['keep;', 'require "reject"; reject "no";'],
  ['require ["fileinto", "copy"]; fileinto :copy "A";', 'require "reject"; reject "no";'],
  ['require "vacation"; vacation "away";', 'require "fileinto"; fileinto "B";'],
  ['require "enotify"; notify "mailto:a@example.org";', 'discard;'],
  ['require "ihave"; error "x";', 'require "fileinto"; fileinto "B";'],
  ['require ["fileinto", "copy"]; fileinto :copy "A";', 'require "ihave"; error "x";'],
  ['require "fileinto"; fileinto "A"; keep;', 'require "ihave"; error "x";'],
  ['require "vnd.dovecot.filter"; filter "upper";', 'if header :comparator "i;octet" "subject" "[DEV] MAKE MONEY FAST!!!" { discard; }'],
  ['require "include"; include "files";', 'discard;'],
  ['require "include"; include "files"; keep;', 'require "include"; include "files";'],
  ['require ["include", "fileinto"]; include "stops"; fileinto "A";', 'require "fileinto"; fileinto "B";'],
  ['', 'nonsense;'],
  ['nonsense;', ''],
  ['', '', 'discard;'],
  ['keep;', 'discard;', 'keep;'],
  ['keep;', 'require "fileinto"; fileinto "A"; keep;', 'require "fileinto"; fileinto "B";'],
  ['require ["copy", "fileinto"]; fileinto :copy "1";', 'require ["copy", "fileinto"]; fileinto :copy "2";', 'require ["fileinto"]; fileinto "3";'],
  ['require ["variables", "foreverypart", "fileinto", "copy"]; foreverypart { fileinto :copy "A"; }', 'require ["foreverypart"]; foreverypart { discard; }'],
];

const COPIES: ReadonlySet<string> = new Set([
  JSON.stringify(['require ["fileinto", "copy"]; fileinto :copy "A";', 'require "fileinto"; fileinto "A";']),
  JSON.stringify(['require "include"; include "files"; keep;', 'require "include"; include "files";']),
]);

export const CHAIN_CASES: readonly Case[] = CHAINS.map((scripts) => ({
  before: scripts.slice(0, -1),
  script: scripts.at(-1)!,
  message: 'plain',
  ...(COPIES.has(JSON.stringify(scripts)) && { differs: 'sieve: `:copy` and the same mailbox again without' }),
}));
