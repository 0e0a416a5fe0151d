// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are variables of Sieve
/** Random patterns over random texts, a few letters each so that they often match: what :matches and :regex find, and their variables. */
import type { Case } from './cases.ts';

/** Numbers from 0 to below 1; the same for the same seed (mulberry32). */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

const QUESTIONS = 6;
/** Each match says what it found by a mailbox of that name. */
const FOUND = '0=${0} 1=${1} 2=${2} 3=${3} 4=${4}';

/** Scripts of many questions each. */
export function generatedCases(seed: number, scripts: number): readonly Case[] {
  const random = randomOf(seed);
  const pick = (letters: string): string => letters[Math.floor(random() * letters.length)]!;
  const word = (letters: string, most: number): string => Array.from({ length: 1 + Math.floor(random() * most) }, () => pick(letters)).join('');
  return Array.from({ length: scripts }, (_, index) => {
    let script = `require ["variables", "fileinto", "regex", "relational", "comparator-i;ascii-numeric"];\n`;
    const type = ['matches', 'regex', 'contains', 'value'][index % 4]!;
    for (let n = 0; n < QUESTIONS; n += 1) {
      const text = type === 'value' ? word('0129x', 4) : word('abcB', 10);
      let test = `:contains :comparator "i;ascii-casemap" "${text}" "${word('ab', 2)}"`;
      // Pigeonhole 0.5.19 matches "BaBcaa" with "?aa**", and "cc" not with "*??*": such patterns are left out.
      if (type === 'matches')
        test = `:matches :comparator "i;ascii-casemap" "${text}" "${word('ab??**', 7)
          .replace(/^\?+/, '*')
          .replace(/\*[*?]+/g, '*')}"`;
      if (type === 'regex') test = `:regex :comparator "i;ascii-casemap" "${text}" "${word('abc', 2)}(${word('ab.', 2)}${pick('*+?')})${word('abc', 1)}"`;
      if (type === 'value')
        test = `:value "${['gt', 'ge', 'lt', 'le', 'eq', 'ne'][n % 6]}" :comparator "i;ascii-${n % 2 === 0 ? 'numeric' : 'casemap'}" "${text}" "${word('0129x', 4)}"`;
      script += `if string ${test} { fileinto "${n} ${type === 'value' || type === 'contains' ? '' : FOUND}"; }\n`;
    }
    return { script, message: 'plain' };
  });
}

const FIELDS = ':mime :matches';
/** Of each part: its number, what its header says, what is in it, in the name of a mailbox; then what is said of all. */
const TELL = `require ["foreverypart", "mime", "extracttext", "variables", "fileinto", "copy", "relational"];
foreverypart {
  set "o" "-";
  if header ${FIELDS} "x-n" "*" { set "o" "\${1}"; }
  if header :mime :type :matches "content-type" "*" { set "o" "\${o},\${1}"; }
  if header :mime :subtype :matches "content-type" "*" { set "o" "\${o}.\${1}"; }
  if header :mime :param "charset" :matches "content-type" "?*" { set "o" "\${o},\${0}"; }
  if header :mime :param ["filename"] :matches "content-disposition" "*" { set "o" "\${o},f=\${1}"; }
  if exists :mime "subject" { set "o" "\${o}!"; }
  extracttext :first 4 "t";
  set "o" "\${o}=\${t}";
  extracttext "t";
  if string :contains "\${t}" "\u00fc" { set "o" "\${o} u"; }
  fileinto :copy "\${o}";
}
if header :mime :anychild :contenttype :contains "content-type" "image" { fileinto :copy "image"; }
if header :mime :anychild :count "ge" "x-n" "4" { fileinto :copy "many"; }`;

/** Messages of parts within parts, and a script that tells what it sees. */
export function generatedMessages(seed: number, messages: number): readonly Case[] {
  const random = randomOf(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  let number = 0;

  function leaf(): readonly string[] {
    const word = pick(['Hello', 'abcd', 'plain text', 'viele b\u00fccher']);
    const type = pick(['text/plain', 'TEXT/Plain', 'text/html', 'image/png', 'application/pdf', '']);
    const isText = type === '' || type.toLowerCase().startsWith('text');
    const encoding = pick(['', 'base64', 'quoted-printable']);
    const text = isText ? word : 'binary';
    const isAscii = !/[^\x00-\x7f]/.test(text);
    const charset =
      isText && type !== '' ? (isAscii ? pick(['', '; charset=us-ascii', '; charset="utf-8"']) : pick(['; charset=utf-8', '; CHARSET=UTF-8'])) : '';
    const header = type === '' ? [] : [`Content-Type: ${type}${charset}`];
    if (!isAscii && charset === '') return leaf();
    if (encoding !== '') header.push(`Content-Transfer-Encoding: ${encoding}`);
    if (random() < 0.3) header.push(`Content-Disposition: ${pick(['attachment', 'inline'])}; filename=${pick(['a.txt', '"b c.txt"'])}`);
    const bytes = Buffer.from(text);
    const body =
      encoding === 'base64'
        ? bytes.toString('base64')
        : encoding === 'quoted-printable'
          ? [...bytes].map((b) => (b < 0x80 ? String.fromCharCode(b) : `=${b.toString(16).toUpperCase()}`)).join('')
          : text;
    return [...header, '', body];
  }

  function part(depth: number): readonly string[] {
    number += 1;
    const name = random() < 0.9 ? [`X-N: ${number}`] : [];
    const kind = random();
    if (depth > 0 && kind < 0.5) {
      const boundary = `b${number}`;
      const children = Array.from({ length: 1 + Math.floor(random() * 3) }, () => [`--${boundary}`, ...part(depth - 1)]).flat();
      const preamble = random() < 0.3 ? ['preamble'] : [];
      return [
        ...name,
        `Content-Type: multipart/${pick(['mixed', 'alternative', 'related'])}; boundary=${boundary}`,
        '',
        ...preamble,
        ...children,
        `--${boundary}--`,
      ];
    }
    if (depth > 0 && kind < 0.6) return [...name, 'Content-Type: message/rfc822', '', 'Subject: inside', ...part(depth - 1)];
    return [...name, ...leaf()];
  }

  return Array.from({ length: messages }, () => {
    number = 0;
    return { script: TELL, message: 'plain' as const, text: `Subject: top\r\nFrom: a@example.com\r\n${part(3).join('\r\n')}\r\n` };
  });
}
