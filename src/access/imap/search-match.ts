/**
 * Does a message match a search key? Decided with as little as possible: a probe knows at first only what the view knows
 * (flags, uid, modseq), and what needs more answers "unknown" until the probe has read it. What is unknown on one side of
 * AND or OR often need not be known, so most messages are never opened.
 */
import { decodeCharset } from '../../mail/charset.ts';
import { decodeWords } from '../../mail/encoded-word.ts';
import { firstField, type HeaderField, isField, scanHeaders } from '../../mail/header.ts';
import { decodeHeaderValue, foldForSearch, headerText } from '../../mail/text.ts';
import type { EmailId, Milliseconds } from '../../ports.ts';
import { emailOfObjectId, threadOfObjectId } from '../../store/object-id.ts';
import type { SequenceSet } from '../../wire/imap/cursor.ts';
import type { EnvelopeName, SearchKey } from '../../wire/imap/search.ts';
import { ENVELOPE, envelopeAddresses, envelopeString } from './envelope-text.ts';
import { isOnDay, sentDay } from './search-days.ts';
import type { Questions, SimilarQuestion, TextQuestion } from './search-index.ts';
import { likeness } from './search-fuzzy.ts';
import type { SaveDates } from './search-rows.ts';
import { hasPosition, type Ranges } from './sequence.ts';
import type { MailboxView } from './view.ts';

/** What must have been read before a test can answer. */
export const LEVEL = { view: 0, row: 1, envelope: 2, header: 3, text: 4 } as const;
export type Level = (typeof LEVEL)[keyof typeof LEVEL];

/** One message being looked at. `level` says which of the fields are filled. */
export interface Probe {
  level: Level;
  position: number;
  /** In the view. */
  index: number;
  // LEVEL.row
  uid: number;
  internalDate: Milliseconds;
  size: number;
  email: EmailId;
  // LEVEL.envelope
  envelope: string;
  // LEVEL.header
  header: Uint8Array;
  /** Read out of the header when first asked for, as many keys may ask. */
  fields: readonly HeaderField[] | null;
  headerText: string | null;
  /** LEVEL.text: decoded text of the body, folded. */
  text: string;
  /** Scores of the fuzzy keys that matched: their sum and number. */
  scores: number;
  scored: number;
}

export function newProbe(): Probe {
  return {
    level: LEVEL.view,
    position: 0,
    index: 0,
    uid: 0,
    internalDate: 0,
    size: 0,
    email: 0,
    envelope: '',
    header: NOTHING,
    fields: null,
    headerText: null,
    text: '',
    scores: 0,
    scored: 0,
  };
}
const NOTHING = new Uint8Array(0);

export function setHeader(probe: Probe, header: Uint8Array): void {
  probe.header = header;
  probe.fields = null;
  probe.headerText = null;
}

export interface Test {
  /** The highest level it may ask for: cheap tests are tried first. */
  readonly cost: Level;
  run(probe: Probe): boolean | undefined;
}

/** A mailbox that is searched: a selected one, or another as it is now (RFC 7377). */
export interface Searched {
  readonly view: MailboxView;
  /** What the sequence numbers 1 to count stand for. */
  readonly uids: Uint32Array;
  readonly count: number;
  ranges(set: SequenceSet, isUid: boolean): Ranges;
  isRecent(uid: number): boolean;
}

/** How texts are compared: both sides are folded, then one is sought in the other (RFC 5255 section 4). */
export type Fold = (text: string) => string;

/** What the keys are turned into tests for. */
export interface Compiling {
  readonly mailbox: Searched;
  /** Of the strings in the keys. */
  readonly charset: string;
  /** For OLDER and YOUNGER. */
  readonly now: Milliseconds;
  readonly fold: Fold;
  /** Gathers what the index is to be asked. */
  readonly questions: Questions;
  readonly saveDates: SaveDates;
}

