import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadSecret } from './secret.ts';

test('the secret is made once, readable by nobody else, and stays', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-secret-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const secret = loadSecret(dir);
  assert.equal(secret.length, 32);
  assert.deepEqual(loadSecret(dir), secret);
  assert.deepEqual(readdirSync(dir), ['directory.key']);
  assert.equal(statSync(join(dir, 'directory.key')).mode & 0o777, 0o600);
  writeFileSync(join(dir, 'directory.key'), 'short');
  assert.throws(() => loadSecret(dir), /is damaged/);
});
