/** What an account wishes done with spam: its own words over the server's (tables account_preference). */
import type { AccountId, StoreReader } from '../../ports.ts';
import type { SortingSettings } from './settings.ts';

/** Infinity: never. */
export interface SortingPreferences {
  /** Null: from the threshold that the judge has for the message (`SortingVerdict.threshold`). */
  readonly junkAt: number | null;
  readonly discardAt: number;
  readonly blocked: 'junk' | 'discard';
  readonly allowsUnproven: boolean;
}

/** Names in account_preference, and what may be written there. */
export const SPAM_PREFERENCES: ReadonlyMap<string, (value: string) => boolean> = new Map([
  ['spam.junk', (value: string) => value === 'judge' || parseThreshold(value) !== null],
  ['spam.discard', (value: string) => parseThreshold(value) !== null],
  ['spam.blocked', (value: string) => value === 'junk' || value === 'discard'],
  ['spam.allowUnproven', (value: string) => value === 'yes' || value === 'no'],
]);

/** Points, Infinity for "off", null for anything else. */
export function parseThreshold(text: string): number | null {
  if (text === 'off') return Number.POSITIVE_INFINITY;
  return /^-?\d{1,4}(?:\.\d{1,3})?$/.test(text) ? Number(text) : null;
}

export function sortingPreferences(own: ReadonlyMap<string, string>, settings: SortingSettings): SortingPreferences {
  const junk = own.get('spam.junk') ?? settings['sorting.junk'];
  const discard = parseThreshold(own.get('spam.discard') ?? '') ?? parseThreshold(settings['sorting.discard']);
  const blocked = own.get('spam.blocked') ?? settings['sorting.blocked'];
  const unproven = own.get('spam.allowUnproven');
  return {
    junkAt: parseThreshold(junk),
    discardAt: discard ?? Number.POSITIVE_INFINITY,
    blocked: blocked === 'discard' ? 'discard' : 'junk',
    allowsUnproven: unproven === undefined ? settings['sorting.allowUnproven'] : unproven === 'yes',
  };
}

/** All preferences of an account by name; a handful of rows. */
export function readPreferences(reader: Pick<StoreReader, 'rows'>, accountId: AccountId): Map<string, string> {
  return new Map(reader.rows('SELECT name, value FROM account_preference WHERE account_id=?', accountId) as [string, string][]);
}
