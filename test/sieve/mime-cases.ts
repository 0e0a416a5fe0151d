// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are variables of Sieve
/** Scripts about the parts of messages (RFC 5703): foreverypart, mime, extracttext. */
import type { Case } from './cases.ts';
import type { MessageName } from './messages.ts';

const HEAD =
  'require ["foreverypart", "mime", "extracttext", "variables", "fileinto", "copy", "relational", "comparator-i;ascii-numeric", "include", "index"];\n';
/** Says the name of the current part. */
const NAME = 'if header :mime :matches "x-part" "*" { set "p" "${1}"; } else { set "p" "-"; }';
const told = (test: string, text = '${p} ${1}'): string => `foreverypart { ${NAME} if ${test} { fileinto :copy "${text}"; } }`;

type Script = string | { readonly script: string; readonly differs: string };
const differs = (row: string, script: string): Script => ({ script, differs: `sieve: ${row}` });

const SCRIPTS: Readonly<Partial<Record<MessageName, readonly Script[]>>> = {
  nested: [
    // The order of parts, and which there are
    told('true', '${p}'),
    'foreverypart { if header :mime "x-part" "html" { break; } if header :mime :matches "x-part" "*" { fileinto :copy "${1}"; } }',
    'foreverypart { if header :mime "x-part" "plain" { stop; } if header :mime :matches "x-part" "*" { fileinto :copy "${1}"; } } discard;',
    'foreverypart { return; } discard;',
    'foreverypart { discard; }',
    'foreverypart { break; discard; }',
    differs('loops in loops', 'foreverypart { foreverypart { break; } discard; }'),
    'foreverypart :name "a" { foreverypart { break :name "a"; } discard; }',
    differs('loops in loops', 'foreverypart :name "a" { foreverypart :name "b" { foreverypart { break :name "b"; } discard; } }'),
    `foreverypart { ${NAME} foreverypart { if header :mime :matches "x-part" "*" { fileinto :copy "\${p}-\${1}"; } } break; }`,
    differs(
      'loops in loops',
      `foreverypart { ${NAME} if string "\${p}" "alt" { foreverypart { if header :mime :matches "x-part" "*" { fileinto :copy "\${p}-\${1}"; } } } }`,
    ),
    'foreverypart { foreverypart { foreverypart { foreverypart { keep; } } } }',
    'foreverypart { foreverypart { foreverypart { foreverypart { foreverypart { keep; } } } } }',
    // Included scripts see the loop that they run in
    'foreverypart { include "parts"; break; }',
    'include "parts";',
    'foreverypart { include "breaks"; fileinto :copy "A"; }',
    'foreverypart { foreverypart { include "loops"; } }',
    // What of a field is compared
    told('header :mime :type :matches "content-type" "*"'),
    told('header :mime :subtype :matches "content-type" "*"'),
    told('header :mime :contenttype :contains "content-type" "t/"', '${p}'),
    told('header :mime :contenttype "content-type" ["TEXT/PLAIN", "image/png"]', '${p}'),
    told('header :mime :type :matches "content-disposition" "*"'),
    told('header :mime :subtype :matches "content-disposition" "*"'),
    told('header :mime :contenttype :matches "content-disposition" "*"'),
    told('header :mime :param "filename" :matches "content-disposition" "*"'),
    told('header :mime :param ["FileName", "size"] :matches "content-disposition" "*o*"'),
    told('header :mime :param ["size", "filename"] :contains "content-disposition" "f"', '${p}'),
    told('header :mime :param "charset" :matches "content-type" "*"'),
    told('header :mime :param "name" :contains "content-type" " b."', '${p}'),
    told('header :mime :type :matches "subject" "*"'),
    told('header :mime :param "a" :matches "subject" "*"'),
    told('header :mime :matches "subject" "*"'),
    told('header :matches "subject" "*"'),
    told('header :mime :contains ["x-part", "subject"] "inner"', '${p}'),
    told('header :mime :count "ge" ["x-part", "subject"] "2"', '${p}'),
    told('header :mime :param ["filename", "size"] :count "eq" "content-disposition" "2"', '${p}'),
    told('header :mime :param ["filename", "nothing"] :count "eq" "content-disposition" "1"', '${p}'),
    told('header :mime :is "content-type" "message/rfc822"', '${p}'),
    told('not header :mime :contains "content-type" "/"', '${p}'),
    told('header :mime :value "gt" :param "size" :comparator "i;ascii-numeric" "content-disposition" "2"', '${p}'),
    // Outside of a loop
    'if header :mime "x-part" "top" { discard; }',
    'if header :mime "x-part" "alt" { discard; }',
    'if header :mime :anychild "x-part" "png" { discard; }',
    'if header :mime :anychild :contenttype "content-type" "image/png" { discard; }',
    'if header :mime :anychild :param "filename" :contains "content-disposition" "foo" { discard; }',
    'if header :mime :anychild :count "eq" "x-part" "9" { discard; }',
    'if header :mime :anychild :index 2 :matches "x-part" "*" { fileinto "${1}"; }',
    'if header :mime :anychild :index 1 :last :matches "x-part" "*" { fileinto "${1}"; }',
    'if header :mime :index 1 "x-part" "top" { discard; }',
    'if address :mime :anychild "from" "inner@example.org" { discard; }',
    'if address :mime "from" "inner@example.org" { discard; }',
    'if address :mime :anychild :domain "from" "example.org" { discard; }',
    'if address :mime :anychild :count "eq" "from" "2" { discard; }',
    'if exists :mime :anychild ["subject", "content-disposition"] { discard; }',
    'if exists :mime ["subject", "content-disposition"] { discard; }',
    'if exists :anychild :mime "nothing" { discard; }',
    // :anychild in a loop
    told('header :mime :anychild "x-part" "plain"', '${p}'),
    differs('what is in the last part', told('header :mime :anychild :matches "x-part" "p*"')),
    told('exists :mime "subject"', '${p}'),
    differs('what is in the last part', told('exists :mime :anychild "subject"', '${p}')),
    told('exists :mime :anychild "content-disposition"', '${p}'),
    told('address :mime "from" "inner@example.org"', '${p}'),
    differs('what is in the last part', told('header :mime :anychild :param "name" :contains "content-type" "b.png"', '${p}')),
    // extracttext
    `foreverypart { ${NAME} extracttext "t"; if string :contains "\${t}" "Gr\u00fc\u00dfe aus Stra\u00dfen" { fileinto :copy "\${p}"; } }`,
    `foreverypart { ${NAME} extracttext "t"; if string :contains "\${t}" "Some & more" { fileinto :copy "\${p}"; } }`,
    `foreverypart { ${NAME} extracttext "t"; if not string "\${t}" "" { fileinto :copy "\${p}"; } }`,
    `foreverypart { ${NAME} if header :mime "x-part" ["innertext", "png", "last"] { extracttext "t"; fileinto :copy "\${p} \${t}"; } }`,
    `foreverypart { ${NAME} if header :mime "x-part" ["innertext", "png", "last"] { extracttext :first 3 "t"; fileinto :copy "\${p} \${t}"; } }`,
    `foreverypart { ${NAME} if header :mime "x-part" ["innertext", "last"] { extracttext :upper :first 5 "t"; fileinto :copy "\${p} \${t}"; } }`,
    `foreverypart { ${NAME} if header :mime "x-part" ["innertext", "last"] { extracttext :length "t"; fileinto :copy "\${p} \${t}"; } }`,
    `foreverypart { ${NAME} if header :mime "x-part" ["innertext", "last"] { extracttext :lower :upperfirst :first 4 "t"; fileinto :copy "\${p} \${t}"; } }`,
    `foreverypart { ${NAME} if header :mime "x-part" "innertext" { extracttext :first 0 "t"; fileinto :copy "\${p} \${t}"; } }`,
    'foreverypart { extracttext "t"; } if string :contains "${t}" "last" { discard; }',
    told('header :mime :param "nothing" :matches "content-type" "*"'),
    differs('what is in the last part', `foreverypart { ${NAME} foreverypart { if header :mime :matches "x-part" "*" { fileinto :copy "\${p}-\${1}"; } } }`),
    differs('`:first` of extracttext', `foreverypart { if header :mime "x-part" "plain" { extracttext :first 5 "t"; fileinto :copy "\${t}"; } }`),
  ],
  odd: [
    told('true', '${p}'),
    ...['1', '2', '3', '5', '6', '8'].map(
      (n) => `foreverypart { if allof(header :mime "x-part" "${n}", header :mime :type :matches "content-type" "*") { fileinto :copy "t=\${1}"; } }`,
    ),
    ...['1', '2', '3', '5', '6', '8'].map(
      (n) => `foreverypart { if allof(header :mime "x-part" "${n}", header :mime :subtype :matches "content-type" "*") { fileinto :copy "t=\${1}"; } }`,
    ),
    ...['2', '4', '5', '6'].map(
      (n) => `foreverypart { if allof(header :mime "x-part" "${n}", header :mime :param "name" :matches "content-type" "*") { fileinto :copy "n=\${1}"; } }`,
    ),
    told('header :mime :param "charset" :matches "content-type" "*"'),
    told('header :mime :param "filename" :matches "content-disposition" "*"'),
    differs('parameters behind two semicolons', 'foreverypart { if header :mime :param "name" "content-type" "x" { discard; } }'),
    told('header :mime :param ["name", "foo"] :count "eq" "content-type" "3"', '${p}'),
    told('header :mime :type :count "eq" "content-type" "2"', '${p}'),
    told('not exists :mime "content-type"', '${p}'),
    'foreverypart { extracttext "t"; if not string "${t}" "" { fileinto :copy "[${t}]"; } }',
  ],
  unknown: [
    differs('text in unknown character sets', 'foreverypart { extracttext "t"; if string :contains "${t}" "last" { discard; } }'),
    told('header :mime :param "charset" :matches "content-type" "*"'),
  ],
  digest: [told('true', '${p}'), told('header :mime :matches "subject" "*"'), told('header :mime :type :matches "content-type" "*"')],
  empty: [told('true', '${p}'), told('header :mime :type :matches "content-type" "*"')],
  unbounded: [told('true', '${p}'), told('header :mime :type :matches "content-type" "*"')],
  plain: [
    'foreverypart { fileinto :copy "A"; foreverypart { fileinto :copy "B"; } }',
    'if header :mime :anychild "x-multi" "third" { discard; }',
    'if header :mime :anychild :contains "subject" "money" { discard; }',
    'if exists :mime ["subject", "x-empty"] { discard; }',
    'if header :mime :contenttype "content-type" "text/plain" { discard; }',
    'foreverypart { if address :mime :localpart "to" "ken" { discard; } }',
    'foreverypart { extracttext "t"; if string :contains "${t}" "Project schedule" { discard; } }',
    'foreverypart { extracttext :first 11 "t"; fileinto "${t}"; }',
    // What does not compile
    'foreverypart;',
    'foreverypart :tag { }',
    'foreverypart true { }',
    'foreverypart "frop" { }',
    'foreverypart 13 ["a"] { }',
    'foreverypart :name 13 { }',
    'foreverypart :name ["a", "b"] { }',
    'foreverypart :name "a" :b { }',
    'foreverypart :name "a" "b" { }',
    'foreverypart { }',
    'break;',
    'break :name "a";',
    'if exists "a" { break; }',
    'foreverypart { break :name "a"; }',
    'foreverypart :name "b" { break :name "a"; }',
    'foreverypart :name "a" { break :name "A"; }',
    'foreverypart { foreverypart :name "y" { keep; } break :name "y"; }',
    'foreverypart :name "" { break :name ""; }',
    'foreverypart { break :tag; }',
    'foreverypart { break "a"; }',
    'foreverypart { break true; }',
    'foreverypart { break :name 13; }',
    'foreverypart { if exists "a" { break; } }',
    'extracttext "a";',
    'foreverypart { extracttext; }',
    'foreverypart { extracttext 1; }',
    'foreverypart { extracttext ["a", "b"]; }',
    'foreverypart { extracttext :frop "a"; }',
    'foreverypart { extracttext "${frop}"; }',
    'foreverypart { extracttext "0"; }',
    'foreverypart { extracttext "a.b"; }',
    'foreverypart { extracttext :first "a"; }',
    'foreverypart { extracttext :first "a" "b"; }',
    'foreverypart { extracttext :lower :upper "b"; }',
    'if header :anychild "x" "y" { discard; }',
    'if header :type "x" "y" { discard; }',
    'if header :param "a" "x" "y" { discard; }',
    'if header :mime :type :subtype "x" "y" { discard; }',
    'if header :mime :param 13 "x" "y" { discard; }',
    'if header :mime :param :anychild "x" "y" { discard; }',
    'if header :contains :mime "content-type" "y" { discard; }',
    'if header :param ["a"] :anychild :mime "content-type" "y" { discard; }',
    'if address :mime :type "from" "y" { discard; }',
    'if address :anychild "from" "y" { discard; }',
    'if exists :mime :param "a" "from" { discard; }',
    'if exists :anychild "from" { discard; }',
  ],
};

/** With their own require. */
const BARE: readonly Script[] = [
  'require "foreverypart"; foreverypart { if header :mime "x" "y" { discard; } }',
  'require "mime"; foreverypart { keep; }',
  'require ["extracttext", "variables"]; foreverypart { extracttext "a"; }',
  'require ["extracttext", "foreverypart"]; foreverypart { extracttext "a"; }',
  'require ["mime", "date"]; if date :mime "date" "year" "2026" { discard; }',
  'require "mime"; if header :mime :anychild "x-multi" "third" { discard; }',
  differs(
    'fields added in a loop',
    'require ["foreverypart", "mime", "editheader"]; foreverypart { addheader "X-New" "1"; if header :mime "x-new" "1" { discard; } }',
  ),
];

function caseOf(message: MessageName, script: Script, head: string): Case {
  if (typeof script === 'string') return { script: head + script, message };
  return { script: head + script.script, message, differs: script.differs };
}

export const MIME_CASES: readonly Case[] = [
  ...Object.entries(SCRIPTS).flatMap(([message, scripts]) => scripts.map((script) => caseOf(message as MessageName, script, HEAD))),
  ...BARE.map((script) => caseOf('plain', script, '')),
];
