// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are variables of Sieve
/** Scripts about programs, scores, special uses, annotations and reports. */
import type { Case } from './cases.ts';
import type { MessageName } from './messages.ts';

const SCORES = 'require ["spamtest", "spamtestplus", "virustest", "relational", "comparator-i;ascii-numeric", "fileinto", "copy"];\n';
const NUMERIC = ':comparator "i;ascii-numeric"';

/** What spamtest, spamtest :percent and virustest give. */
function scores(): readonly string[] {
  const each = (test: string, values: readonly number[]): string =>
    values.map((value) => `if ${test} :value "eq" ${NUMERIC} "${value}" { fileinto :copy "${value}"; }`).join(' ');
  return [
    each('spamtest', [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]),
    each('spamtest :percent', [0, 36, 37, 38, 98, 99, 100]),
    each('virustest', [0, 1, 2, 3, 4, 5]),
    `if spamtest :value "ge" ${NUMERIC} "5" { discard; }`,
    `if spamtest :percent :value "ge" ${NUMERIC} "90" { discard; }`,
    `if virustest :value "gt" ${NUMERIC} "3" { discard; }`,
    'if spamtest "10" { discard; }',
    `if spamtest :count "eq" ${NUMERIC} "0" { discard; }`,
    `if virustest :count "eq" ${NUMERIC} "0" { discard; }`,
  ].map((script) => SCORES + script);
}

const PROGRAMS = 'require ["vnd.dovecot.filter", "vnd.dovecot.execute", "vnd.dovecot.pipe", "variables", "fileinto", "copy"];\n';

/** The outcome is another on purpose: the row of docs/filter-differences.md. */
const DIFFERS: ReadonlyMap<string, string> = new Map([
  [`${SCORES}if spamtest :count "eq" ${NUMERIC} "0" { discard; }`, 'sieve: `:count` of spamtest and virustest'],
  [`${SCORES}if virustest :count "eq" ${NUMERIC} "0" { discard; }`, 'sieve: `:count` of spamtest and virustest'],
  [`${PROGRAMS}if filter "silent" { fileinto "A"; }`, 'sieve: filters that write nothing'],
  [`${PROGRAMS}pipe "upper";`, 'sieve: programs that sieve-test does not run'],
  [`${PROGRAMS}pipe :copy "upper"; pipe :try "say" "x";`, 'sieve: programs that sieve-test does not run'],
  ['require "environment"; if environment "location" "MDA" { discard; }', 'sieve: location and phase'],
  ['require "environment"; if environment "phase" "during" { discard; }', 'sieve: location and phase'],
  ['require ["environment", "variables", "fileinto"]; fileinto "${env.phase}x";', 'sieve: unknown variable namespaces'],
]);

