/** The header section of a message as the checks need it: fields sorted out once, and what is odd about it. */
import { fieldName, type HeaderField, scanHeaders } from '../../mail/header.ts';

export class MessageHeader {
  readonly bytes: Uint8Array;
  readonly fields: readonly HeaderField[];
  /** Offset of the body. */
  readonly end: number;
  /** Part of the section was not seen: nothing can be said about what it holds. */
  readonly isTruncated: boolean;
  /** Lines that are no field, NUL, or CR without LF: programs differ in what they take them for. */
  readonly isMalformed: boolean;
  readonly from: HeaderField[] = [];
  readonly signatures: HeaderField[] = [];
  readonly arcSeals: HeaderField[] = [];
  readonly arcSignatures: HeaderField[] = [];
  readonly arcResults: HeaderField[] = [];
  readonly results: HeaderField[] = [];
  #byName: Map<string, HeaderField[]> | null = null;

  /** `messageBytes`: size of the whole message, of which `bytes` are the header section or as much of it as is kept. */
  constructor(bytes: Uint8Array, messageBytes: number) {
    this.bytes = bytes;
    const section = scanHeaders(bytes);
    this.fields = section.fields;
    this.end = section.end;
    this.isTruncated = section.isTruncated || (!section.isComplete && bytes.length < messageBytes);
    let isOdd = false;
    for (const field of this.fields) {
      const list = this.#listOf(field);
      if (list !== null) list.push(field);
      else if (field.nameEnd === field.nameStart) isOdd = true;
    }
    this.isMalformed = isOdd || bytes.includes(0) || hasBareCr(bytes, section.end);
  }

  /** All fields of a name in lower case, in the order of the message. */
  named(name: string): readonly HeaderField[] {
    if (this.#byName === null) {
      this.#byName = new Map();
      for (const field of this.fields) {
        if (field.nameEnd === field.nameStart) continue;
        const key = fieldName(this.bytes, field).toLowerCase();
        const known = this.#byName.get(key);
        if (known === undefined) this.#byName.set(key, [field]);
        else known.push(field);
      }
    }
    return this.#byName.get(name) ?? NO_FIELDS;
  }

  #listOf(field: HeaderField): HeaderField[] | null {
    // By length first: nearly every field ends here.
    switch (field.nameEnd - field.nameStart) {
      case 4:
        return this.#is(field, 'from') ? this.from : null;
      case 8:
        return this.#is(field, 'arc-seal') ? this.arcSeals : null;
      case 14:
        return this.#is(field, 'dkim-signature') ? this.signatures : null;
      case 21:
        return this.#is(field, 'arc-message-signature') ? this.arcSignatures : null;
      case 22:
        return this.#is(field, 'authentication-results') ? this.results : null;
      case 26:
        return this.#is(field, 'arc-authentication-results') ? this.arcResults : null;
      default:
        return null;
    }
  }

  #is(field: HeaderField, name: string): boolean {
    for (let i = 0; i < name.length; i += 1) {
      const c = this.bytes[field.nameStart + i]!;
      if ((c >= 0x41 && c <= 0x5a ? c + 0x20 : c) !== name.charCodeAt(i)) return false;
    }
    return true;
  }
}

const NO_FIELDS: readonly HeaderField[] = [];

function hasBareCr(bytes: Uint8Array, end: number): boolean {
  for (let at = bytes.indexOf(0x0d); at !== -1 && at < end; at = bytes.indexOf(0x0d, at + 1)) if (bytes[at + 1] !== 0x0a) return true;
  return false;
}
