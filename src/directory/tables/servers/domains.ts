/** The `domain` parameter: which domains a table is asked about at all. Names, files of names and other tables, "!" before what is left out. */
import { dirname, isAbsolute, join } from 'node:path';
import type { Table } from '../../../ports.ts';
import { TableProblem } from '../errors.ts';
import type { TableContext } from '../types.ts';
import { readSmall, type TableParameters } from './parameters.ts';

/** Whether keys of this domain (lower case) are looked up. */
export type DomainGate = (domain: string, signal?: AbortSignal) => boolean | Promise<boolean>;

type Member = { readonly isWanted: boolean } & ({ readonly name: string } | { readonly table: Table });
/** Files that name files. */
const DEPTH_MAX = 5;

/** Null when the parameter is not there. Throws TableProblem for a file that cannot be read or a table that cannot be opened. */
export function domainGate(parameters: TableParameters, context: TableContext): DomainGate | null {
  const words = parameters.words('domain', '');
  if (words.length === 0) return null;
  const members = membersOf(words, parameters, context, 0);
  if (members.every((member) => 'name' in member && member.isWanted)) {
    const names = new Set(members.map((member) => ('name' in member ? member.name : '')));
    return (domain) => names.has(domain);
  }
  return (domain, signal) => decide(members, 0, domain, signal);
}

/** The first member that matches decides, as in all of Postfix's lists. */
function decide(members: readonly Member[], from: number, domain: string, signal: AbortSignal | undefined): boolean | Promise<boolean> {
  for (let at = from; at < members.length; at += 1) {
    const member = members[at]!;
    if ('name' in member) {
      if (member.name === domain) return member.isWanted;
      continue;
    }
    const found = member.table.find(domain, signal);
    if (found instanceof Promise) return found.then((value) => (value !== null ? member.isWanted : decide(members, at + 1, domain, signal)));
    if (found !== null) return member.isWanted;
  }
  return false;
}

function membersOf(words: readonly string[], parameters: TableParameters, context: TableContext, depth: number): Member[] {
  if (depth > DEPTH_MAX) throw parameters.problem('domain', 'files that name files go too deep');
  return words.flatMap((word): Member[] => {
    let rest = word;
    let isWanted = true;
    while (rest.startsWith('!')) {
      rest = rest.slice(1);
      isWanted = !isWanted;
    }
    if (rest === '') throw parameters.problem('domain', '"!" stands alone');
    if (/^[a-z]+:/.test(rest)) return [{ isWanted, table: openNested(rest, parameters, context) }];
    if (!rest.includes('/')) return [{ isWanted, name: rest.toLowerCase() }];
    const file = isAbsolute(rest) ? rest : join(dirname(parameters.file), rest);
    const lines = readSmall(file)
      .text.split('\n')
      .filter((line) => !line.trimStart().startsWith('#'));
    const inner = membersOf(
      lines.flatMap((line) => line.split(/[\s,]+/)).filter((name) => name !== ''),
      parameters,
      context,
      depth + 1,
    );
    return isWanted ? inner : inner.map((member) => ({ ...member, isWanted: !member.isWanted }));
  });
}

function openNested(spec: string, parameters: TableParameters, context: TableContext): Table {
  try {
    return context.open(spec);
  } catch (cause) {
    if (!(cause instanceof TableProblem)) throw cause;
    throw parameters.problem('domain', cause.message);
  }
}
