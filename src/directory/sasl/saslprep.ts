/** SASLprep (RFC 4013): one form for names and passwords that look the same however they were typed. */

/** RFC 3454 table C.1.2: spaces that become U+0020. */
const NON_ASCII_SPACE = /[\u00a0\u1680\u2000-\u200b\u202f\u205f\u3000]/g;
/** RFC 3454 table B.1: characters that become nothing. */
// biome-ignore lint/suspicious/noMisleadingCharacterClass: these are single code points, combining ones among them.
const MAPPED_TO_NOTHING = /[\u00ad\u034f\u1806\u180b-\u180d\u200c\u200d\u2060\ufe00-\ufe0f\ufeff]/g;
/** RFC 4013 section 2.3: control, private use, non-character, surrogate, inappropriate, display-changing and tagging characters. */
const PROHIBITED =
  // biome-ignore lint/suspicious/noMisleadingCharacterClass: as above.
  /[\u0000-\u001f\u007f-\u009f\u06dd\u070f\u180e\u2028-\u202e\u2061-\u2063\u206a-\u206f\ufff9-\uffff\u0340\u0341\u200e\u200f\u2ff0-\u2ffb\u{1d173}-\u{1d17a}\u{e0001}\u{e0020}-\u{e007f}\p{Co}\p{Cs}\p{Noncharacter_Code_Point}]/u;
const UNASSIGNED = /\p{Cn}/u;
/** RFC 3454 section 6: a string with right-to-left letters has no left-to-right ones, and starts and ends with the former. */
const RANDALCAT = /[\u05be\u05c0\u05c3\u05d0-\u05f4\u061b-\u064a\u066d-\u06ef\u06fa-\u074f\u0780-\u07b1\u200f\ufb1d-\ufdfc\ufe70-\ufefc]/u;
const RANDALCAT_ENDS =
  /^[\u05be\u05c0\u05c3\u05d0-\u05f4\u061b-\u064a\u066d-\u06ef\u06fa-\u074f\u0780-\u07b1\ufb1d-\ufdfc\ufe70-\ufefc](?:.*[\u05be\u05c0\u05c3\u05d0-\u05f4\u061b-\u064a\u066d-\u06ef\u06fa-\u074f\u0780-\u07b1\ufb1d-\ufdfc\ufe70-\ufefc])?$/su;
const LCAT = /[A-Za-z\u00aa\u00b5\u00ba\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u02b8\u0370-\u03ff\u0400-\u0482\u048a-\u052f\u0531-\u0587]/u;

/**
 * The prepared string, or null when it holds a prohibited character or mixes directions. `stored` also refuses
 * characters that Unicode has not assigned (RFC 3454 section 7: stored strings), queries let them pass.
 */
export function saslprep(text: string, stored = false): string | null {
  let printable = true;
  for (let i = 0; i < text.length && printable; i += 1) {
    const code = text.charCodeAt(i);
    printable = code >= 0x20 && code < 0x7f;
  }
  if (printable) return text;
  const prepared = text.replace(NON_ASCII_SPACE, ' ').replace(MAPPED_TO_NOTHING, '').normalize('NFKC');
  if (PROHIBITED.test(prepared) || (stored && UNASSIGNED.test(prepared))) return null;
  if (RANDALCAT.test(prepared) && (LCAT.test(prepared) || !RANDALCAT_ENDS.test(prepared))) return null;
  return prepared;
}
