/**
 * DNS messages: writes a question, reads a response (RFC 1035 section 4). Bytes to values, no I/O.
 * Each record is read within its RDLENGTH and each name within its bounds; a record that makes no sense is passed over,
 * a message that makes no sense is null.
 */
import ipaddr from 'ipaddr.js';
import { DNS_LIMITS } from './dns-limits.ts';
import type { DnsRecord, DnsRecords, DnsResponse, DnsType } from './dns-types.ts';

const TYPE_CODES: Readonly<Record<DnsType, number>> = { A: 1, NS: 2, CNAME: 5, SOA: 6, PTR: 12, MX: 15, TXT: 16, AAAA: 28, SRV: 33, TLSA: 52 };
const TYPE_OF = new Map<number, DnsType>(Object.entries(TYPE_CODES).map(([type, code]) => [code, type as DnsType]));
const HEADER_BYTES = 12;
const CLASS_IN = 1;
/** RD and AD: recursion wanted, and "tell me whether you verified it" (RFC 6840 section 5.7). */
const QUESTION_FLAGS = 0x0120;
/** OPT (RFC 6891 section 6.1.2): root, type 41, our datagram size, no extended code, version 0, no flags, no options. */
const OPT = Uint8Array.of(0, 0, 41, DNS_LIMITS.udpBytes >> 8, DNS_LIMITS.udpBytes & 255, 0, 0, 0, 0, 0, 0);

export interface Question {
  /** Whole message; the id (first two octets) is still zero. */
  readonly bytes: Buffer;
  /** Just past the question section, which a response must repeat. */
  readonly end: number;
}

/** A name that can be asked for: printable ASCII, labels of 1 to 63 octets, 253 in all; without its final dot and in lower case. Null when it is none. */
export function askableName(name: string): string | null {
  const end = name.charCodeAt(name.length - 1) === 0x2e ? name.length - 1 : name.length;
  if (end === 0 || end > DNS_LIMITS.nameBytes - 2) return null;
  let labelStart = 0;
  let hasUpper = end !== name.length;
  for (let i = 0; i < end; i += 1) {
    const c = name.charCodeAt(i);
    if (c === 0x2e) {
      if (i === labelStart) return null;
      labelStart = i + 1;
    } else if (c <= 0x20 || c > 0x7e || c === 0x5c || i - labelStart >= DNS_LIMITS.labelBytes) return null;
    else if (c >= 0x41 && c <= 0x5a) hasUpper = true;
  }
  if (labelStart === end) return null;
  return hasUpper ? name.slice(0, end).toLowerCase() : name;
}

/**
 * The message that asks for `name` (as `askableName` gives it). `caseBits` says for each letter in turn whether it is sent in upper
 * case: servers repeat it, forgers would have to guess it.
 */
export function writeQuestion(name: string, type: DnsType, withEdns: boolean, caseBits: () => number): Question {
  const end = HEADER_BYTES + name.length + 2 + 4;
  const bytes = Buffer.allocUnsafe(withEdns ? end + OPT.length : end);
  bytes.writeUInt16BE(0, 0);
  bytes.writeUInt16BE(QUESTION_FLAGS, 2);
  bytes.writeUInt16BE(1, 4);
  bytes.writeUInt32BE(0, 6);
  bytes.writeUInt16BE(withEdns ? 1 : 0, 10);
  let lengthAt = HEADER_BYTES;
  let bits = 1; // the 1 marks the end of the bits
  for (let i = 0; i < name.length; i += 1) {
    const at = HEADER_BYTES + 1 + i;
    let c = name.charCodeAt(i);
    if (c === 0x2e) {
      bytes[lengthAt] = at - lengthAt - 1;
      lengthAt = at;
      continue;
    }
    if (c >= 0x61 && c <= 0x7a) {
      if (bits === 1) bits = 0x10000 | (caseBits() & 0xffff);
      if ((bits & 1) === 1) c -= 0x20;
      bits >>= 1;
    }
    bytes[at] = c;
  }
  bytes[lengthAt] = HEADER_BYTES + name.length - lengthAt;
  bytes[HEADER_BYTES + 1 + name.length] = 0;
  bytes.writeUInt16BE(TYPE_CODES[type], end - 4);
  bytes.writeUInt16BE(CLASS_IN, end - 2);
  if (withEdns) bytes.set(OPT, end);
  return { bytes, end };
}

