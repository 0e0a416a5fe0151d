/** A conversation with an SMTP server, and the settings under which it is held: data that both servers are put to. */

export interface Conversation {
  readonly name: string;
  /** Where the client comes from; one of `CLIENTS`. */
  readonly from: string;
  /** Commands in order. "." stands for a short message with its final dot, left out when DATA was refused; "|" parts commands sent in one write. QUIT is added. */
  readonly says: readonly string[];
  /** First column of a row in docs/postfix-differences.md: the two servers are meant to differ here. */
  readonly differs?: string;
  /** The same for the whole program alone: what its session or directory does differs, the policy does not. */
  readonly serverDiffers?: string;
}

export interface Setup {
  readonly name: string;
  /** About the session, which only the whole program has. */
  readonly isSession?: boolean;
  /** Postfix parameters; `$dir` is the folder with `files`. */
  readonly main: Readonly<Record<string, string>>;
  /** Tables; those named *.db-source are put through postmap for Postfix. */
  readonly files?: Readonly<Record<string, string>>;
  readonly conversations: readonly Conversation[];
}

/** Code and enhanced code of one reply: "250 2.1.0", "354", "554 5.7.1". */
export type Heard = string;

/** One of the two servers. */
export interface Side {
  /** Replies to the greeting and to each command, in order; "closed" once the server has hung up. */
  talk(setup: Setup, conversation: Conversation): Promise<Heard[]>;
}

export const HELLO = 'EHLO client.test';
export const GOOD_SENDER = 'MAIL FROM:<rita@good.test>';
export const NULL_SENDER = 'MAIL FROM:<>';
export const GOOD_RECIPIENT = 'RCPT TO:<anna@us.test>';
export const FOREIGN_RECIPIENT = 'RCPT TO:<otto@good.test>';
/** The usual beginning, and a whole message to a user of ours. */
export const MESSAGE = [HELLO, GOOD_SENDER, GOOD_RECIPIENT, 'DATA', '.'] as const;

/** What every setup has unless it says otherwise. */
export const BASE: Readonly<Record<string, string>> = {
  smtpd_client_restrictions: '',
  smtpd_helo_restrictions: '',
  smtpd_sender_restrictions: '',
  smtpd_relay_restrictions: 'permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination',
  smtpd_recipient_restrictions: '',
  smtpd_data_restrictions: '',
  smtpd_end_of_data_restrictions: '',
  smtpd_etrn_restrictions: '',
};
