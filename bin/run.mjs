// Tasks of a developer, each with the pinned runtime: check, unit, format, bench, torture, stress, fuzz, build, docs. Arguments go on to the task.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { findRuntime, install, LaunchError, ROOT, RUNTIME_FLAGS, runtimeEnvironment } from './lib.mjs';

const TASKS = {
  check: () => biome('check') && tsc() && node('--test', '--test-reporter=dot', 'src/cli/docs.test.ts'),
  unit: (args) => node('--test', '--test-concurrency=2', ...(args.length > 0 ? args : ['src/**/*.test.ts', 'bin/**/*.test.mjs'])),
  format: () => biome('check', '--write'),
  bench: (args) => node('bench/main.ts', ...args),
  stress: (args) => node('test/stress.ts', ...args),
  torture: (args) => node('test/torture.ts', ...args),
  fuzz: (args) => node('test/fuzz.ts', ...args),
  build: () => tsc('tsconfig.build.json'),
  docs: () => node('src/main.ts', 'config', 'docs', '--write'),
};

const [name, ...args] = process.argv.slice(2);
let isGood = false;
try {
  if (!Object.hasOwn(TASKS, name ?? '')) throw new LaunchError(`say which task: ${Object.keys(TASKS).join(', ')}`);
  install(ROOT, 'all');
  isGood = TASKS[name](args);
} catch (error) {
  if (!(error instanceof LaunchError)) throw error;
  process.stderr.write(`${error.message}\n`);
}
process.exit(isGood ? 0 : 1);

function node(...words) {
  const script = words.find((word) => word.endsWith('.ts') && !word.includes('*'));
  if (script !== undefined && !existsSync(join(ROOT, script))) throw new LaunchError(`${script} is not there.`);
  return run(findRuntime(ROOT), [...RUNTIME_FLAGS, ...words]);
}
function biome(...words) {
  return run(process.execPath, [createRequire(join(ROOT, 'package.json')).resolve('@biomejs/biome/bin/biome'), ...words]);
}
function tsc(project = '.') {
  return run(join(ROOT, 'node_modules', '.bin', 'tsc'), ['-p', project]);
}
function run(command, words) {
  const done = spawnSync(command, words, { cwd: ROOT, stdio: 'inherit', env: runtimeEnvironment(ROOT) });
  if (done.error) throw new LaunchError(`${command} could not be started: ${done.error.message}`);
  return done.status === 0;
}
