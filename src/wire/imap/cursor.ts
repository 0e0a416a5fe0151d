/**
 * The tokens of IMAP (RFC 9051 section 9), read from one complete command whose literals are inline.
 * A wrong byte throws ImapSyntaxError with a text for the client; nothing else is thrown.
 */
import { isUtf8 } from 'node:buffer';
import { ASTRING_CHAR, ATOM_CHAR, BACKSLASH, BRACE, CLOSE, CR, DQUOTE, isDigit, LF, LIST_CHAR, OPEN, SP, scan, TILDE } from './chars.ts';
import { IMAP_LIMITS } from './limits.ts';
import { decodeMailboxName } from './utf7.ts';

/** The command is not as the grammar has it; answered with BAD. */
export class ImapSyntaxError extends Error {}

/** A string as the grammar has it, but no mailbox has such a name and none can get it; answered with NO [CANNOT]. */
export class ImapNameError extends ImapSyntaxError {}

/** A pair of numbers for each range, as sent: [from, to, from, to …]; 0 stands for "*". null is "$", the saved search result. */
export type SequenceSet = readonly number[] | null;

const UINT32 = 0xffffffff;

export class Cursor {
  readonly bytes: Buffer;
  at: number;
  /** The client has said that its strings are UTF-8 (ENABLE UTF8=ACCEPT or IMAP4rev2): others are refused (RFC 6855 section 3, RFC 9051 section 4.3). */
  isUtf8 = false;
  /** With `isUtf8`: are literals text too? Not where they are in a charset of their own. */
  areLiteralsUtf8 = true;

  constructor(bytes: Buffer, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  fail(expected: string): never {
    throw new ImapSyntaxError(`${expected} expected at byte ${this.at + 1}`);
  }

  get isAtEnd(): boolean {
    return this.at >= this.bytes.length;
  }

  peek(): number {
    return this.at < this.bytes.length ? this.bytes[this.at]! : -1;
  }

  /** Is the next byte this one? Takes it if so. */
  take(byte: number): boolean {
    if (this.bytes[this.at] !== byte || this.isAtEnd) return false;
    this.at += 1;
    return true;
  }

  expect(byte: number): void {
    if (!this.take(byte)) this.fail(`"${String.fromCharCode(byte)}"`);
  }

  sp(): void {
    if (!this.take(SP)) this.fail(this.isAtEnd ? 'more arguments' : 'a space');
  }

  /** Nothing may follow, except spaces that some clients leave at the end of the line. */
  end(): void {
    while (this.take(SP));
    if (!this.isAtEnd) this.fail('end of command');
  }

  #run(table: Uint8Array, what: string): string {
    const end = scan(table, this.bytes, this.at);
    if (end === this.at) this.fail(what);
    const text = this.bytes.toString('latin1', this.at, end);
    this.at = end;
    return text;
  }

  atom(): string {
    return this.#run(ATOM_CHAR, 'an atom');
  }

  /** An atom, compared without case. */
  word(): string {
    return this.atom().toUpperCase();
  }

  /** Takes the atom `word` (upper case) if it stands here and ends here. */
  takeWord(word: string): boolean {
    const end = scan(ATOM_CHAR, this.bytes, this.at);
    if (end - this.at !== word.length || this.bytes.toString('latin1', this.at, end).toUpperCase() !== word) return false;
    this.at = end;
    return true;
  }

  number(max: number = UINT32): number {
    const start = this.at;
    let value = 0;
    while (isDigit(this.bytes[this.at])) {
      value = value * 10 + this.bytes[this.at]! - 0x30;
      if (value > max) this.fail(`a number up to ${max}`);
      this.at += 1;
    }
    if (this.at === start) this.fail('a number');
    return value;
  }

  nzNumber(): number {
    const value = this.number();
    if (value === 0) this.fail('a number above zero');
    return value;
  }

  /** mod-sequence-valzer (RFC 7162 section 7); ours stay below 2^53, so a larger one can be cut to that. */
  modSequence(): number {
    const start = this.at;
    while (isDigit(this.bytes[this.at])) this.at += 1;
    if (this.at === start || this.at - start > 19) this.fail('a mod-sequence');
    return Math.min(Number(this.bytes.toString('latin1', start, this.at)), Number.MAX_SAFE_INTEGER);
  }

  /** quoted or literal. The answer may be a view of the command. */
  string(): Buffer {
    const first = this.peek();
    if (first === DQUOTE) return this.#quoted();
    if (first === BRACE) return this.#literal();
    return this.fail('a string');
  }

  astring(): Buffer {
    const first = this.peek();
    if (first === DQUOTE) return this.#quoted();
    if (first === BRACE) return this.#literal();
    const end = scan(ASTRING_CHAR, this.bytes, this.at);
    if (end === this.at) this.fail('a string or atom');
    const value = this.bytes.subarray(this.at, end);
    this.at = end;
    return value;
  }

