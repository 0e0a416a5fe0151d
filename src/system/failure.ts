/** Inner failures: one name, one row; each protocol reads its column (SMTP reply, IMAP response, POP3 code). */
import type { FailureCode } from '../ports.ts';

export interface Dialects {
  readonly smtp: readonly [code: number, enhanced: string, text: string];
  readonly imap: string;
  readonly pop3: string;
}

export const FAILURES = {
  overQuota: { smtp: [452, '4.2.2', 'Mailbox is full, try again later'], imap: 'NO [OVERQUOTA] Quota exceeded', pop3: '-ERR [SYS/PERM] quota exceeded' },
  noSuchMailbox: { smtp: [550, '5.1.1', 'No such mailbox'], imap: 'NO [NONEXISTENT] No such mailbox', pop3: '-ERR no such mailbox' },
  mailboxExists: { smtp: [550, '5.3.0', 'Mailbox exists'], imap: 'NO [ALREADYEXISTS] Mailbox exists', pop3: '-ERR mailbox exists' },
  noSuchMessage: { smtp: [550, '5.3.0', 'No such message'], imap: 'NO [EXPUNGEISSUED] Message is gone', pop3: '-ERR no such message' },
  messageTooBig: { smtp: [552, '5.3.4', 'Message is larger than allowed here'], imap: 'NO [TOOBIG] Message too large', pop3: '-ERR too large' },
  diskFull: { smtp: [452, '4.3.1', 'Insufficient system storage, try again later'], imap: 'NO [UNAVAILABLE] Disk full', pop3: '-ERR [SYS/TEMP] disk full' },
  storeBusy: {
    smtp: [451, '4.3.0', 'Store unavailable, try again later'],
    imap: 'NO [UNAVAILABLE] Store unavailable, try again',
    pop3: '-ERR [SYS/TEMP] store unavailable',
  },
  corruptBlob: {
    smtp: [451, '4.3.0', 'Stored message is damaged'],
    imap: 'NO [SERVERBUG] Stored message is damaged; run "posthorn store check"',
    pop3: '-ERR [SYS/PERM] stored message is damaged',
  },
  cannot: { smtp: [554, '5.3.0', 'Not possible'], imap: 'NO [CANNOT] Not possible', pop3: '-ERR not possible' },
  noSuchAccount: { smtp: [550, '5.1.1', 'No such user here'], imap: 'NO [UNAVAILABLE] No such account', pop3: '-ERR [SYS/PERM] no such account' },
  exists: { smtp: [554, '5.3.0', 'Exists already'], imap: 'NO [ALREADYEXISTS] Exists already', pop3: '-ERR exists' },
  noSuchEntry: { smtp: [554, '5.3.0', 'No such entry'], imap: 'NO [NONEXISTENT] No such entry', pop3: '-ERR no such entry' },
  staleLease: { smtp: [451, '4.3.0', 'Lease lost'], imap: 'NO [SERVERBUG] Lease lost', pop3: '-ERR [SYS/TEMP] lease lost' },
  limit: { smtp: [452, '4.5.3', 'Too many'], imap: 'NO [LIMIT] Limit reached', pop3: '-ERR limit reached' },
} as const satisfies Record<FailureCode, Dialects>;

/** An expected failure of an operation. `message` is for the administrator (CLI, log), not for the peer. */
export class Failure extends Error {
  readonly code: FailureCode;
  constructor(code: FailureCode, message?: string, options?: ErrorOptions) {
    super(message ?? FAILURES[code].smtp[2], options);
    this.name = 'Failure';
    this.code = code;
  }
}
