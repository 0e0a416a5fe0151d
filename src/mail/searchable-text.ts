/**
 * The text in which SEARCH BODY looks (RFC 9051 section 6.4.4), one function for the index and for searches that read the message:
 * what `extractText` gives, where HTML stands as it is, and after each HTML part what a reader sees of it. So a word is found that
 * tags run through, and an address that only a link has. Attachments that are not text are no part of it.
 */
import { htmlText } from './html-text.ts';
import type { PartIndex } from './part-index.ts';
import type { SliceReader } from './slices.ts';
import { extractText, TEXT_BYTES_MAX } from './text.ts';

/** At most `bytesMax` encoded octets of the message are read. Answers at once when all slices do. */
export function searchableText(read: SliceReader, root: PartIndex, bytesMax: number = TEXT_BYTES_MAX): string | Promise<string> {
  return extractText(read, root, bytesMax, seenText);
}

function seenText(text: string, subtype: string): string | null {
  return subtype === 'html' || subtype === 'xhtml' ? htmlText(text) : null;
}
