/**
 * SPF (RFC 7208): may this client send mail for this domain? The check runs in steps (steps.ts), so that it answers at once when
 * every record is known. Void lookups are counted as the RFC says, for terms; the addresses of MX and PTR names are not terms.
 */
import type { Address } from '../../ports.ts';
import type { Answer, Asked, AuthDns } from './auth-dns.ts';
import { isAscii, isWithin } from './domain-name.ts';
import { dotted, type IpNumber, isInNetwork4, isInNetwork6, parseIp4, parseIp6, parseIpNumber, readable } from './ip-number.ts';
import { AUTHENTICITY_LIMITS } from './limits.ts';
import { createMemo, type Memo } from './memo.ts';
import { expandMacros, type MacroString, macroLetters, parseMacros } from './spf-macro.ts';
import { isSpfRecord, parseSpf, type SpfMechanism, type SpfQualified, type SpfRecord } from './spf-record.ts';
import { run, type Steps, wait } from './steps.ts';

export type SpfCode = SpfQualified | 'none' | 'temperror' | 'permerror';

export interface SpfResult {
  readonly result: SpfCode;
  readonly scope: 'mailfrom' | 'helo';
  /** The domain whose policy was asked, canonical; as given when it is no domain. */
  readonly domain: string;
  /** What decided: a mechanism as written, or null. */
  readonly mechanism: string | null;
  /** A short phrase for errors, or null. */
  readonly problem: string | null;
  /** What the domain says to those it fails (exp=), printable ASCII, or null. */
  readonly explanation: string | null;
}

export interface SpfInput {
  readonly ip: string;
  /** As the client said; may be nonsense. */
  readonly helo: string;
  /** Null: the HELO identity is checked, as postmaster@helo (RFC 7208 section 2.4). */
  readonly sender: Address | null;
  /** This host's name, for the macro %{r}. */
  readonly receiver?: string;
}

export interface SpfLimits {
  /** Terms that ask DNS, and how many of them may find nothing (RFC 7208 section 4.6.4). */
  readonly lookups: number;
  readonly voids: number;
  /** All together, in milliseconds; checked before each question. */
  readonly ms: number;
}
export const SPF_LIMITS: SpfLimits = { lookups: 10, voids: 2, ms: 20_000 };

/** Checks one identity; synchronous when DNS knows everything. For many checks use `createSpf`, which remembers. */
export function checkSpf(input: SpfInput, dns: AuthDns, limits: SpfLimits = SPF_LIMITS, now: () => number = Date.now): SpfResult | Promise<SpfResult> {
  return run(new Evaluation(input, dns, limits, now, createMemo(16)).check());
}

export interface Spf {
  /** With `asking`, questions go there instead; also those whose answers a remembered result rests on, for who writes them down. */
  check(input: SpfInput, asking?: AuthDns): SpfResult | Promise<SpfResult>;
  /** Forgets remembered results; used at reload. */
  clear(): void;
}

type Question = readonly [type: keyof AuthDns, name: string];

/** A checker that remembers results for client and domain for a minute (unless the record looks at the sender), and compiled records. */
export function createSpf(dns: AuthDns, limits: () => SpfLimits, now: () => number): Spf {
  const records = createMemo<SpfRecord | string>(AUTHENTICITY_LIMITS.compiled);
  const results = createMemo<{ result: SpfResult; until: number; questions: readonly Question[] }>(AUTHENTICITY_LIMITS.spfResults);
  return {
    check(input, asking) {
      const domain = input.sender === null || input.sender.domain === '' ? input.helo : input.sender.domain;
      const key = `${input.sender === null ? 'h' : 'm'} ${input.ip} ${domain.toLowerCase()}`;
      const known = results.get(key);
      if (known !== undefined && known.until > now()) {
        if (asking !== undefined) for (const [type, name] of known.questions) void asking[type](name);
        return known.result;
      }
      const questions: Question[] = [];
      const evaluation = new Evaluation(input, noting(asking ?? dns, questions), limits(), now, records);
      const keep = (result: SpfResult): SpfResult => {
        if (!evaluation.isPersonal && result.result !== 'temperror' && key.length < KEY_MOST)
          results.set(key, { result, until: now() + AUTHENTICITY_LIMITS.spfResultMs, questions });
        return result;
      };
      const found = run(evaluation.check());
      return found instanceof Promise ? found.then(keep) : keep(found);
    },
    clear: () => results.clear(),
  };
}
const KEY_MOST = 600;

