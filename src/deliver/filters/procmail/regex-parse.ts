/**
 * Procmail's own dialect of egrep (procmailrc(5), "Extended regular expressions"), read into instructions for a simulation.
 * `^` and `$` consume a line end, `\<` and `\>` a character that is no word character; the places before the first and after the last
 * character can be consumed once by these too (symbols BEGIN and END).
 */
import { PROCMAIL_LIMITS } from './limits.ts';

/** Symbols beside the 256 byte values. */
export const BEGIN = 256;
export const END = 257;
const SYMBOLS = 258;

export const CONSUME = 0;
export const SPLIT = 1;
export const MARK = 2;
export const ACCEPT = 3;

export interface Instructions {
  readonly op: Uint8Array;
  /** CONSUME: index into `sets`; SPLIT: the other branch. */
  readonly argument: Int32Array;
  readonly next: Int32Array;
  /** One flag per symbol. */
  readonly sets: readonly Uint8Array[];
  readonly start: number;
  /** Has `\/`. */
  readonly hasMark: boolean;
  /** As procmail says: "Invalid regexp"; it is used as far as it was understood. */
  readonly isMalformed: boolean;
}

/** Written at any place, case-sensitive. Longer names first: `^TO` begins `^TO_`. */
const MACROS: readonly (readonly [string, string])[] = (() => {
  const to = '(^((Original-)?(Resent-)?(To|Cc|Bcc)|(X-Envelope|Apparently(-Resent)?)-To):(.*';
  const head = '(((Resent-)?(From|Sender)|X-Envelope-From):|>?From )([^>]*[^(.%@a-z0-9])?(';
  const tail = ')(([^).!:a-z0-9][-_a-z0-9]*)?[%@>\t ][^<)]*(\\(.*\\).*)?)?$([^>]|$))';
  const daemon =
    'Post(ma?(st(e?r)?|n)|office)|(send)?Mail(er)?|daemon|m(mdf|ajordomo)|n?uucp|LIST(SERV|proc)|NETSERV|o(wner|ps)|' +
    'r(e(quest|sponse)|oot)|b(ounce|bs\\.smtp)|echo|mirror|s(erv(ices?|er)|mtp(error)?|ystem)|A(dmin(istrator)?|MMGR|utoanswer)';
  const mailer =
    'Post(ma(st(er)?|n)|office)|(send)?Mail(er)?|daemon|mmdf|n?uucp|ops|r(esponse|oot)|(bbs\\.)?smtp(error)?|s(erv(ices?|er)|ystem)|A(dmin(istrator)?|MMGR)';
  return [
    ['^TO_', `${to}[^-a-zA-Z0-9_.])?)`],
    ['^TO', `${to}[^a-zA-Z])?)`],
    ['^FROM_DAEMON', `(^(Mailing-List:|Precedence:.*(junk|bulk|list)|To: Multiple recipients of |${head}${daemon}${tail})`],
    ['^FROM_MAILER', `(^(${head}${mailer}${tail})`],
  ];
})();

/** Macros are replaced in the text, once, before it is read. */
export function expandMacros(pattern: string): string {
  if (!pattern.includes('^TO') && !pattern.includes('^FROM_')) return pattern;
  return pattern.replace(/\^(?:TO_?|FROM_DAEMON|FROM_MAILER)/g, (name) => MACROS.find((row) => row[0] === name)![1]);
}

/** `pattern`: one character a byte. Null when it is too large. Reads any text; what it cannot read ends the expression. */
export function parseExpression(pattern: string, isCaseSensitive: boolean): Instructions | null {
  const reader = new Reader(expandMacros(pattern), isCaseSensitive);
  return reader.read();
}

/** A piece of the automaton whose open ends are joined when the next piece is known: `next` is a hole until then. */
interface Piece {
  readonly start: number;
  /** Instructions whose `next` (even: index * 2) or `argument` (odd) leads out of the piece. */
  readonly out: number[];
}

class Reader {
  readonly text: string;
  readonly isCaseSensitive: boolean;
  at = 0;
  depth = 0;
  isMalformed = false;
  isTooLarge = false;
  hasMark = false;
  readonly op: number[] = [];
  readonly argument: number[] = [];
  readonly next: number[] = [];
  readonly sets: Uint8Array[] = [];
  readonly setIndex = new Map<string, number>();

  constructor(text: string, isCaseSensitive: boolean) {
    this.text = text;
    this.isCaseSensitive = isCaseSensitive;
  }

  read(): Instructions | null {
    const whole = this.alternatives();
    if (this.at < this.text.length) this.isMalformed = true; // a closing parenthesis too many
    const accept = this.emit(ACCEPT, 0);
    this.join(whole.out, accept);
    if (this.isTooLarge) return null;
    return {
      op: Uint8Array.from(this.op),
      argument: Int32Array.from(this.argument),
      next: Int32Array.from(this.next),
      sets: this.sets,
      start: whole.start,
      hasMark: this.hasMark,
      isMalformed: this.isMalformed,
    };
  }

  emit(op: number, argument: number): number {
    if (this.op.length >= PROCMAIL_LIMITS.expressionSize) this.isTooLarge = true;
    this.op.push(op);
    this.argument.push(argument);
    this.next.push(-1);
    return this.op.length - 1;
  }

  join(out: readonly number[], target: number): void {
    for (const hole of out) {
      if ((hole & 1) === 0) this.next[hole >> 1] = target;
      else this.argument[hole >> 1] = target;
    }
  }

