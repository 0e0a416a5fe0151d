/** What threading needs of a message's header (RFC 5256 section 3, THREAD=REFERENCES). */
import { fieldValue, firstField, type HeaderField, scanHeaders } from './header.ts';
import { decodeHeaderValue, foldForSearch } from './text.ts';
import { baseSubject } from './thread-subject.ts';

/** RFC 5322 section 2.1.1: no line, and so no id, is longer. */
const ID_LENGTH_MAX = 998;
/** Characters of a References field that are read, and ids of it that are kept: the first and the nearest. */
const FIELD_LENGTH_MAX = 16 * 1024;
export const REFERENCES_MAX = 200;

export interface HeaderThreadFacts {
  /** Normalised, without brackets. */
  readonly messageId: string | null;
  /** Of References, or the first id of In-Reply-To when there is none; oldest first, repeated as the field has them, at most REFERENCES_MAX. */
  readonly references: readonly string[];
  /** Folded as SEARCH compares, so that equal ones are the same by i;unicode-casemap. */
  readonly baseSubject: string;
  readonly isReply: boolean;
}

/** `header`: the header section as stored. */
export function threadFacts(header: Uint8Array, fields: readonly HeaderField[] = scanHeaders(header).fields): HeaderThreadFacts {
  const idsOf = (name: string): string[] => {
    const field = firstField(header, fields, name);
    return field === null ? [] : messageIds(fieldValue(header, field, FIELD_LENGTH_MAX));
  };
  const subject = firstField(header, fields, 'subject');
  const { base, isReply } = baseSubject(subject === null ? '' : decodeHeaderValue(header.subarray(subject.valueStart, subject.valueEnd)));
  const all = idsOf('references');
  const references = all.length > 0 ? all : idsOf('in-reply-to').slice(0, 1);
  return {
    messageId: idsOf('message-id')[0] ?? null,
    references: references.length <= REFERENCES_MAX ? references : [references[0]!, ...references.slice(1 - REFERENCES_MAX)],
    baseSubject: foldForSearch(base),
    isReply,
  };
}

/**
 * The message ids in a field's value, in order, normalised: quotes, white space and comments gone, no brackets. Ids without "@"
 * count: programs that write them refer to them too. Linear.
 */
export function messageIds(value: string): string[] {
  const ids: string[] = [];
  let at = 0;
  /** From here on no comment and no quoted string ends: looked for once. */
  let isOpenEnded = false;
  while (at < value.length) {
    const char = value[at];
    if (char === '(' && !isOpenEnded) {
      const end = commentEnd(value, at);
      if (end === at) isOpenEnded = true;
      at = end === at ? at + 1 : end;
      continue;
    }
    at += 1;
    if (char !== '<') continue;
    const found = idAt(value, at);
    at = found.end;
    if (found.id !== '') ids.push(found.id);
  }
  return ids;
}

/** Just past the comment that starts at `at` (RFC 5322 section 3.2.2), or `at` when it does not end. */
function commentEnd(value: string, at: number): number {
  let depth = 0;
  for (let i = at; i < value.length; i += 1) {
    const char = value[i];
    if (char === '\\') i += 1;
    else if (char === '(') depth += 1;
    else if (char === ')') {
      depth -= 1;
      if (depth === 0) return i + 1;
    }
  }
  return at;
}

/** `at`: just past the "<". An id that is too long, empty or does not end is "". */
function idAt(value: string, at: number): { id: string; end: number } {
  let id = '';
  let isQuoted = false;
  const limit = Math.min(value.length, at + ID_LENGTH_MAX + 1);
  for (let i = at; i < limit; i += 1) {
    const char = value[i]!;
    if (char === '"') isQuoted = !isQuoted;
    else if (char === '\\' && isQuoted && i + 1 < limit) {
      i += 1;
      id += value[i];
    } else if (char === '>' && !isQuoted) return { id, end: i + 1 };
    else if (char === '<' && !isQuoted) return { id: '', end: i };
    else if (isQuoted || (char !== ' ' && char !== '\t' && char !== '\r' && char !== '\n')) id += char;
  }
  return { id: '', end: isQuoted ? at : limit };
}
