/**
 * Open sessions whose login has ended: the account was switched off or removed, or the password that opened it is another one now.
 * Nothing is asked for a command: the announcement of such a change names the account, and only its sessions are looked at.
 */
import type { Account, AccountId, Announcements, Directory, StoreReader } from '../ports.ts';

/** What a protocol room's context has. */
export interface LoginContext {
  readonly directory: Directory;
  readonly reader: StoreReader;
  readonly announcements: Announcements;
}

interface Login {
  /** Null when no credential of ours was shown (XCLIENT). */
  readonly credentialId: number | null;
  readonly end: () => void;
}

class OpenLogins {
  readonly #context: LoginContext;
  readonly #byAccount = new Map<AccountId, Set<Login>>();

  constructor(context: LoginContext) {
    this.#context = context;
    context.announcements.on('directory', (news) => {
      if (news.kind !== 'directory' || this.#byAccount.size === 0) return;
      for (const id of news.accounts ?? [...this.#byAccount.keys()]) this.#look(id);
    });
  }

  watch(accountId: AccountId, login: Login): () => void {
    let logins = this.#byAccount.get(accountId);
    if (logins === undefined) this.#byAccount.set(accountId, (logins = new Set()));
    logins.add(login);
    return () => {
      const present = this.#byAccount.get(accountId);
      present?.delete(login);
      if (present?.size === 0) this.#byAccount.delete(accountId);
    };
  }

  #look(accountId: AccountId): void {
    const logins = this.#byAccount.get(accountId);
    if (logins === undefined) return;
    const account = this.#context.directory.account(accountId);
    const isOpen = account !== null && !account.isDisabled;
    const credentials = isOpen ? new Set(this.#context.reader.rows('SELECT id FROM credential WHERE account_id=?', accountId).map(([id]) => id)) : null;
    // A copy: ending a session stops its watch.
    for (const login of [...logins]) if (credentials === null || (login.credentialId !== null && !credentials.has(login.credentialId))) login.end();
  }
}

/** One for the sessions of a thread. */
const threads = new WeakMap<Announcements, OpenLogins>();

/**
 * Calls `end` once the login that a session stands on is no more; answers the way to stop watching, which the session calls when it closes
 * or logs out. `credentialId` is the one of AuthOutcome.
 */
export function watchLogin(context: LoginContext, account: Account, credentialId: number | undefined, end: () => void): () => void {
  let logins = threads.get(context.announcements);
  if (logins === undefined) threads.set(context.announcements, (logins = new OpenLogins(context)));
  return logins.watch(account.id, { credentialId: credentialId ?? null, end });
}
