/** What a program has drawn on a VT100: the sequences that ncurses and Alpine send for TERM=vt100 (ECMA-48, DEC STD 070), no more. */

export class Screen {
  readonly #rows: number;
  readonly #columns: number;
  #cells: string[][];
  #row = 0;
  #column = 0;
  #top = 0;
  #bottom: number;
  #saved: readonly [number, number] = [0, 0];
  /** A sequence that the next chunk goes on with. */
  #rest = '';
  readonly #decoder = new TextDecoder();

  constructor(rows: number, columns: number) {
    this.#rows = rows;
    this.#columns = columns;
    this.#bottom = rows - 1;
    this.#cells = Array.from({ length: rows }, () => this.#blank());
  }

  get text(): string {
    return this.#cells.map((row) => row.join('').trimEnd()).join('\n');
  }

  write(chunk: Uint8Array): void {
    const input = this.#rest + this.#decoder.decode(chunk, { stream: true });
    this.#rest = '';
    let at = 0;
    while (at < input.length) {
      const character = input[at]!;
      if (character === '\x1b') {
        const end = this.#escape(input, at);
        if (end === at) {
          this.#rest = input.slice(at);
          return;
        }
        at = end;
        continue;
      }
      at += 1;
      if (character >= ' ' && character !== '\x7f') this.#put(character);
      else this.#control(character);
    }
  }

  #blank(): string[] {
    return new Array<string>(this.#columns).fill(' ');
  }

  #put(character: string): void {
    // The cursor stays behind the last column until something more is written.
    if (this.#column >= this.#columns) {
      this.#column = 0;
      this.#down();
    }
    this.#cells[this.#row]![this.#column] = character;
    this.#column += 1;
  }

  #control(character: string): void {
    if (character === '\r') this.#column = 0;
    else if (character === '\n') this.#down();
    else if (character === '\b') this.#column = Math.max(0, Math.min(this.#column, this.#columns - 1) - 1);
    else if (character === '\t') this.#column = Math.min(this.#columns - 1, (Math.floor(this.#column / 8) + 1) * 8);
  }

  #down(): void {
    if (this.#row !== this.#bottom) {
      this.#row = Math.min(this.#row + 1, this.#rows - 1);
      return;
    }
    this.#cells.splice(this.#top, 1);
    this.#cells.splice(this.#bottom, 0, this.#blank());
  }

  #up(): void {
    if (this.#row !== this.#top) {
      this.#row = Math.max(0, this.#row - 1);
      return;
    }
    this.#cells.splice(this.#bottom, 1);
    this.#cells.splice(this.#top, 0, this.#blank());
  }

  /** One sequence that begins at `at`; answers the offset behind it, or `at` when its end has not come. */
  #escape(input: string, at: number): number {
    const kind = input[at + 1];
    if (kind === undefined) return at;
    if (kind === '[') {
      let end = at + 2;
      while (end < input.length && !(input[end]! >= '@' && input[end]! <= '~')) end += 1;
      if (end >= input.length) return at;
      this.#csi(input[end]!, input.slice(at + 2, end));
      return end + 1;
    }
    if ('()*+#'.includes(kind)) return input[at + 2] === undefined ? at : at + 3;
    if (kind === ']') {
      const end = input.indexOf('\x07', at);
      return end < 0 ? at : end + 1;
    }
    if (kind === 'M') this.#up();
    else if (kind === 'D') this.#down();
    else if (kind === '7') this.#saved = [this.#row, this.#column];
    else if (kind === '8') [this.#row, this.#column] = this.#saved;
    return at + 2;
  }

  #csi(final: string, parameters: string): void {
    const numbers = parameters.split(';').map((part) => Number.parseInt(part, 10) || 0);
    const first = Math.max(1, numbers[0]!);
    const second = Math.max(1, numbers[1] ?? 1);
    switch (final) {
      case 'H':
      case 'f':
        this.#row = Math.min(first, this.#rows) - 1;
        this.#column = Math.min(second, this.#columns) - 1;
        break;
      case 'A':
        this.#row = Math.max(0, this.#row - first);
        break;
      case 'B':
        this.#row = Math.min(this.#rows - 1, this.#row + first);
        break;
      case 'C':
        this.#column = Math.min(this.#columns - 1, this.#column + first);
        break;
      case 'D':
        this.#column = Math.max(0, this.#column - first);
        break;
      case 'J':
        this.#eraseScreen(numbers[0]!);
        break;
      case 'K':
        this.#eraseLine(numbers[0]!);
        break;
      case 'r':
        this.#top = first - 1;
        this.#bottom = Math.min(numbers[1] || this.#rows, this.#rows) - 1;
        this.#row = 0;
        this.#column = 0;
        break;
      default: // Colours, modes and questions draw nothing.
    }
  }

  #eraseLine(how: number): void {
    const from = how === 0 ? this.#column : 0;
    const to = how === 1 ? this.#column + 1 : this.#columns;
    this.#cells[this.#row]!.fill(' ', from, to);
  }

  #eraseScreen(how: number): void {
    if (how !== 2) this.#eraseLine(how);
    const from = how === 0 ? this.#row + 1 : 0;
    const to = how === 1 ? this.#row : this.#rows;
    for (let row = from; row < to; row += 1) this.#cells[row] = this.#blank();
  }
}
