/** What an account's own rules (scripts, lists, thresholds) make of a message that was accepted for it. */
import type { AccountId, Address, Envelope, MessageId, Milliseconds, Recipient, Reply, StagedMessage } from '../../ports.ts';
import type { Arrival, DeliveryEffects, LocalCopy } from '../../store/operations/accept.types.ts';

export interface MailroomInput {
  readonly id: MessageId;
  readonly at: Milliseconds;
  readonly source: Envelope['source'] | string;
  readonly accountId: AccountId;
  readonly sender: Address | null;
  /** As it was addressed. */
  readonly recipient: Address;
  /** After aliases, without plus detail. */
  readonly final: Address;
  readonly detail: string | null;
  readonly orcpt: string | null;
  readonly message: StagedMessage;
  /** The judge calls it spam: what nobody files elsewhere goes to junk. */
  readonly isJunk: boolean;
  readonly arrival: Arrival | null;
  /** The sender is still on the line and hears a refusal of this account alone; otherwise a rejection is sent back as a message. */
  readonly mayRefuse: boolean;
}

/** One line for the journey: what was done, and which line of which script said so. */
export interface FilterStep {
  readonly what: string;
  /** "sieve:main:12"; empty for what needs no rule. */
  readonly by: string;
}

export interface FilterPlan {
  /** Not null: refuse with it. Only when `mayRefuse`. */
  readonly refusal: Reply | null;
  readonly copies: readonly LocalCopy[];
  readonly effects: DeliveryEffects | null;
  readonly steps: readonly FilterStep[];
}

export interface Mailroom {
  /** null: no rule applies, and the message goes where it goes by default. Never rejects: rules that fail keep the message. */
  sort(input: MailroomInput): FilterPlan | null | Promise<FilterPlan | null>;
  /** Would `sort` have something to say about mail for this account? */
  hasRules?(accountId: AccountId): boolean;
  /** Does this account ask unknown senders to confirm? */
  asksStrangers?(accountId: AccountId): boolean;
  /** They are known to the account from now on. Nobody waits for it. */
  wroteTo?(accountId: AccountId, recipients: readonly Recipient[]): void;
}
