/**
 * Where in a message a line stands, found line by line: header of the message, of a part, of an attached message, or body.
 * Only what header_checks(5) needs: boundaries and Content-Type; nothing is decoded. Bounded as Postfix bounds it.
 */
import { contentKind } from './content-type.ts';

export const MIME_LINE_LIMITS = {
  /** Postfix mime_nesting_limit. */
  nesting: 100,
  /** Postfix mime_boundary_length_limit. */
  boundaryCharacters: 2048,
} as const;

export type Place = 'primary' | 'part' | 'nested' | 'body';

interface Level {
  readonly boundary: string;
  /** Its parts are messages unless they say otherwise (RFC 2046 section 5.1.5). */
  readonly isDigest: boolean;
}

export class MimeLines {
  place: Place = 'primary';
  readonly #levels: Level[] = [];
  /** Of the header being read: an attached message follows it. */
  #isMessage = false;

  /** True while the end of a part may still come: otherwise the rest is body. */
  get isNested(): boolean {
    return this.#levels.length > 0;
  }

  /** A Content-Type field of the current header, one character a byte; `value` is what stands behind the colon. */
  contentType(value: string): void {
    const { type, subtype, boundaries } = contentKind(value);
    this.#isMessage = type === 'message' && (subtype === 'rfc822' || subtype === 'global');
    for (const boundary of boundaries) {
      if (this.#levels.length > MIME_LINE_LIMITS.nesting) return;
      this.#levels.push({ boundary: boundary.slice(0, MIME_LINE_LIMITS.boundaryCharacters), isDigest: subtype === 'digest' });
    }
  }

  /** The header has ended with a blank line. */
  headerEnd(): void {
    this.place = this.#isMessage ? 'nested' : 'body';
    this.#isMessage = false;
  }

  /** The header has ended with a line that is none of it: what follows is body, whatever was announced. */
  headerBroken(): void {
    this.place = 'body';
    this.#isMessage = false;
  }

  /** A line of the body, one character a byte; true when it is a boundary. A header follows a boundary that is not the last one. */
  bodyLine(line: string): boolean {
    if (!line.startsWith('--')) return false;
    for (let i = this.#levels.length - 1; i >= 0; i -= 1) {
      const { boundary, isDigest } = this.#levels[i]!;
      if (line.length <= 2 || !line.startsWith(boundary, 2)) continue;
      if (line.startsWith('--', boundary.length + 2)) {
        this.#levels.length = i;
        this.place = 'body';
      } else {
        this.#levels.length = i + 1;
        this.place = 'part';
        this.#isMessage = isDigest;
      }
      return true;
    }
    return false;
  }
}

const MIME_FIELDS: ReadonlySet<string> = new Set([
  'mime-version',
  'content-type',
  'content-transfer-encoding',
  'content-id',
  'content-description',
  'content-disposition',
]);
const LONGEST_NAME = 'content-transfer-encoding'.length;

/** Fields that mime_header_checks look at, wherever they stand: those Postfix takes for MIME, no other Content- fields. */
export function isMimeField(name: string): boolean {
  const first = name.charCodeAt(0) | 0x20;
  return (first === 0x63 || first === 0x6d) && name.length <= LONGEST_NAME && MIME_FIELDS.has(name.toLowerCase());
}
