/** The text of HTML, for tests of the body: without tags, comments, scripts and styles; the commonest character references decoded. */

const HIDDEN: ReadonlySet<string> = new Set(['script', 'style', 'head', 'title']);
const BREAKING = /^(?:br|p|div|tr|li|h[1-6]|table|blockquote|hr|ul|ol|pre)$/;
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
    const name = /^<\/?([A-Za-z][A-Za-z0-9]*)/.exec(html.slice(open, Math.min(open + 40, close)))?.[1]?.toLowerCase() ?? '';
    at = close + 1;
    if (BREAKING.test(name)) out.push('\n');
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

/** Where "</name" begins, from `at`; -1 when it does not come. */
function endOf(html: string, name: string, at: number): number {
  const pattern = new RegExp(`</${name}`, 'ig');
  pattern.lastIndex = at;
  return pattern.exec(html)?.index ?? -1;
}
