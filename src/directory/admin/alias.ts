/** 'alias.add', 'alias.list', 'alias.remove'. */
import type { AdminContext, AdminHandlers } from '../../ports.ts';
import { canonicalTarget } from '../address.ts';
import { addressInput, refuse } from './input.ts';

export interface AliasRow {
  readonly address: string;
  readonly targets: string[];
  /** An alias that has an account's own address: it forwards that account's mail. */
  readonly isForwarding: boolean;
}

function targetsInput(context: AdminContext, value: unknown): string[] {
  const list = typeof value === 'string' ? [value] : Array.isArray(value) ? (value as unknown[]) : [];
  if (list.length === 0) return refuse('Please give at least one address the alias leads to.');
  if (list.length > 1000) return refuse('An alias may be given at most 1000 addresses at a time.');
  return list.map((entry) => {
    const target = typeof entry === 'string' ? canonicalTarget(entry, (domain) => context.directory.isLocalDomain(domain)) : null;
    return target ?? refuse(`"${String(entry)}" is not an address; it should look like anna@example.org.`);
  });
}

export const aliasAdmin: AdminHandlers = {
  /** {address, targets: string | string[]} */
  'alias.add': async (context, args) => {
    const address = addressInput(args.address, 'alias');
    const targets = targetsInput(context, args.targets);
    for (const target of targets) {
      const at = target.lastIndexOf('@');
      const resolution = context.directory.resolve({ local: target.slice(0, at), domain: target.slice(at + 1) });
      if (resolution.kind === 'unknown') return refuse(`${target} does not exist here; add it first.`);
    }
    const { added } = await context.writer.run<{ added: number }>('alias.add', { address, targets });
    return { address, targets, added };
  },

  /** {address?, domain?}: all, or those of one address, or of one domain. */
  'alias.list': async (context, args): Promise<AliasRow[]> => {
    const only = args?.address === undefined ? null : addressInput(args.address, 'alias');
    const ending = typeof args?.domain === 'string' && args.domain !== '' ? '@' + args.domain.toLowerCase() : '';
    const found = new Map<string, AliasRow>();
    const rows =
      only === null
        ? context.reader.rows(
            "SELECT address, target, EXISTS (SELECT 1 FROM account WHERE login=address) FROM alias WHERE ?1='' OR substr(address, -length(?1))=?1 ORDER BY address, target",
            ending,
          )
        : context.reader.rows('SELECT address, target, EXISTS (SELECT 1 FROM account WHERE login=address) FROM alias WHERE address=? ORDER BY target', only);
    for (const [address, target, isForwarding] of rows as [string, string, number][]) {
      const row = found.get(address);
      if (row === undefined) found.set(address, { address, targets: [target], isForwarding: isForwarding === 1 });
      else row.targets.push(target);
    }
    return [...found.values()];
  },

  /** {address, targets?}: without targets the whole alias. */
  'alias.remove': async (context, args) => {
    const address = addressInput(args.address, 'alias');
    const targets = args.targets === undefined || args.targets === null || args.targets.length === 0 ? null : targetsInput(context, args.targets);
    return { address, ...(await context.writer.run<{ removed: number }>('alias.remove', { address, targets })) };
  },
};