function noting(dns: AuthDns, questions: Question[]): AuthDns {
  const note = <T>(type: keyof AuthDns, name: string, asked: T): T => {
    questions.push([type, name]);
    return asked;
  };
  return {
    txt: (name) => note('txt', name, dns.txt(name)),
    addresses4: (name) => note('addresses4', name, dns.addresses4(name)),
    addresses6: (name) => note('addresses6', name, dns.addresses6(name)),
    mx: (name) => note('mx', name, dns.mx(name)),
    ptr: (ip) => note('ptr', ip, dns.ptr(ip)),
  };
}

/** Why an evaluation ends early. */
class SpfStop extends Error {
  readonly code: 'temperror' | 'permerror';
  constructor(code: 'temperror' | 'permerror', problem: string) {
    super(problem);
    this.code = code;
  }
}

interface Outcome {
  readonly result: SpfQualified | 'none';
  readonly mechanism: string | null;
  /** The exp= of the record that decided, with its domain. */
  readonly explanation: MacroString | null;
  readonly domain: string;
}

const NAMES_OF = { kind: 'none', exists: false } as const;

class Evaluation {
  /** A macro looked at more than client and domain: the result is for this sender only. */
  isPersonal = false;
  readonly #input: SpfInput;
  readonly #dns: AuthDns;
  readonly #limits: SpfLimits;
  readonly #now: () => number;
  readonly #deadline: number;
  readonly #ip: IpNumber | null;
  readonly #records: Memo<SpfRecord | string>;
  readonly #local: string;
  readonly #senderDomain: string;
  #lookups = 0;
  #voids = 0;
  /** Validated names of the client, once asked for. */
  #names: readonly string[] | null = null;

  constructor(input: SpfInput, dns: AuthDns, limits: SpfLimits, now: () => number, records: Memo<SpfRecord | string>) {
    this.#input = input;
    this.#dns = dns;
    this.#limits = limits;
    this.#now = now;
    this.#deadline = now() + limits.ms;
    this.#records = records;
    this.#ip = parseIpNumber(input.ip);
    const usesHelo = input.sender === null || input.sender.domain === '';
    this.#local = input.sender === null || input.sender.local === '' ? 'postmaster' : input.sender.local;
    this.#senderDomain = usesHelo ? input.helo : input.sender.domain;
  }

