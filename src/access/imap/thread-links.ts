/**
 * Who answers whom in a mailbox: message ids and references as numbers, kept with the mailbox's sort keys and filled as they are.
 * They come from the search index; of messages that it does not have yet, from their headers.
 *
 * Memory: 12 octets a message, 4 for each reference, and each different id once. Ids that only references name are kept for
 * ID_SHARE times as many as there are messages, so that made-up ones cannot fill it; references to further ones do not count.
 */
import { threadFacts } from '../../mail/thread-facts.ts';
import type { LoopContext } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import { isRemoved, OpenMessage } from './open-message.ts';
import { pause, type SliceClock } from './pace.ts';
import type { MailboxKeys } from './sort-keys.ts';
import type { MailboxView } from './view.ts';

/** Messages whose facts are asked for at once. */
const PAGE_FACTS = 500;
const ID_SHARE = 20;
const ID_BASE = 100_000;

interface Facts {
  readonly messageId: string | null;
  readonly references: readonly string[];
}
const NO_FACTS: Facts = { messageId: null, references: [] };

export class ThreadLinks {
  /** Number of the message's own id, or -1. By index of the keys. */
  own = new Int32Array(16);
  /** Where the message's references begin in `references`; they end where the next one's begin. */
  starts = new Uint32Array(17);
  /** Numbers of ids. */
  references = new Uint32Array(64);
  filled = 0;
  readonly #numbers = new Map<string, number>();
  #idBytes = 0;

  /** How many different ids are known: their numbers are below. */
  get idCount(): number {
    return this.#numbers.size;
  }

  get bytes(): number {
    return this.own.length * 8 + this.references.length * 4 + this.#idBytes + this.#numbers.size * 60;
  }

  put(facts: Facts): void {
    const at = this.filled;
    if (at + 2 > this.own.length) {
      this.own = larger(this.own, new Int32Array(Math.ceil(at * 1.25) + 16));
      this.starts = larger(this.starts, new Uint32Array(this.own.length + 1));
    }
    this.own[at] = facts.messageId === null ? -1 : this.#number(facts.messageId);
    let end = this.starts[at]!;
    if (end + facts.references.length > this.references.length)
      this.references = larger(this.references, new Uint32Array(Math.ceil((end + facts.references.length) * 1.25)));
    const mayAdd = this.#numbers.size < ID_BASE + ID_SHARE * at;
    for (const id of facts.references) {
      const number = mayAdd ? this.#number(id) : this.#numbers.get(id);
      if (number === undefined) continue;
      this.references[end] = number;
      end += 1;
    }
    this.starts[at + 1] = end;
    this.filled = at + 1;
  }

  #number(id: string): number {
    let number = this.#numbers.get(id);
    if (number === undefined) {
      number = this.#numbers.size;
      // A copy: a piece of a longer text would keep the whole of it in memory.
      this.#numbers.set(Buffer.from(id, 'utf8').toString('utf8'), number);
      this.#idBytes += id.length;
    }
    return number;
  }
}

function larger<T extends Int32Array | Uint32Array>(old: T, target: T): T {
  target.set(old);
  return target;
}

/** Fills the links of all messages that the keys know, in pages with pauses. */
export async function linksOf(context: LoopContext<any>, view: MailboxView, keys: MailboxKeys, clock: SliceClock): Promise<ThreadLinks> {
  keys.links ??= new ThreadLinks();
  const { links } = keys;
  while (links.filled < keys.count) {
    const from = links.filled;
    const emails = Array.from(keys.emails.subarray(from, Math.min(keys.count, from + PAGE_FACTS)));
    const known = new Map<number, Facts>();
    for (const facts of context.search?.facts(view.accountId, emails) ?? []) known.set(facts.email, facts);
    for (let i = 0; i < emails.length; i += 1) {
      let facts = known.get(emails[i]!);
      if (facts === undefined) {
        const read = headerFacts(context, view.accountId, emails[i]!);
        facts = read instanceof Promise ? await read : read;
        if (clock.isOver()) await pause(clock);
      }
      // Another session may have come further during a pause.
      if (links.filled === from + i) links.put(facts);
      else if (links.filled > from + i + 1) i = links.filled - from - 1;
    }
    if (clock.isOver()) await pause(clock);
  }
  return links;
}

/** A message that cannot be read stands alone. */
function headerFacts(context: LoopContext<any>, accountId: number, emailId: number): Facts | Promise<Facts> {
  const { reader } = context;
  const row = reader.email(accountId, emailId);
  if (row === null) return NO_FACTS;
  const damaged = (error: unknown): Facts => {
    if (!(error instanceof Failure && error.code === 'corruptBlob')) throw error;
    if (isRemoved(reader, accountId, emailId)) return NO_FACTS;
    context.log.error('imap.message.damaged', { account: accountId, email: emailId, cause: error.message });
    return NO_FACTS;
  };
  let message: OpenMessage;
  try {
    message = new OpenMessage(reader, row);
  } catch (error) {
    return damaged(error);
  }
  let isLater = false;
  try {
    const header = message.header();
    if (!(header instanceof Promise)) return threadFacts(header);
    isLater = true;
    return header.then((bytes) => threadFacts(bytes), damaged).finally(() => message.close());
  } catch (error) {
    return damaged(error);
  } finally {
    if (!isLater) message.close();
  }
}
