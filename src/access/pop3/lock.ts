/** A session's hold on its maildrop (RFC 1939 section 4): at once within the thread, and through the writer among threads. */
import type { AccountId } from '../../ports.ts';
import type { LockInput, LockOutput } from './operations.ts';
import type { Pop3Context } from './settings.ts';

export class MaildropLock {
  readonly #context: Pop3Context;
  /** Accounts whose maildrop is open in this thread. */
  readonly #open: Set<AccountId>;
  readonly #accountId: AccountId;
  readonly #session: string;
  #isHeld = false;
  /** When the lease is to be renewed, on the clock of the sweeper. */
  renewAt = Number.POSITIVE_INFINITY;

  constructor(context: Pop3Context, open: Set<AccountId>, accountId: AccountId, session: string) {
    this.#context = context;
    this.#open = open;
    this.#accountId = accountId;
    this.#session = session;
  }

  /** Not locked: another session has the maildrop, or the login comes too early. Rejects when the writer cannot be asked; nothing is held then. */
  async take(now: number): Promise<LockOutput> {
    if (this.#open.has(this.#accountId)) return { isLocked: false, waitMs: 0 };
    this.#open.add(this.#accountId);
    this.#isHeld = true;
    try {
      const answer = await this.#ask(this.#context.settings()['pop3.loginDelay']);
      // Released meanwhile (the connection was lost): the writer got that after our question, so nothing is left behind.
      if (answer.isLocked && this.#isHeld) this.#lease(now);
      else this.#letGo();
      return answer;
    } catch (error) {
      await this.release();
      throw error;
    }
  }

  /** Asks for more time; `lost` is called when somebody else came in because the lease had run out. */
  renew(now: number, lost: () => void): void {
    this.#lease(now);
    this.#ask(0).then(
      ({ isLocked }) => {
        if (!isLocked && this.#isHeld) lost();
      },
      (error) => this.#context.log.warn('pop3.lock.unrenewed', { session: this.#session, cause: String(error) }),
    );
  }

  /** Never rejects: a lock that could not be given back ends with its lease. */
  async release(): Promise<void> {
    if (!this.#isHeld) return;
    this.#letGo();
    try {
      await this.#context.writer.run('pop3.unlock', { accountId: this.#accountId, session: this.#session });
    } catch (error) {
      this.#context.log.warn('pop3.unlock.failed', { session: this.#session, cause: String(error) });
    }
  }

  #ask(loginDelayMs: number): Promise<LockOutput> {
    const leaseMs = this.#context.settings()['pop3.lockLease'];
    const input: LockInput = { accountId: this.#accountId, session: this.#session, leaseMs, loginDelayMs };
    return this.#context.writer.run<LockOutput>('pop3.lock', input);
  }
  #lease(now: number): void {
    this.renewAt = now + this.#context.settings()['pop3.lockLease'] / 2;
  }
  #letGo(): void {
    if (this.#isHeld) this.#open.delete(this.#accountId);
    this.#isHeld = false;
    this.renewAt = Number.POSITIVE_INFINITY;
  }
}
