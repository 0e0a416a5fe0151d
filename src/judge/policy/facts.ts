/** What the restrictions look at: the facts of one SMTP session at one moment. The session implements it; tests write literals. */
import type { Address, Client } from '../../ports.ts';

/** As Postfix's policy protocol names the moment (`protocol_state`). */
export type ProtocolState = 'CONNECT' | 'HELO' | 'EHLO' | 'MAIL' | 'RCPT' | 'DATA' | 'END-OF-MESSAGE' | 'VRFY' | 'ETRN';

/** ok: known and, for `name`, confirmed. temporary: DNS gave no answer. none: there is none, or it does not lead back to the address. */
export type NameStatus = 'ok' | 'temporary' | 'none';

/** The names of a client's address; 'unknown' stands for a name that is not known. */
export interface ClientNames {
  /** Forward-confirmed: PTR, and an address of that name is the client's. */
  readonly name: string;
  readonly nameStatus: NameStatus;
  /** What PTR says, confirmed or not. */
  readonly reverseName: string;
  readonly reverseStatus: NameStatus;
  /** Whether the name that PTR says has addresses at all. */
  readonly forwardStatus: NameStatus;
}

/** The certificate a client showed. Fingerprints as Postfix writes them: "AB:CD:…", in upper case. */
export interface ClientCertificate {
  /** Signed by an authority we trust. */
  readonly isTrusted: boolean;
  readonly subject: string;
  readonly issuer: string;
  readonly fingerprint: string;
  readonly publicKeyFingerprint: string;
}

export interface SmtpTls {
  /** "TLSv1.3". */
  readonly version: string;
  readonly cipher: string;
  readonly bits: number;
  readonly certificate: ClientCertificate | null;
}

export interface SmtpFacts {
  /** The same for all questions of one message; unique among messages. */
  readonly instance: string;
  readonly state: ProtocolState;
  readonly protocol: 'SMTP' | 'ESMTP';
  readonly client: Client;
  /** Names that a trusted proxy gave (XCLIENT); null: look them up. */
  readonly clientNames: ClientNames | null;
  readonly localAddress: string;
  readonly localPort: number;
  /** As the client wrote it; null before HELO. */
  readonly helo: string | null;
  readonly tls: SmtpTls | null;
  /** Login of the account that signed in, and how. */
  readonly login: string | null;
  readonly saslMechanism: string | null;
  /** Null for the null reverse-path, and before MAIL. */
  readonly sender: Address | null;
  /** As the client wrote it, without brackets; '' for the null reverse-path; null before MAIL. */
  readonly senderText: string | null;
  /** The recipient in question; after DATA the only one, or null when there are several. */
  readonly recipient: Address | null;
  readonly recipientText: string | null;
  /** Recipients accepted so far, this one not counted. */
  readonly recipientCount: number;
  /** SIZE of MAIL; 0 when not given. */
  readonly declaredBytes: number;
  /** At the end of data; 0 before. */
  readonly messageBytes: number;
  /** '' before there is one. */
  readonly queueId: string;
  readonly etrnDomain: string | null;
  /** Input was waiting where the protocol says the client must wait for our reply (RFC 2920). */
  readonly isPipelining: boolean;
  /** MAIL had SMTPUTF8. */
  readonly smtputf8: boolean;
}

/** What access tables did to the message besides deciding. One object for each transaction. */
export interface PolicyEffects {
  /** Accept and throw away; nothing else is asked any more. */
  isDiscarded: boolean;
  isHeld: boolean;
  /** "transport:destination", the last one said. */
  filter: string | null;
  /** The one address that gets the message instead of its recipients. */
  redirect: string | null;
  readonly bcc: string[];
  /** Whole header lines "Name: value", in the order in which they stand at the top. */
  readonly prepend: string[];
}

export function newEffects(): PolicyEffects {
  return { isDiscarded: false, isHeld: false, filter: null, redirect: null, bcc: [], prepend: [] };
}
