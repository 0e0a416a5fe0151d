/** 'domain.add', 'domain.list', 'domain.remove', 'domain.catchall'. */
import type { AdminHandlers } from '../../ports.ts';
import { addressInput, domainInput, refuse } from './input.ts';

export interface DomainRow {
  readonly name: string;
  readonly users: number;
  readonly aliases: number;
  readonly catchAll: string | null;
  readonly isDisabled: boolean;
  readonly createdAt: number;
}

const LIST = `SELECT name,
  (SELECT count(*) FROM account WHERE substr(login, -length(name) - 1) = '@' || name),
  (SELECT count(DISTINCT address) FROM alias WHERE substr(address, -length(name) - 1) = '@' || name),
  catch_all, is_disabled, created_at FROM domain ORDER BY name`;

export const domainAdmin: AdminHandlers = {
  /** {domain} */
  'domain.add': async (context, args) => {
    const name = domainInput(args.domain);
    await context.writer.run('domain.add', { name });
    return { domain: name };
  },

  'domain.list': async (context): Promise<DomainRow[]> =>
    context.reader.rows(LIST).map(([name, users, aliases, catchAll, isDisabled, createdAt]) => ({
      name: name as string,
      users: users as number,
      aliases: aliases as number,
      catchAll: catchAll as string | null,
      isDisabled: isDisabled === 1,
      createdAt: createdAt as number,
    })),

  /** {domain}: only one without users. Answers how many aliases went with it. */
  'domain.remove': async (context, args) => {
    const name = domainInput(args.domain);
    return { domain: name, ...(await context.writer.run<{ aliases: number }>('domain.remove', { name })) };
  },

  /** {domain, target}: target null or "" ends the catch-all. */
  'domain.catchall': async (context, args) => {
    const name = domainInput(args.domain);
    const target = args.target === null || args.target === undefined || args.target === '' ? null : addressInput(args.target, 'target');
    if (target !== null) {
      const [local, domain] = [target.slice(0, target.lastIndexOf('@')), target.slice(target.lastIndexOf('@') + 1)];
      if (context.directory.resolve({ local, domain }).kind === 'unknown') return refuse(`${target} does not exist here; add it first.`);
    }
    await context.writer.run('domain.catchall', { name, target });
    return { domain: name, target };
  },
};
