/**
 * The arguments of APPEND and REPLACE (RFC 9051 section 6.3.12, RFC 8508), with several messages (RFC 3502) and messages that are put
 * together of parts (RFC 4469). They come in pieces, between the literals: each piece gives the steps to be done, in their order.
 */
import { CLOSE, OPEN, SP } from './chars.ts';
import { type Cursor, ImapSyntaxError } from './cursor.ts';
import { dateTime } from './date.ts';
import { type FlagList, flagList } from './flags.ts';
import { IMAP_LIMITS } from './limits.ts';

export interface AppendOptions {
  readonly flags: FlagList;
  /** Unix milliseconds, or null for now. */
  readonly internalDate: number | null;
}

export type AppendStep =
  /** A message begins. */
  | { readonly kind: 'message'; readonly options: AppendOptions }
  /** A part of it is what the URL names. */
  | { readonly kind: 'url'; readonly url: string }
  /** The literal behind this piece: bytes of the message, or a URL. Always the last step of a piece. */
  | { readonly kind: 'literal'; readonly isUrl: boolean }
  | { readonly kind: 'end' };

/** SP mailbox */
export function appendMailbox(cursor: Cursor): string {
  cursor.sp();
  return cursor.mailbox();
}

/** SP seq-number SP mailbox. "*" is 0. */
export function replaceTarget(cursor: Cursor): { number: number; name: string } {
  cursor.sp();
  const number = cursor.take(0x2a) ? 0 : cursor.nzNumber();
  return { number, name: appendMailbox(cursor) };
}

/** Where the next piece goes on. */
type Place = 'betweenMessages' | 'afterMessage' | 'afterUtf8' | 'afterPart' | 'afterUtf8Part';

export class AppendGrammar {
  readonly #isSingle: boolean;
  #place: Place = 'betweenMessages';
  #messages = 0;
  #parts = 0;

  /** `isSingle`: one message and no more (REPLACE). */
  constructor(isSingle: boolean) {
    this.#isSingle = isSingle;
  }

  /** `hasLiteral`: a literal stands behind the piece; otherwise the command ends with it. Throws ImapSyntaxError. */
  steps(cursor: Cursor, hasLiteral: boolean): AppendStep[] {
    const steps: AppendStep[] = [];
    const place = this.#place;
    if (place === 'afterUtf8' || place === 'afterUtf8Part') cursor.expect(CLOSE);
    if (place === 'afterMessage' || place === 'afterUtf8') steps.push({ kind: 'end' });
    let isDone = false;
    if (place === 'afterPart' || place === 'afterUtf8Part') isDone = this.#restOfList(cursor, hasLiteral, steps);
    while (!isDone) {
      if (this.#messages > 0 && !hasLiteral && isOver(cursor)) break;
      if (this.#isSingle && this.#messages > 0) cursor.fail('end of command');
      isDone = this.#message(cursor, hasLiteral, steps);
    }
    return steps;
  }

  /** SP [flag-list SP] [date-time SP] append-data. True: the literal is its last. */
  #message(cursor: Cursor, hasLiteral: boolean, steps: AppendStep[]): boolean {
    steps.push({ kind: 'message', options: appendOptions(cursor) });
    this.#messages += 1;
    if (cursor.takeWord('CATENATE')) {
      cursor.sp();
      cursor.expect(OPEN);
      return this.#part(cursor, hasLiteral, steps) || this.#restOfList(cursor, hasLiteral, steps);
    }
    this.#place = 'afterMessage';
    if (cursor.takeWord('UTF8')) {
      cursor.sp();
      cursor.expect(OPEN);
      this.#place = 'afterUtf8';
    }
    if (!cursor.isAtEnd || !hasLiteral) cursor.fail(this.#messages > 1 && !hasLiteral ? 'end of command' : 'a message literal');
    steps.push({ kind: 'literal', isUrl: false });
    return true;
  }

  /** *(SP cat-part) ")" */
  #restOfList(cursor: Cursor, hasLiteral: boolean, steps: AppendStep[]): boolean {
    while (!cursor.take(CLOSE)) {
      cursor.sp();
      if (this.#part(cursor, hasLiteral, steps)) return true;
    }
    steps.push({ kind: 'end' });
    this.#place = 'betweenMessages';
    return false;
  }

  /** cat-part (RFC 4469 section 5; RFC 6855 section 4). True: the literal is its last. */
  #part(cursor: Cursor, hasLiteral: boolean, steps: AppendStep[]): boolean {
    this.#parts += 1;
    if (this.#parts > IMAP_LIMITS.catenateParts) throw new ImapSyntaxError('Too many parts');
    const kind = cursor.word();
    cursor.sp();
    this.#place = 'afterPart';
    if (kind === 'URL') {
      if (cursor.isAtEnd && hasLiteral) {
        steps.push({ kind: 'literal', isUrl: true });
        return true;
      }
      const url = cursor.astring();
      if (url.length > IMAP_LIMITS.urlBytes) throw new ImapSyntaxError('URL is too long');
      steps.push({ kind: 'url', url: url.toString('latin1') });
      return false;
    }
    if (kind === 'UTF8') {
      cursor.expect(OPEN);
      this.#place = 'afterUtf8Part';
    } else if (kind !== 'TEXT') throw new ImapSyntaxError('TEXT or URL expected');
    if (!cursor.isAtEnd || !hasLiteral) cursor.fail('a literal');
    steps.push({ kind: 'literal', isUrl: false });
    return true;
  }
}

/** Some clients leave spaces at the end. */
function isOver(cursor: Cursor): boolean {
  let at = cursor.at;
  while (cursor.bytes[at] === SP) at += 1;
  return at >= cursor.bytes.length;
}

/** SP [flag-list SP] [date-time SP] */
function appendOptions(cursor: Cursor): AppendOptions {
  cursor.sp();
  let flags: FlagList = { bits: 0, keywords: [] };
  let internalDate: number | null = null;
  if (cursor.isListAhead()) {
    flags = flagList(cursor);
    cursor.sp();
  }
  if (cursor.peek() === 0x22) {
    internalDate = dateTime(cursor);
    cursor.sp();
  }
  return { flags, internalDate };
}
