/** The address classes of ADDRESS_CLASS_README, by domain: the same options as the judge's. */
import type { MatchList } from '../directory/tables/match-list.ts';
import type { Directory } from '../ports.ts';
import type { Soon } from './soon.ts';

/** 'own': a domain of the directory. */
export type AddressClass = 'own' | 'local' | 'virtualAlias' | 'virtualMailbox' | 'relay' | 'default';
type TabledClass = Exclude<AddressClass, 'own' | 'default'>;

export interface AddressClasses {
  /** Only the directory and the rest of the world. */
  readonly isPlain: boolean;
  of(domain: string): Soon<AddressClass>;
  isLocal(domain: string): Soon<boolean>;
}

/** `lists` in the order in which Postfix asks: local, virtual alias, virtual mailbox, relay. */
export function createClasses(lists: readonly (readonly [TabledClass, MatchList])[], directory: Directory): AddressClasses {
  const used = lists.filter(([, list]) => !list.isEmpty);
  const local = used.find(([kind]) => kind === 'local')?.[1];
  const tabled = (domain: string, start: number): Soon<AddressClass> => {
    for (let i = start; i < used.length; i += 1) {
      const [kind, list] = used[i]!;
      const holds = list.domain(domain);
      if (holds instanceof Promise) return holds.then((late) => (late ? kind : tabled(domain, i + 1)));
      if (holds) return kind;
    }
    return 'default';
  };
  return {
    isPlain: used.length === 0,
    of: (domain) => (directory.isLocalDomain(domain) ? 'own' : used.length === 0 ? 'default' : tabled(domain, 0)),
    isLocal: (domain) => (local === undefined ? false : local.domain(domain)),
  };
}
