/** The configurations below examples/, as a test starts from them. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'smol-toml';
import { type Config, ROOT } from './posthorn.ts';

/** `examples/NAME/posthorn.toml`, with `changes` on top: tables are merged, other values replaced. */
export function exampleConfig(name: string, ...changes: readonly Config[]): Config {
  let result = parse(readFileSync(join(ROOT, 'examples', name, 'posthorn.toml'), 'utf8')) as Config;
  for (const change of changes) result = mergeConfig(result, change);
  return result;
}

/** `change` on top of `base`: tables are merged, other values replaced. */
export function mergeConfig(base: Config, change: Config): Config {
  const result: Record<string, Config[string]> = { ...base };
  for (const [key, value] of Object.entries(change)) {
    const old = result[key];
    result[key] = isTable(old) && isTable(value) ? { ...old, ...value } : value;
  }
  return result;
}
const isTable = (value: unknown): value is Readonly<Record<string, string>> => typeof value === 'object' && value !== null && !Array.isArray(value);
