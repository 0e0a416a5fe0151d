/**
 * Who the message says it is from: the domain of its From field, which DMARC is about (RFC 7489 section 6.6.1). Read strictly: where
 * programs could differ in whom they show, there is no single author, and nothing passes.
 */
import { parseAddressList } from '../../mail/address-list.ts';
import { decodeWords } from '../../mail/encoded-word.ts';
import { fieldValue, latin1 } from '../../mail/header.ts';
import { domainName, isWithin } from './domain-name.ts';
import { AUTHENTICITY_LIMITS } from './limits.ts';
import type { MessageHeader } from './message-header.ts';

export interface Author {
  /** 'one' alone can pass. 'several': fields or addresses; 'unparsable': From is there but not by the grammar; 'none': no From. */
  readonly kind: 'one' | 'several' | 'unparsable' | 'none';
  /** Canonical domains that a reader may be shown, at most `authorDomains`; exactly one when `kind` is 'one'. */
  readonly domains: readonly string[];
  /** More than one From field: no RFC allows it. */
  readonly hasSeveralFields: boolean;
  /** A domain in the display name that is not the author's: `"ceo@bank.test" <x@evil.test>`. Null when there is none. */
  readonly nameDomain: string | null;
}

export function authorOf(header: MessageHeader): Author {
  const fields = header.from;
  if (fields.length === 0)
    return { kind: header.isMalformed && hidesFrom(header) ? 'unparsable' : 'none', domains: [], hasSeveralFields: false, nameDomain: null };
  const values = fields.slice(0, AUTHENTICITY_LIMITS.authorDomains).map((field) => fieldValue(header.bytes, field, AUTHENTICITY_LIMITS.authorBytes + 1));
  const hasSeveralFields = fields.length > 1 || (header.isMalformed && hidesFrom(header));
  const mailboxes = values[0]!.length > AUTHENTICITY_LIMITS.authorBytes ? null : parseFrom(values[0]!);
  if (mailboxes?.length === 1 && !hasSeveralFields && !header.isMalformed && !header.isTruncated) {
    const domain = domainName(mailboxes[0]!.domain);
    if (domain !== null) return { kind: 'one', domains: [domain], hasSeveralFields: false, nameDomain: otherDomain(mailboxes[0]!.name, domain) };
  }
  const domains = new Set<string>();
  for (const value of values) for (const domain of visibleDomains(value)) if (domains.size < AUTHENTICITY_LIMITS.authorDomains) domains.add(domain);
  const isSeveral = hasSeveralFields || (mailboxes !== null && mailboxes.length > 1);
  const [first] = domains;
  const nameDomain = first === undefined ? null : otherDomain(values[0]!, first);
  return { kind: isSeveral ? 'several' : 'unparsable', domains: [...domains], hasSeveralFields, nameDomain };
}

/** A line that is no field, or what follows a bare CR, that some program may take for a From field. */
function hidesFrom(header: MessageHeader): boolean {
  const text = latin1(header.bytes, 0, header.end);
  for (const field of header.fields) {
    if (field.nameEnd !== field.nameStart) continue;
    if (/^[^A-Za-z:]{0,8}from[^A-Za-z0-9:-]{0,8}:/i.test(text.slice(field.nameStart, field.nameStart + 32))) return true;
  }
  return /\r[^A-Za-z\n]{0,8}from[ \t\0]{0,8}:/i.test(text);
}

/** Every domain that a lenient reading of From finds. */
function visibleDomains(value: string): string[] {
  const found: string[] = [];
  for (const item of parseAddressList(value.slice(0, AUTHENTICITY_LIMITS.authorBytes), 20)) {
    if (item.kind !== 'mailbox' || item.domain === '') continue;
    const domain = domainName(item.domain.replace(/[\0-\x20]/g, ''));
    if (domain !== null) found.push(domain);
  }
  return found;
}

