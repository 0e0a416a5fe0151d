/** One header section as tests see it: fields by name, decoded when somebody looks, each once. */
import { decodeWords } from '../../../mail/encoded-word.ts';
import { asBuffer, fieldName, fieldValue, type HeaderField, latin1, scanHeaders } from '../../../mail/header.ts';

export interface Field {
  /** In lower case. */
  readonly name: string;
  /** All bytes of the field in `bytes` of the view: [start, end). */
  readonly start: number;
  readonly end: number;
  /** Unfolded and trimmed, one character per byte. */
  readonly raw: string;
  /** Unfolded, decoded (RFC 5228 section 2.7.2), trimmed. */
  readonly text: string;
}

const NO_FIELDS: readonly Field[] = [];
const FIELDS_MAX = 10_000;

export class HeaderView {
  /** The section, with its blank line where there is one. */
  readonly bytes: Buffer;
  #fields: readonly Field[] | null = null;
  #byName: Map<string, Field[]> | null = null;

  constructor(bytes: Uint8Array) {
    this.bytes = asBuffer(bytes);
  }

  /** All fields in their order; lines that are no field are left out. */
  get fields(): readonly Field[] {
    if (this.#fields === null) {
      const { bytes } = this;
      const limits = { headerBytes: bytes.length, headerFields: FIELDS_MAX, fieldNameBytes: 998 };
      this.#fields = scanHeaders(bytes, 0, limits)
        .fields.filter((field) => field.nameEnd > field.nameStart)
        .map((field) => new LazyField(bytes, field));
    }
    return this.#fields;
  }

  /** Fields of that name (lower case), in their order. */
  named(name: string): readonly Field[] {
    if (this.#byName === null) {
      this.#byName = new Map();
      for (const field of this.fields) {
        const list = this.#byName.get(field.name);
        if (list === undefined) this.#byName.set(field.name, [field]);
        else list.push(field);
      }
    }
    return this.#byName.get(name) ?? NO_FIELDS;
  }

  /** Text of the first field of that name, or null. */
  text(name: string): string | null {
    return this.named(name)[0]?.text ?? null;
  }
}

class LazyField implements Field {
  readonly name: string;
  readonly start: number;
  readonly end: number;
  readonly #bytes: Buffer;
  readonly #field: HeaderField;
  #raw: string | null = null;
  #text: string | null = null;

  constructor(bytes: Buffer, field: HeaderField) {
    this.#bytes = bytes;
    this.#field = field;
    this.name = fieldName(bytes, field).toLowerCase();
    this.start = field.nameStart;
    this.end = field.end;
  }

  get raw(): string {
    this.#raw ??= fieldValue(this.#bytes, this.#field);
    return this.#raw;
  }

  get text(): string {
    // A fold is one space, whatever white space the next line began with: mailers fold with tabs where there was a space.
    this.#text ??= decodeWords(latin1(this.#bytes, this.#field.valueStart, this.#field.valueEnd).replace(/\r?\n[ \t]?/g, ' ')).trim();
    return this.#text;
  }
}
