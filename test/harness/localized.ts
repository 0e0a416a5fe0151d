/** The files of an example with the names, addresses and paths of a test put in. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { exampleConfig, mergeConfig } from './example.ts';
import { type Config, ROOT } from './posthorn.ts';

/**
 * Copies the files of examples/NAME (but posthorn.toml and the README) to `dir`, which stands for /etc/posthorn, and answers the configuration; in all of
 * them the words of `names` are replaced, longest first. `changes` go on top as in `exampleConfig`.
 */
export function localizedExample(name: string, dir: string, names: Readonly<Record<string, string>>, ...changes: readonly Config[]): Config {
  const words = Object.entries({ ...names, '/etc/posthorn': dir }).sort(([a], [b]) => b.length - a.length);
  const pattern = new RegExp(words.map(([word]) => word.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|'), 'g');
  const by = new Map(words);
  const here = (text: string): string => text.replaceAll(pattern, (word) => by.get(word)!);
  const source = join(ROOT, 'examples', name);
  for (const file of readdirSync(source))
    if (!['posthorn.toml', 'README.md'].includes(file)) writeFileSync(join(dir, file), here(readFileSync(join(source, file), 'utf8')), { mode: 0o640 });
  const config = JSON.parse(here(JSON.stringify(exampleConfig(name)))) as Config;
  return changes.reduce(mergeConfig, config);
}
