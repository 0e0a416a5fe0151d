/** Why a received report was not taken. */
export type ReportErrorCode = 'tooLarge' | 'damaged' | 'nested' | 'noReport' | 'hostile' | 'malformed';

/** `message` is a clause for the log and the terminal: "unpacked it has more than … octets". */
export class ReportError extends Error {
  readonly code: ReportErrorCode;
  constructor(code: ReportErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ReportError';
    this.code = code;
  }
}