  *check(): Steps<SpfResult> {
    const scope = this.#input.sender === null ? 'helo' : 'mailfrom';
    const domain = questionName(this.#senderDomain);
    const base = { scope, domain: domain ?? this.#senderDomain.slice(0, 255), mechanism: null, problem: null, explanation: null } as const;
    // A name without a dot, a literal, or one with empty or long labels has no policy (RFC 7208 section 4.3).
    if (domain === null || !domain.includes('.') || this.#ip === null) return { ...base, result: 'none' };
    try {
      const outcome = yield* this.#checkHost(domain);
      const explanation = outcome.result === 'fail' && outcome.explanation !== null ? yield* this.#explain(outcome.explanation, outcome.domain) : null;
      return { ...base, result: outcome.result, mechanism: outcome.mechanism, explanation };
    } catch (error) {
      if (!(error instanceof SpfStop)) throw error;
      return { ...base, result: error.code, problem: error.message };
    }
  }

  *#checkHost(domain: string): Steps<Outcome> {
    const answer = yield* this.#ask(this.#dns.txt(domain));
    if (answer.kind === 'failed') throw new SpfStop('temperror', `${domain}: ${answer.reason}`);
    const texts = answer.kind === 'found' ? answer.records.filter(isSpfRecord) : [];
    if (texts.length > 1) throw new SpfStop('permerror', `${domain} has ${texts.length} SPF records`);
    const text = texts[0];
    if (text === undefined) return { result: 'none', mechanism: null, explanation: null, domain };
    let record = this.#records.get(text);
    if (record === undefined) {
      record = parseSpf(text);
      this.#records.set(text, record);
    }
    if (typeof record === 'string') throw new SpfStop('permerror', `${domain}: ${record}`);
    for (const mechanism of record.mechanisms)
      if (yield* this.#matches(mechanism, domain)) return { result: mechanism.result, mechanism: mechanism.text, explanation: record.explanation, domain };
    if (record.redirect === null) return { result: 'neutral', mechanism: 'default', explanation: null, domain };
    this.#countLookup();
    const target = questionName(yield* this.#expand(record.redirect, domain));
    const outcome = target === null ? null : yield* this.#checkHost(target);
    if (outcome === null || outcome.result === 'none') throw new SpfStop('permerror', `${domain}: redirect leads to no SPF record`);
    return outcome;
  }

  *#matches(mechanism: SpfMechanism, domain: string): Steps<boolean> {
    const ip = this.#ip!;
    switch (mechanism.kind) {
      case 'all':
        return true;
      case 'ip4':
        return ip.kind === 4 && isInNetwork4(ip.value, mechanism.network4, mechanism.bits4);
      case 'ip6':
        return ip.kind === 6 && isInNetwork6(ip.groups, mechanism.network6!, mechanism.bits6);
      default:
    }
    this.#countLookup();
    const target = mechanism.domain === null ? domain : questionName(yield* this.#expand(mechanism.domain, domain));
    switch (mechanism.kind) {
      case 'include': {
        const outcome = target === null ? null : yield* this.#checkHost(target);
        if (outcome === null || outcome.result === 'none') throw new SpfStop('permerror', `${mechanism.text.slice(0, 80)} leads to no SPF record`);
        return outcome.result === 'pass';
      }
      case 'a':
        return target !== null && (yield* this.#isAddressOf(target, mechanism, true));
      case 'mx': {
        const answer = target === null ? NAMES_OF : yield* this.#term(this.#dns.mx(target));
        if (answer.kind !== 'found') return false;
        if (answer.records.length > AUTHENTICITY_LIMITS.spfNames)
          throw new SpfStop('permerror', `${target} has more than ${AUTHENTICITY_LIMITS.spfNames} MX names`);
        for (const { exchange } of answer.records) {
          const name = questionName(exchange);
          if (name !== null && (yield* this.#isAddressOf(name, mechanism, false))) return true;
        }
        return false;
      }
      case 'exists': {
        const answer = target === null ? NAMES_OF : yield* this.#term(this.#dns.addresses4(target));
        return answer.kind === 'found';
      }
      case 'ptr': {
        if (target === null) return false;
        const names = yield* this.#validatedNames(true);
        return names.some((name) => isWithin(name, target));
      }
    }
  }

  *#isAddressOf(name: string, mechanism: SpfMechanism, isTerm: boolean): Steps<boolean> {
    const ip = this.#ip!;
    const asked = ip.kind === 4 ? this.#dns.addresses4(name) : this.#dns.addresses6(name);
    const answer = isTerm ? yield* this.#term(asked) : yield* this.#certain(asked);
    if (answer.kind !== 'found') return false;
    for (const text of answer.records) {
      if (ip.kind === 4) {
        const value = parseIp4(text);
        if (value !== null && isInNetwork4(ip.value, value, mechanism.bits4)) return true;
      } else {
        const groups = parseIp6(text);
        if (groups !== null && isInNetwork6(ip.groups, groups, mechanism.bits6)) return true;
      }
    }
    return false;
  }

  /** Names of the client whose addresses contain it (RFC 7208 section 5.5); errors leave names out. */
  *#validatedNames(isTerm: boolean): Steps<readonly string[]> {
    if (this.#names !== null) return this.#names;
    const ip = this.#ip!;
    const answer = yield* this.#ask(this.#dns.ptr(readable(ip)));
    if (isTerm && answer.kind === 'none') this.#countVoid();
    const names: string[] = [];
    const candidates = answer.kind === 'found' ? answer.records.slice(0, AUTHENTICITY_LIMITS.spfNames) : [];
    for (const candidate of candidates) {
      const name = questionName(candidate);
      if (name === null) continue;
      const addresses: Answer<string> = yield* this.#ask(ip.kind === 4 ? this.#dns.addresses4(name) : this.#dns.addresses6(name));
      if (addresses.kind !== 'found') continue;
      const isOwn =
        ip.kind === 4 ? addresses.records.some((text) => parseIp4(text) === ip.value) : addresses.records.some((text) => sameGroups(text, ip.groups));
      if (isOwn) names.push(name);
    }
    this.#names = names;
    return names;
  }

  /** A question whose failure ends the check. */
  *#certain<T>(asked: Asked<T>): Steps<Answer<T>> {
    const answer = yield* this.#ask(asked);
    if (answer.kind === 'failed') throw new SpfStop('temperror', answer.reason);
    return answer;
  }

  /** The question of a term: an empty answer counts as void. */
  *#term<T>(asked: Asked<T>): Steps<Answer<T>> {
    const answer = yield* this.#certain(asked);
    if (answer.kind === 'none') this.#countVoid();
    return answer;
  }

  *#ask<T>(asked: Asked<T>): Steps<Answer<T>> {
    if (this.#now() > this.#deadline) throw new SpfStop('temperror', 'the check took too long');
    return yield* wait(asked);
  }

  #countLookup(): void {
    this.#lookups += 1;
    if (this.#lookups > this.#limits.lookups) throw new SpfStop('permerror', `more than ${this.#limits.lookups} lookups`);
  }

  #countVoid(): void {
    this.#voids += 1;
    if (this.#voids > this.#limits.voids) throw new SpfStop('permerror', `more than ${this.#limits.voids} lookups without an answer`);
  }

  *#expand(parts: MacroString, domain: string): Steps<string> {
    if (parts.length === 1 && typeof parts[0] === 'string') return parts[0];
    const letters = macroLetters(parts);
    if (/[slohrt]/.test(letters)) this.isPersonal = true;
    // RFC 8616 section 4: a local part that is not ASCII cannot stand in a name, and matches nothing.
    if (/[sl]/.test(letters) && !isAscii(this.#local)) return '';
    let name = 'unknown';
    if (letters.includes('p')) {
      const names = yield* this.#validatedNames(false);
      name = names.find((own) => own === domain) ?? names.find((own) => isWithin(own, domain)) ?? names[0] ?? 'unknown';
    }
    return expandMacros(parts, (letter) => this.#value(letter, domain, name));
  }

  #value(letter: string, domain: string, name: string): string {
    const ip = this.#ip!;
    switch (letter) {
      case 's':
        return `${this.#local}@${this.#senderDomain}`;
      case 'l':
        return this.#local;
      case 'o':
        return this.#senderDomain;
      case 'd':
        return domain;
      case 'i':
        return dotted(ip);
      case 'p':
        return name;
      case 'h':
        return this.#input.helo;
      case 'v':
        return ip.kind === 4 ? 'in-addr' : 'ip6';
      case 'c':
        return readable(ip);
      case 'r':
        return this.#input.receiver ?? 'unknown';
      default:
        return String(Math.floor(this.#now() / 1000)); // t
    }
  }

  /** exp= (RFC 7208 section 6.2): whatever goes wrong, there is no explanation then, and the result stays. */
  *#explain(parts: MacroString, domain: string): Steps<string | null> {
    const target = questionName(yield* this.#expand(parts, domain));
    if (target === null) return null;
    const answer = yield* wait(this.#dns.txt(target));
    if (answer.kind !== 'found' || answer.records.length !== 1) return null;
    const text = parseMacros(answer.records[0]!, true);
    if (text === null) return null;
    const explanation = yield* this.#expand(text, domain);
    return explanation === '' ? null : explanation.replace(/[^\x20-\x7e]/g, '?').slice(0, AUTHENTICITY_LIMITS.spfExplanationBytes);
  }
}

function sameGroups(text: string, groups: readonly number[]): boolean {
  const own = parseIp6(text);
  return own?.every((group, index) => group === groups[index]) === true;
}

/**
 * A name that can be asked for, in lower case without its final dot: labels of 1 to 63 octets of ASCII. Longer names than 253 octets
 * lose labels on the left (RFC 7208 section 7.3). Null when there is none.
 */
function questionName(text: string): string | null {
  let name = text.endsWith('.') ? text.slice(0, -1) : text;
  while (name.length > 253) {
    const dot = name.indexOf('.');
    if (dot === -1) return null;
    name = name.slice(dot + 1);
  }
  if (name === '' || name.charCodeAt(0) === 0x5b) return null;
  let label = 0;
  for (let i = 0; i <= name.length; i += 1) {
    const c = i === name.length ? 0x2e : name.charCodeAt(i);
    if (c === 0x2e) {
      if (i === label || i - label > 63) return null;
      label = i + 1;
    } else if (c < 0x20 || c > 0x7e) return null;
  }
  return name.toLowerCase();
}
