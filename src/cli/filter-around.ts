/** What runs before and after a user's own script: Sieve scripts of the domain and the server, rc files of the machine. */
import { readFileSync } from 'node:fs';
import type { FilterLanguage } from '../deliver/filters/filter.ts';
import type { OwnedScriptRow } from '../deliver/scripts/admin.ts';
import type { Admin } from '../ports.ts';
import { type Around, NOTHING_AROUND, type SharedScript } from './filter-languages.ts';

/** As the user agent has them. */
const MACHINE_FILES: Partial<Readonly<Record<FilterLanguage, string>>> = { procmail: '/etc/procmailrc', maildrop: '/etc/maildroprc' };

/** The rc file of the machine, where the language has one and it is not the very file that is tried. */
export function machineScripts(language: FilterLanguage, script: string): Around {
  const file = MACHINE_FILES[language];
  if (file === undefined || file === script) return NOTHING_AROUND;
  try {
    return { before: [{ file, text: readFileSync(file) }], after: [] };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return NOTHING_AROUND;
    throw error;
  }
}

/** Those of `address`'s domain and of the server, in the order in which they run. Rejects with a sentence when the domain is not one of ours. */
export async function storedScripts(admin: Admin, address: string): Promise<Around> {
  const domain = address.slice(address.lastIndexOf('@') + 1);
  const [global, own] = [await shared(admin, 'global'), await shared(admin, domain)];
  const at = (scripts: typeof own, place: string): readonly SharedScript[] => scripts.filter((script) => script.place === place);
  return { before: [...at(global, 'before'), ...at(own, 'before')], after: [...at(own, 'after'), ...at(global, 'after')] };
}

async function shared(admin: Admin, owner: string): Promise<readonly (SharedScript & { readonly place: string })[]> {
  const rows: readonly OwnedScriptRow[] = await admin.call('sieve.list', { owner });
  const found: (SharedScript & { place: string })[] = [];
  for (const { name, place } of rows) {
    if (place !== 'before' && place !== 'after') continue;
    const { text } = await admin.call('sieve.get', { owner, name });
    found.push({ file: `sieve:${owner}/${name}`, text: Buffer.from(text), place });
  }
  return found;
}

/** The text of a script that `include` names, or null: the user's own, or one of the domain's or the server's that is there to be included. */
export async function includedScript(admin: Admin, address: string, location: 'personal' | 'global', name: string): Promise<string | null> {
  const domain = address.slice(address.lastIndexOf('@') + 1);
  for (const owner of location === 'personal' ? [address] : [domain, 'global']) {
    const rows: readonly OwnedScriptRow[] = await admin.call('sieve.list', { owner });
    if (!rows.some((row) => row.name === name && (location === 'personal' || row.place === 'include'))) continue;
    return (await admin.call('sieve.get', { owner, name })).text;
  }
  return null;
}
