/** Which addresses are ours: the directory's, and those that tables name in Postfix's way (ADDRESS_CLASS_README). */
import type { MatchList } from '../../directory/tables/match-list.ts';
import { rewriteKeys } from '../../directory/tables/search.ts';
import type { Address, Directory, Router, Table } from '../../ports.ts';
import { firstValue } from './lookup.ts';
import { openMatchList } from './match.ts';
import type { PolicyContext, RecipientClass, RecipientClasses } from './ports.ts';

type TablesContext = Pick<PolicyContext, 'tables' | 'tablesSettings' | 'log' | 'now'>;
import { after, type Soon } from './status.ts';

export interface RecipientConfig {
  readonly localDomains: readonly string[];
  readonly localRecipientMaps: readonly string[];
  readonly virtualAliasDomains: readonly string[];
  readonly virtualAliasMaps: readonly string[];
  readonly virtualMailboxDomains: readonly string[];
  readonly virtualMailboxMaps: readonly string[];
  readonly relayDomains: readonly string[];
  readonly relayRecipientMaps: readonly string[];
  readonly recipientDelimiters: string;
  /** Names in relayDomains stand for their subdomains too. */
  readonly relaySubdomains: boolean;
}

type TabledClass = Exclude<RecipientClass, 'routed' | 'foreign'>;

/** Local parts that a host must hear (RFC 5321 section 4.5.1) or makes itself, whatever the tables say. */
const ALWAYS_LOCAL: ReadonlySet<string> = new Set(['postmaster', 'mailer-daemon', 'double-bounce']);
/** Characters with which a local part asks for another host: user%other@ours, other!user@ours, "user@other"@ours. */
const ROUTING = /[@%!]/;

/** Throws TableProblem. */
export function createRecipientClasses(
  config: RecipientConfig,
  context: TablesContext,
  directory: Directory,
  router: Pick<Router, 'resolve'> | null = null,
): RecipientClasses {
  return new TabledRecipients(config, context, directory, router);
}

class TabledRecipients implements RecipientClasses {
  readonly #directory: Directory;
  readonly #router: Pick<Router, 'resolve'> | null;
  readonly #delimiters: string;
  /** In the order in which Postfix asks. */
  readonly #domains: readonly (readonly [TabledClass, MatchList])[];
  readonly #maps: Readonly<Record<TabledClass, readonly Table[]>>;
  readonly #aliases: readonly Table[];

  constructor(config: RecipientConfig, context: TablesContext, directory: Directory, router: Pick<Router, 'resolve'> | null) {
    this.#directory = directory;
    this.#router = router;
    this.#delimiters = config.recipientDelimiters;
    const open = (specs: readonly string[]): Table[] => specs.map((spec) => context.tables.open(spec));
    const all: readonly (readonly [TabledClass, string, readonly string[], boolean])[] = [
      ['local', 'policy.localDomains', config.localDomains, false],
      ['virtualAlias', 'policy.virtualAliasDomains', config.virtualAliasDomains, false],
      ['virtualMailbox', 'policy.virtualMailboxDomains', config.virtualMailboxDomains, false],
      ['relay', 'policy.relayDomains', config.relayDomains, config.relaySubdomains],
    ];
    this.#domains = all
      .filter(([, , entries]) => entries.length > 0)
      .map(([kind, setting, entries, subdomains]) => [kind, openMatchList(context, setting, entries, subdomains)]);
    this.#aliases = open(config.virtualAliasMaps);
    this.#maps = {
      local: open(config.localRecipientMaps),
      virtualAlias: [],
      virtualMailbox: open(config.virtualMailboxMaps),
      relay: open(config.relayRecipientMaps),
    };
  }

  classify(address: Address): Soon<RecipientClass> {
    // A user of the directory may well have such a character in his name.
    if (this.#directory.isLocalDomain(address.domain)) return ROUTING.test(address.local) && !this.#isInDirectory(address) ? 'routed' : 'virtualMailbox';
    const found = this.#tabledClass(address.domain, 0);
    if (!ROUTING.test(address.local)) return found;
    return after(found, (kind) => (kind === 'foreign' ? kind : 'routed'));
  }

  isListed(address: Address): Soon<boolean> {
    if (this.#directory.isLocalDomain(address.domain)) {
      if (this.#isInDirectory(address)) return true;
      return after(this.#isAlias(address, false), (alias) => (alias ? true : this.#isRouted(address)));
    }
    return after(this.#tabledClass(address.domain, 0), (kind): Soon<boolean> => {
      if (kind === 'foreign') return true;
      return after(this.#isAlias(address, kind === 'local'), (alias) => (alias ? true : this.#isInMaps(address, kind)));
    });
  }

  #tabledClass(domain: string, start: number): Soon<TabledClass | 'foreign'> {
    for (let at = start; at < this.#domains.length; at += 1) {
      const [kind, list] = this.#domains[at]!;
      const matches = list.domain(domain);
      if (matches instanceof Promise) return matches.then((late) => (late ? kind : this.#tabledClass(domain, at + 1)));
      if (matches) return kind;
    }
    return 'foreign';
  }

  /** Disabled users and aliases in a circle are there, too: the session says what is the matter with them. */
  #isInDirectory(address: Address): boolean {
    const { kind } = this.#directory.resolve(address);
    return kind !== 'unknown' && kind !== 'foreign';
  }

  /** Asked last: it may have to expand a list. What it refuses is "there" too, since it has the better reply. */
  #isRouted(address: Address): Soon<boolean> {
    if (this.#router === null) return false;
    return after(this.#router.resolve(address, null), ({ kind }) => kind !== 'unknown' && kind !== 'foreign');
  }

  #isAlias(address: Address, isLocal: boolean): Soon<boolean> {
    return this.#aliases.length === 0 ? false : this.#isIn(this.#aliases, address, isLocal);
  }

  #isInMaps(address: Address, kind: TabledClass): Soon<boolean> {
    if (kind === 'virtualAlias') return false;
    const maps = this.#maps[kind];
    // Without a table of recipients every address of the domain is taken.
    if (maps.length === 0 || (kind === 'local' && ALWAYS_LOCAL.has(address.local.toLowerCase()))) return true;
    return this.#isIn(maps, address, kind === 'local');
  }

  #isIn(maps: readonly Table[], address: Address, isLocal: boolean): Soon<boolean> {
    return after(
      firstValue(
        maps,
        rewriteKeys({ local: address.local.toLowerCase(), domain: address.domain }, { delimiters: this.#delimiters, isOwnDomain: () => isLocal }),
      ),
      (value) => value !== null,
    );
  }
}
