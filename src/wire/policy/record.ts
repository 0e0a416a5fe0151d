/**
 * The records of Postfix's policy delegation protocol: lines of `name=value`, ended by an empty line. A request has many attributes, a
 * reply has one, `action`. Names contain neither '=' nor control characters, values no line end and no NUL.
 */
import { POLICY_LIMITS } from './limits.ts';

export type PolicyRecord = ReadonlyMap<string, string>;

/** What is wrong with what the other side sent; nothing after it can be understood. */
export type PolicyFault = 'tooLarge' | 'tooManyAttributes' | 'malformed';

/** A record, the wish for more bytes, or the end of understanding. */
export type PolicyRead =
  | { readonly kind: 'record'; readonly record: PolicyRecord }
  | { readonly kind: 'more' }
  | { readonly kind: 'fault'; readonly fault: PolicyFault };

const MORE: PolicyRead = { kind: 'more' };
const LF = 0x0a;
const CR = 0x0d;
const EQUALS = 0x3d;
const EMPTY = Buffer.alloc(0);

/**
 * Collects bytes and gives records. Chunks may end anywhere; a fault is final. Of an attribute that is sent twice the first value
 * counts. A line may end in CRLF as well: servers written in a hurry do that.
 */
export class PolicyReader {
  #bytes: Buffer = EMPTY;
  /** Where the line that is not complete yet begins, and how far it was searched for its end. */
  #at = 0;
  #searched = 0;
  /** Bytes of the complete lines of the record under way. */
  #size = 0;
  #record = new Map<string, string>();
  #fault: PolicyFault | null = null;

  /** True when a record has begun and is not complete. */
  get isInside(): boolean {
    return this.#record.size > 0 || this.#at < this.#bytes.length;
  }

  /** Keeps what is given until `next` has read it; the chunk belongs to the reader from now on. */
  push(chunk: Buffer): void {
    const rest = this.#at === this.#bytes.length ? EMPTY : this.#bytes.subarray(this.#at);
    this.#bytes = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    this.#searched -= this.#at;
    if (rest.length === 0) this.#searched = 0;
    this.#at = 0;
  }

  next(): PolicyRead {
    while (this.#fault === null) {
      const end = this.#bytes.indexOf(LF, this.#searched);
      if (end === -1) {
        this.#searched = this.#bytes.length;
        if (this.#size + this.#bytes.length - this.#at > POLICY_LIMITS.recordBytes) return this.#fail('tooLarge');
        return MORE;
      }
      const start = this.#at;
      this.#at = this.#searched = end + 1;
      this.#size += this.#at - start;
      if (this.#size > POLICY_LIMITS.recordBytes) return this.#fail('tooLarge');
      const lineEnd = end > start && this.#bytes[end - 1] === CR ? end - 1 : end;
      if (lineEnd === start) {
        if (this.#record.size === 0) return this.#fail('malformed');
        const record = this.#record;
        this.#record = new Map();
        this.#size = 0;
        return { kind: 'record', record };
      }
      const fault = this.#takeLine(start, lineEnd);
      if (fault !== null) return this.#fail(fault);
    }
    return { kind: 'fault', fault: this.#fault };
  }

  #takeLine(start: number, end: number): PolicyFault | null {
    const line = this.#bytes.subarray(start, end);
    const equals = line.indexOf(EQUALS);
    if (equals <= 0 || line.includes(0)) return 'malformed';
    if (this.#record.size >= POLICY_LIMITS.attributes) return 'tooManyAttributes';
    const name = line.toString('latin1', 0, equals);
    if (!this.#record.has(name)) this.#record.set(name, line.toString('utf8', equals + 1));
    return null;
  }

  #fail(fault: PolicyFault): PolicyRead {
    this.#fault = fault;
    this.#bytes = EMPTY;
    this.#record = new Map();
    return { kind: 'fault', fault };
  }
}

/** Characters that would end a line or a record early; what a client put into an address must not forge attributes. */
const UNSAFE = /[\0\r\n]/g;

/** A request as bytes. Names must be words; line ends and NUL in values become '?'. */
export function writePolicyRequest(attributes: Readonly<Record<string, string>>): string {
  let out = '';
  for (const name in attributes) out += `${name}=${safeValue(attributes[name]!)}\n`;
  return `${out}\n`;
}

/** A reply: `action` is an access(5) action with its text, such as "DUNNO" or "REJECT not today". */
export function writePolicyReply(action: string): string {
  return `action=${safeValue(action)}\n\n`;
}

function safeValue(value: string): string {
  return value.includes('\n') || value.includes('\r') || value.includes('\0') ? value.replace(UNSAFE, '?') : value;
}
