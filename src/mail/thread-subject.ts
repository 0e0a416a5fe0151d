/** The base subject: what is left of a subject when replies, forwards and list labels are taken off (RFC 5256 section 2.1). */

export interface BaseSubject {
  /** In the case it was written in. */
  readonly base: string;
  /** A "Re:", "Fwd:", "(fwd)" or "[Fwd: …]" was taken off (RFC 5256 section 3, THREAD=REFERENCES). */
  readonly isReply: boolean;
}

/**
 * The base subject of a decoded subject (encoded words already undone). Linear in its length. Only what the RFC lists counts as a reply:
 * "Aw:" and "Sv:" stay, as servers and clients must agree.
 */
export function baseSubject(decoded: string): BaseSubject {
  const text = decoded.replace(/[ \t\r\n]+/g, ' ');
  let start = 0;
  let end = text.length;
  let isReply = false;
  for (;;) {
    // (2) trailers
    for (;;) {
      if (end > start && text[end - 1] === ' ') end -= 1;
      else if (end - start >= 5 && isWord(text, end - 5, '(fwd)')) {
        end -= 5;
        isReply = true;
      } else break;
    }
    // (3) to (5) leaders, then labels
    for (;;) {
      while (start < end && text[start] === ' ') start += 1;
      let afterBlobs = start;
      let lastBlob = start;
      for (;;) {
        const next = blobEnd(text, afterBlobs, end);
        if (next === afterBlobs) break;
        lastBlob = afterBlobs;
        afterBlobs = next;
      }
      const afterReply = replyEnd(text, afterBlobs, end);
      if (afterReply > afterBlobs) {
        start = afterReply;
        isReply = true;
        continue;
      }
      // No reply after this run of labels, so none after any part of it: all go, but the last stays when nothing else is left.
      start = afterBlobs < end ? afterBlobs : lastBlob;
      break;
    }
    // (6) a forward in brackets
    if (end - start < 6 || text[end - 1] !== ']' || !isWord(text, start, '[fwd:')) break;
    start += 5;
    end -= 1;
    isReply = true;
  }
  return { base: text.slice(start, end), isReply };
}

/** Just past a subj-blob and the spaces after it, or `at` when none starts there. */
function blobEnd(text: string, at: number, end: number): number {
  if (at >= end || text[at] !== '[') return at;
  for (let i = at + 1; i < end; i += 1) {
    const char = text[i];
    if (char === '[') return at;
    if (char !== ']') continue;
    i += 1;
    while (i < end && text[i] === ' ') i += 1;
    return i;
  }
  return at;
}

/** Just past a subj-refwd, or `at` when none starts there. */
function replyEnd(text: string, at: number, end: number): number {
  let i = at;
  if (isWord(text, i, 're')) i += 2;
  else if (isWord(text, i, 'fwd')) i += 3;
  else if (isWord(text, i, 'fw')) i += 2;
  else return at;
  while (i < end && text[i] === ' ') i += 1;
  i = blobEnd(text, i, end);
  return i < end && text[i] === ':' ? i + 1 : at;
}

/** `word` in lower case. */
function isWord(text: string, at: number, word: string): boolean {
  for (let i = 0; i < word.length; i += 1) {
    const code = text.charCodeAt(at + i);
    const lower = code >= 0x41 && code <= 0x5a ? code + 0x20 : code;
    if (lower !== word.charCodeAt(i)) return false;
  }
  return true;
}
