/** Text of a Rich Text document (RTF 1.9): groups, control words, characters by code page or Unicode. */
import { decodeCharset } from '../../mail/charset.ts';

/** Groups whose content is not text of the document. */
const UNSEEN = new Set(
  'fonttbl colortbl stylesheet info pict object header headerl headerr footer footerl footerr themedata colorschememapping latentstyles datastore listtable listoverridetable rsidtbl generator xmlnstbl fldinst filetbl revtbl'.split(
    ' ',
  ),
);
const WHITE: ReadonlyMap<string, string> = new Map([
  ['par', '\n'],
  ['line', '\n'],
  ['sect', '\n'],
  ['page', '\n'],
  ['row', '\n'],
  ['cell', '\t'],
  ['tab', '\t'],
  ['emdash', '—'],
  ['endash', '–'],
  ['lquote', '‘'],
  ['rquote', '’'],
  ['ldblquote', '“'],
  ['rdblquote', '”'],
  ['bullet', '•'],
]);
const DEPTH_MAX = 1000;
const WORD = /\\([a-zA-Z]{1,32})(-?\d{1,10})? ?/y;

interface Group {
  readonly isUnseen: boolean;
  /** Characters to pass over after each \u. */
  readonly skip: number;
}

/** At most about `charactersMax`. Throws when it is no RTF. */
export function rtfText(bytes: Uint8Array, charactersMax: number): string {
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  if (!source.startsWith('{\\rtf')) throw new Error('no RTF');
  const groups: Group[] = [];
  let group: Group = { isUnseen: false, skip: 1 };
  let charset = 'windows-1252';
  let out = '';
  /** Bytes in the document's code page, decoded together: one character may take two. */
  let encoded: number[] = [];
  let passOver = 0;
  const flush = (): void => {
    if (encoded.length > 0) out += decodeCharset(Uint8Array.from(encoded), charset);
    encoded = [];
  };
  const put = (text: string): void => {
    flush();
    if (!group.isUnseen) out += text;
  };
  const putByte = (byte: number): void => {
    if (passOver > 0) passOver -= 1;
    else if (!group.isUnseen) encoded.push(byte);
  };
  for (let at = 0; at < source.length && out.length + encoded.length < charactersMax; ) {
    const char = source[at]!;
    if (char === '{') {
      if (groups.length >= DEPTH_MAX) throw new Error('nested too deep');
      groups.push(group);
      at += 1;
    } else if (char === '}') {
      passOver = 0;
      flush();
      group = groups.pop() ?? group;
      at += 1;
    } else if (char === '\r' || char === '\n') at += 1;
    else if (char !== '\\') {
      putByte(source.charCodeAt(at));
      at += 1;
    } else {
      WORD.lastIndex = at;
      const word = WORD.exec(source);
      if (word === null) {
        const symbol = source[at + 1];
        if (symbol === "'") {
          putByte(Number.parseInt(source.slice(at + 2, at + 4), 16) & 0xff);
          at += 4;
          continue;
        }
        if (symbol === '*') group = { ...group, isUnseen: true };
        else if (symbol === '~') put('\u00a0');
        else if (symbol === '_') put('-');
        else if (symbol === '\\' || symbol === '{' || symbol === '}') putByte(symbol.charCodeAt(0));
        else if (symbol === '\n' || symbol === '\r') put('\n');
        at += 2;
        continue;
      }
      at = WORD.lastIndex;
      const [, name, number] = word;
      const white = WHITE.get(name!);
      if (white !== undefined) put(white);
      else if (name === 'u' && number !== undefined) {
        put(String.fromCharCode(Number(number) & 0xffff));
        passOver = group.skip;
      } else if (name === 'uc') group = { ...group, skip: Math.min(10, Math.max(0, Number(number ?? 1))) };
      else if (name === 'ansicpg') charset = `windows-${number}`;
      else if (name === 'bin') at += Math.max(0, Number(number ?? 0));
      else if (UNSEEN.has(name!)) group = { ...group, isUnseen: true };
    }
  }
  flush();
  return out;
}
