/** Text of office documents: archives of XML (ECMA-376 for .docx, .xlsx, .pptx; OASIS OpenDocument for .odt, .ods, .odp). */
import yauzl from 'yauzl';
import { asBuffer } from '../../mail/header.ts';
import { decodeEntities } from '../../mail/html-entities.ts';

/** Members of an archive that are looked at, octets one of them may unpack to, and all that are read together. */
const MEMBERS_MAX = 5000;
const MEMBER_BYTES_MAX = 16 * 1024 * 1024;
const TOTAL_BYTES_MAX = 32 * 1024 * 1024;

/** Where texts are: in Office Open XML within elements named "t", in OpenDocument everywhere in content.xml. */
const OPEN_XML =
  /^(?:word\/(?:document|header\d*|footer\d*|footnotes|endnotes|comments)|xl\/(?:sharedStrings|comments\d*|worksheets\/sheet\d+)|ppt\/(?:slides\/slide|notesSlides\/notesSlide)\d+)\.xml$/;
const OPEN_DOCUMENT = 'content.xml';

/** At most about `charactersMax`. Rejects when it is no archive, or one that unpacks to more than the limits. */
export async function officeText(bytes: Uint8Array, charactersMax: number): Promise<string> {
  const archive = await yauzl.fromBufferPromise(asBuffer(bytes), { validateEntrySizes: true });
  const texts: string[] = [];
  let left = charactersMax;
  let total = 0;
  let seen = 0;
  for await (const entry of archive.eachEntry()) {
    seen += 1;
    if (seen > MEMBERS_MAX || left <= 0) break;
    const isOpenDocument = entry.fileName === OPEN_DOCUMENT;
    if (!isOpenDocument && !OPEN_XML.test(entry.fileName)) continue;
    total += entry.uncompressedSize;
    if (entry.uncompressedSize > MEMBER_BYTES_MAX || total > TOTAL_BYTES_MAX) throw new Error('unpacks to too much');
    const text = xmlText((await unpack(archive, entry)).toString('utf8'), isOpenDocument);
    texts.push(text.slice(0, left));
    left -= text.length;
  }
  return texts.join('\n');
}

/** The library refuses a member that is larger than it says. */
async function unpack(archive: yauzl.ZipFile, entry: yauzl.Entry): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of await archive.openReadStreamPromise(entry)) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** Elements that end a paragraph, a cell, a row; and those that stand for white space. By local name. */
const BREAKS = new Set(['p', 'h', 'br', 'tab', 'si', 'c', 'tc', 'row', 'tr', 'table-cell', 'line-break', 's', 'list-item']);

/** Character data of an XML text: all of it, or only that within elements named "t". One pass. */
export function xmlText(xml: string, takesAll: boolean): string {
  let out = '';
  let at = 0;
  let isWithin = false;
  while (at < xml.length) {
    const open = xml.indexOf('<', at);
    if (takesAll || isWithin) out += xml.slice(at, open === -1 ? xml.length : open);
    if (open === -1) break;
    if (xml.startsWith('![CDATA[', open + 1)) {
      const end = xml.indexOf(']]>', open + 9);
      if (takesAll || isWithin) out += xml.slice(open + 9, end === -1 ? xml.length : end);
      at = end === -1 ? xml.length : end + 3;
      continue;
    }
    const isComment = xml.startsWith('!--', open + 1);
    const close = xml.indexOf(isComment ? '-->' : '>', open + 1);
    if (close === -1) break;
    at = close + (isComment ? 3 : 1);
    if (isComment) continue;
    const isEnd = xml.charCodeAt(open + 1) === 0x2f;
    const name = localName(xml, open + (isEnd ? 2 : 1), close);
    if (name === 't') isWithin = !isEnd && xml.charCodeAt(close - 1) !== 0x2f;
    else if (BREAKS.has(name)) out += '\n';
  }
  return decodeEntities(out.replace(/\n{2,}/g, '\n'));
}

/** "p" of "w:p w:rsidR=…". */
function localName(xml: string, from: number, to: number): string {
  let start = from;
  let i = from;
  for (; i < to; i += 1) {
    const code = xml.charCodeAt(i);
    if (code === 0x3a) start = i + 1;
    else if (code <= 0x20 || code === 0x2f) break;
  }
  return xml.slice(start, i);
}
