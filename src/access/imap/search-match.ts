/**
 * Does a message match a search key? Decided with as little as possible: a probe knows at first only what the view knows
 * (flags, uid, modseq), and what needs more answers "unknown" until the probe has read it. What is unknown on one side of
 * AND or OR often need not be known, so most messages are never opened.
 */
import { decodeCharset } from '../../mail/charset.ts';
import { decodeWords } from '../../mail/encoded-word.ts';
import { firstField, type HeaderField, isField, scanHeaders } from '../../mail/header.ts';
import { decodeHeaderValue, foldForSearch, headerText } from '../../mail/text.ts';
import type { MessageTuple } from '../../ports.ts';
import type { EnvelopeName, SearchKey } from '../../wire/imap/search.ts';
import { ENVELOPE, envelopeAddresses, envelopeString } from './envelope-text.ts';
import { hasPosition, type Ranges } from './sequence.ts';
import type { Selected } from './selected.ts';

/** What must have been read before a test can answer. */
export const LEVEL = { view: 0, row: 1, envelope: 2, header: 3, text: 4 } as const;
export type Level = (typeof LEVEL)[keyof typeof LEVEL];

/** One message being looked at. `level` says which of the fields are filled. */
export interface Probe {
  level: Level;
  position: number;
  /** In the view. */
  index: number;
  row: MessageTuple | null;
  envelope: string;
  header: Uint8Array;
  /** Read out of the header when first asked for, as many keys may ask. */
  fields: readonly HeaderField[] | null;
  headerText: string | null;
  /** Decoded text of the body, in lower case. */
  text: string;
}

export interface Test {
  /** The highest level it may ask for: cheap tests are tried first. */
  readonly cost: Level;
  run(probe: Probe): boolean | undefined;
}

const DAY_MS = 86_400_000;

/** Text as it is compared. */
export const folded = foldForSearch;

/** Turns the key into tests, the cheap ones first. `charset` is that of the strings; `now` in milliseconds for OLDER and YOUNGER. */
export function compile(key: SearchKey, selected: Selected, charset: string, now: number): Test {
  const { view } = selected;
  const atView = (run: (probe: Probe) => boolean): Test => ({ cost: LEVEL.view, run });
  const sub = (inner: SearchKey): Test => compile(inner, selected, charset, now);
  const needle = (value: Buffer): string => folded(decodeCharset(value, charset));
  switch (key.kind) {
    case 'all':
      return atView(() => true);
    case 'recent':
      return atView((probe) => selected.isRecent(view.uids[probe.index]!));
    case 'new':
      return atView((probe) => selected.isRecent(view.uids[probe.index]!) && !view.isSeen(probe.index));
    case 'old':
      return atView((probe) => !selected.isRecent(view.uids[probe.index]!));
    case 'flag': {
      const wanted = key.isSet ? key.bit : 0;
      return atView((probe) => (view.flags[probe.index]! & key.bit) === wanted);
    }
    case 'keyword': {
      const word = key.word.toLowerCase();
      const sets = new Map<number, boolean>();
      return atView((probe) => {
        const id = view.keywords[probe.index]!;
        let has = sets.get(id);
        if (has === undefined) {
          has = view.keywordTexts[id]!.toLowerCase().split(' ').includes(word);
          sets.set(id, has);
        }
        return has === key.isSet;
      });
    }
    case 'sequence':
    case 'uid': {
      const ranges: Ranges = selected.ranges(key.set, key.kind === 'uid');
      return atView((probe) => hasPosition(ranges, probe.position));
    }
    case 'modseq':
      return atView((probe) => view.modseqs[probe.index]! >= key.modseq);
    case 'larger':
      return atRow((row) => row[5] > key.size);
    case 'smaller':
      return atRow((row) => row[5] < key.size);
    case 'before':
      return atRow((row) => Math.floor(row[4] / DAY_MS) < key.day);
    case 'on':
      return atRow((row) => Math.floor(row[4] / DAY_MS) === key.day);
    case 'since':
      return atRow((row) => Math.floor(row[4] / DAY_MS) >= key.day);
    case 'older':
      return atRow((row) => row[4] <= now - key.seconds * 1000);
    case 'younger':
      return atRow((row) => row[4] >= now - key.seconds * 1000);
    case 'sentBefore':
      return atSent((day) => day < key.day);
    case 'sentOn':
      return atSent((day) => day === key.day);
    case 'sentSince':
      return atSent((day) => day >= key.day);
    case 'header':
      return headerTest(key.name, needle(key.value));
    case 'envelope':
      return envelopeTest(key.name, needle(key.value));
    case 'body': {
      const value = needle(key.value);
      if (value === '') return atView(() => true);
      return { cost: LEVEL.text, run: (probe) => (probe.level < LEVEL.text ? undefined : probe.text.includes(value)) };
    }
    case 'text': {
      const value = needle(key.value);
      if (value === '') return atView(() => true);
      return {
        cost: LEVEL.text,
        run: (probe) => {
          if (probe.level < LEVEL.header) return undefined;
          probe.headerText ??= folded(headerText(probe.header));
          if (probe.headerText.includes(value)) return true;
          return probe.level < LEVEL.text ? undefined : probe.text.includes(value);
        },
      };
    }
    case 'not': {
      const inner = sub(key.key);
      return {
        cost: inner.cost,
        run: (probe) => {
          const answer = inner.run(probe);
          return answer === undefined ? undefined : !answer;
        },
      };
    }
    case 'and':
      return combine(key.keys.map(sub), false);
    case 'or':
      return combine(key.keys.map(sub), true);
    default:
      return key satisfies never;
  }
}