const NAMED = /[^\s@<>"']@([a-z0-9](?:[a-z0-9-]{0,62}\.){1,8}[a-z]{2,24})(?![a-z0-9])/gi;
const NAME_CHARACTERS = 300;

/** A domain of an address in the display name, encoded or not, that has nothing to do with the author's. */
function otherDomain(name: string, author: string): string | null {
  if (!name.includes('@') && !name.includes('=?')) return null;
  const shown = decodeWords(name.slice(0, NAME_CHARACTERS)).slice(0, NAME_CHARACTERS);
  for (const match of shown.matchAll(NAMED)) {
    const domain = domainName(match[1]!);
    if (domain !== null && !isWithin(domain, author) && !isWithin(author, domain)) return domain;
  }
  return null;
}

interface FromMailbox {
  readonly name: string;
  readonly domain: string;
}

/** atext of RFC 5322 with the UTF-8 of RFC 6532: anything printable that is no special. */
function isAtext(c: number): boolean {
  return c > 0x20 && c !== 0x7f && !SPECIALS.has(c);
}
const SPECIALS = new Set([...'()<>[]:;@\\,."'].map((c) => c.charCodeAt(0)));
const COMMENT_DEPTH = 8;

/**
 * mailbox-list (RFC 5322 section 3.4) with the dots in display names of obs-phrase, and nothing else of the obsolete forms.
 * Null when it is none; groups are none.
 */
export function parseFrom(value: string): FromMailbox[] | null {
  const scanner = new Scanner(value);
  const mailboxes: FromMailbox[] = [];
  for (;;) {
    const mailbox = scanner.mailbox();
    if (mailbox === null) return null;
    mailboxes.push(mailbox);
    if (scanner.isAtEnd()) return mailboxes;
    if (!scanner.take(',') || mailboxes.length >= AUTHENTICITY_LIMITS.authorDomains) return mailboxes.length > 1 ? mailboxes : null;
  }
}

class Scanner {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  isAtEnd(): boolean {
    return this.#at >= this.#text.length;
  }

  take(character: string): boolean {
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    return true;
  }

  mailbox(): FromMailbox | null {
    if (!this.#blanks()) return null;
    let name = '';
    /** Where the words began, and whether they can be a local part: one dot-atom or one quoted string, nothing between it and "@". */
    let isLocal = false;
    let words = 0;
    for (;;) {
      if (this.isAtEnd()) return null;
      if (this.take('<')) {
        const domain = this.#angle();
        return domain === null ? null : { name, domain };
      }
      if (this.take('@')) {
        const domain = isLocal && words === 1 ? this.#dotAtom() : null;
        if (domain === null || !this.#blanks()) return null;
        if (!this.take('<')) return { name: '', domain };
        // "anna@author.test <anna@author.test>": the name should have quotes. Many write it so, and no harm is done while both are one.
        const inside = this.#angle();
        return inside !== null && inside.toLowerCase() === domain.toLowerCase() ? { name, domain } : null;
      }
      const quoted = this.#quoted();
      if (quoted !== null) {
        name += quoted;
        isLocal = true;
      } else {
        const start = this.#at;
        isLocal = this.#dotAtom() !== null;
        if (!isLocal) while (!this.isAtEnd() && (this.#text.charCodeAt(this.#at) === 0x2e || isAtext(this.#text.charCodeAt(this.#at)))) this.#at += 1;
        if (this.#at === start) return null;
        name += this.#text.slice(start, this.#at);
        // "Dr." and the like: a dot at the end belongs to the name, and makes it no local part.
        while (this.take('.')) isLocal = false;
      }
      words += 1;
      const before = this.#at;
      if (!this.#blanks()) return null;
      if (this.#at > before) {
        name += ' ';
        isLocal = false;
      }
    }
  }

  /** What follows "<": the domain of an address, up to its end. */
  #angle(): string | null {
    if (!this.#blanks() || !(this.#quoted() !== null || this.#dotAtom() !== null) || !this.take('@')) return null;
    const domain = this.#dotAtom();
    return domain === null || !this.#blanks() || !this.take('>') || !this.#blanks() ? null : domain;
  }

  /** Blanks and comments. False when something is wrong. */
  #blanks(): boolean {
    for (;;) {
      const c = this.#text.charCodeAt(this.#at);
      if (c === 0x20 || c === 0x09) this.#at += 1;
      else if (c === 0x28) {
        if (!this.#comment()) return false;
      } else return true;
    }
  }

  #comment(): boolean {
    let depth = 0;
    for (; this.#at < this.#text.length; this.#at += 1) {
      const c = this.#text.charCodeAt(this.#at);
      if (c === 0x5c) this.#at += 1;
      else if (c === 0x28) depth += 1;
      else if (c === 0x29) depth -= 1;
      else if (isControl(c)) return false;
      if (depth > COMMENT_DEPTH) return false;
      if (depth === 0) {
        this.#at += 1;
        return true;
      }
    }
    return false;
  }

  #quoted(): string | null {
    if (this.#text.charCodeAt(this.#at) !== 0x22) return null;
    let out = '';
    for (let at = this.#at + 1; at < this.#text.length; at += 1) {
      let c = this.#text.charCodeAt(at);
      if (c === 0x22) {
        this.#at = at + 1;
        return out;
      }
      if (c === 0x5c) {
        at += 1;
        c = this.#text.charCodeAt(at);
      }
      if (isControl(c)) return null;
      out += this.#text[at] ?? '';
    }
    return null;
  }

  #dotAtom(): string | null {
    const start = this.#at;
    let at = start;
    let wasDot = true;
    for (; at < this.#text.length; at += 1) {
      const c = this.#text.charCodeAt(at);
      if (c === 0x2e) {
        if (wasDot) return null;
        wasDot = true;
      } else if (isAtext(c)) wasDot = false;
      else break;
    }
    if (wasDot) return null;
    this.#at = at;
    return this.#text.slice(start, at);
  }
}

function isControl(c: number): boolean {
  return (c < 0x20 && c !== 0x09) || c === 0x7f;
}
