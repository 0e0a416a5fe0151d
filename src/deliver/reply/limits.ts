/** Bounds of the mail that is written without anybody's hand. */
export const REPLY_LIMITS = {
  /** Characters of a subject that is taken over or given; RFC 5322 bounds a line, not a field. */
  subjectCharacters: 500,
  /** Bytes of the text of a vacation notice, a rejection or a notification. */
  textBytes: 256 * 1024,
  /** Bytes of References that are carried on; the newest are kept (RFC 5322 section 3.6.4 lets a reply drop some). */
  referencesBytes: 8 * 1024,
  /** Bytes of a rejected message's header that go back with the report. */
  headerBytes: 64 * 1024,
  /** Characters of a mailto URI (RFC 6068). */
  uriCharacters: 8 * 1024,
  /** Recipients of one notification. */
  notifyRecipients: 10,
  /** Header fields that a mailto URI may set. */
  uriFields: 20,
  /** Addresses of To, Cc and the like that are looked through for one's own. */
  recipients: 2000,
  /** Characters of a sentence said by SMTP; longer ones go by report. */
  replyCharacters: 400,
} as const;