/** How a datagram relates to a question. 'otherCase': the same name in other letters: an odd server, or a forger who guesses. */
export type Match = 'no' | 'yes' | 'otherCase' | 'truncated';

/** Is `message` a response to `question` (its id already compared)? RFC 5452 section 9.1. */
export function matchResponse(message: Uint8Array, question: Question): Match {
  if (message.length < question.end) return 'no';
  const flags = message[2]!;
  // QR set, opcode 0, one question.
  if ((flags & 0xf8) !== 0x80 || message[4] !== 0 || message[5] !== 1) return 'no';
  let isExact = true;
  for (let i = HEADER_BYTES; i < question.end; i += 1) {
    const a = message[i]!;
    const b = question.bytes[i]!;
    if (a === b) continue;
    if (i >= question.end - 4 || lower(a) !== lower(b)) return 'no';
    isExact = false;
  }
  if (!isExact) return 'otherCase';
  return (flags & 0x02) === 0 ? 'yes' : 'truncated';
}

const lower = (c: number): number => (c >= 0x41 && c <= 0x5a ? c + 0x20 : c);

/** Reads a response whose question section ends at `questionEnd` (see matchResponse). Null when it is malformed. */
export function readResponse(message: Buffer, questionEnd: number): DnsResponse | null {
  const reader = new Reader(message, questionEnd);
  const rcode = message[3]! & 0x0f;
  const isAuthentic = (message[3]! & 0x20) !== 0;
  const answerCount = message.readUInt16BE(6);
  const answers: DnsRecord[] = [];
  for (let i = 0; i < answerCount; i += 1) {
    if (i === DNS_LIMITS.sectionRecords) return { kind: 'response', rcode, isAuthentic, answers, negativeSeconds: null };
    const record = reader.record();
    if (record === null) return null;
    if (record !== 'other') answers.push(record);
  }
  let negativeSeconds: number | null = null;
  const authorityCount = Math.min(message.readUInt16BE(8), DNS_LIMITS.sectionRecords);
  for (let i = 0; i < authorityCount && negativeSeconds === null; i += 1) {
    const record = reader.record();
    if (record === null) return null;
    if (record !== 'other' && record.type === 'SOA') negativeSeconds = Math.min(record.ttlSeconds, (record.data as DnsRecords['SOA']).minimumSeconds);
  }
  return { kind: 'response', rcode, isAuthentic, answers, negativeSeconds };
}

class Reader {
  readonly #bytes: Buffer;
  #at: number;

  constructor(bytes: Buffer, at: number) {
    this.#bytes = bytes;
    this.#at = at;
  }

