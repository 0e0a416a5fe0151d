/** Debian's maildrop in its manual mode, and what it left in its folder. */
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Outcome } from './driver.ts';

/** `dir` is where it runs; the filter file and the message are put beside it. */
export function runOriginal(script: string, message: Buffer, dir: string): Outcome & { readonly stderr: string } {
  const filter = `${dir}.filter`;
  writeFileSync(filter, script, { mode: 0o600 });
  const { status, signal, stdout, stderr } = spawnSync('maildrop', [filter], { cwd: dir, input: message, timeout: 20_000 });
  if (status === null) throw new Error(`maildrop ended with ${signal ?? 'nothing'}: ${stderr.toString('latin1')}`);
  return { exitCode: status, stdout: stdout.toString('utf8'), stderr: stderr.toString('latin1') };
}

/** All files below `dir` by name, without what depends on the moment: dates, names of maildir files, process numbers. */
export function left(dir: string): Record<string, string> {
  const out: Record<string, string> = {};
  const walk = (path: string): void => {
    for (const name of readdirSync(join(dir, path)).sort()) {
      const below = join(path, name);
      if (statSync(join(dir, below)).isDirectory()) {
        walk(below);
        continue;
      }
      const text = readFileSync(join(dir, below), 'latin1')
        .replace(/^(From \S*) .*$/gm, (line, from: string) => (/\d\d:\d\d:\d\d \d{4}$/.test(line) ? `${from} DATE` : line))
        .replace(/^Date: \w{3} \w{3} .*$/gm, 'Date: DATE');
      const flags = /:2,\w*$/.exec(name)?.[0] ?? '';
      const key = /[/](?:new|cur)$/.test(path) ? `${path}/MESSAGE${flags}` : below;
      out[key] = (out[key] ?? '') + text;
    }
  };
  walk('.');
  return out;
}
