/** What a reader sees of an HTML text, for searching: tags gone, character references undone, white space as a browser shows it. */
import { decodeEntities } from './html-entities.ts';

/** Elements whose content nobody sees. */
const UNSEEN = /^(?:script|style|template|noframes|iframe)$/;
/** Elements that stand within a line: words go on through them. All others part words. */
const INLINE = /^(?:a|abbr|acronym|b|bdi|bdo|big|cite|code|del|dfn|em|font|i|ins|kbd|label|mark|o:p|q|s|samp|small|span|strike|strong|sub|sup|tt|u|var|wbr)$/;
const NAME = /[A-Za-z][^\s/>]{0,30}/y;
/** Numbers of attributes' quotes are not bounded, so tags are walked, not matched. */
const GREATER = 0x3e;

/** One pass; a comment, tag or script that does not end hides the rest, as in a browser. */
export function htmlText(html: string): string {
  let out = '';
  let at = 0;
  while (at < html.length) {
    const open = html.indexOf('<', at);
    if (open === -1) {
      out += html.slice(at);
      break;
    }
    out += html.slice(at, open);
    if (html.startsWith('!--', open + 1)) {
      at = after(html, '-->', open + 4);
      continue;
    }
    const next = html.charCodeAt(open + 1);
    if (next === 0x21 || next === 0x3f) {
      at = after(html, '>', open + 2); // <!DOCTYPE …>, <?xml …>
      continue;
    }
    const isEnd = next === 0x2f;
    NAME.lastIndex = open + (isEnd ? 2 : 1);
    const name = NAME.exec(html)?.[0].toLowerCase();
    if (name === undefined) {
      out += '<'; // a "less than" somebody forgot to escape
      at = open + 1;
      continue;
    }
    at = tagEnd(html, NAME.lastIndex);
    if (!INLINE.test(name)) out += '\n';
    if (!isEnd && UNSEEN.test(name)) at = contentEnd(html, name, at);
  }
  return decodeEntities(out.replace(/[ \t\r\n\f]+/g, ' '));
}

/** Just past the next `end`, or the end of the text. */
function after(html: string, end: string, from: number): number {
  const found = html.indexOf(end, from);
  return found === -1 ? html.length : found + end.length;
}

/** Just past the ">" of a tag; one within a quoted value is not it. */
function tagEnd(html: string, from: number): number {
  let quote = 0;
  let wasEquals = false;
  for (let i = from; i < html.length; i += 1) {
    const code = html.charCodeAt(i);
    if (quote !== 0) {
      if (code === quote) quote = 0;
      continue;
    }
    if (code === GREATER) return i + 1;
    if ((code === 0x22 || code === 0x27) && wasEquals) quote = code;
    // A quote counts only where a value begins.
    if (code === 0x3d) wasEquals = true;
    else if (code > 0x20) wasEquals = false;
  }
  return html.length;
}

/** Where the end tag of an element with unseen content starts. */
function contentEnd(html: string, name: string, from: number): number {
  const end = new RegExp(`</${name}`, 'gi');
  end.lastIndex = from;
  return end.exec(html)?.index ?? html.length;
}