/** Turns a key without filters into tests, the cheap ones first. */
export function compile(key: SearchKey, context: Compiling, isFuzzy = false): Test {
  const { mailbox, charset, fold, now } = context;
  const { view } = mailbox;
  const sub = (inner: SearchKey): Test => compile(inner, context, isFuzzy);
  const decoded = (value: Buffer): string => decodeCharset(value, charset);
  switch (key.kind) {
    case 'all':
    case 'saveDateSupported':
      return atView(() => true);
    case 'recent':
      return atView((probe) => mailbox.isRecent(view.uids[probe.index]!));
    case 'new':
      return atView((probe) => mailbox.isRecent(view.uids[probe.index]!) && !view.isSeen(probe.index));
    case 'old':
      return atView((probe) => !mailbox.isRecent(view.uids[probe.index]!));
    case 'flag': {
      const wanted = key.isSet ? key.bit : 0;
      return atView((probe) => (view.flags[probe.index]! & key.bit) === wanted);
    }
    case 'keyword':
      return keywordTest(view, key.word.toLowerCase(), key.isSet);
    case 'sequence':
    case 'uid': {
      const ranges: Ranges = mailbox.ranges(key.set, key.kind === 'uid');
      return atView((probe) => hasPosition(ranges, probe.position));
    }
    case 'modseq':
      return atView((probe) => view.modseqs[probe.index]! >= key.modseq);
    case 'larger':
      return atRow((probe) => probe.size > key.size);
    case 'smaller':
      return atRow((probe) => probe.size < key.size);
    case 'older':
      return atRow((probe) => probe.internalDate <= now - key.seconds * 1000);
    case 'younger':
      return atRow((probe) => probe.internalDate >= now - key.seconds * 1000);
    case 'before':
    case 'on':
    case 'since':
      return atRow((probe) => isOnDay(key.kind, key.day, probe.internalDate));
    case 'savedBefore':
    case 'savedOn':
    case 'savedSince':
      return atRow((probe) => isOnDay(key.kind, key.day, context.saveDates.of(probe.uid)));
    case 'sentBefore':
      return atSent((day) => day < key.day);
    case 'sentOn':
      return atSent((day) => day === key.day);
    case 'sentSince':
      return atSent((day) => day >= key.day);
    case 'emailId': {
      const email = emailOfObjectId(key.id);
      return atRow((probe) => probe.email === email);
    }
    case 'threadId': {
      const question = context.questions.thread(threadOfObjectId(key.id));
      return atRow((probe) => question.answer(probe.email));
    }
    case 'header': {
      const test = headerTest(context, key.name, fold(decoded(key.value)));
      return isFuzzy ? fuzzyField(test, (probe) => fieldTexts(probe, key.name), LEVEL.header, decoded(key.value)) : test;
    }
    case 'envelope': {
      const test = envelopeTest(key.name, fold(decoded(key.value)), fold);
      return isFuzzy ? fuzzyField(test, (probe) => envelopeText(probe, key.name), LEVEL.envelope, decoded(key.value)) : test;
    }
    case 'body':
    case 'text': {
      const needle = fold(decoded(key.value));
      if (needle === '') return atView(() => true);
      const test = textTest(key.kind, needle, context.questions.text(key.kind, needle), fold);
      return isFuzzy ? fuzzyText(test, context.questions.like(key.kind, foldForSearch(decoded(key.value)))) : test;
    }
    case 'fuzzy':
      return compile(key.key, context, true);
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
    case 'filter':
      // Put in place by filters.ts before; one that was not is like one that does not exist.
      return atView(() => false);
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

function atView(run: (probe: Probe) => boolean): Test {
  return { cost: LEVEL.view, run };
}

function atRow(run: (probe: Probe) => boolean | undefined): Test {
  return { cost: LEVEL.row, run: (probe) => (probe.level < LEVEL.row ? undefined : run(probe)) };
}

/** Keywords are kept as one text for each set of them: each set is looked into once. */
function keywordTest(view: MailboxView, word: string, isSet: boolean): Test {
  const sets = new Map<number, boolean>();
  let texts = view.keywordTexts;
  return atView((probe) => {
    if (texts !== view.keywordTexts) {
      // The view has numbered them anew.
      texts = view.keywordTexts;
      sets.clear();
    }
    const id = view.keywords[probe.index]!;
    let has = sets.get(id);
    if (has === undefined) {
      has = texts[id]!.toLowerCase().split(' ').includes(word);
      sets.set(id, has);
    }
    return has === isSet;
  });
}

/** BODY and TEXT: the index knows, or the message is read. A text is found in the header or in the body, not across them. */
function textTest(kind: 'body' | 'text', needle: string, question: TextQuestion, fold: Fold): Test {
  return {
    cost: LEVEL.text,
    run: (probe) => {
      if (probe.level < LEVEL.row) return undefined;
      const known = question.answer(probe.email);
      if (known !== undefined) return known;
      if (kind === 'text') {
        if (probe.level < LEVEL.header) return undefined;
        probe.headerText ??= fold(headerText(probe.header));
        if (probe.headerText.includes(needle)) return true;
      }
      return probe.level < LEVEL.text ? undefined : probe.text.includes(needle);
    },
  };
}

/** Relevancy of a match that is exact, but that the index does not count among the similar ones. */
const EXACT_SCORE = 50;

/** FUZZY BODY and TEXT (RFC 6203): what the index finds similar, and whatever matches without FUZZY. */
function fuzzyText(exact: Test, question: SimilarQuestion): Test {
  return {
    cost: exact.cost,
    run: (probe) => {
      if (probe.level < LEVEL.row) return undefined;
      const score = question.scores?.get(probe.email);
      const answer = score !== undefined || exact.run(probe);
      if (answer === true) addScore(probe, score ?? EXACT_SCORE);
      return answer;
    },
  };
}

/** FUZZY of one field: its words are compared one by one. */
function fuzzyField(exact: Test, textOf: (probe: Probe) => string, level: Level, wanted: string): Test {
  const similar = likeness(wanted);
  return {
    cost: exact.cost > level ? exact.cost : level,
    run: (probe) => {
      if (probe.level < level) return undefined;
      const score = similar(textOf(probe));
      if (score > 0) {
        addScore(probe, score);
        return true;
      }
      const answer = exact.run(probe);
      if (answer === true) addScore(probe, EXACT_SCORE);
      return answer;
    },
  };
}

function addScore(probe: Probe, score: number): void {
  probe.scores += score;
  probe.scored += 1;
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

/** What the envelope drops or rewrites: comments, quotes, the brackets of a bare address. A text with these is sought in the header too. */
const NOT_IN_ENVELOPE = /["(),:;<>[\\\]]/;

function envelopeTest(name: EnvelopeName, needle: string, fold: Fold): Test {
  const readsHeader = needle === '' || (name !== 'subject' && NOT_IN_ENVELOPE.test(needle));
  const mayHave = mayHaveText(needle);
  return {
    cost: readsHeader ? LEVEL.header : LEVEL.envelope,
    run: (probe) => {
      if (probe.level < LEVEL.envelope) return undefined;
      if (needle !== '' && mayHave(probe.envelope) && fold(envelopeText(probe, name)).includes(needle)) return true;
      if (!readsHeader) return false;
      return probe.level < LEVEL.header ? undefined : fieldMatches(probe, name, needle, fold);
    },
  };
}

const VERBATIM = /[A-Z0-9._-]+/g;

/**
 * Gives a quick look at a whole envelope that says false only when none of its texts has the needle. Without encoded words, a run
 * of such characters stands in the envelope, in some case, as it stands in the text: nothing is decoded, escaped or put between.
 */
function mayHaveText(needle: string): (envelope: string) => boolean {
  let piece = '';
  for (const [run] of needle.toUpperCase().matchAll(VERBATIM)) if (run.length > piece.length) piece = run;
  // A needle that is much longer than any name would make a costly pattern.
  if (piece === '' || piece.length > 200) return () => true;
  const pattern = new RegExp(piece.replaceAll('.', '\\.'), 'i');
  return (envelope) => pattern.test(envelope) || envelope.includes('=?');
}

function envelopeText(probe: Probe, name: EnvelopeName): string {
  return name === 'subject' ? decodeWords(envelopeString(probe.envelope, ENVELOPE.subject)) : envelopeAddresses(probe.envelope, ENVELOPE[name]);
}

/** An envelope's Message-ID that is all of the field's value, as people read it. */
const PLAIN_ID = /^[\x21-\x7e]{1,900}$/;

/** A header field of that name that has the text; with an empty text, any field of that name. */
function headerTest({ questions, fold }: Compiling, name: string, needle: string): Test {
  // The decoded header has all that its fields have: what is not in it is in none of them.
  const question = needle === '' ? null : questions.text('header', needle);
  const isId = name === 'message-id' && needle !== '' && !/[\s()]/.test(needle);
  return {
    cost: isId ? LEVEL.envelope : LEVEL.header,
    run: (probe) => {
      if (probe.level < LEVEL.row) return undefined;
      if (question?.answer(probe.email) === false) return false;
      // Asked by clients that look whether a message has arrived.
      if (isId) {
        if (probe.level < LEVEL.envelope) return undefined;
        const id = envelopeString(probe.envelope, ENVELOPE.messageId);
        if (PLAIN_ID.test(id) && !id.includes('=?')) return fold(id).includes(needle);
      }
      return probe.level < LEVEL.header ? undefined : fieldMatches(probe, name, needle, fold);
    },
  };
}

function fieldMatches(probe: Probe, name: string, needle: string, fold: Fold): boolean {
  const { header } = probe;
  const fields = (probe.fields ??= scanHeaders(header).fields);
  if (needle === '') return firstField(header, fields, name) !== null;
  for (const field of fields) {
    if (!isField(header, field, name)) continue;
    if (fold(decodeHeaderValue(header.subarray(field.valueStart, field.valueEnd))).includes(needle)) return true;
  }
  return false;
}

/** All fields of the name, a line for each. */
function fieldTexts(probe: Probe, name: string): string {
  const { header } = probe;
  const fields = (probe.fields ??= scanHeaders(header).fields);
  let text = '';
  for (const field of fields) if (isField(header, field, name)) text += `${decodeHeaderValue(header.subarray(field.valueStart, field.valueEnd))}\n`;
  return text;
}
