/**
 * The writer as other threads see it: operations of one tick travel in one message, answers and announcements of one
 * commit come back in one. The promise of an operation settles after the fsync.
 */
import type { MessagePort } from 'node:worker_threads';
import type { AccountId, Announcement, FailureCode, FlagChange, MailboxId, MailboxRow, NewMessage, Role, StoreWriter } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';

/** [number, operation, input] of each request of a tick. */
export type RequestMessage = [number: number, operation: string, input: unknown][];
/** Answers as [number, value] or [number, null, code, message]; the announcements of the same commit follow. */
export interface CommitMessage {
  readonly answers: ([number: number, value: unknown] | [number: number, value: null, code: FailureCode, message: string])[];
  readonly announcements: readonly Announcement[];
}

interface Waiting {
  resolve(value: any): void;
  reject(failure: Failure): void;
}

/** How a request reaches the writer: another thread, or (in the CLI, with the server stopped) the same one. */
export interface WriterTransport {
  send(requests: RequestMessage): void;
}

export class WriterClient implements StoreWriter {
  readonly #transport: WriterTransport;
  readonly #onAnnouncements: (announcements: readonly Announcement[]) => void;
  readonly #waiting = new Map<number, Waiting>();
  #number = 0;
  #outgoing: RequestMessage = [];
  #isScheduled = false;
  #lost: Failure | null = null;

  constructor(transport: WriterTransport, onAnnouncements: (announcements: readonly Announcement[]) => void) {
    this.#transport = transport;
    this.#onAnnouncements = onAnnouncements;
  }

  /** Operations that were sent and not answered. */
  get pending(): number {
    return this.#waiting.size;
  }

  run<T>(operation: string, input: unknown): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      if (this.#lost !== null) {
        reject(this.#lost);
        return;
      }
      this.#number += 1;
      this.#waiting.set(this.#number, { resolve, reject });
      this.#outgoing.push([this.#number, operation, input]);
      if (this.#isScheduled) return;
      this.#isScheduled = true;
      // After the I/O of this turn: what several sessions ask for in one turn travels together.
      setImmediate(() => this.#flush());
    });
  }

  #flush(): void {
    this.#isScheduled = false;
    const requests = this.#outgoing;
    this.#outgoing = [];
    if (requests.length === 0) return;
    try {
      this.#transport.send(requests);
    } catch (error) {
      // Something in the input could not be cloned: a bug, but not one that may hang the sessions.
      for (const [number] of requests) this.#settle(number, (waiting) => waiting.reject(new Failure('storeBusy', String(error), { cause: error })));
    }
  }

  #settle(number: number, how: (waiting: Waiting) => void): void {
    const waiting = this.#waiting.get(number);
    if (waiting === undefined) return;
    this.#waiting.delete(number);
    how(waiting);
  }

  /** To be called with each message from the writer. Announcements come before answers: who asked sees its own change as news first. */
  receive(message: CommitMessage): void {
    if (message.announcements.length > 0) this.#onAnnouncements(message.announcements);
    for (const answer of message.answers) {
      this.#settle(answer[0], (waiting) => {
        if (answer.length === 2) waiting.resolve(answer[1]);
        else waiting.reject(new Failure(answer[2], answer[3]));
      });
    }
  }

  /** The writer is gone: everything that waits, and everything to come, is refused for now. Whether the last batch was committed is not known. */
  fail(cause: unknown): void {
    this.#lost = new Failure('storeBusy', 'the store writer has stopped', { cause });
    for (const waiting of this.#waiting.values()) waiting.reject(this.#lost);
    this.#waiting.clear();
    this.#outgoing = [];
  }

  append(accountId: AccountId, mailboxId: MailboxId, messages: readonly NewMessage[]): Promise<{ uidValidity: number; uids: number[] }> {
    return this.run('message.append', { accountId, mailboxId, messages });
  }
  copy(
    accountId: AccountId,
    from: MailboxId,
    uids: readonly number[],
    to: MailboxId,
    move: boolean,
  ): Promise<{ uidValidity: number; pairs: [number, number][] }> {
    return this.run('message.copy', { accountId, from, uids, to, move });
  }
  flags(
    accountId: AccountId,
    mailboxId: MailboxId,
    uids: readonly number[],
    mode: 'add' | 'remove' | 'replace',
    flags: number,
    keywords: readonly string[],
    unchangedSince?: number,
  ): Promise<{ changed: FlagChange[]; modified: number[] }> {
    return this.run('message.flags', { accountId, mailboxId, uids, mode, flags, keywords, unchangedSince });
  }
  sweep(
    accountId: AccountId,
    mailboxId: MailboxId,
    ranges: readonly number[],
    mode: 'add' | 'remove',
    flags: number,
  ): Promise<{ changed: number; modseq: number }> {
    return this.run('message.sweep', { accountId, mailboxId, ranges, mode, flags });
  }
  expunge(accountId: AccountId, mailboxId: MailboxId, uids: readonly number[] | null, onlyDeleted: boolean): Promise<{ uids: number[]; modseq: number }> {
    return this.run('message.expunge', { accountId, mailboxId, uids, onlyDeleted });
  }
  createMailbox(accountId: AccountId, name: string, role: Role | null = null): Promise<MailboxRow> {
    return this.run('mailbox.create', { accountId, name, role });
  }
  deleteMailbox(accountId: AccountId, id: MailboxId): Promise<void> {
    return this.run('mailbox.delete', { accountId, id });
  }
  renameMailbox(accountId: AccountId, id: MailboxId, name: string): Promise<void> {
    return this.run('mailbox.rename', { accountId, id, name });
  }
  subscribe(accountId: AccountId, name: string, isSubscribed: boolean): Promise<void> {
    return this.run('mailbox.subscribe', { accountId, name, isSubscribed });
  }
  claimRecent(accountId: AccountId, mailboxId: MailboxId, uid: number): Promise<void> {
    return this.run('mailbox.claimRecent', { accountId, mailboxId, uid });
  }
}

/** A client over a message port of this thread. */
export function connectWriter(port: MessagePort, onAnnouncements: (announcements: readonly Announcement[]) => void): WriterClient {
  const client = new WriterClient({ send: (requests) => port.postMessage(requests) }, onAnnouncements);
  port.on('message', (message: CommitMessage) => client.receive(message));
  port.on('close', () => client.fail(new Error('port closed')));
  return client;
}
