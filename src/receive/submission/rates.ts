/** How much each account may send in an hour. Counted in the thread's memory: forgotten at a restart, and separate in each thread. */
import type { Account, AccountId, Reply } from '../../ports.ts';
import { HOUR } from '../../system/declare.ts';
import type { ReceiveSettings } from '../settings.ts';

interface Sent {
  messages: number;
  recipients: number;
}

export class SubmissionRates {
  #windowEnd = 0;
  readonly #sent = new Map<AccountId, Sent>();

  /** 450 when one more message is too many; `now` in milliseconds of any clock that does not step back. */
  checkMessage(account: Account, settings: ReceiveSettings, now: number): Reply | null {
    const most = settings['submission.messagesPerHourMax'];
    if (most === 0 || this.#of(account.id, now).messages < most) return null;
    return { code: 450, enhanced: '4.7.1', text: `This account has sent ${most} messages within the hour, try again later` };
  }

  /** The same for recipients; `pending` are those of the transaction under way. */
  checkRecipient(account: Account, pending: number, settings: ReceiveSettings, now: number): Reply | null {
    const most = settings['submission.recipientsPerHourMax'];
    if (most === 0 || this.#of(account.id, now).recipients + pending < most) return null;
    return { code: 450, enhanced: '4.7.1', text: `This account has sent to ${most} recipients within the hour, try again later` };
  }

  /** A message was accepted. */
  record(account: Account | null, recipients: number, now: number): void {
    if (account === null) return;
    const sent = this.#of(account.id, now);
    sent.messages += 1;
    sent.recipients += recipients;
  }

  #of(id: AccountId, now: number): Sent {
    if (now >= this.#windowEnd) {
      this.#sent.clear();
      this.#windowEnd = now + HOUR;
    }
    let sent = this.#sent.get(id);
    if (sent === undefined) this.#sent.set(id, (sent = { messages: 0, recipients: 0 }));
    return sent;
  }
}
