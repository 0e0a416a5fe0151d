// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are variables of Sieve
/** The examples that the standards give, shortened to what they show, with what they say of them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { problemsOf, runScripts } from './testing.ts';

const COYOTE = [
  'Date: Tue, 1 Apr 1997 09:06:31 -0800 (PST)',
  'From: coyote@desert.example.org',
  'To: roadrunner@acme.example.com',
  'Subject: I have a present for you',
  'X-Caffeine: C8H10N4O2',
  'Message-ID: <1234@local.machine.example>',
  '',
  "Look, I'm sorry about the whole anvil thing.",
  '',
].join('\r\n');

const EXAMPLES: readonly (readonly [name: string, script: string, lines: readonly string[]])[] = [
  ['RFC 5228 section 1.1: comments', 'if size :over 100K { # this is a comment\n discard;\n}', ['implicit keep']],
  [
    'RFC 5228 section 2.4.2: multi-line text',
    'require "reject"; reject text:\nYour message has been rejected.\n\n..\n.\n;',
    ['reject Your message has been rejected.\r\n\r\n.\r\n'],
  ],
  ['RFC 5228 section 2.4.2.4: a dollar sign by its octet', 'require ["encoded-character", "fileinto"]; fileinto "$${hex:40}";', ['fileinto $@']],
  ['RFC 5228 section 2.4.2.4: the same by its number, with space', 'require ["encoded-character", "fileinto"]; fileinto "$${unicode: 40 }";', ['fileinto $@']],
  ['RFC 5228 section 2.4.2.4: what is none stays', 'require ["encoded-character", "fileinto"]; fileinto "${hex: 4${";', ['fileinto ${hex: 4${']],
  [
    'RFC 5228 section 3.1',
    'require "fileinto"; if header :contains "from" "coyote" { discard; } elsif header :contains ["subject"] ["$$$"] { discard; } else { fileinto "INBOX"; }',
    ['discard'],
  ],
  ['RFC 5228 section 5.1', 'if address :is :all "from" "coyote@desert.example.org" { discard; }', ['discard']],
  ['RFC 5228 section 5.5', 'if not exists ["From", "Date"] { discard; }', ['implicit keep']],
  ['RFC 5228 section 5.7: a field without text has the empty one', 'if header :is ["x-caffeine"] [""] { discard; }', ['implicit keep']],
  ['RFC 5228 section 5.7: and any field holds it', 'if header :contains ["x-caffeine"] [""] { discard; }', ['discard']],
  [
    'RFC 5229 section 3: only what follows the grammar is a variable',
    'require ["variables", "fileinto"]; set "company" "ACME"; fileinto "&%${}!/${doh!} ${company}";',
    ['fileinto &%${}!/${doh!} ACME'],
  ],
  [
    'RFC 5229 section 3.2',
    'require ["variables", "fileinto"]; if header :matches "List-ID" "*<*@*" { } if header :matches "Subject" "I * a * for you" { fileinto "${1}/${2}"; }',
    ['fileinto have/present'],
  ],
  [
    'RFC 5229 section 4.1',
    'require ["variables", "fileinto"]; set "a" "juMBlEd lETteRS"; set :length "b" "${a}"; set :lower "c" "${a}"; set :upperfirst "d" "${a}"; set :upperfirst :lower "e" "${a}"; fileinto "${b}|${c}|${d}|${e}";',
    ['fileinto 15|jumbled letters|JuMBlEd lETteRS|Jumbled letters'],
  ],
  ['RFC 5229 section 4.1.2', 'require ["variables", "fileinto"]; set :quotewildcard "a" "Rock*"; fileinto "${a}";', ['fileinto Rock\\*']],
  [
    'RFC 5230 section 4.1',
    'require "vacation"; vacation :addresses ["tjs@example.edu"] "Talking to you later";',
    ['vacation 604800 - Talking to you later', 'implicit keep'],
  ],
  [
    'RFC 5231 section 6',
    'require ["relational", "comparator-i;ascii-numeric"]; if address :count "lt" :comparator "i;ascii-numeric" ["to", "cc"] ["3"] { discard; }',
    ['discard'],
  ],
  [
    'RFC 5232 section 4',
    'require ["imap4flags", "variables"]; addflag "flagvar" "\\\\Deleted"; addflag "flagvar" ["\\\\Answered"]; removeflag "flagvar" "\\\\Deleted"; keep :flags "${flagvar}";',
    ['keep [2 ]'],
  ],
  [
    'RFC 5260 section 4: weekdays',
    'require ["date", "relational"]; if allof (date :value "ge" :originalzone "date" "hour" "09", date :value "lt" :originalzone "date" "hour" "17") { discard; }',
    ['discard'],
  ],
  [
    'RFC 5260 section 5: the present',
    'require ["date", "relational"]; if anyof (currentdate :is "weekday" "0", currentdate :is "weekday" "5") { discard; }',
    ['discard'],
  ],
  [
    'RFC 5293 section 4',
    'require ["editheader"]; addheader "X-Sieve-Filtered" "<kim@job.example.com>"; if exists "x-sieve-filtered" { discard; }',
    ['discard'],
  ],
  [
    'RFC 5429 section 2.1.1',
    'require "ereject"; if address "from" "coyote@desert.example.org" { ereject "I am not taking mail from you."; }',
    ['ereject I am not taking mail from you.'],
  ],
  [
    'RFC 5435 section 6',
    'require ["enotify", "variables", "fileinto"]; set :encodeurl "body_param" "Safe body&evil=evilbody"; fileinto "${body_param}";',
    ['fileinto Safe%20body%26evil%3Devilbody'],
  ],
  ['RFC 5463 section 4', 'require "ihave"; if ihave "nonsense" { nonsense_test :tag; } else { discard; }', ['discard']],
  ["RFC 5463 section 5: an error of the script's own", 'require "ihave"; if not ihave ["nonsense"] { error "missing"; }', []],
  ['RFC 7352 section 3', 'require ["duplicate", "fileinto"]; if duplicate { fileinto "Trash"; }', ['implicit keep']],
  [
    'RFC 8580 section 3',
    'require ["enotify", "fcc"]; notify :fcc "INBOX.Sent" :message "You got mail!" "mailto:ken@example.com";',
    ['notify mailto:ken@example.com 2 You got mail!', 'implicit keep'],
  ],
];

for (const [name, script, lines] of EXAMPLES) test(name, () => assert.deepEqual(runScripts([script], COYOTE).lines, lines));

for (const [name, script] of [
  ['RFC 5228 section 2.10.5: what was not required', 'fileinto "a";'],
  ['RFC 5228 section 3.2: require after other commands', 'keep; require "fileinto";'],
  ['RFC 5229 section 3: names are constant', 'require "variables"; set "${a}" "b";'],
  ['RFC 5229 section 4.1: two modifiers of one precedence', 'require "variables"; set :upper :lower "a" "b";'],
  ['RFC 5230 section 4: what is no text', 'require "vacation"; vacation :days "7" "x";'],
  ['RFC 5231 section 4: a relation that is none', 'require "relational"; if header :value "xx" "a" "b" { }'],
  ['RFC 5233 section 4: two address parts', 'require "subaddress"; if address :user :detail "from" "x" { }'],
  ['RFC 6131 section 2: both periods', 'require "vacation-seconds"; vacation :days 1 :seconds 1 "x";'],
  ['RFC 6609 section 3.2: names are constant', 'require ["include", "variables"]; include "${a}";'],
  ['RFC 7352 section 3: both kinds of id', 'require "duplicate"; if duplicate :header "a" :uniqueid "b" { }'],
] as const)
  test(`${name} is an error`, () => assert.equal(problemsOf(script).length, 1));
