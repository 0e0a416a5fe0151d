/** Tokens of challenges: what the sender gets, where it comes back, what the store keeps of it. */
import { createHash } from 'node:crypto';
import type { Address } from '../../ports.ts';
import { ADDRESS_LIMITS } from '../../mail/limits.ts';

/** Random bytes that a token is made of: 100 bits and more. */
export const TOKEN_BYTES = 13;
const TOKEN_CHARACTERS = 20;
const BASE32 = 'abcdefghijklmnopqrstuvwxyz234567';
/** Begins the detail of the address that an answer goes to: "anna+c-TOKEN@example.org". */
const DETAIL = 'c-';

/** Twenty characters without case from `TOKEN_BYTES` random bytes. */
export function tokenOf(random: Uint8Array): string {
  let out = '';
  let held = 0;
  let bits = 0;
  for (const byte of random) {
    held = ((held << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5 && out.length < TOKEN_CHARACTERS) {
      bits -= 5;
      out += BASE32[(held >> bits) & 31]!;
    }
  }
  if (out.length < TOKEN_CHARACTERS) throw new RangeError(`a token needs ${TOKEN_BYTES} random bytes`);
  return out;
}

/** SHA-256, hex: the store does not know the token itself. */
export function tokenHash(token: string): string {
  return createHash('sha256').update(token.toLowerCase()).digest('hex');
}

/** The owner's address with the token as detail; null without plus addressing, or where it would be too long. */
export function answerAddress(owner: Address, token: string, delimiters: string): Address | null {
  if (delimiters === '') return null;
  const local = `${owner.local}${delimiters[0]}${DETAIL}${token}`;
  return Buffer.byteLength(local) > ADDRESS_LIMITS.localBytes ? null : { local, domain: owner.domain };
}

/** The mark in the subject, which answers carry back. */
export function subjectMark(token: string): string {
  return `[confirm ${token}]`;
}

/** The token of an answer: in the detail of its recipient, else in its subject. */
export function tokenIn(detail: string | null, subject: string | null): string | null {
  const inDetail = detail === null ? null : /^c-([a-z2-7]{20})$/i.exec(detail);
  if (inDetail !== null) return inDetail[1]!.toLowerCase();
  const inSubject = subject === null ? null : /\[confirm ([a-z2-7]{20})\]/i.exec(subject);
  return inSubject === null ? null : inSubject[1]!.toLowerCase();
}

/** The keyword that marks the waiting messages of one author (IMAP atom). */
export function waitingKeyword(author: string): string {
  return `$waits-${createHash('sha256').update(author.toLowerCase()).digest('hex').slice(0, 16)}`;
}
