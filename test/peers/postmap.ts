/** Postfix's own answer for a key of a table: `postmap -q`. */
import { writeFileSync } from 'node:fs';
import { need, run } from '../harness/run.ts';
import { type Owner, tempDir } from '../harness/temp.ts';
import { join } from 'node:path';

/** 'error': the table could not answer. */
export type Answer = { readonly kind: 'found'; readonly value: string } | { readonly kind: 'none' } | { readonly kind: 'error'; readonly text: string };

/** Makes a configuration for postmap alone and answers the function that asks. */
export function postmap(owner: Owner, main = ''): (spec: string, key: string) => Promise<Answer> {
  need('postmap');
  const dir = tempDir(owner, 'postmap');
  writeFileSync(join(dir, 'main.cf'), `compatibility_level = 3.6\nmaillog_file = /dev/stderr\nmaillog_file_prefixes = /dev\n${main}`);
  return async (spec, key) => {
    const result = await run('postmap', ['-c', dir, '-q', key, spec], { timeoutMs: 20_000 });
    if (result.code === 0) return { kind: 'found', value: result.stdout.replace(/\n$/, '') };
    return /fatal|error|panic/.test(result.stderr) || result.code !== 1 ? { kind: 'error', text: result.stderr } : { kind: 'none' };
  };
}
