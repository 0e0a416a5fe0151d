/** What the sendmail command is given, and what it answers. */

/** sysexits.h, what mail programs have always looked at. */
export const EXIT = { ok: 0, usage: 64, data: 65, noUser: 67, unavailable: 69, software: 70, io: 74, tempFail: 75 } as const;

export interface SendmailIo {
  readonly stdin: AsyncIterable<Uint8Array>;
  stdout(text: string): void;
  stderr(text: string): void;
  /** The pickup directory. */
  readonly directory: string;
  /** How the program was called: "sendmail", "mailq", "newaliases". */
  readonly name?: string;
  /** Said in the greeting of -bs. */
  readonly hostname?: string;
  readonly messageBytesMax?: number;
  /** For -bp: writes the queue's listing; answers the exit code. */
  printQueue?(): Promise<number>;
}
