/** Searches that both servers are given: each key alone, then put together at random (with a seed). */
const literal = (text: string): string => `{${Buffer.byteLength(text)}+}\r\n${Buffer.from(text, 'utf8').toString('latin1')}`;

const WORDS = [
  'treasure',
  'grüße',
  'GRÜSSE',
  'köln',
  'россия',
  'ΕΛΛΆΔΑ',
  '日本',
  'words',
  'inner',
  'needle-in-a-line',
  'bold',
  'link.test',
  'split',
  'line that',
  'hello',
  '€',
  'strasse',
  'straße',
  'ärger',
  'resume',
  'résumé',
  'nowhere',
  'the end',
  'side of it',
  'logged',
];
const SUBJECTS = ['plain', 'grüße', 'küsse', 'ärger', 'goes on and on', 'ÜNENCODED', '[list]', 'shouting', 'from zurich', 'nowhere', ''];
const PEOPLE = [
  'rita',
  'friend.test',
  'müller',
  'jm@',
  'friend, rita',
  'Rita Friend',
  'bare',
  'bert',
  'cd@other',
  'C. D.',
  'anna@us.test',
  'nobody',
  'friends',
  'copy',
  'blind',
];

const TEXT_KEYS: readonly string[] = [
  ...WORDS.flatMap((word) => [`BODY ${literal(word)}`, `TEXT ${literal(word)}`]),
  ...SUBJECTS.map((word) => `SUBJECT ${literal(word)}`),
  ...PEOPLE.flatMap((who) => ['FROM', 'TO', 'CC', 'BCC'].map((key) => `${key} ${literal(who)}`)),
  ...['', 'YES', 'no'].map((value) => `HEADER X-Spam-Flag ${literal(value)}`),
  'HEADER X-Twice second',
  'HEADER X-Twice ""',
  'HEADER X-Empty ""',
  'HEADER X-None ""',
  'HEADER X-Long end-of-long',
  'HEADER References 59@refs',
  'HEADER Message-ID plain@friend',
  'HEADER "Message-Id" "<plain@friend.test>"',
  'HEADER In-Reply-To plain',
  'HEADER Subject inner',
  'HEADER Content-Type mixed',
  'HEADER List-Id LIST',
];
const PLAIN_KEYS: readonly string[] = [
  'ALL',
  'ANSWERED',
  'UNANSWERED',
  'DELETED',
  'UNDELETED',
  'DRAFT',
  'UNDRAFT',
  'FLAGGED',
  'UNFLAGGED',
  'SEEN',
  'UNSEEN',
  'KEYWORD work',
  'KEYWORD WORK',
  'UNKEYWORD work',
  'KEYWORD $Forwarded',
  'KEYWORD none',
  'UNKEYWORD none',
  'LARGER 1000',
  'SMALLER 250',
  'LARGER 4294967295',
  'NOT LARGER 400',
  'ON 5-Jan-2026',
  'BEFORE 5-Jan-2026',
  'SINCE 20-Jan-2026',
  'SINCE "2-Jan-2026" BEFORE 9-Jan-2026',
  'ON 5-Jan-2020',
  'BEFORE 1-Jan-2020',
  'SENTON 31-Dec-2024',
  'SENTON 1-Jan-2025',
  'SENTBEFORE 1-Jan-2025',
  'SENTSINCE 1-Jan-2025',
  'SENTON 5-Jan-2026',
  'SENTBEFORE 1-Jan-2000',
  'SENTON 1-Jan-1999',
  '1:5',
  '*',
  '10:*',
  '3,7,40:38',
  'UID 1:5',
  'UID *',
  'UID 100:*',
  'UID 5,7:9',
  '2:1',
  'OLDER 1',
  'YOUNGER 4000000000',
  'OLDER 100000000',
  'SAVEDATESUPPORTED',
  'SAVEDBEFORE 1-Jan-2020',
  'SAVEDSINCE 1-Jan-2020',
  'MODSEQ 1',
  'NOT ALL',
  'NOT (SEEN)',
  'OR SEEN FLAGGED',
  '(SEEN) (ANSWERED)',
  '((1:3))',
];

/** The same numbers every time (Mulberry32). */
function seeded(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) % below;
  };
}

function combined(count: number, keys: readonly string[]): string[] {
  const random = seeded(5466);
  const one = (depth: number): string => {
    const kind = depth === 0 ? 0 : random(5);
    if (kind === 1) return `NOT ${one(depth - 1)}`;
    if (kind === 2) return `OR ${one(depth - 1)} ${one(depth - 1)}`;
    if (kind === 3) return `(${one(depth - 1)} ${one(depth - 1)})`;
    return keys[random(keys.length)]!;
  };
  return Array.from({ length: count }, () => `${one(3)} ${one(2)}`);
}

export const SINGLE_PROGRAMS: readonly string[] = [...TEXT_KEYS, ...PLAIN_KEYS];

/** Random programs of all keys but those that are answered differently. */
export function combinedPrograms(count: number, without: ReadonlySet<string>): string[] {
  return combined(
    count,
    [...TEXT_KEYS, ...PLAIN_KEYS, ...PLAIN_KEYS].filter((key) => !without.has(key) && !key.startsWith('MODSEQ')),
  );
}
