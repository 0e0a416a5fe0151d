/**
 * Address fields of a header (RFC 5322 section 3.4, with section 4.4's obsolete forms): mailboxes and groups, as sloppy as mail is.
 * One pass over the text; nothing is refused, what cannot be understood becomes a local part or a name.
 */
import { latin1, unfold } from './header.ts';
import { MAIL_LIMITS } from './limits.ts';

/** Texts have one character per byte and hold encoded words as they were; `decodeWords` turns them into text. */
export interface Mailbox {
  readonly kind: 'mailbox';
  /** Display name without its quotes, else the comment of the obsolete form, else null. */
  readonly name: string | null;
  /** Source route "@a,@b" (obs-route), or null. */
  readonly route: string | null;
  /** Unquoted; empty when missing. */
  readonly local: string;
  /** As written; empty when missing. */
  readonly domain: string;
}
export interface GroupStart {
  readonly kind: 'group';
  readonly name: string;
}
export interface GroupEnd {
  readonly kind: 'groupEnd';
}
/** In the order of the text; the members of a group stand between its start and its end, as in an IMAP envelope. */
export type AddressItem = Mailbox | GroupStart | GroupEnd;

const GROUP_END: GroupEnd = { kind: 'groupEnd' };

/** Longest source route looked for; RFC 5321 bounds a whole path at 256. */
const ROUTE_CHARACTERS = 1000;

const TAB = 0x09;
const SP = 0x20;
const DQUOTE = 0x22;
const OPEN = 0x28;
const COMMA = 0x2c;
const COLON = 0x3a;
const SEMICOLON = 0x3b;
const LESS = 0x3c;
const GREATER = 0x3e;
const AT = 0x40;
const BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const DOT = 0x2e;

/** Parses the value of an address field. At most `limit` items are given; the rest of the text is not looked at. */
export function parseAddressList(value: string | Uint8Array, limit: number = MAIL_LIMITS.addresses): AddressItem[] {
  const text = unfold(typeof value === 'string' ? value : latin1(value, 0, value.length));
  return new AddressListParser(text, limit).parse();
}

class AddressListParser {
  readonly #text: string;
  readonly #limit: number;
  readonly #items: AddressItem[] = [];
  #at = 0;
  #isInGroup = false;
  // What was read of the current address: words before "<" or "@", and where each part stands.
  #words = '';
  #hasWords = false;
  /** The words end in a blank. Kept, because asking the string would flatten it each time. */
  #endsBlank = false;
  #endsDot = false;
  /** Where in the words the last one begins; words with a dot between them are one (obs-local-part). */
  #lastWord = 0;
  #isLastQuoted = false;
  #comment: string | null = null;
  /** No comma since the last address: words without an address of their own are leftovers of it. */
  #followsAddress = false;

  constructor(text: string, limit: number) {
    this.#text = text;
    this.#limit = limit;
  }

  parse(): AddressItem[] {
    const text = this.#text;
    while (this.#at < text.length && this.#items.length < this.#limit) {
      const c = text.charCodeAt(this.#at);
      if (c === LESS) this.#angle();
      else if (c === AT) this.#bare();
      else if (c === COMMA) {
        this.#at += 1;
        this.#finishWords();
      } else if (c === COLON && !this.#isInGroup) {
        this.#at += 1;
        this.#items.push({ kind: 'group', name: this.#takeWords() });
        this.#comment = null;
        this.#isInGroup = true;
      } else if (c === SEMICOLON) {
        this.#at += 1;
        this.#finishWords();
        if (this.#isInGroup) this.#endGroup();
      } else if (c === OPEN) this.#skipComment();
      else this.#word(c);
    }
    this.#finishWords();
    if (this.#isInGroup) this.#endGroup();
    return this.#items;
  }

  #endGroup(): void {
    this.#items.push(GROUP_END);
    this.#isInGroup = false;
  }

  #takeWords(): string {
    const words = this.#words.trim();
    this.#words = '';
    this.#hasWords = false;
    return words;
  }

  /** Words that ended without an address: a local part without domain ("root"), which is what old mailers send. */
  #finishWords(): void {
    if (this.#hasWords) {
      const local = this.#takeWords();
      if (!this.#followsAddress) this.#items.push({ kind: 'mailbox', name: this.#comment, route: null, local, domain: '' });
    }
    this.#comment = null;
    this.#followsAddress = false;
  }

  /** One word, quoted string, run of blanks or stray special, appended to the words so far. */
  #word(first: number): void {
    const text = this.#text;
    let at = this.#at;
    if (first === DQUOTE) {
      this.#addWord(this.#quoted(), true);
      return;
    }
    if (first === SP || first === TAB) {
      while (at < text.length && (text.charCodeAt(at) === SP || text.charCodeAt(at) === TAB)) at += 1;
      // Blanks between words count once (a phrase), around dots not at all (obs-local-part).
      if (this.#hasWords && !this.#endsBlank) this.#words += ' ';
      this.#endsBlank = true;
      this.#at = at;
      return;
    }
    const start = at;
    at += 1;
    while (at < text.length && !isWordEnd(text.charCodeAt(at))) at += 1;
    this.#addWord(text.slice(start, at), false);
    this.#at = at;
  }

  #addWord(word: string, isQuoted: boolean): void {
    if (!this.#hasWords || (this.#endsBlank && !this.#endsDot && word.charCodeAt(0) !== DOT)) {
      this.#lastWord = this.#words.length;
      this.#isLastQuoted = false;
    }
    this.#words += word;
    this.#hasWords = true;
    this.#endsBlank = false;
    this.#endsDot = !isQuoted && word.charCodeAt(word.length - 1) === DOT;
    if (isQuoted) this.#isLastQuoted = true;
  }

