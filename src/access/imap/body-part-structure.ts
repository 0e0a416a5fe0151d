/** BODYPARTSTRUCTURE (RFC 5524, RFC 5259): the part of a stored BODYSTRUCTURE (RFC 9051 section 7.5.2) that describes one part. */

/** The text in parentheses; null: there is no such part. [] is the whole message. */
export function bodyPartStructure(structure: string, path: readonly number[]): string | null {
  let at = 0;
  // As findSection() of mail/part-index.ts goes: a message's root is no numbered part yet.
  let isMessageRoot = true;
  for (const number of path) {
    const inside = isMessageRoot ? -1 : messageInside(structure, at);
    if (inside !== -1) {
      at = inside;
      isMessageRoot = true;
    }
    if (isMultipart(structure, at)) at = childAt(structure, at, number);
    else if (!isMessageRoot || number !== 1) return null;
    if (at === -1) return null;
    isMessageRoot = false;
  }
  const end = skip(structure, at);
  return end === -1 ? null : structure.slice(at, end);
}

function isMultipart(text: string, start: number): boolean {
  return text[start] === '(' && text[start + 1] === '(';
}

/** Where child `number` (from 1) of a multipart begins, or -1. */
function childAt(text: string, start: number, number: number): number {
  let at = start + 1;
  for (let i = 1; text[at] === '('; i += 1) {
    if (i === number) return at;
    at = skip(text, at);
    if (at === -1) return -1;
  }
  return -1;
}

/** The structure of the message in a message/rfc822 part: its ninth element. -1: it is none. */
function messageInside(text: string, start: number): number {
  if (!/^\("message" "(?:rfc822|global)" /i.test(text.slice(start, start + 24))) return -1;
  let at = start + 1;
  for (let i = 0; i < 8; i += 1) {
    at = skip(text, at);
    if (at === -1 || text[at] !== ' ') return -1;
    at += 1;
  }
  return text[at] === '(' ? at : -1;
}

/** Past the element at `at`: a list, a quoted string, a literal or an atom. -1: it does not end. */
function skip(text: string, at: number): number {
  let depth = 0;
  for (let i = at; i < text.length; ) {
    const c = text[i];
    if (c === '"') {
      i += 1;
      while (i < text.length && text[i] !== '"') i += text[i] === '\\' ? 2 : 1;
      i += 1;
    } else if (c === '{') {
      const end = text.indexOf('}', i);
      i = end + 3 + Number(text.slice(i + 1, end));
    } else if (c === '(') {
      depth += 1;
      i += 1;
      continue;
    } else if (c === ')') {
      depth -= 1;
      i += 1;
    } else if (c === ' ') {
      i += 1;
      continue;
    } else {
      while (i < text.length && text[i] !== ' ' && text[i] !== ')' && text[i] !== '(') i += 1;
    }
    if (depth === 0) return i;
  }
  return -1;
}
