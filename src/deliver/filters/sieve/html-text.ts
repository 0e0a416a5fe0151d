/** The text of HTML, for tests of the body: without tags, comments, scripts and styles; the commonest character references decoded. */

const HIDDEN: ReadonlySet<string> = new Set(['script', 'style', 'head', 'title']);
const BREAKING: ReadonlySet<string> = new Set([
  'br',
  'p',
  'div',
  'tr',
  'li',
  'h1',
  'h2',
  'h3',
  'h4',
  'h5',
  'h6',
  'table',
  'blockquote',
  'hr',
  'ul',
  'ol',
  'pre',
]);
const REFERENCES: ReadonlyMap<string, string> = new Map([
  ['amp', '&'],
  ['lt', '<'],
  ['gt', '>'],
  ['quot', '"'],
  ['apos', "'"],
  ['nbsp', ' '],
]);

/** One pass, linear. */
export function htmlText(html: string): string {
  const out: string[] = [];
  let at = 0;
  while (at < html.length) {
    const open = html.indexOf('<', at);
    if (open === -1) {
      out.push(html.slice(at));
      break;
    }
    out.push(html.slice(at, open));
    if (html.startsWith('<!--', open)) {
      const end = html.indexOf('-->', open + 4);
      if (end === -1) break;
      at = end + 3;
      continue;
    }
    const close = html.indexOf('>', open);
    if (close === -1) break;
    const name = tagName(html, open + 1, close);
    at = close + 1;
    if (BREAKING.has(name)) out.push('\n');
    if (!HIDDEN.has(name) || html[open + 1] === '/' || html[close - 1] === '/') continue;
    const end = endOf(html, name, at);
    if (end === -1) break;
    at = end;
  }
  return out.join('').replace(/&(#[xX][0-9a-fA-F]{1,6}|#[0-9]{1,7}|[a-z]{2,6});/g, (whole, reference: string) => {
    if (!reference.startsWith('#')) return REFERENCES.get(reference) ?? whole;
    const code = /^#[xX]/.test(reference) ? Number.parseInt(reference.slice(2), 16) : Number(reference.slice(1));
    return code > 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : whole;
  });
}

const NAME_CHARS_MAX = 20;

/** The name in a tag whose text starts at `from`, in lower case; '' for what is none. By characters: there can be a million tags. */
function tagName(html: string, from: number, to: number): string {
  const start = html.charCodeAt(from) === 0x2f ? from + 1 : from;
  const most = Math.min(to, start + NAME_CHARS_MAX);
  let end = start;
  while (end < most) {
    const c = html.charCodeAt(end) | 0x20;
    if (!((c >= 0x61 && c <= 0x7a) || (end > start && c >= 0x30 && c <= 0x39))) break;
    end += 1;
  }
  return html.slice(start, end).toLowerCase();
}

/** Where "</name" begins, from `at`; -1 when it does not come. */
function endOf(html: string, name: string, at: number): number {
  const pattern = new RegExp(`</${name}`, 'ig');
  pattern.lastIndex = at;
  return pattern.exec(html)?.index ?? -1;
}
