/** How a script fails: before it runs, and while it runs. Neither leaves this folder as an exception. */

/** The file cannot be parsed; becomes a FilterProblem. */
export class MaildropSyntaxError extends Error {
  readonly line: number;
  constructor(line: number, sentence: string) {
    super(sentence);
    this.name = 'MaildropSyntaxError';
    this.line = line;
  }
}

/** sysexits.h EX_TEMPFAIL: keep the mail and try again. */
export const TEMPFAIL = 75;

/** A statement failed. `exception` catches it; otherwise the run ends with this exit code. */
export class MaildropFailure extends Error {
  readonly exitCode: number;
  readonly line: number;
  readonly file: string;
  /** A limit of the run: no `exception` block may go on after it. */
  readonly isFatal: boolean;
  constructor(file: string, line: number, sentence: string, exitCode = TEMPFAIL, isFatal = false) {
    super(sentence);
    this.name = 'MaildropFailure';
    this.file = file;
    this.line = line;
    this.exitCode = exitCode;
    this.isFatal = isFatal;
  }
}
