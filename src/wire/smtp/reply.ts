/** Replies (RFC 5321 section 4.2) with enhanced status codes (RFC 2034): written by the server, read by the client. */
import type { Reply } from '../../ports.ts';
import { LIMITS } from './limits.ts';

const CR = 13;
const LF = 10;

/** One reply as it goes over the wire. `enhanced` may be empty. Lines in `text` become lines of the reply. */
export function formatReply(code: number, enhanced: string, text: string): string {
  const prefix = enhanced === '' ? '' : `${enhanced} `;
  if (!text.includes('\n')) return `${code} ${prefix}${printable(text)}\r\n`;
  const lines = text.split('\n');
  let out = '';
  for (let i = 0; i < lines.length; i += 1) out += `${code}${i === lines.length - 1 ? ' ' : '-'}${prefix}${printable(lines[i]!)}\r\n`;
  return out;
}

export function formatOf(reply: Reply): string {
  return formatReply(reply.code, reply.enhanced, reply.text);
}

/** What a peer gave us is shown in replies only as printable ASCII: no reply can be forged through it. */
export function printable(text: string): string {
  for (let i = 0; i < text.length; i += 1) {
    const code = text.charCodeAt(i);
    if (code < 32 || code > 126) return text.replace(/[^\x20-\x7e]/g, '?');
  }
  return text;
}

/** A reply received from a server. */
export interface ReceivedReply {
  /** 200–599. */
  readonly code: number;
  /** "5.1.1", or empty when the server gave none of the same class. */
  readonly enhanced: string;
  /** Text of each line, without code and enhanced code. */
  readonly lines: readonly string[];
}

/**
 * Reads replies from the bytes a server sends; a chunk may end anywhere.
 * A line that is no reply, or too much of it, makes `failure` a sentence; the parser then answers nothing more.
 */
export class ReplyParser {
  failure: string | null = null;
  #pending: Buffer | null = null;
  #code = 0;
  #enhanced = '';
  #lines: string[] = [];

  /** The replies completed by `chunk`, in order. */
  push(chunk: Buffer): ReceivedReply[] {
    const replies: ReceivedReply[] = [];
    if (this.failure !== null) return replies;
    const input = this.#pending === null ? chunk : Buffer.concat([this.#pending, chunk]);
    this.#pending = null;
    let start = 0;
    for (;;) {
      const end = input.indexOf(LF, start);
      if (end === -1 || end - start >= LIMITS.replyLineBytesMax) {
        if (end !== -1 || input.length - start > LIMITS.replyLineBytesMax) this.failure = 'the server sent a reply line that is too long';
        else if (start < input.length) this.#pending = Buffer.from(input.subarray(start));
        return replies;
      }
      // Servers that end lines with a bare LF are read too: nothing of a reply is ever passed on as a line.
      const stop = end > start && input[end - 1] === CR ? end - 1 : end;
      const reply = this.#line(input.toString('utf8', start, stop));
      if (this.failure !== null) return replies;
      if (reply !== null) replies.push(reply);
      start = end + 1;
    }
  }

  /** True between the first and the last line of a reply. */
  get isInside(): boolean {
    return this.#lines.length > 0 || this.#pending !== null;
  }

  #line(line: string): ReceivedReply | null {
    const code = replyCode(line);
    const mark = line.charCodeAt(3);
    const isLast = line.length === 3 || mark === 32;
    if (code === 0 || (!isLast && mark !== 45)) {
      this.failure = 'the server sent a line that is no SMTP reply';
      return null;
    }
    if (this.#lines.length === 0) {
      this.#code = code;
      this.#enhanced = '';
    } else if (code !== this.#code) {
      this.failure = 'the server changed the code within one reply';
      return null;
    }
    let text = line.slice(4);
    const length = enhancedLength(text, code);
    if (length > 0) {
      if (this.#lines.length === 0) this.#enhanced = text.slice(0, length);
      text = text.slice(length + 1);
    }
    this.#lines.push(text);
    if (this.#lines.length > LIMITS.replyLinesMax) {
      this.failure = 'the server sent a reply with too many lines';
      return null;
    }
    if (!isLast) return null;
    const lines = this.#lines;
    this.#lines = [];
    return { code, enhanced: this.#enhanced, lines };
  }
}

/** 200–599, or 0. */
function replyCode(line: string): number {
  const hundreds = line.charCodeAt(0) - 48;
  const tens = line.charCodeAt(1) - 48;
  const ones = line.charCodeAt(2) - 48;
  if (!(hundreds >= 2 && hundreds <= 5 && tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9)) return 0;
  return hundreds * 100 + tens * 10 + ones;
}

/** Length of the `class.subject.detail` that `text` begins with when it is of the code's class (RFC 3463), else 0. */
export function enhancedLength(text: string, code: number): number {
  if (text.charCodeAt(0) - 48 !== Math.floor(code / 100) || text.charCodeAt(1) !== 46) return 0;
  let at = 2;
  for (let part = 0; part < 2; part += 1) {
    const start = at;
    while (at - start < 3 && text.charCodeAt(at) >= 48 && text.charCodeAt(at) <= 57) at += 1;
    if (at === start) return 0;
    if (part === 0) {
      if (text.charCodeAt(at) !== 46) return 0;
      at += 1;
    }
  }
  return at === text.length || text.charCodeAt(at) === 32 ? at : 0;
}
