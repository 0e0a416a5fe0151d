/** Script names (RFC 5804 section 1.6). */
import { NAME_CHARACTERS_MAX } from './limits.ts';

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** The octets as text; null when they are not UTF-8. */
export function decodeText(bytes: Uint8Array): string | null {
  try {
    return decoder.decode(bytes);
  } catch {
    return null; // hostile or mistaken: the caller refuses it
  }
}

/** `text` as the name of a script, in NFC (RFC 5198 section 2); null when none may be called so. */
export function scriptName(text: string): string | null {
  if (text === '' || text.length > 4 * NAME_CHARACTERS_MAX) return null;
  if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(text) || !text.isWellFormed()) return null;
  const name = text.normalize('NFC');
  return [...name].length <= NAME_CHARACTERS_MAX ? name : null;
}