const SCRIPTS: Readonly<Partial<Record<MessageName, readonly string[]>>> = {
  clean: scores(),
  doubtful: scores(),
  nearly: scores(),
  spam: scores(),
  plain: [
    ...scores(),
    ...[
      'filter "upper"; if header :comparator "i;octet" "subject" "[DEV] MAKE MONEY FAST!!!" { discard; }',
      'if filter "upper" { fileinto "A"; }',
      'if filter "fails" { fileinto "A"; }',
      'if filter "silent" { fileinto "A"; }',
      'filter "fails"; if header :comparator "i;octet" :contains "subject" "money" { discard; }',
      'filter;',
      'filter "a/b";',
      'filter "upper" "a" "b";',
      'execute :output "o" "say" ["a", "b c"]; fileinto "${o}";',
      'if execute :output "o" "say" { fileinto "${o}"; }',
      'if execute :input "hello" :output "o" "upper" { fileinto "${o}"; }',
      'if execute :pipe "fails" { discard; }',
      'if execute :pipe "silent" { discard; }',
      'if not execute "missing" { discard; }',
      'if execute "../x" { discard; }',
      'execute :output "0" "say";',
      'execute :input "a" :pipe "say";',
      'execute :output "a.b" "say";',
      'execute "";',
      'set "v" "x"; execute :output "o" "say" "${v}"; fileinto "${o}";',
      'pipe "upper";',
      'pipe "upper"; keep;',
      'pipe :copy "upper"; pipe :try "say" "x";',
      'pipe :copy "upper";',
      'pipe "upper"; pipe "upper";',
      'pipe "a/b";',
      'pipe :try :copy "upper" ["a", "b"]; fileinto "A";',
      'pipe;',
      'pipe "upper" "a" "b";',
    ].map((script) => PROGRAMS + script),
    'require "vnd.dovecot.pipe"; pipe :copy "upper";',
    'require "vnd.dovecot.execute"; execute :output "o" "say";',
    // special-use, annotations
    'require ["special-use", "fileinto"]; fileinto :specialuse "\\\\Junk" "A";',
    'require ["special-use", "fileinto", "mailbox"]; fileinto :create :specialuse "\\\\Sent" "A";',
    'require ["special-use", "fileinto"]; fileinto :specialuse "\\\\Junk" "A"; fileinto "A";',
    'require "special-use"; if specialuse_exists "\\\\Junk" { discard; }',
    'require "special-use"; if not specialuse_exists "INBOX" ["\\\\Junk", "\\\\Sent"] { discard; }',
    'require "special-use"; if specialuse_exists { discard; }',
    'require "fileinto"; fileinto :specialuse "\\\\Junk" "A";',
    'require "mboxmetadata"; if metadata "INBOX" "/private/comment" "x" { discard; }',
    'require "mboxmetadata"; if not metadataexists "INBOX" ["/private/comment"] { discard; }',
    'require ["mboxmetadata", "relational"]; if metadata :count "eq" "INBOX" "/shared/comment" "0" { discard; }',
    'require "mboxmetadata"; if metadata "INBOX" "/private/comment" { discard; }',
    'require "servermetadata"; if servermetadata "/private/comment" "x" { discard; }',
    'require "servermetadata"; if not servermetadataexists ["/private/comment", "/shared/admin"] { discard; }',
    'require "servermetadata"; if metadata "INBOX" "/private/comment" "x" { discard; }',
    // environment, debug, report
    'require "environment"; if environment "location" "MDA" { discard; }',
    'require "environment"; if environment "phase" "during" { discard; }',
    'require ["vnd.dovecot.environment", "environment"]; if environment "vnd.dovecot.default-mailbox" "INBOX" { discard; }',
    'require ["environment"]; if environment "vnd.dovecot.default-mailbox" "INBOX" { discard; }',
    'require ["vnd.dovecot.environment", "variables", "fileinto"]; fileinto "${env.vnd.dovecot.default_mailbox}x";',
    'require ["environment", "variables", "fileinto"]; fileinto "${env.phase}x";',
    'require "vnd.dovecot.debug"; debug_log "hello"; discard;',
    'require "vnd.dovecot.debug"; debug_log 5;',
    'require "vnd.dovecot.report"; report "abuse" "text" "a@b.example";',
    'require "vnd.dovecot.report"; report :headers_only "abuse" "text" "a@b.example"; discard;',
    'require "vnd.dovecot.report"; report "abuse" "text" "nobody";',
    'require "vnd.dovecot.report"; report "abuse type" "text" "a@b.example";',
    'require "vnd.dovecot.report"; report "abuse" "text";',
    // reject beside other actions
    'require "reject"; reject "no"; keep;',
    'require "reject"; reject "no"; reject "never";',
    'require ["reject", "fileinto"]; fileinto "A"; reject "no";',
    'require ["reject"]; redirect "a@example.org"; reject "no";',
    'require ["reject"]; discard; reject "no";',
    'require ["reject", "vacation"]; vacation "away"; reject "no";',
    'require ["reject", "vacation"]; reject "no"; vacation "away";',
    'require ["reject", "enotify"]; reject "no"; notify "mailto:a@example.org";',
    // what Debian has not
    'require "ereject"; ereject "no";',
    'require ["vacation", "fcc"]; vacation :fcc "Sent" "away";',
    'require "redirect-dsn"; redirect :notify "NEVER" "a@example.org";',
    'require ["envelope", "envelope-dsn"]; if envelope "ret" "FULL" { discard; }',
    'require "extlists"; if header :list "from" "x" { discard; }',
    'require "replace"; replace "x";',
    'require "enclose"; enclose "x";',
    'require "convert"; convert "text/html" "text/plain" [];',
    'require "mailboxid"; if mailboxidexists "F1" { discard; }',
    'require "imapsieve"; keep;',
    'require "ihave"; if ihave ["replace", "enclose"] { discard; }',
    'require "ihave"; if ihave ["foreverypart", "mime"] { foreverypart { if header :mime "x-multi" "third" { discard; } } }',
  ],
};

export const MORE_CASES: readonly Case[] = Object.entries(SCRIPTS).flatMap(([message, scripts]) =>
  scripts.map((script) => {
    // Only where nobody looked, :count differs.
    const row = message === 'clean' || message === 'doubtful' || message === 'spam' ? undefined : DIFFERS.get(script);
    const isTold = message === 'nearly' && script.includes('if spamtest');
    return { script, message: message as MessageName, ...(row !== undefined && !isTold && { differs: row }) };
  }),
);
