/**
 * npm run fuzz -- [--minutes 5] [--runs 5000] [--seed N] [FILE…]
 *
 * Runs the property tests of all parsers again and again with a larger budget and a new seed each round,
 * until the time is over or a property fails; the failing round's seed repeats it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { minutes: { type: 'string', default: '5' }, runs: { type: 'string', default: '5000' }, seed: { type: 'string' } },
});
const files =
  positionals.length > 0
    ? positionals
    : globSync('src/**/*.test.ts', { cwd: ROOT }).filter((file) => readFileSync(join(ROOT, file), 'utf8').includes("'fast-check'"));
const end = Date.now() + Number(values.minutes) * 60_000;
let seed = values.seed === undefined ? Date.now() % 1_000_000_000 : Number(values.seed);
console.log(`${files.length} files with properties, ${values.runs} runs of each in a round`);
for (let round = 1; ; round += 1) {
  const code = await oneRound(seed);
  console.log(`round ${round}, seed ${seed}: ${code === 0 ? 'all properties hold' : 'FAILED'}`);
  if (code !== 0) process.exit(1);
  if (Date.now() > end || values.seed !== undefined) break;
  seed += 1;
}

async function oneRound(seedOfRound: number): Promise<number | null> {
  const args = [
    '--enable-experimental-regexp-engine-on-excessive-backtracks',
    '--import',
    join(ROOT, 'test/harness/fuzz-budget.ts'),
    '--test',
    '--test-reporter=dot',
    ...files,
  ];
  const child = spawn(process.execPath, args, { cwd: ROOT, stdio: 'inherit', env: { ...process.env, FUZZ_RUNS: values.runs, FUZZ_SEED: String(seedOfRound) } });
  const [code] = (await once(child, 'close')) as [number | null];
  return code;
}