  /** Content of the quoted string at the current place; a missing end quote ends it with the text. */
  #quoted(): string {
    const text = this.#text;
    let out = '';
    let start = this.#at + 1;
    let at = start;
    while (at < text.length) {
      const c = text.charCodeAt(at);
      if (c === DQUOTE) {
        this.#at = at + 1;
        return out + text.slice(start, at);
      }
      if (c === BACKSLASH && at + 1 < text.length) {
        out += text.slice(start, at);
        start = at + 1;
        at += 1;
      }
      at += 1;
    }
    this.#at = at;
    return out + text.slice(start, at);
  }

  /** Keeps the last comment's text: the name in `user@host (Name)`. */
  #skipComment(): void {
    const text = this.#text;
    let depth = 0;
    let out = '';
    let at = this.#at;
    let start = at + 1;
    for (; at < text.length; at += 1) {
      const c = text.charCodeAt(at);
      if (c === BACKSLASH && at + 1 < text.length) {
        out += text.slice(start, at);
        start = at + 1;
        at += 1;
      } else if (c === OPEN) depth += 1;
      else if (c === 0x29) {
        depth -= 1;
        if (depth === 0) break;
      }
    }
    out += text.slice(start, at);
    this.#at = Math.min(at + 1, text.length);
    const comment = out.trim();
    if (comment !== '') this.#comment = comment;
  }

  /** `<…>` after the words so far, which are the display name. */
  #angle(): void {
    const words = this.#hasWords ? this.#takeWords() : '';
    const name = words === '' ? null : words;
    this.#at += 1;
    let route: string | null = null;
    this.#skipBlanks();
    if (this.#text.charCodeAt(this.#at) === AT || this.#text.charCodeAt(this.#at) === COMMA) route = this.#route();
    const local = this.#localPart();
    let domain = '';
    if (this.#text.charCodeAt(this.#at) === AT) {
      this.#at += 1;
      domain = this.#domain();
    }
    // Whatever else stands before ">" is dropped; a "," is taken as the end, so that one lost bracket loses one address.
    const text = this.#text;
    let at = this.#at;
    for (; at < text.length; at += 1) {
      const c = text.charCodeAt(at);
      if (c === GREATER || c === COMMA || c === SEMICOLON) break;
    }
    this.#at = text.charCodeAt(at) === GREATER ? at + 1 : at;
    this.#skipComments();
    this.#items.push({ kind: 'mailbox', name: name ?? this.#comment, route, local, domain });
    this.#afterAddress();
  }

  /** Words and then "@": the address without brackets. */
  #bare(): void {
    // "Some Name user@host": only the last word belongs to the address.
    const last = this.#hasWords ? this.#words.slice(this.#lastWord).trimEnd() : '';
    const local = this.#isLastQuoted ? last : last.replaceAll(' ', '');
    const name = this.#hasWords ? this.#words.slice(0, this.#lastWord).trim() : '';
    const words = this.#takeWords();
    this.#at += 1;
    const domain = this.#domain();
    this.#skipComments();
    if (this.#text.charCodeAt(this.#at) === LESS && domain !== '') {
      // "user@host <user@host>": the first is the name of the second.
      this.#addWord(`${words}@${domain}`, false);
      return;
    }
    this.#items.push({ kind: 'mailbox', name: name === '' ? this.#comment : name, route: null, local, domain });
    this.#afterAddress();
  }

  /** After an address comes a comma, or (in a group) a semicolon; anything else up to there is dropped. */
  #afterAddress(): void {
    const text = this.#text;
    this.#comment = null;
    while (this.#at < text.length) {
      const c = text.charCodeAt(this.#at);
      if (c === COMMA || c === SEMICOLON || c === LESS) break;
      // A new word after blanks starts another address whose comma is missing.
      if (c === OPEN) this.#skipComment();
      else if (c === DQUOTE) break;
      else if (c === SP || c === TAB || c === GREATER) this.#at += 1;
      else break;
    }
    this.#comment = null;
    this.#followsAddress = text.charCodeAt(this.#at) !== COMMA;
    if (!this.#followsAddress) this.#at += 1;
  }

  #skipComments(): void {
    this.#skipBlanks();
    while (this.#text.charCodeAt(this.#at) === OPEN) {
      this.#skipComment();
      this.#skipBlanks();
    }
  }

  #skipBlanks(): void {
    const text = this.#text;
    while (this.#at < text.length && (text.charCodeAt(this.#at) === SP || text.charCodeAt(this.#at) === TAB)) this.#at += 1;
  }

  /** obs-route: "@a,@b:" (RFC 5322 section 4.4). */
  #route(): string | null {
    const text = this.#text;
    let at = this.#at;
    // Bounded: many unfinished routes must not each search to the end.
    const stop = Math.min(text.length, at + ROUTE_CHARACTERS);
    while (at < stop && text.charCodeAt(at) !== COLON && text.charCodeAt(at) !== GREATER) at += 1;
    if (text.charCodeAt(at) !== COLON) return null;
    const route = text.slice(this.#at, at).replace(/[ \t]+/g, '');
    this.#at = at + 1;
    return route;
  }

  /** Local part inside brackets: words, dots and quoted strings up to "@" or ">". */
  #localPart(): string {
    const text = this.#text;
    let local = '';
    while (this.#at < text.length) {
      const c = text.charCodeAt(this.#at);
      if (c === AT || c === GREATER || c === COMMA) break;
      // "<undisclosed-recipients:;@host>" is one address, made of a group by somebody on the way.
      if (c === SEMICOLON && (this.#isInGroup || !isAddressEnd(text.charCodeAt(this.#at + 1)))) break;
      if (c === DQUOTE) local += this.#quoted();
      else if (c === OPEN) this.#skipComment();
      else if (c === SP || c === TAB) this.#at += 1;
      else {
        const start = this.#at;
        let at = start + 1;
        while (at < text.length && !isWordEnd(text.charCodeAt(at))) at += 1;
        local += text.slice(start, at);
        this.#at = at;
      }
    }
    return local;
  }

  /** Domain or literal; comments and blanks around dots are dropped. */
  #domain(): string {
    const text = this.#text;
    let domain = '';
    while (this.#at < text.length) {
      const c = text.charCodeAt(this.#at);
      if (c === OPEN) {
        this.#skipComment();
        continue;
      }
      if (c === SP || c === TAB) {
        this.#skipBlanks();
        // Blanks end the domain unless a dot stands on either side.
        if (domain !== '' && text.charCodeAt(this.#at) !== DOT && domain.charCodeAt(domain.length - 1) !== DOT && text.charCodeAt(this.#at) !== OPEN) break;
        continue;
      }
      if (c === BRACKET) {
        const close = text.indexOf(']', this.#at);
        const end = close === -1 ? text.length : close + 1;
        domain += text.slice(this.#at, end);
        this.#at = end;
        continue;
      }
      if (isWordEnd(c) || c === AT) break;
      const start = this.#at;
      let at = start + 1;
      while (at < text.length && !isWordEnd(text.charCodeAt(at)) && text.charCodeAt(at) !== BRACKET) at += 1;
      domain += text.slice(start, at);
      this.#at = at;
    }
    return domain;
  }
}

/** What no word goes across. */
function isWordEnd(c: number): boolean {
  return c === SP || c === TAB || c === DQUOTE || c === OPEN || c === COMMA || c === COLON || c === SEMICOLON || c === LESS || c === GREATER || c === AT;
}

/** What goes on after a ";" that belongs to a local part. */
function isAddressEnd(c: number): boolean {
  return c === AT || c === GREATER;
}
