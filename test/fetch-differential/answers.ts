/** What a FETCH response says, read so that two servers can be compared: the order of items and the form of strings are gone. */

/** A string (however it was sent), a number, NIL, or a list; other atoms stand in an object. */
export type Value = string | number | null | { readonly atom: string } | readonly Value[];

/** Items of one response by their names in capitals. */
export type Items = ReadonlyMap<string, Value>;

class Reader {
  readonly #text: string;
  at = 0;
  constructor(text: string) {
    this.#text = text;
  }
  get isAtEnd(): boolean {
    return this.at >= this.#text.length;
  }
  take(c: string): boolean {
    if (this.#text[this.at] !== c) return false;
    this.at += 1;
    return true;
  }
  value(): Value {
    if (this.take('(')) {
      const list: Value[] = [];
      while (!this.take(')')) {
        if (this.isAtEnd) throw new Error(`a list does not end: ${this.#text.slice(0, 300)}`);
        if (!this.take(' ')) list.push(this.value());
      }
      return list;
    }
    if (this.#text[this.at] === '"') return this.#quoted();
    const literal = /~?\{(\d+)\}\n/y;
    literal.lastIndex = this.at;
    const size = literal.exec(this.#text);
    if (size !== null) {
      const start = this.at + size[0].length;
      this.at = start + Number(size[1]);
      return this.#text.slice(start, this.at);
    }
    const start = this.at;
    while (!this.isAtEnd && !' ()'.includes(this.#text[this.at]!)) this.at += 1;
    const atom = this.#text.slice(start, this.at);
    if (atom === '') throw new Error(`nothing where a value should be: ${this.#text.slice(Math.max(0, start - 100), start + 100)}`);
    return atom.toUpperCase() === 'NIL' ? null : /^\d+$/.test(atom) ? Number(atom) : { atom };
  }
  #quoted(): string {
    let out = '';
    for (this.at += 1; !this.take('"'); this.at += 1) {
      if (this.isAtEnd) throw new Error('a quoted string does not end');
      if (this.#text[this.at] === '\\') this.at += 1;
      out += this.#text[this.at];
    }
    return out;
  }
  /** The name of an item: a section's field names may be strings of any kind. */
  name(): string {
    const start = this.at;
    while (!' ['.includes(this.#text[this.at] ?? ' ')) this.at += 1;
    let name = this.#text.slice(start, this.at).toUpperCase();
    if (!this.take('[')) return name;
    name += '[';
    while (!this.take(']')) {
      const from = this.at;
      if (this.#text[from] === '(')
        name += `(${(this.value() as Value[])
          .map((field) => (typeof field === 'string' ? field : ((field as { atom: string } | null)?.atom ?? String(field))))
          .join(' ')
          .toUpperCase()})`;
      else {
        this.at += 1;
        name += this.#text.slice(from, this.at).toUpperCase();
      }
    }
    const rest = this.at;
    while (!' '.includes(this.#text[this.at] ?? ' ')) this.at += 1;
    return `${name}]${this.#text.slice(rest, this.at)}`;
  }
}

/** The items of an untagged FETCH response as the IMAP client of the harness gives it; null when it is none. */
export function fetchItems(line: string): Items | null {
  const head = /^\d+ FETCH \(/.exec(line);
  if (head === null) return null;
  const reader = new Reader(line);
  reader.at = head[0].length;
  const items = new Map<string, Value>();
  while (!reader.take(')')) {
    if (reader.isAtEnd) throw new Error(`a response does not end: ${line.slice(0, 300)}`);
    if (reader.take(' ')) continue;
    const name = reader.name();
    reader.take(' ');
    if (items.has(name)) throw new Error(`${name} comes twice`);
    items.set(name, reader.value());
  }
  if (!reader.isAtEnd) throw new Error(`something follows the items: ${line.slice(reader.at, reader.at + 100)}`);
  return items;
}

export type Part = readonly [path: string, kind: 'LEAF' | 'MULTIPART' | 'MESSAGE'];

/** Numbers of all parts that a BODYSTRUCTURE shows, with what they are. */
export function partsOf(structure: Value): readonly Part[] {
  const parts: Part[] = [];
  const walk = (node: Value, prefix: string, isRoot: boolean): void => {
    if (!Array.isArray(node)) return;
    const list = node as readonly Value[];
    const join = (n: number): string => (prefix === '' ? String(n) : `${prefix}.${n}`);
    if (Array.isArray(list[0])) {
      if (!isRoot) parts.push([prefix, 'MULTIPART']);
      for (let n = 0; Array.isArray(list[n]); n += 1) walk(list[n]!, join(n + 1), false);
      return;
    }
    const path = isRoot ? join(1) : prefix;
    const isMessage = Array.isArray(list[8]) && Array.isArray(list[7]);
    parts.push([path, isMessage ? 'MESSAGE' : 'LEAF']);
    if (isMessage) walk(list[8]!, path, true);
  };
  walk(structure, '', true);
  return parts;
}
