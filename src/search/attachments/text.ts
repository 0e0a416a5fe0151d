/** The text of all attachments of one stored email. */
import { decodeCharset, decodeUnlabelled } from '../../mail/charset.ts';
import { htmlText } from '../../mail/html-text.ts';
import { foldForSearch } from '../../mail/text.ts';
import { decodeTransfer } from '../../mail/transfer.ts';
import type { StoreReader } from '../../ports.ts';
import { SEARCH_LIMITS } from '../limits.ts';
import { openStored, type StoredEmail } from '../prepare.ts';
import { attachmentsOf } from './find.ts';
import type { AttachmentReader } from './reader.ts';

/** Folded, one attachment after the other with a line end between, at most `charactersMax`. What cannot be read has no text. */
export async function attachmentText(store: StoreReader, email: StoredEmail, attachments: AttachmentReader, charactersMax: number): Promise<string> {
  const { reader, root } = openStored(store, email);
  const texts: string[] = [];
  let left = charactersMax;
  try {
    for (const { kind, start, end, encoding } of await attachmentsOf((from, to) => reader.slice(from, to), root)) {
      if (left <= 0) break;
      if (end - start > SEARCH_LIMITS.attachmentBytes) continue;
      const bytes = decodeTransfer(await reader.slice(start, end), encoding);
      let text: string;
      if (kind === 'plain') text = plainText(bytes);
      else if (kind === 'html') text = htmlText(plainText(bytes));
      else text = (await attachments.text(kind, bytes, left)) ?? '';
      if (text === '') continue;
      const folded = foldForSearch(text.slice(0, left));
      texts.push(folded.slice(0, left));
      left -= folded.length + 2;
    }
  } finally {
    reader.close();
  }
  return texts.join('\r\n');
}

/** Files have no charset but what their first bytes say. */
function plainText(bytes: Uint8Array): string {
  const isUtf16 = bytes.length >= 2 && ((bytes[0] === 0xff && bytes[1] === 0xfe) || (bytes[0] === 0xfe && bytes[1] === 0xff));
  return isUtf16 ? decodeCharset(bytes, 'utf-16') : decodeUnlabelled(bytes);
}
