/** The eight lists: where each stands in a session, and what is known by then. */
import { SUBJECT, type Subject } from './words.ts';

/** The lists as they are configured. */
export type List = 'client' | 'helo' | 'sender' | 'relay' | 'recipient' | 'data' | 'endOfData' | 'etrn';
/** The questions that a session asks; `recipient` covers the relay list too. */
export type Stage = Exclude<List, 'relay'>;
/** What a restriction looks at. */
export type Need = 'client' | 'helo' | 'sender' | 'recipient' | 'etrn';

export interface ListRow {
  readonly setting: string;
  readonly subject: Subject;
  /** The check that a bare `type:table` stands for, or null. */
  readonly bareTable: string | null;
  /** What it can look at when refusals wait for RCPT, and when they do not. */
  readonly knows: readonly Need[];
  readonly knowsAtOnce: readonly Need[];
}

const ENVELOPE: readonly Need[] = ['client', 'helo', 'sender', 'recipient'];

export const LISTS: Readonly<Record<List, ListRow>> = {
  client: { setting: 'policy.clientRestrictions', subject: SUBJECT.client, bareTable: 'check_client_access', knows: ENVELOPE, knowsAtOnce: ['client'] },
  helo: { setting: 'policy.heloRestrictions', subject: SUBJECT.helo, bareTable: 'check_helo_access', knows: ENVELOPE, knowsAtOnce: ['client', 'helo'] },
  sender: {
    setting: 'policy.senderRestrictions',
    subject: SUBJECT.sender,
    bareTable: 'check_sender_access',
    knows: ENVELOPE,
    knowsAtOnce: ['client', 'helo', 'sender'],
  },
  relay: { setting: 'policy.relayRestrictions', subject: SUBJECT.recipient, bareTable: 'check_recipient_access', knows: ENVELOPE, knowsAtOnce: ENVELOPE },
  recipient: {
    setting: 'policy.recipientRestrictions',
    subject: SUBJECT.recipient,
    bareTable: 'check_recipient_access',
    knows: ENVELOPE,
    knowsAtOnce: ENVELOPE,
  },
  data: { setting: 'policy.dataRestrictions', subject: SUBJECT.data, bareTable: null, knows: ENVELOPE, knowsAtOnce: ENVELOPE },
  endOfData: { setting: 'policy.endOfDataRestrictions', subject: SUBJECT.endOfData, bareTable: null, knows: ENVELOPE, knowsAtOnce: ENVELOPE },
  etrn: {
    setting: 'policy.etrnRestrictions',
    subject: SUBJECT.etrn,
    bareTable: 'check_etrn_access',
    knows: ['client', 'helo', 'etrn'],
    knowsAtOnce: ['client', 'helo', 'etrn'],
  },
};
