/** Every bound of the milter face, with its reason. */
export const FACE_LIMITS = {
  /** All header fields of one message; Postfix sends 100 KiB, Sendmail 32 KiB unless told otherwise. */
  headerBytesMax: 1024 * 1024,
  /** Recipients handed to the judge; a message may have more, which are not looked at one by one. */
  recipientsMax: 10_000,
  /** Macros remembered of one connection. */
  macrosMax: 200,
  /** A connection that says nothing for so long is closed; libmilter waits as long. */
  idleMs: 2 * 3600_000,
  /** While the judge thinks, the mail server is told so at this pace: it waits 30 s (Postfix), then gives up. */
  progressMs: 10_000,
} as const;