  /** The next record; 'other' for a type or class that nobody here asks for, or whose data makes no sense; null past the end. */
  record(): DnsRecord | 'other' | null {
    const name = this.#name(this.#bytes.length);
    const at = this.#at;
    if (name === null || at + 10 > this.#bytes.length) return null;
    const type = TYPE_OF.get(this.#bytes.readUInt16BE(at));
    const isInternet = this.#bytes.readUInt16BE(at + 2) === CLASS_IN;
    const ttl = this.#bytes.readUInt32BE(at + 4);
    const start = at + 10;
    const end = start + this.#bytes.readUInt16BE(at + 8);
    if (end > this.#bytes.length) return null;
    this.#at = start;
    const data = type === undefined || !isInternet ? null : this.#data(type, end);
    this.#at = end;
    if (type === undefined || data === null) return 'other';
    // RFC 2181 section 8: a TTL with its highest bit set counts as 0.
    return { name, type, ttlSeconds: ttl > 0x7fffffff ? 0 : ttl, data };
  }

  #data(type: DnsType, end: number): DnsRecords[DnsType] | null {
    const bytes = this.#bytes;
    const at = this.#at;
    const length = end - at;
    switch (type) {
      case 'A':
        return length === 4 ? `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}` : null;
      case 'AAAA':
        return length === 16 ? ipaddr.fromByteArray([...bytes.subarray(at, end)]).toString() : null;
      case 'NS':
      case 'CNAME':
      case 'PTR':
        return this.#lastName(end);
      case 'MX': {
        if (length < 3) return null;
        this.#at = at + 2;
        const exchange = this.#lastName(end);
        return exchange === null ? null : { exchange, preference: bytes.readUInt16BE(at) };
      }
      case 'SRV': {
        if (length < 7) return null;
        this.#at = at + 6;
        const target = this.#lastName(end);
        return target === null ? null : { target, priority: bytes.readUInt16BE(at), weight: bytes.readUInt16BE(at + 2), port: bytes.readUInt16BE(at + 4) };
      }
      case 'TXT':
        return this.#strings(end);
      case 'TLSA':
        return length < 4
          ? null
          : { usage: bytes[at]!, selector: bytes[at + 1]!, matchingType: bytes[at + 2]!, data: Uint8Array.from(bytes.subarray(at + 3, end)) };
      case 'SOA': {
        const primary = this.#name(end);
        const responsible = primary === null ? null : this.#name(end);
        const numbers = this.#at;
        if (primary === null || responsible === null || numbers + 20 !== end) return null;
        return {
          primary,
          responsible,
          serial: bytes.readUInt32BE(numbers),
          refreshSeconds: bytes.readUInt32BE(numbers + 4),
          retrySeconds: bytes.readUInt32BE(numbers + 8),
          expireSeconds: bytes.readUInt32BE(numbers + 12),
          minimumSeconds: bytes.readUInt32BE(numbers + 16),
        };
      }
    }
  }

  #strings(end: number): string[] | null {
    const strings: string[] = [];
    for (let at = this.#at; at < end; ) {
      const stop = at + 1 + this.#bytes[at]!;
      if (stop > end || strings.length === DNS_LIMITS.textStrings) return null;
      strings.push(this.#bytes.toString('latin1', at + 1, stop));
      at = stop;
    }
    return strings;
  }

  #lastName(end: number): string | null {
    const name = this.#name(end);
    return name !== null && this.#at === end ? name : null;
  }

  /** The name that starts here, its own octets ending before `end`; moves past it. Null when it makes no sense. '' is the root. */
  #name(end: number): string | null {
    const bytes = this.#bytes;
    let at = this.#at;
    let stop = end;
    let after = -1;
    let lowest = at;
    let length = 1;
    let name = '';
    for (;;) {
      if (at >= stop) return null;
      const size = bytes[at]!;
      if (size === 0) {
        this.#at = after === -1 ? at + 1 : after;
        return name;
      }
      if (size >= 0xc0) {
        if (at + 2 > stop) return null;
        if (after === -1) after = at + 2;
        const target = ((size & 0x3f) << 8) | bytes[at + 1]!;
        // Only ever backwards: no loops, and at most as many jumps as octets (RFC 1035 section 4.1.4).
        if (target >= lowest || target < HEADER_BYTES) return null;
        lowest = target;
        at = target;
        stop = bytes.length;
        continue;
      }
      length += size + 1;
      if (size > DNS_LIMITS.labelBytes || length > DNS_LIMITS.nameBytes || at + 1 + size > stop) return null;
      const label = this.#label(at + 1, at + 1 + size);
      name = name === '' ? label : `${name}.${label}`;
      at += 1 + size;
    }
  }

  /** Lower case; a dot, a backslash and whatever does not print become \DDD (RFC 1035 section 5.1), so that no label can pose as two. */
  #label(start: number, end: number): string {
    for (let i = start; i < end; i += 1) {
      const c = this.#bytes[i]!;
      if (c <= 0x20 || c >= 0x7f || c === 0x2e || c === 0x5c) return escaped(this.#bytes.toString('latin1', start, end));
    }
    return this.#bytes.toString('latin1', start, end).toLowerCase();
  }
}

function escaped(label: string): string {
  let text = '';
  for (let i = 0; i < label.length; i += 1) {
    const c = label.charCodeAt(i);
    text += c <= 0x20 || c >= 0x7f || c === 0x2e || c === 0x5c ? `\\${String(c).padStart(3, '0')}` : String.fromCharCode(lower(c));
  }
  return text;
}
