/** For tests: a search index in memory that answers exactly by the words of ports.ts, for emails of a MemoryStore. */
import { searchableText } from '../../mail/searchable-text.ts';
import { shortHeader } from '../../mail/short-header.ts';
import { foldForSearch, headerText } from '../../mail/text.ts';
import type { AccountId, EmailId, ListedEnvelope, SearchIndex, SimilarEmail, TextMatches, TextScope, ThreadFacts } from '../../ports.ts';
import type { MemoryStore } from './memory-store.ts';
import { OpenMessage } from './open-message.ts';

interface Indexed {
  readonly header: string;
  readonly body: string;
}

export class MemoryIndex implements SearchIndex {
  #store: MemoryStore | null = null;
  readonly #emails = new Map<EmailId, Indexed>();
  /** Answers of similar(). */
  readonly likes: SimilarEmail[] = [];
  readonly threads = new Map<EmailId, number>();
  /** What was asked, as "scope needle". */
  readonly asked: string[] = [];
  /** How often containing() lets others run, and what happens before each time. */
  pauses = 1;
  onPause: () => void = () => {};
  /** Run by settled(), as indexing goes on while a search waits. */
  onSettled: () => void = () => {};

  use(store: MemoryStore): void {
    this.#store = store;
  }

  /** `attachment`: text that only the index can read. */
  index(accountId: AccountId, email: EmailId, attachment = ''): void {
    const message = new OpenMessage(this.#store!, this.#store!.email(accountId, email)!);
    const body = searchableText((start, end) => message.reader.slice(start, end), message.root) as string;
    const header = headerText(message.header() as Uint8Array);
    this.#emails.set(email, { header: foldForSearch(header), body: foldForSearch(`${body}\r\n${attachment}`) });
  }

  async containing(_accountId: AccountId, scope: TextScope, needle: string, pause: () => Promise<void>): Promise<TextMatches> {
    this.asked.push(`${scope} ${needle}`);
    for (let i = 0; i < this.pauses; i += 1) {
      this.onPause();
      await pause();
    }
    const emails = new Set<EmailId>();
    for (const [email, { header, body }] of this.#emails)
      if ((scope !== 'body' && header.includes(needle)) || (scope !== 'header' && body.includes(needle))) emails.add(email);
    const known = new Set(this.#emails.keys());
    return { emails, isIndexed: (email) => known.has(email) };
  }
  async similar(_accountId: AccountId, scope: TextScope, words: string, limit: number): Promise<SimilarEmail[]> {
    this.asked.push(`like ${scope} ${words}`);
    return this.likes.slice(0, limit);
  }
  shortHeaders(accountId: AccountId, emails: readonly EmailId[]): (string | null)[] {
    return emails.map((email) =>
      this.#emails.has(email) ? shortHeader(new OpenMessage(this.#store!, this.#store!.email(accountId, email)!).header() as Uint8Array) : null,
    );
  }
  /** Those that are indexed, however few. */
  envelopes(accountId: AccountId, emails: readonly EmailId[]): (ListedEnvelope | null)[] {
    return emails.map((email) => {
      if (!this.#emails.has(email)) return null;
      const { envelope, bodyStructure } = this.#store!.email(accountId, email)!;
      return [email, envelope, bodyStructure];
    });
  }
  facts(_accountId: AccountId, emails: readonly EmailId[]): ThreadFacts[] {
    return emails.filter((email) => this.threads.has(email)).map((email) => this.#facts(email));
  }
  factsAfter(_accountId: AccountId, after: EmailId, limit: number): ThreadFacts[] {
    return [...this.threads.keys()]
      .filter((email) => email > after)
      .sort((a, b) => a - b)
      .slice(0, limit)
      .map((email) => this.#facts(email));
  }
  #facts(email: EmailId): ThreadFacts {
    return { email, messageId: null, references: [], baseSubject: '', isReply: false, threadId: this.threads.get(email)! };
  }
  async settled(): Promise<boolean> {
    this.onSettled();
    return true;
  }
}
