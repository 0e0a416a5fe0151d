/** From the entries of a search to the values of a lookup: terminal, leaf and special attributes as in ldap_table(5), names and URLs followed. */
import type { Entry } from 'ldapts';
import type { Collected } from './expand.ts';
import { type LdapAnswer, LdapRefusal, type LdapSearch, NO_SUCH_OBJECT } from './ldap-link.ts';
import { parseLdapUrl } from './ldap-text.ts';

/** The attributes of a table, in lower case. */
export interface ResultAttributes {
  readonly ordinary: readonly string[];
  readonly special: readonly string[];
  readonly terminal: readonly string[];
  readonly leaf: readonly string[];
}

export interface WalkRules {
  readonly attributes: ResultAttributes;
  /** All of them, as they are asked for. */
  readonly requested: readonly string[];
  readonly recursionLimit: number;
  readonly sizeLimit: number;
  readonly expansionLimit: number;
  readonly derefAliases: LdapSearch['derefAliases'];
  readonly timeoutMs: number;
}

export type Searcher = (search: LdapSearch) => Promise<LdapAnswer>;
/** All searches of one lookup; a loop of groups ends at recursion_limit, a web of them here. */
const SEARCHES_MAX = 10_000;

/** Throws LdapRefusal when a limit is exceeded. */
export class Walk {
  readonly #rules: WalkRules;
  readonly #collected: Collected;
  readonly #search: Searcher;
  readonly #lost: (name: string) => void;
  #searches = 0;

  /** `lost` is told of names that lead nowhere. */
  constructor(rules: WalkRules, collected: Collected, search: Searcher, lost: (name: string) => void) {
    this.#rules = rules;
    this.#collected = collected;
    this.#search = search;
    this.#lost = lost;
  }

  async entries(entries: readonly Entry[], depth = 1): Promise<void> {
    const { sizeLimit, recursionLimit } = this.#rules;
    if (depth > recursionLimit) throw new LdapRefusal(4, `the search went deeper than recursion_limit = ${recursionLimit}`);
    if (sizeLimit > 0 && entries.length > sizeLimit) throw new LdapRefusal(4, `the search gave more than size_limit = ${sizeLimit} entries`);
    for (const entry of entries) await this.#entry(entry, depth);
  }

  async #entry(entry: Entry, depth: number): Promise<void> {
    const present = Object.entries(entry).flatMap(([name, value]) => {
      const values = texts(value);
      return name === 'dn' || values.length === 0 ? [] : [{ name: name.toLowerCase(), values }];
    });
    const kinds = new Set(present.map(({ name }) => this.#kindOf(name)));
    for (const { name, values } of present) {
      const kind = this.#kindOf(name);
      if (kind === null || (kinds.has('terminal') && kind !== 'terminal') || (kind === 'leaf' && kinds.has('special'))) continue;
      for (const value of values) {
        if (kind === 'special') await this.#follow(value, depth);
        else if (!this.#collected.add(value)) throw new LdapRefusal(4, `the search gave more than expansion_limit = ${this.#rules.expansionLimit} values`);
      }
    }
  }

  /** An attribute of several lists counts as what it is in the first of them. */
  #kindOf(name: string): keyof ResultAttributes | null {
    const { attributes } = this.#rules;
    for (const kind of ['terminal', 'leaf', 'ordinary', 'special'] as const) if (attributes[kind].some((wanted) => isSubtype(name, wanted))) return kind;
    return null;
  }

  /** The entry that a distinguished name is of, or the entries that an LDAP URL finds on this server. */
  async #follow(value: string, depth: number): Promise<void> {
    this.#searches += 1;
    if (this.#searches > SEARCHES_MAX) throw new LdapRefusal(4, `the lookup needed more than ${SEARCHES_MAX} searches`);
    const { requested, sizeLimit, derefAliases, timeoutMs } = this.#rules;
    const limits = { sizeLimit, derefAliases, timeoutMs };
    const url = parseLdapUrl(value);
    try {
      if (url === null) {
        const { entries } = await this.#search({ base: value, scope: 'base', filter: '(objectClass=*)', attributes: requested, ...limits });
        await this.entries(entries, depth + 1);
        return;
      }
      const attributes = urlAttributes(url.attributes, requested);
      if (attributes.length === 0) return;
      const { entries } = await this.#search({ base: url.base, scope: url.scope, filter: url.filter, attributes, ...limits });
      await this.entries(entries, depth + 1);
    } catch (error) {
      // A member that has left and is still listed; the others count. INVALID_DN_SYNTAX (34) is not forgiven.
      if (!(error instanceof LdapRefusal) || error.resultCode !== NO_SUCH_OBJECT) throw error;
      this.#lost(value);
    }
  }
}

/** "mail;lang-de" is a subtype of "mail"; "mail" is one of itself. Both in lower case. */
function isSubtype(name: string, wanted: string): boolean {
  return name === wanted || (name.length > wanted.length && name.startsWith(wanted) && name[wanted.length] === ';');
}

/** What a URL asks for and the table, too; where one of the two has options, the one with options. */
function urlAttributes(wanted: readonly string[], requested: readonly string[]): readonly string[] {
  if (wanted.length === 0) return requested;
  const out: string[] = [];
  for (const name of wanted.map((name) => name.toLowerCase()))
    for (const known of requested) {
      if (isSubtype(name, known)) out.push(name);
      else if (isSubtype(known, name)) out.push(known);
    }
  return out;
}

function texts(value: Entry[string]): string[] {
  if (typeof value === 'string') return [value];
  if (Buffer.isBuffer(value)) return [value.toString('utf8')];
  return value.map((one) => (typeof one === 'string' ? one : one.toString('utf8')));
}
