/** Text of a PDF document, page by page. */
import { getDocumentProxy } from 'unpdf';

const PAGES_MAX = 2000;

/** At most about `charactersMax`. Rejects when the file is no PDF or asks for a password. */
export async function pdfText(bytes: Uint8Array, charactersMax: number): Promise<string> {
  const document = await getDocumentProxy(bytes, { disableFontFace: true, useSystemFonts: false, verbosity: 0 });
  const pages: string[] = [];
  let left = charactersMax;
  for (let number = 1; number <= Math.min(document.numPages, PAGES_MAX) && left > 0; number += 1) {
    const page = await document.getPage(number);
    const { items } = await page.getTextContent();
    let text = '';
    for (const item of items) if ('str' in item) text += item.hasEOL ? `${item.str}\n` : item.str;
    pages.push(text);
    left -= text.length + 1;
    page.cleanup();
  }
  return pages.join('\n');
}
