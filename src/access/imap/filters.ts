/**
 * Stored searches (RFC 5466): FILTER keys are replaced by what the annotation of their name holds, before a search begins.
 * Everything that SEARCH, SORT, THREAD and ESEARCH are told as criteria passes through resolveSearch().
 */
import { isUtf8 } from 'node:buffer';
import { isKnownCharset } from '../../mail/charset.ts';
import { readAnnotation } from '../../store/annotations.ts';
import { Cursor, ImapSyntaxError } from '../../wire/imap/cursor.ts';
import { IMAP_LIMITS } from '../../wire/imap/limits.ts';
import { hasKey, type SearchKey, type SearchProgram, searchCriteria } from '../../wire/imap/search.ts';
import { actsAsOwner } from './places.ts';
import type { ImapSession } from './session.ts';

const FILTER_ENTRY = /^\/(?:private|shared)\/filters\/values\/(.+)$/;
/** filter-name (RFC 5466 section 4): ATOM-CHAR without "/". */
const FILTER_NAME = /^[\x21\x23\x24\x26\x27\x2b-\x2e\x30-\x5b\x5e-\x7a\x7c-\x7e]+$/;

/** Criteria that can be searched with: no FILTER is in them any more, and there is a table for the charset. */
export interface ResolvedSearch {
  readonly key: SearchKey;
  readonly charset: string;
}

/** The criteria, or the text of the tagged response that refuses them: NO [BADCHARSET …], NO [UNDEFINED-FILTER …], BAD. */
export function resolveSearch(session: ImapSession, { charset, key }: SearchProgram): ResolvedSearch | string {
  if (session.isUidOnly && hasSequenceNumbers(key)) return 'BAD [UIDREQUIRED] Message numbers are not used in this session';
  if (charset !== null && !isKnownCharset(charset)) return 'NO [BADCHARSET (US-ASCII UTF-8)] Charset is not known here';
  if (!hasKey(key, ['filter'])) return { key, charset: charset ?? 'UTF-8' };
  // RFC 5466 section 3.1: filters are UTF-8, and so is what stands beside them.
  if (charset !== null && charset !== 'UTF-8' && charset !== 'US-ASCII') return 'BAD [BADCHARSET (US-ASCII UTF-8)] FILTER goes with UTF-8 only';
  const filters = new Filters(session);
  const replaced = filters.replace(key, []);
  if (typeof replaced === 'string') return replaced;
  if (countKeys(replaced, null) > IMAP_LIMITS.searchKeys || countKeys(replaced, TEXT_KINDS) > IMAP_LIMITS.searchTextKeys)
    return 'NO [LIMIT] The filters stand for too long a search';
  return { key: replaced, charset: 'UTF-8' };
}

function hasSequenceNumbers(key: SearchKey): boolean {
  if (key.kind === 'sequence') return key.set !== null;
  if (key.kind === 'not' || key.kind === 'fuzzy') return hasSequenceNumbers(key.key);
  return (key.kind === 'and' || key.kind === 'or') && key.keys.some(hasSequenceNumbers);
}

const TEXT_KINDS: readonly SearchKey['kind'][] = ['body', 'text'];

/** Keys of these kinds, or all of them. */
function countKeys(key: SearchKey, kinds: readonly SearchKey['kind'][] | null): number {
  let count = kinds === null || kinds.includes(key.kind) ? 1 : 0;
  if (key.kind === 'not' || key.kind === 'fuzzy') count += countKeys(key.key, kinds);
  else if (key.kind === 'and' || key.kind === 'or') for (const each of key.keys) count += countKeys(each, kinds);
  return count;
}

/** What is wrong with a server annotation that is to be set, where it is a filter (RFC 5466 section 3.2); null: nothing. */
export function filterProblem(entry: string, value: Uint8Array | null): string | null {
  const name = FILTER_ENTRY.exec(entry)?.[1];
  if (value === null || name === undefined) return null;
  if (!FILTER_NAME.test(name)) return 'The name of a filter is an atom without "/"';
  if (!isUtf8(value)) return 'A filter is a search in UTF-8';
  const key = parse(value);
  return typeof key === 'string' ? `The filter is not a search: ${key}` : null;
}

function parse(value: Uint8Array): SearchKey | string {
  try {
    return searchCriteria(new Cursor(Buffer.from(value)));
  } catch (error) {
    if (error instanceof ImapSyntaxError) return error.message;
    throw error;
  }
}

/** Filters that name each other; RFC 5466 section 3.1 asks for 3. Bounds the recursion together with the depth of each search. */
const DEPTH_MAX = 8;

/** The filters of one search. */
class Filters {
  readonly #session: ImapSession;
  #replaced = 0;

  constructor(session: ImapSession) {
    this.#session = session;
  }

  /** The key with its filters put in place; `within`: the names of those it is itself part of. A string refuses. */
  replace(key: SearchKey, within: readonly string[]): SearchKey | string {
    switch (key.kind) {
      case 'filter':
        return this.#named(key.name, within);
      case 'not':
      case 'fuzzy': {
        const inner = this.replace(key.key, within);
        return typeof inner === 'string' ? inner : { kind: key.kind, key: inner };
      }
      case 'and':
      case 'or': {
        const keys: SearchKey[] = [];
        for (const each of key.keys) {
          const inner = this.replace(each, within);
          if (typeof inner === 'string') return inner;
          keys.push(inner);
        }
        return { kind: key.kind, keys };
      }
      default:
        return key;
    }
  }

  #named(name: string, within: readonly string[]): SearchKey | string {
    this.#replaced += 1;
    // A filter that names itself is one that does not exist, and so is one that stands for too much (section 3.1).
    if (within.includes(name) || within.length >= DEPTH_MAX || this.#replaced > IMAP_LIMITS.searchFilters)
      return undefinedFilter(name, 'Filters that stand for each other, or for too many');
    const { reader } = this.#session.context;
    const accountId = this.#session.account!.id;
    const value =
      (actsAsOwner(this.#session) ? readAnnotation(reader, accountId, null, `/private/filters/values/${name}`) : null) ??
      readAnnotation(reader, accountId, null, `/shared/filters/values/${name}`);
    if (value === null) return undefinedFilter(name, 'No such filter');
    const key = parse(value);
    return typeof key === 'string' ? undefinedFilter(name, 'The filter does not hold a search') : this.replace(key, [...within, name]);
  }
}

/** The name is an atom. */
function undefinedFilter(name: string, text: string): string {
  return `NO [UNDEFINED-FILTER ${name}] ${text}`;
}
