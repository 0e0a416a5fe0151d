/** A set of tables and the messages that are sent through it, on both sides. */

export interface PatternCase {
  /** A sentence; unique in its setup. */
  readonly name: string;
  /** One character a byte, lines with CRLF, without the final dot. */
  readonly message: string;
  /** What is different on purpose: a row of "Content patterns" in docs/postfix-differences.md, by its first cell. */
  readonly differs?: string;
}

/** Contents of table files. `regexp:` at the start makes a regexp table of it; otherwise it is pcre. */
export interface PatternSetup {
  readonly name: string;
  readonly header?: string;
  readonly mime?: string;
  readonly nested?: string;
  readonly body?: string;
  /** Postfix parameters of the service; ours follow from them. */
  readonly bodyBytesMax?: number;
  readonly cases: readonly PatternCase[];
}

/** What became of a message. */
export interface Outcome {
  /** "250", or "550 5.7.1 text". */
  readonly reply: string;
  /** The rest is only there when the reply is 250. */
  readonly isDiscarded?: boolean;
  readonly isHeld?: boolean;
  readonly redirect?: string | null;
  readonly filter?: string | null;
  readonly bcc?: readonly string[];
  /** As it is kept, lines with LF, one character a byte; without what the server itself puts on top. */
  readonly message?: string;
}
