/** 'spam.show', 'spam.set', 'list.add', 'list.remove', 'list.show': thresholds and lists of one account. */
import type { AdminContext, AdminHandlers } from '../../ports.ts';
import { accountInput, refuse, sortedAccountInput } from '../../directory/admin/input.ts';
import { type ListKind, listPattern } from './address-lists.ts';
import { readPreferences, SPAM_PREFERENCES, sortingPreferences } from './preferences.ts';
import type { SortingSettings } from './settings.ts';

export interface SpamView {
  readonly login: string;
  /** Points; null: never; "judge": from the judge's threshold. */
  readonly junk: number | null | 'judge';
  readonly discard: number | null;
  readonly blocked: 'junk' | 'discard';
  readonly allowUnproven: boolean;
  /** Names of what the account has chosen itself: "spam.junk" … */
  readonly own: readonly string[];
  readonly allowed: number;
  readonly blockedEntries: number;
}
export interface ListRow {
  readonly kind: ListKind;
  readonly pattern: string;
  readonly addedAt: number;
}

const PATTERNS_MAX = 1000;
/** What the preferences take. */
const SPAM_WORDS: Readonly<Record<string, string>> = {
  'spam.junk': 'a number of points, "off" or "judge"',
  'spam.discard': 'a number of points, or "off"',
  'spam.blocked': '"junk" or "discard"',
  'spam.allowUnproven': '"yes" or "no"',
};

export const SORTING_ADMIN: AdminHandlers = {
  /** {user} */
  'spam.show': async (context, args): Promise<SpamView> => {
    const account = accountInput(context, args?.user);
    const own = readPreferences(context.reader, account.id);
    const preferences = sortingPreferences(own, context.settings() as SortingSettings);
    const counts = new Map(context.reader.rows('SELECT kind, count(*) FROM address_list WHERE account_id=? GROUP BY kind', account.id) as [string, number][]);
    const points = (value: number): number | null => (Number.isFinite(value) ? value : null);
    return {
      login: account.login,
      junk: preferences.junkAt === null ? 'judge' : points(preferences.junkAt),
      discard: points(preferences.discardAt),
      blocked: preferences.blocked,
      allowUnproven: preferences.allowsUnproven,
      own: [...own.keys()].filter((name) => SPAM_PREFERENCES.has(name)).sort(),
      allowed: counts.get('allow') ?? 0,
      blockedEntries: counts.get('block') ?? 0,
    };
  },

  /** {user, values: {"spam.junk": "5" | null, …}}; null goes back to the server's. */
  'spam.set': async (context, args) => {
    const account = sortedAccountInput(context, args?.user);
    const values = Object.entries((args?.values ?? {}) as Record<string, unknown>);
    if (values.length === 0) return refuse('Please say what is to be changed.');
    for (const [name, value] of values) {
      const check = SPAM_PREFERENCES.get(name);
      if (check === undefined) return refuse(`There is no preference ${name}.`);
      if (value !== null && (typeof value !== 'string' || !check(value))) return refuse(`"${String(value)}" cannot be ${name}: ${SPAM_WORDS[name]}.`);
    }
    await context.writer.run('preference.set', { accountId: account.id, values });
    context.log.info('sorting.preferences.changed', { account: account.login, names: values.map(([name]) => name).join(' ') });
    return { login: account.login };
  },

  /** {user, kind: 'allow' | 'block', patterns} */
  'list.add': async (context, args) => {
    sortedAccountInput(context, args?.user);
    const input = listInput(context, args);
    return { login: input.login, added: await context.writer.run<number>('list.add', input) };
  },
  'list.remove': async (context, args) => {
    const input = listInput(context, args);
    return { login: input.login, removed: await context.writer.run<number>('list.remove', input) };
  },

  /** {user, kind?} */
  'list.show': async (context, args): Promise<ListRow[]> => {
    const account = accountInput(context, args?.user);
    return context.reader
      .rows('SELECT kind, pattern, added_at FROM address_list WHERE account_id=? ORDER BY kind, pattern', account.id)
      .map(([kind, pattern, addedAt]) => ({ kind: kind as ListKind, pattern: String(pattern), addedAt: Number(addedAt) }))
      .filter(({ kind }) => args.kind === undefined || kind === args.kind);
  },
};

function listInput(context: AdminContext, args: any): { accountId: number; login: string; kind: ListKind; patterns: string[] } {
  const account = accountInput(context, args?.user);
  if (args.kind !== 'allow' && args.kind !== 'block') return refuse('The list is "allow" or "block".');
  const given: unknown[] = Array.isArray(args.patterns) ? args.patterns : [];
  if (given.length === 0 || given.length > PATTERNS_MAX) return refuse(`Please give between one and ${PATTERNS_MAX} addresses.`);
  const patterns = given.map((entry) => {
    const pattern = typeof entry === 'string' ? listPattern(entry) : null;
    return pattern ?? refuse(`"${String(entry)}" is neither an address nor @domain nor @.domain (with its subdomains).`);
  });
  return { accountId: account.id, login: account.login, kind: args.kind, patterns };
}
