/** The two ways in which a lookup table can go wrong: it is written wrongly, or it cannot answer now. */

/** A mistake of the configuration: an unknown type, an unreadable source, a bad pattern. Stops the start or the reload. */
export class TableProblem extends Error {
  readonly code = 'tableProblem';
  /** The file, or the table as it was written when there is no file. */
  readonly file: string;
  /** From 1; null when no line is to blame. */
  readonly line: number | null;
  /** What is wrong, in a sentence without file and line; `message` is "file:line: sentence". */
  readonly sentence: string;

  constructor(file: string, line: number | null, sentence: string, options?: ErrorOptions) {
    super(line === null ? `${file}: ${sentence}` : `${file}:${line}: ${sentence}`, options);
    this.name = 'TableProblem';
    this.file = file;
    this.line = line;
    this.sentence = sentence;
  }
}

/** The table cannot answer now: the server is away, the deadline has passed, the file is gone. Callers answer 4xx; never "not found". */
export class TableError extends Error {
  readonly code = 'tableError';
  /** The table as it was written: "mysql:/etc/postfix/users.cf". */
  readonly table: string;

  constructor(table: string, sentence: string, options?: ErrorOptions) {
    super(`${table}: ${sentence}`, options);
    this.name = 'TableError';
    this.table = table;
  }
}
