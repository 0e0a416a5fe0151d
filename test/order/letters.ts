/** A mailbox with all that makes sorting and threading hard; the same letters each time. */

export interface Letter {
  readonly text: string;
  /** As APPEND wants it. */
  readonly internalDate: string;
}

/** Numbers that follow from a seed (Lehmer). */
export function lehmer(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state * 48271) % 2147483647;
    return state % below;
  };
}

const SUBJECTS: readonly (string | null)[] = [
  null,
  '',
  ' ',
  'Re:',
  'Re: ',
  'fwd:',
  '[list]',
  '[list] ',
  '[a][b]',
  '[a] [b] ',
  'plan',
  'Plan',
  'Re: plan',
  'RE: Plan',
  're:plan',
  'Re : plan',
  'Re[2]: plan',
  'Re [2] : plan',
  'Re: Re: Fwd: plan',
  'FW: plan',
  'Fwd: plan',
  'fwd plan',
  '[list] plan',
  '[list] Re: plan',
  'Re: [list] plan',
  'Re: [list] Re: [other] plan',
  '[Fwd: plan]',
  '[fwd: Re: plan]',
  'Re: [Fwd: [list] plan] (fwd)',
  '[Fwd: plan',
  'plan (fwd)',
  'plan (FWD) (fwd)',
  'plan(fwd)',
  '(fwd)',
  'Aw: plan',
  'Sv: plan',
  'plan  with   spaces',
  'plan\r\n  folded',
  'plan\twith a tab',
  '=?utf-8?q?pl=C3=A4ne?=',
  '=?iso-8859-1?q?Re:_pl=E4ne?=',
  '=?utf-8?b?UmU6IFBMw4RORQ==?=',
  'Re: =?utf-8?q?=5Blist=5D?= =?utf-8?q?_pl=C3=A4ne?=',
  '=?utf-8?q?=C3=89lan?=',
  '=?utf-8?q?e=CC=81lan?=',
  'elan',
  'Elf',
  '=?utf-8?q?stra=C3=9Fe?=',
  'strasse',
  'STRASSE',
  '=?utf-8?q?=EF=AC=81t?=',
  'fit',
  '=?utf-8?b?0L/RgNC40LLQtdGC?=',
  '=?utf-8?b?0J/QoNCY0JLQldCi?=',
  '=?utf-8?b?8J+YgCBzbWlsZQ==?=',
  '=?utf-8?b?77yhIGZ1bGwgd2lkdGg=?=',
  '=?utf-8?q?unfinished',
  '"quoted" \\ back',
  'zebra [not at the start]',
  '1',
  '10',
  '9',
  '_',
  '~',
  'a very long subject '.repeat(40).trim(),
  `${'a very long subject '.repeat(40)}with another end`,
];

const DATES: readonly (string | null)[] = [
  null,
  '',
  'no date',
  'Mon, 1 Jan 2024 10:00:00 +0000',
  'Mon, 1 Jan 2024 10:00:00 GMT',
  'Mon, 1 Jan 2024 12:00:00 +0200',
  'Mon, 1 Jan 2024 02:00:00 -0800 (PST)',
  '1 Jan 2024 10:00 +0000',
  'Mon, 1 Jan 2024 10:00:00',
  'Mon,  1  Jan  2024  10:00:01  +0000',
  '01 Jan 24 10:00:02 +0000',
  'Sun, 31 Dec 2023 16:01:33 -0800',

  'Thu, 1 Jan 1998 00:00:00 EST',
  'Tue, 29 Feb 2028 23:59:59 +1400',
  'Tue, 29 Feb 2028 23:59:59 -1200',
  'Fri, 1 Jan 2100 00:00:00 +0000',
];

const ADDRESSES: readonly (string | null)[] = [
  null,
  '',
  'anna@a.test',
  'Anna <anna@b.test>',
  'ANNA <ANNA@b.test>',
  'Zoe <adam@a.test>',
  '"Zoe, the other" <adam@a.test>',
  '=?utf-8?q?=C3=89mile?= <emile@a.test>',
  '=?utf-8?q?emile?= <zz@a.test>',
  '<bare@a.test>',
  'commented@a.test (Comment Name)',
  'Friends: bert@a.test, carl@a.test;',
  'undisclosed-recipients:;',
  'first@a.test, second@a.test',
  '<@route.test:routed@a.test>',
  '"quoted local"@a.test',
  'xyz@[192.0.2.1]',
];

/** The letters of a mailbox: each trick at least once, then mixed. `isDated`: no two have the same date, and all have one. */
export function makeLetters(count: number, seed: number, isDated = false): Letter[] {
  const random = lehmer(seed);
  const pick = <T>(from: readonly T[], i: number): T => (i < from.length ? from[i]! : from[random(from.length)]!);
  const ids: string[] = [];
  const letters: Letter[] = [];
  for (let i = 0; i < count; i += 1) {
    const fields: string[] = [];
    const add = (name: string, value: string | null): void => {
      if (value !== null) fields.push(`${name}: ${value}`);
    };
    add('From', pick(ADDRESSES, i));
    add('To', pick(ADDRESSES, (i + 7) % count));
    add('Cc', random(3) === 0 ? pick(ADDRESSES, count) : null);
    add('Subject', pick(SUBJECTS, i));
    if (isDated) add('Date', `${1 + ((random(4) * 7 + i) % 28)} Jan ${1980 + (i % 40)} 10:00:${String(i % 60).padStart(2, '0')} +0000`);
    else add('Date', random(3) === 0 ? pick(DATES, count) : `${1 + random(28)} ${['Jan', 'Feb', 'Mar'][random(3)]} 2024 ${10 + random(4)}:00:00 +0000`);
    const id = `<m${i}.${seed}@a.test>`;
    const known = (): string => (ids.length === 0 || random(12) === 0 ? `<missing${random(6)}@a.test>` : ids[random(ids.length)]!);
    const kind = random(16);
    if (kind === 1 && ids.length > 0) add('Message-ID', ids[random(ids.length)]!);
    else if (kind === 2) add('Message-ID', `<"m${i}.${seed}"@a.test>`);
    else if (kind !== 3) add('Message-ID', kind === 4 ? `  ${id} (comment)` : id);
    const answer = random(10);
    if (answer < 4) add('References', [...new Set(Array.from({ length: 1 + random(4) }, known))].join(random(2) === 0 ? ' ' : '\r\n\t'));
    else if (answer === 4) add('In-Reply-To', known());
    else if (answer === 5) add('In-Reply-To', `Message from anna <anna@a.test> of Monday ${known()}`);
    else if (answer === 6) add('References', `${id} ${known()}`);
    else if (answer === 7) {
      // One that comes later: loops.
      add('References', `<m${i + 1 + random(5)}.${seed}@a.test> ${known()}`);
    } else if (answer === 8) {
      add('References', 'garbage without ids');
      add('In-Reply-To', known());
    }
    ids.push(id);
    const day = 1 + random(28);
    letters.push({
      text: `${fields.join('\r\n')}\r\n\r\n${'x'.repeat(random(50))}\r\n`,
      internalDate: `${String(day).padStart(2, ' ')}-${['Jan', 'Feb', 'Mar', 'Apr'][random(4)]}-2024 ${10 + random(10)}:${10 + random(50)}:${10 + random(50)} +0000`,
    });
  }
  return letters;
}
