/**
 * The %-expansions that Postfix's database tables share (mysql_table(5), ldap_table(5) …): %s %u %d %1 … %9 and their upper-case forms, in
 * queries over the key and in result formats over the value.
 */

/** 's' whole, 'u' local part, 'd' domain, the same in upper case (always of the key), 1 … 9 the nth label of the key's domain from the right. */
export type Spot = 's' | 'u' | 'd' | 'S' | 'U' | 'D' | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9;
/** Plain text and what is to be put between. */
export interface Expansion {
  readonly spot: Spot;
}
export type Template = readonly (string | Expansion)[];

/** A template, or a sentence that says what is wrong with `text`. */
export function parseTemplate(text: string): Template | { readonly wrong: string } {
  const pieces: (string | Expansion)[] = [];
  let plain = '';
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at]!;
    if (char !== '%') {
      plain += char;
      continue;
    }
    at += 1;
    const letter = text[at] ?? '';
    if (letter === '%') {
      plain += '%';
      continue;
    }
    const spot = spotOf(letter);
    if (spot === null) return { wrong: letter === '' ? 'it ends with a lone "%"; write "%%" for one' : `"%${letter}" means nothing; write "%%" for a "%"` };
    if (plain !== '') pieces.push(plain);
    plain = '';
    pieces.push({ spot });
  }
  if (plain !== '') pieces.push(plain);
  return pieces;
}

function spotOf(letter: string): Spot | null {
  if (letter >= '1' && letter <= '9') return Number(letter) as Spot;
  return 'sudSUD'.includes(letter) && letter !== '' ? (letter as Spot) : null;
}

/** The key, taken apart once for all templates of a lookup. */
export interface KeyParts {
  readonly key: string;
  /** The part before the last "@"; the whole key when there is none. */
  readonly user: string;
  /** The part after the last "@"; '' when there is none. */
  readonly domain: string;
  /** Labels of the domain that are not empty, from the left. */
  readonly labels: readonly string[];
}

/** What a key must have for the templates of a table to make sense. */
export interface KeyNeeds {
  readonly user: boolean;
  readonly domain: boolean;
  readonly labels: number;
}

/** `queries` expand the key, `result` the value; upper-case and digit expansions of `result` ask the key for its parts, too. */
export function keyNeeds(queries: readonly Template[], result: Template): KeyNeeds {
  let user = false;
  let domain = false;
  let labels = 0;
  const see = (spot: Spot, isQuery: boolean): void => {
    if (typeof spot === 'number') {
      domain = true;
      labels = Math.max(labels, spot);
    }
    if (spot === 'U' || (isQuery && spot === 'u')) user = true;
    if (spot === 'D' || (isQuery && spot === 'd')) domain = true;
  };
  for (const query of queries) for (const piece of query) if (typeof piece !== 'string') see(piece.spot, true);
  for (const piece of result) if (typeof piece !== 'string') see(piece.spot, false);
  return { user, domain, labels };
}

/** The parts of `key`, or null when it lacks what the templates need: the query is not made then, and nothing is found. */
export function keyParts(key: string, needs: KeyNeeds): KeyParts | null {
  if (key === '') return null;
  const at = key.lastIndexOf('@');
  if (needs.user && at === 0) return null;
  const domain = at === -1 ? '' : key.slice(at + 1);
  if (needs.domain && domain === '') return null;
  const labels = needs.labels === 0 ? [] : domain.split('.').filter((label) => label !== '');
  if (labels.length < needs.labels) return null;
  return { key, user: at === -1 ? key : key.slice(0, at), domain, labels };
}

/** The text for one spot of a query. */
export function keySpot(spot: Spot, parts: KeyParts): string {
  if (typeof spot === 'number') return parts.labels[parts.labels.length - spot]!;
  switch (spot) {
    case 's':
    case 'S':
      return parts.key;
    case 'u':
    case 'U':
      return parts.user;
    default:
      return parts.domain;
  }
}

/** A query over the key, each inserted part quoted by `quote`. */
export function expandKey(template: Template, parts: KeyParts, quote: (text: string) => string): string {
  let out = '';
  for (const piece of template) out += typeof piece === 'string' ? piece : quote(keySpot(piece.spot, parts));
  return out;
}

/** One value in the result format, or null when it is skipped: empty, or without the part that the format wants of it. */
export function expandValue(template: Template, value: string, parts: KeyParts): string | null {
  if (value === '') return null;
  const at = value.lastIndexOf('@');
  let out = '';
  for (const piece of template) {
    if (typeof piece === 'string') out += piece;
    else if (piece.spot === 's') out += value;
    else if (piece.spot === 'u') {
      if (at === 0) return null;
      out += at === -1 ? value : value.slice(0, at);
    } else if (piece.spot === 'd') {
      if (at === -1 || at === value.length - 1) return null;
      out += value.slice(at + 1);
    } else out += keySpot(piece.spot, parts);
  }
  return out;
}

/** Collects the values of one lookup: formatted, joined by commas, counted against expansion_limit (0: no limit). */
export class Collected {
  #text = '';
  #count = 0;
  readonly #format: Template;
  readonly #limit: number;
  readonly #parts: KeyParts;

  constructor(format: Template, limit: number, parts: KeyParts) {
    this.#format = format;
    this.#limit = limit;
    this.#parts = parts;
  }

  /** False when there are now more values than expansion_limit allows. */
  add(value: string | null): boolean {
    const formatted = value === null ? null : expandValue(this.#format, value, this.#parts);
    if (formatted === null) return true;
    this.#text = this.#text === '' ? formatted : `${this.#text},${formatted}`;
    this.#count += 1;
    return this.#limit === 0 || this.#count <= this.#limit;
  }

  get length(): number {
    return this.#text.length;
  }

  /** Null when there is nothing. */
  result(): string | null {
    return this.#text === '' ? null : this.#text;
  }
}