  /** Ends at `)` or the end of the text. */
  alternatives(): Piece {
    let left = this.sequence();
    while (this.at < this.text.length && this.text[this.at] === '|' && !this.isTooLarge) {
      this.at += 1;
      const right = this.sequence();
      const split = this.emit(SPLIT, right.start);
      this.next[split] = left.start;
      left = { start: split, out: left.out.concat(right.out) };
    }
    return left;
  }

  sequence(): Piece {
    // An empty sequence is a split with both ways the same: something to point at.
    let whole: Piece | null = null;
    while (this.at < this.text.length && !this.isTooLarge) {
      const c = this.text[this.at]!;
      if (c === '|' || c === ')') break;
      let piece = this.atom();
      const suffix = this.text[this.at];
      if (suffix === '*' || suffix === '+' || suffix === '?') {
        this.at += 1;
        piece = this.repeated(piece, suffix);
      }
      if (whole === null) whole = piece;
      else {
        this.join(whole.out, piece.start);
        whole = { start: whole.start, out: piece.out };
      }
    }
    if (whole !== null) return whole;
    const nothing = this.emit(SPLIT, -1);
    return { start: nothing, out: [nothing * 2, nothing * 2 + 1] };
  }

  repeated(piece: Piece, suffix: string): Piece {
    const split = this.emit(SPLIT, piece.start);
    if (suffix === '?') return { start: split, out: piece.out.concat(split * 2) };
    this.join(piece.out, split);
    return { start: suffix === '*' ? split : piece.start, out: [split * 2] };
  }

  atom(): Piece {
    const c = this.text[this.at]!;
    this.at += 1;
    if (c === '(') {
      if (this.depth >= PROCMAIL_LIMITS.nesting) {
        this.isTooLarge = true;
        return this.one(this.literal(0x28));
      }
      this.depth += 1;
      const inner = this.alternatives();
      this.depth -= 1;
      if (this.text[this.at] === ')') this.at += 1;
      else this.isMalformed = true;
      return inner;
    }
    if (c === '[') return this.one(this.bracket());
    if (c === '.') return this.one(this.set('.', (flags) => flags.fill(1, 0, 256).fill(0, 10, 11)));
    if (c === '^' && this.text[this.at] === '^') {
      this.at += 1;
      return this.one(this.set('^^', (flags) => flags.fill(1, BEGIN, SYMBOLS)));
    }
    if (c === '^' || c === '$') return this.one(this.lineEnd());
    if (c === '\\' && this.at < this.text.length) {
      const quoted = this.text[this.at]!;
      this.at += 1;
      if (quoted === '/') {
        this.hasMark = true;
        const mark = this.emit(MARK, 0);
        return { start: mark, out: [mark * 2] };
      }
      if (quoted === '<' || quoted === '>') return this.one(this.set('\\<', notAWord));
      return this.one(this.literal(quoted.charCodeAt(0)));
    }
    // `*` and the like with nothing before them stand for themselves, as everything else does.
    return this.one(this.literal(c.charCodeAt(0)));
  }

  one(set: number): Piece {
    const index = this.emit(CONSUME, set);
    return { start: index, out: [index * 2] };
  }

  set(key: string, fill: (flags: Uint8Array) => void): number {
    const known = this.setIndex.get(key);
    if (known !== undefined) return known;
    const flags = new Uint8Array(SYMBOLS);
    fill(flags);
    this.sets.push(flags);
    this.setIndex.set(key, this.sets.length - 1);
    return this.sets.length - 1;
  }

  lineEnd(): number {
    return this.set('$', (flags) => flags.fill(1, 10, 11).fill(1, BEGIN, SYMBOLS));
  }

  literal(code: number): number {
    const byte = code & 0xff;
    return this.set(`=${byte}`, (flags) => {
      flags[byte] = 1;
      if (!this.isCaseSensitive) addOtherCase(flags);
    });
  }

  /** After `[`. Backslashes stand for themselves; a set that is not closed takes the rest. */
  bracket(): number {
    const from = this.at;
    const text = this.text;
    const isNegated = text[this.at] === '^';
    if (isNegated) this.at += 1;
    const flags = new Uint8Array(SYMBOLS);
    let isFirst = true;
    while (this.at < text.length) {
      if (text[this.at] === ']' && !isFirst) break;
      isFirst = false;
      const low = text.charCodeAt(this.at) & 0xff;
      this.at += 1;
      if (text[this.at] === '-' && this.at + 1 < text.length && text[this.at + 1] !== ']') {
        const high = text.charCodeAt(this.at + 1) & 0xff;
        this.at += 2;
        flags[low] = 1;
        flags[high] = 1;
        for (let byte = low; byte <= high; byte += 1) flags[byte] = 1;
      } else flags[low] = 1;
    }
    const key = `[${text.slice(from, this.at)}`;
    if (this.at < text.length) this.at += 1;
    if (!this.isCaseSensitive) addOtherCase(flags);
    if (isNegated) {
      for (let byte = 0; byte < 256; byte += 1) flags[byte] = flags[byte] === 0 ? 1 : 0;
      flags[10] = 0;
    }
    return this.set(key, (into) => into.set(flags));
  }
}

function addOtherCase(flags: Uint8Array): void {
  for (let upper = 0x41; upper <= 0x5a; upper += 1) {
    const either = flags[upper]! | flags[upper + 32]!;
    flags[upper] = either;
    flags[upper + 32] = either;
  }
}

function notAWord(flags: Uint8Array): void {
  flags.fill(1).fill(0, 0x30, 0x3a).fill(0, 0x41, 0x5b).fill(0, 0x61, 0x7b);
  flags[0x5f] = 0;
}
