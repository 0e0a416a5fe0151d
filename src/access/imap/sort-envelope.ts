/** What sorting needs of a stored ENVELOPE (RFC 9051 section 7.5.2), read in one pass. */
import { decodeWords } from '../../mail/encoded-word.ts';

/** The first address of a field, as the envelope has it: a group's start has its name as mailbox, and no host. */
export interface FirstAddress {
  readonly name: string | null;
  readonly mailbox: string | null;
  readonly host: string | null;
}

export interface EnvelopeFacts {
  /** Raw: encoded words are not decoded. '' for none. */
  readonly subject: string;
  readonly from: FirstAddress | null;
  readonly to: FirstAddress | null;
  readonly cc: FirstAddress | null;
}

/** Envelopes are written by us; one that is damaged gives what was read until then. */
export function envelopeFacts(envelope: string): EnvelopeFacts {
  const scanner = new Scanner(envelope);
  scanner.skip();
  const subject = scanner.string() ?? '';
  const from = scanner.firstAddress();
  scanner.skip();
  scanner.skip();
  const to = scanner.firstAddress();
  return { subject, from, to, cc: scanner.firstAddress() };
}

/** addr-mailbox, as FROM, TO and CC sort (RFC 5256 section 3). */
export function mailboxOf(address: FirstAddress | null): string {
  return address?.mailbox ?? '';
}

/** The sort value of an address for DISPLAYFROM and DISPLAYTO (RFC 5957 section 3), decoded. */
export function displayOf(address: FirstAddress | null): string {
  if (address === null) return '';
  const name = address.name === null ? '' : decodeWords(address.name);
  if (name !== '') return name;
  const mailbox = address.mailbox ?? '';
  return address.host === null || address.mailbox === null ? mailbox : `${mailbox}@${address.host}`;
}

const SPACE = 0x20;
const DQUOTE = 0x22;
const OPEN = 0x28;
const CLOSE = 0x29;
const BACKSLASH = 0x5c;
const BRACE = 0x7b;

class Scanner {
  readonly #text: string;
  /** Behind the parenthesis that opens the envelope. */
  #at = 1;

  constructor(text: string) {
    this.#text = text;
  }

  /** nstring, and the space behind it. */
  string(): string | null {
    const text = this.#text;
    const first = text.charCodeAt(this.#at);
    if (first !== DQUOTE && first !== BRACE) {
      this.skip();
      return null;
    }
    const start = this.#at;
    this.skip();
    const end = text.charCodeAt(this.#at - 1) === SPACE ? this.#at - 1 : this.#at;
    if (first === DQUOTE) {
      const value = text.slice(start + 1, end - 1);
      return value.includes('\\') ? value.replace(/\\(.)/g, '$1') : value;
    }
    return text.slice(text.indexOf('\r\n', start) + 2, end);
  }

  firstAddress(): FirstAddress | null {
    const text = this.#text;
    if (text.charCodeAt(this.#at) !== OPEN || text.charCodeAt(this.#at + 1) !== OPEN) {
      this.skip();
      return null;
    }
    const start = this.#at;
    this.#at += 2;
    const name = this.string();
    this.skip();
    const mailbox = this.string();
    const host = this.string();
    this.#at = start;
    this.skip();
    return { name, mailbox, host };
  }

  /** Past one string, NIL or list, and the space behind it. */
  skip(): void {
    const text = this.#text;
    const { length } = text;
    let depth = 0;
    let i = this.#at;
    while (i < length) {
      const c = text.charCodeAt(i);
      if (c === DQUOTE) {
        i += 1;
        while (i < length && text.charCodeAt(i) !== DQUOTE) i += text.charCodeAt(i) === BACKSLASH ? 2 : 1;
        i += 1;
      } else if (c === BRACE) {
        const end = text.indexOf('\r\n', i);
        const size = end === -1 ? Number.NaN : Number(text.slice(i + 1, end - 1));
        if (!Number.isInteger(size)) {
          i = length;
          break;
        }
        i = end + 2 + size;
      } else if (c === OPEN) {
        depth += 1;
        i += 1;
        continue;
      } else if (c === CLOSE) {
        if (depth === 0) break;
        depth -= 1;
        i += 1;
      } else if (c === SPACE) {
        i += 1;
        continue;
      } else {
        i += 1;
        while (i < length && text.charCodeAt(i) > SPACE && text.charCodeAt(i) !== CLOSE) i += 1;
      }
      if (depth === 0) break;
    }
    if (text.charCodeAt(i) === SPACE) i += 1;
    this.#at = Math.min(i, length);
  }
}
