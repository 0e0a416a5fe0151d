/** Line ends as they must be in the store: CRLF. Files of Unix programs have LF; a CR alone stays what it is. */
const LF = 10;
const CR = 13;

export class LineEnds {
  #last = 0;

  /** The chunk with CRLF; the chunk itself when nothing had to change. Chunks may end anywhere. */
  push(chunk: Buffer): Buffer {
    if (chunk.length === 0) return chunk;
    let bare = 0;
    for (let at = chunk.indexOf(LF); at !== -1; at = chunk.indexOf(LF, at + 1)) if ((at === 0 ? this.#last : chunk[at - 1]) !== CR) bare += 1;
    const before = this.#last;
    this.#last = chunk[chunk.length - 1]!;
    if (bare === 0) return chunk;
    const fixed = Buffer.allocUnsafe(chunk.length + bare);
    let from = 0;
    let to = 0;
    for (let at = chunk.indexOf(LF); at !== -1; at = chunk.indexOf(LF, at + 1)) {
      if ((at === 0 ? before : chunk[at - 1]) === CR) continue;
      to += chunk.copy(fixed, to, from, at);
      fixed[to] = CR;
      to += 1;
      from = at;
    }
    chunk.copy(fixed, to, from);
    return fixed;
  }
}
