import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { EXTENSION_NAMES } from './extension-names.ts';
import { EXTENSIONS } from './extensions.ts';

test('the list of names is that of the registry', () => {
  assert.deepEqual(
    EXTENSION_NAMES,
    EXTENSIONS.map(({ name }) => name).filter((name) => name !== ''),
  );
});

test('reading the settings loads none of the engine', () => {
  // What a module loads is known only in a process that has loaded nothing else.
  const program = `
    import { registerHooks } from 'node:module';
    const seen = [];
    registerHooks({ load(url, context, next) { seen.push(url); return next(url, context); } });
    await import(${JSON.stringify(new URL('./settings.ts', import.meta.url).href)});
    console.log(JSON.stringify(seen));`;
  const output = execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', program], { encoding: 'utf8' });
  const names = (JSON.parse(output) as string[]).filter((url) => url.includes('/filters/sieve/')).map((url) => url.slice(url.lastIndexOf('/') + 1));
  assert.deepEqual(names.sort(), ['extension-names.ts', 'field-name.ts', 'limits.ts', 'settings.ts']);
});
