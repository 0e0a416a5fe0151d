/** Name lookups that are written down, and written-down ones that answer again: what `posthorn replay` judges by. */
import type { Dns, DnsAnswer, DnsRecords, DnsType } from '../net/dns.ts';

/** By "TYPE name": the records; true or false for none (does the name exist?); a text when there was no answer. Plain JSON. */
export type RecordedAnswers = Readonly<Record<string, readonly unknown[] | boolean | string>>;

const ANSWERS_MAX = 200; // of one message
const RECORDS_MAX = 30; // of one answer
const CHARACTERS_MAX = 8 * 1024; // of all, as JSON, beyond which nothing is added

/** The methods that ask by name, made from `ask`; joined TXT like the resolver's own. */
abstract class DerivedDns implements Dns {
  abstract ask<K extends DnsType>(type: K, name: string): Promise<DnsAnswer<DnsRecords[K]>>;
  abstract cached<K extends DnsType>(type: K, name: string): DnsAnswer<DnsRecords[K]> | undefined;

  mx(name: string) {
    return this.ask('MX', name);
  }
  addresses4(name: string) {
    return this.ask('A', name);
  }
  addresses6(name: string) {
    return this.ask('AAAA', name);
  }
  async txt(name: string): Promise<DnsAnswer<string>> {
    const answer = await this.ask('TXT', name);
    return answer.kind === 'found' ? { ...answer, records: answer.records.map((strings) => strings.join('')) } : answer;
  }
  txtStrings(name: string) {
    return this.ask('TXT', name);
  }
  ptr(ip: string) {
    return this.ask('PTR', ip);
  }
  ns(name: string) {
    return this.ask('NS', name);
  }
  srv(name: string) {
    return this.ask('SRV', name);
  }
  tlsa(name: string) {
    return this.ask('TLSA', name);
  }
  soa(name: string) {
    return this.ask('SOA', name);
  }
  cname(name: string) {
    return this.ask('CNAME', name);
  }
  clear(): void {}
  close(): void {}
}

/** Asks `inner` and keeps what it said. One for each session. */
export class RecordingDns extends DerivedDns {
  readonly #inner: Dns;
  #answers = new Map<string, DnsAnswer<any>>();
  /** Questions of the connection and of HELO. */
  #beforeMail: ReadonlySet<string> | null = null;

  constructor(inner: Dns) {
    super();
    this.#inner = inner;
  }

  override ask<K extends DnsType>(type: K, name: string): Promise<DnsAnswer<DnsRecords[K]>> {
    return this.#inner.ask(type, name).then((answer) => {
      this.#keep(type, name, answer);
      return answer;
    });
  }

  override cached<K extends DnsType>(type: K, name: string): DnsAnswer<DnsRecords[K]> | undefined {
    const answer = this.#inner.cached(type, name);
    if (answer !== undefined) this.#keep(type, name, answer);
    return answer;
  }

  #keep(type: string, name: string, answer: DnsAnswer<any>): void {
    if (this.#answers.size < ANSWERS_MAX) this.#answers.set(`${type} ${name}`, answer);
  }

  /** A new message begins: what was asked before the first one is kept, and what is said to be the client's. */
  forget(isOfClient: (type: string, name: string) => boolean): void {
    if (this.#beforeMail === null) {
      this.#beforeMail = new Set(this.#answers.keys());
      return;
    }
    for (const question of this.#answers.keys()) {
      if (this.#beforeMail.has(question)) continue;
      const space = question.indexOf(' ');
      if (!isOfClient(question.slice(0, space), question.slice(space + 1))) this.#answers.delete(question);
    }
  }

  /** What was said until now; undefined when nothing was asked. */
  recorded(): RecordedAnswers | undefined {
    if (this.#answers.size === 0) return undefined;
    const kept: Record<string, readonly unknown[] | boolean | string> = {};
    let characters = 0;
    for (const [question, answer] of this.#answers) {
      const value = answer.kind === 'found' ? answer.records.slice(0, RECORDS_MAX) : answer.kind === 'none' ? answer.exists : answer.reason;
      characters += question.length + jsonLength(answer, value);
      if (characters > CHARACTERS_MAX) break;
      kept[question.toLowerCase()] = value;
    }
    return kept;
  }
}

/** Length of an answer as JSON; worked out once for as long as the cache keeps the answer. */
function jsonLength(answer: DnsAnswer<any>, value: unknown): number {
  let length = lengths.get(answer);
  if (length === undefined) {
    length = JSON.stringify(value).length;
    lengths.set(answer, length);
  }
  return length;
}
const lengths = new WeakMap<object, number>();

/** Answers as recorded; what was not recorded is asked of `fallback`, or fails without one. */
export class ReplayDns extends DerivedDns {
  readonly #answers: RecordedAnswers;
  readonly #fallback: Dns | null;
  /** Questions nobody had recorded. */
  asked = 0;

  constructor(answers: RecordedAnswers, fallback: Dns | null) {
    super();
    this.#answers = answers;
    this.#fallback = fallback;
  }

  override ask<K extends DnsType>(type: K, name: string): Promise<DnsAnswer<DnsRecords[K]>> {
    const known = this.cached(type, name);
    if (known !== undefined) return Promise.resolve(known);
    this.asked += 1;
    return this.#fallback === null ? Promise.resolve({ kind: 'failed', reason: 'not recorded' }) : this.#fallback.ask(type, name);
  }

  override cached<K extends DnsType>(type: K, name: string): DnsAnswer<DnsRecords[K]> | undefined {
    const key = `${type} ${name}`.toLowerCase();
    const value = Object.hasOwn(this.#answers, key) ? this.#answers[key] : undefined;
    if (value === undefined) return undefined;
    if (typeof value === 'boolean') return { kind: 'none', exists: value };
    if (typeof value === 'string') return { kind: 'failed', reason: value };
    return { kind: 'found', records: value as readonly DnsRecords[K][] };
  }
}
