/** IMAP BODYSTRUCTURE and BODY (RFC 9051 section 7.5.2, ABNF `body`) of a parsed message, ASCII. */
import { imapString, imapText } from './imap-string.ts';
import type { MimePart } from './mime-part.ts';
import { encodeExtended, type Param, type Parameterized } from './params.ts';

/** The structure in parentheses; `extensible` adds the extension data, which BODY must not have. */
export function serializeBody(part: MimePart, extensible: boolean): string {
  if (part.type === 'multipart') {
    let out = '(';
    for (const child of part.children) out += serializeBody(child, extensible);
    out += ` ${imapText(part.subtype)}`;
    return extensible ? `${out} ${params(part.params)} ${extension(part)})` : `${out})`;
  }
  const isText = part.type === 'text';
  let out =
    `(${imapText(part.type)} ${imapText(part.subtype)} ${params(part.params, isText)} ${imapText(part.id)} ${imapText(part.description)} ` +
    `${imapText(part.encoding)} ${part.bodyEnd - part.bodyStart}`;
  if (part.message !== null) out += ` ${part.message.envelope} ${serializeBody(part.message.part, extensible)} ${part.lines}`;
  else if (isText) out += ` ${part.lines}`;
  return extensible ? `${out} ${imapText(part.md5)} ${extension(part)})` : `${out})`;
}

/** body-fld-dsp, body-fld-lang, body-fld-loc. */
function extension(part: MimePart): string {
  if (part.disposition === null && part.language.length === 0 && part.location === null) return 'NIL NIL NIL';
  const language = part.language.length === 0 ? 'NIL' : `(${part.language.map(imapText).join(' ')})`;
  return `${disposition(part.disposition)} ${language} ${imapText(part.location)}`;
}

function disposition(value: Parameterized | null): string {
  return value === null ? 'NIL' : `(${imapText(value.value)} ${params(value.params)})`;
}

/** body-fld-param. A text without charset is said to be US-ASCII (RFC 2046 section 4.1.2). */
function params(list: readonly Param[], isText = false): string {
  let out = '';
  let hasCharset = false;
  for (const [name, value] of list) {
    if (name === 'charset') hasCharset = true;
    out += `${out === '' ? '' : ' '}${param(name, value)}`;
  }
  if (isText && !hasCharset) out += `${out === '' ? '' : ' '}"charset" "us-ascii"`;
  return out === '' ? 'NIL' : `(${out})`;
}

/** Values beyond ASCII keep RFC 2231's extended form, whichever way they were sent. */
function param(name: string, value: string): string {
  const key = imapText(Buffer.from(name, 'utf8').toString('latin1'));
  if (name.endsWith('*')) return `${key} ${imapString(encodeExtended(value))}`;
  if (!/[^\x00-\x7f]/.test(value)) return `${key} ${imapString(value)}`;
  return `${imapText(`${Buffer.from(name, 'utf8').toString('latin1')}*`)} ${imapString(encodeExtended(value))}`;
}

// ── BODY from BODYSTRUCTURE ──────────────────────────────────────────────────────────────────────────

/** A value of an IMAP response as it stands in the text: atom, number, string or NIL by its ends, or a list. */
type Node = { readonly start: number; readonly end: number } | { readonly start: number; readonly end: number; readonly list: readonly Node[] };

/**
 * The BODY form (without extension data) of a BODYSTRUCTURE that `serializeBody` wrote.
 * Throws when the text is not one: it came out of our own store.
 */
export function bodyFromStructure(bodyStructure: string): string {
  const reader = new NodeReader(bodyStructure);
  const node = reader.node();
  if (!('list' in node) || reader.at !== bodyStructure.length) throw new Error('not a body structure');
  return withoutExtension(bodyStructure, node.list);
}

function withoutExtension(text: string, list: readonly Node[]): string {
  const first = list[0];
  if (first === undefined) throw new Error('empty body structure');
  if ('list' in first) {
    let out = '(';
    let count = 0;
    for (const child of list) {
      if (!('list' in child)) break;
      out += withoutExtension(text, child.list);
      count += 1;
    }
    return `${out} ${slice(text, list[count])})`;
  }
  const type = slice(text, first).toLowerCase();
  const basic = list.slice(0, 7).map((node) => slice(text, node));
  if (type === '"text"') basic.push(slice(text, list[7]));
  // An envelope and a body; of other kinds of message/… a disposition may stand where the body does.
  else if (type === '"message"' && list[7] !== undefined && 'list' in list[7] && list[8] !== undefined && 'list' in list[8]) {
    basic.push(slice(text, list[7]), withoutExtension(text, list[8].list), slice(text, list[9]));
  }
  return `(${basic.join(' ')})`;
}

function slice(text: string, node: Node | undefined): string {
  if (node === undefined) throw new Error('body structure ends early');
  return text.slice(node.start, node.end);
}

class NodeReader {
  readonly #text: string;
  at = 0;
  constructor(text: string) {
    this.#text = text;
  }

  node(): Node {
    const text = this.#text;
    const start = this.at;
    const c = text[start];
    if (c === '(') {
      const list: Node[] = [];
      this.at += 1;
      while (text[this.at] !== ')') {
        if (this.at >= text.length) throw new Error('body structure ends early');
        if (text[this.at] === ' ') this.at += 1;
        else list.push(this.node());
      }
      this.at += 1;
      return { start, end: this.at, list };
    }
    if (c === '"') {
      let at = start + 1;
      while (at < text.length && text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
      this.at = at + 1;
    } else if (c === '{') {
      const close = text.indexOf('}', start);
      this.at = close + 3 + Number(text.slice(start + 1, close));
    } else {
      let at = start;
      while (at < text.length && text[at] !== ' ' && text[at] !== ')' && text[at] !== '(') at += 1;
      this.at = at;
    }
    if (this.at <= start || this.at > text.length) throw new Error('body structure ends early');
    return { start, end: this.at };
  }
}
