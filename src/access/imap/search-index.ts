/**
 * What a search asks before it walks through the mailbox: each text once of the search index, which messages belong to a
 * thread. Tests of `search-match.ts` hold on to a question and find its answer there, or none: then they look for themselves.
 */
import type { AccountId, EmailId, SearchIndex, TextMatches, TextScope } from '../../ports.ts';

/** Emails like the words of one FUZZY key: more are not told apart. */
const SIMILAR_MAX = 10_000;
/** How long a search waits for messages that came just now to be indexed, before it reads them itself. */
const SETTLE_MS = 300;
/** Emails whose threads are asked for at once (ports.ts). */
const FACTS_MAX = 1000;

/** Which emails contain a text? */
export class TextQuestion {
  readonly scope: TextScope;
  readonly needle: string;
  matches: TextMatches | null = null;

  constructor(scope: TextScope, needle: string) {
    this.scope = scope;
    this.needle = needle;
  }

  /** undefined: the index does not know. */
  answer(email: EmailId): boolean | undefined {
    if (this.matches === null || !this.matches.isIndexed(email)) return undefined;
    return this.matches.emails.has(email);
  }
}

/** Which emails are something like these words, and how much? */
export class SimilarQuestion {
  readonly scope: TextScope;
  /** Folded as the index is (`foldForSearch`). */
  readonly words: string;
  scores: ReadonlyMap<EmailId, number> | null = null;

  constructor(scope: TextScope, words: string) {
    this.scope = scope;
    this.words = words;
  }
}

/** Which emails belong to a thread? */
export class ThreadQuestion {
  readonly threadId: number;
  /** null: not asked yet. */
  emails: Set<EmailId> | null = null;

  constructor(threadId: number) {
    this.threadId = threadId;
  }

  answer(email: EmailId): boolean | undefined {
    return this.emails?.has(email);
  }
}

/** All that one search asks; the same question is asked once. */
export class Questions {
  readonly texts = new Map<string, TextQuestion>();
  readonly similar: SimilarQuestion[] = [];
  readonly threads: ThreadQuestion[] = [];

  text(scope: TextScope, needle: string): TextQuestion {
    const key = `${scope} ${needle}`;
    let question = this.texts.get(key);
    if (question === undefined) {
      question = new TextQuestion(scope, needle);
      this.texts.set(key, question);
    }
    return question;
  }

  like(scope: TextScope, words: string): SimilarQuestion {
    const question = new SimilarQuestion(scope, words);
    this.similar.push(question);
    return question;
  }

  thread(threadId: number): ThreadQuestion {
    const question = new ThreadQuestion(threadId);
    this.threads.push(question);
    return question;
  }

  get isEmpty(): boolean {
    return this.texts.size === 0 && this.similar.length === 0 && this.threads.length === 0;
  }

  /** Nobody will be asked: messages without a thread are in none (RFC 8474 section 5.2), texts are looked for in the messages. */
  giveUp(): void {
    for (const question of this.threads) question.emails ??= new Set();
  }

  /** Asks everything, texts only with `asksTexts`. `emails`: those of the messages that are still undecided. */
  async ask(index: SearchIndex, accountId: AccountId, emails: readonly EmailId[], asksTexts: boolean, pause: () => Promise<void>): Promise<void> {
    if (asksTexts) await this.#askTexts(index, accountId, emails, pause);
    for (const question of this.similar) {
      const found = await index.similar(accountId, question.scope, question.words, SIMILAR_MAX, pause);
      question.scores = new Map(found.map(({ email, relevancy }) => [email, relevancy]));
    }
    if (this.threads.length > 0) await this.#askThreads(index, accountId, emails, pause);
  }

  async #askTexts(index: SearchIndex, accountId: AccountId, emails: readonly EmailId[], pause: () => Promise<void>): Promise<void> {
    let isAgain = false;
    for (const question of this.texts.values()) {
      question.matches = await index.containing(accountId, question.scope, question.needle, pause);
      if (isAgain || emails.every((email) => question.matches!.isIndexed(email))) continue;
      // Just arrived, or the index is catching up: a short wait saves reading them, and finds what only the index reads (attachments).
      isAgain = true;
      await index.settled(SETTLE_MS);
      question.matches = await index.containing(accountId, question.scope, question.needle, pause);
    }
  }

  async #askThreads(index: SearchIndex, accountId: AccountId, emails: readonly EmailId[], pause: () => Promise<void>): Promise<void> {
    for (const question of this.threads) question.emails = new Set();
    for (let at = 0; at < emails.length; at += FACTS_MAX) {
      for (const fact of index.facts(accountId, emails.slice(at, at + FACTS_MAX)))
        for (const question of this.threads) if (question.threadId === fact.threadId) question.emails!.add(fact.email);
      await pause();
    }
  }
}