  /** nstring: null for NIL. */
  nstring(): Buffer | null {
    return this.takeWord('NIL') ? null : this.string();
  }

  /** A value that need not be text: nstring or literal8; a literal holds any bytes, a quoted string text. */
  value(): Buffer | null {
    if (this.peek() === BRACE) return this.#literal('octets');
    return this.isLiteral8Ahead() ? this.literal8() : this.nstring();
  }

  #checkUtf8(value: Buffer): void {
    if (this.isUtf8 && !isUtf8(value)) throw new ImapSyntaxError('Strings must be UTF-8');
  }

  #quoted(): Buffer {
    const { bytes } = this;
    const start = this.at + 1;
    let escapes = 0;
    let bits = 0;
    for (let i = start; i < bytes.length; i += 1) {
      const byte = bytes[i]!;
      if (byte === DQUOTE) {
        this.at = i + 1;
        if (bits >= 0x80) this.#checkUtf8(bytes.subarray(start, i));
        return escapes === 0 ? bytes.subarray(start, i) : unescaped(bytes, start, i, escapes);
      }
      if (byte === BACKSLASH) {
        i += 1;
        if (bytes[i] !== DQUOTE && bytes[i] !== BACKSLASH) {
          this.at = i;
          this.fail('a quote or backslash after the backslash');
        }
        escapes += 1;
      } else if (byte === CR || byte === LF || byte === 0) break;
      bits |= byte;
    }
    return this.fail('a closing quote');
  }

  /** literal8: any bytes. */
  literal8(): Buffer {
    this.expect(TILDE);
    if (this.peek() !== BRACE) this.fail('a literal');
    return this.#literal('binary');
  }

  /** 'octets': anything but NUL; 'binary': NUL too. */
  #literal(what: 'text' | 'octets' | 'binary' = 'text'): Buffer {
    this.at += 1;
    const size = this.number(Number.MAX_SAFE_INTEGER);
    this.take(0x2b);
    this.expect(0x7d);
    if (!this.take(CR) || !this.take(LF) || this.at + size > this.bytes.length) this.fail('a literal');
    const value = this.bytes.subarray(this.at, this.at + size);
    // CHAR8 has no NUL; a string with one could never be given back as it was.
    if (what !== 'binary' && value.includes(0)) this.fail('a literal without NUL');
    if (what === 'text' && this.areLiteralsUtf8) this.#checkUtf8(value);
    this.at += size;
    return value;
  }

  /** mailbox, as the full name in Unicode; INBOX in any case is "INBOX". */
  mailbox(): string {
    return this.#name(this.astring());
  }

  /** list-mailbox: a mailbox name with wildcards. */
  listMailbox(): string {
    const first = this.peek();
    if (first === DQUOTE || first === BRACE) return this.#name(this.string());
    return this.#name(Buffer.from(this.#run(LIST_CHAR, 'a mailbox pattern'), 'latin1'));
  }

  #name(bytes: Buffer): string {
    const name = decodeMailboxName(bytes);
    if (name === null) throw new ImapNameError('A mailbox name is modified UTF-7 or UTF-8, without control characters');
    return name;
  }

  sequenceSet(): SequenceSet {
    if (this.take(0x24)) return null;
    const ranges: number[] = [];
    do {
      if (ranges.length >= 2 * IMAP_LIMITS.sequenceRanges) throw new ImapSyntaxError('Too many ranges in the sequence set');
      const from = this.#sequenceNumber();
      ranges.push(from, this.take(0x3a) ? this.#sequenceNumber() : from);
    } while (this.take(0x2c));
    return ranges;
  }

  #sequenceNumber(): number {
    return this.take(0x2a) ? 0 : this.nzNumber();
  }

  /** "(" item *(SP item) ")"; the list may be empty when `least` is 0. */
  list(most: number, least: number, item: () => void): void {
    this.expect(OPEN);
    let count = 0;
    if (least === 0 && this.take(CLOSE)) return;
    do {
      count += 1;
      if (count > most) throw new ImapSyntaxError(`More than ${most} entries in one list`);
      item();
    } while (this.take(SP));
    this.expect(CLOSE);
  }

  isListAhead(): boolean {
    return this.peek() === OPEN;
  }

  isLiteral8Ahead(): boolean {
    return this.peek() === TILDE && this.bytes[this.at + 1] === BRACE;
  }
}

function unescaped(bytes: Buffer, start: number, end: number, escapes: number): Buffer {
  const out = Buffer.allocUnsafe(end - start - escapes);
  let to = 0;
  for (let i = start; i < end; i += 1) {
    if (bytes[i] === BACKSLASH) i += 1;
    out[to] = bytes[i]!;
    to += 1;
  }
  return out;
}