/** AND ends at the first false, OR at the first true; else one unknown makes the whole unknown. */
function combine(tests: Test[], decisive: boolean): Test {
  tests.sort((a, b) => a.cost - b.cost);
  return {
    cost: tests.at(-1)!.cost,
    run: (probe) => {
      let answer: boolean | undefined = !decisive;
      for (const test of tests) {
        const one = test.run(probe);
        if (one === decisive) return decisive;
        if (one === undefined) answer = undefined;
      }
      return answer;
    },
  };
}

function atRow(run: (row: MessageTuple) => boolean): Test {
  return { cost: LEVEL.row, run: (probe) => (probe.row === null ? undefined : run(probe.row)) };
}

/** Day of the Date field as it is written, whatever its time and zone (RFC 9051 section 6.4.4); a message without one never matches. */
function atSent(run: (day: number) => boolean): Test {
  return {
    cost: LEVEL.envelope,
    run: (probe) => {
      if (probe.level < LEVEL.envelope) return undefined;
      const day = sentDay(probe.envelope);
      return day !== null && run(day);
    },
  };
}

const MONTHS = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];

/** The day in a Date field: "Wed, 17 Jul 1996 02:23:25 -0700". */
function sentDay(envelope: string): number | null {
  const match = /^[^\d]{0,20}(\d{1,2})[ \t-]+([A-Za-z]{3})[a-z]{0,10}[ \t-]+(\d{2,4})/.exec(envelopeString(envelope, ENVELOPE.date).slice(0, 100));
  if (match === null) return null;
  const month = MONTHS.indexOf(match[2]!.toLowerCase());
  const digits = match[3]!;
  // RFC 5322 section 4.3
  const year = digits.length === 4 ? Number(digits) : digits.length === 3 || Number(digits) >= 50 ? 1900 + Number(digits) : 2000 + Number(digits);
  return month === -1 ? null : Math.floor(Date.UTC(year, month, Number(match[1])) / DAY_MS);
}

/** What the envelope drops or rewrites: comments, quotes, the brackets of a bare address. A text with these is sought in the header too. */
const NOT_IN_ENVELOPE = /["(),:;<>[\\\]]/;

function envelopeTest(name: EnvelopeName, needle: string): Test {
  const readsHeader = needle === '' || (name !== 'subject' && NOT_IN_ENVELOPE.test(needle));
  return {
    cost: readsHeader ? LEVEL.header : LEVEL.envelope,
    run: (probe) => {
      if (probe.level < LEVEL.envelope) return undefined;
      const text = name === 'subject' ? decodeWords(envelopeString(probe.envelope, ENVELOPE.subject)) : envelopeAddresses(probe.envelope, ENVELOPE[name]);
      if (needle !== '' && folded(text).includes(needle)) return true;
      if (!readsHeader) return false;
      return probe.level < LEVEL.header ? undefined : fieldMatches(probe, name, needle);
    },
  };
}

/** A header field of that name that has the text; with an empty text, any field of that name. */
function headerTest(name: string, needle: string): Test {
  // Asked by clients that look whether a message has arrived. An id that the envelope has is the field's whole value.
  if (name === 'message-id' && /^[^\s()]+$/.test(needle)) {
    return {
      cost: LEVEL.envelope,
      run: (probe) => {
        if (probe.level < LEVEL.envelope) return undefined;
        const id = envelopeString(probe.envelope, ENVELOPE.messageId);
        if (id !== '') return folded(id).includes(needle);
        return probe.level < LEVEL.header ? undefined : fieldMatches(probe, name, needle);
      },
    };
  }
  return { cost: LEVEL.header, run: (probe) => (probe.level < LEVEL.header ? undefined : fieldMatches(probe, name, needle)) };
}

function fieldMatches(probe: Probe, name: string, needle: string): boolean {
  const { header } = probe;
  const fields = (probe.fields ??= scanHeaders(header).fields);
  if (needle === '') return firstField(header, fields, name) !== null;
  for (const field of fields) {
    if (!isField(header, field, name)) continue;
    if (folded(decodeHeaderValue(header.subarray(field.valueStart, field.valueEnd))).includes(needle)) return true;
  }
  return false;
}
