import assert from 'node:assert/strict';
import { chmodSync, chownSync, lstatSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { codeFolder } from './code-cache.ts';

const isRoot = process.getuid?.() === 0;
const top = mkdtempSync(join(tmpdir(), 'posthorn-code-'));
after(() => rmSync(top, { recursive: true, force: true }));

test('the folder of compiled code is made for root alone', { skip: !isRoot }, () => {
  const path = join(top, 'made');
  assert.equal(codeFolder(path), path);
  assert.equal(lstatSync(path).mode & 0o777, 0o700);
  assert.equal(codeFolder(path), path);
});

test('code that others could have written is not loaded', { skip: !isRoot }, () => {
  const open = join(top, 'open');
  mkdirSync(open);
  chmodSync(open, 0o755);
  assert.equal(codeFolder(open), null);
  const foreign = join(top, 'foreign');
  mkdirSync(foreign, { mode: 0o700 });
  chownSync(foreign, 5, 60);
  assert.equal(codeFolder(foreign), null);
  const link = join(top, 'link');
  symlinkSync(join(top, 'made'), link);
  assert.equal(codeFolder(link), null);
  const shared = join(top, 'shared');
  mkdirSync(shared);
  chmodSync(shared, 0o1777);
  assert.equal(codeFolder(join(shared, 'code')), null);
  assert.equal(codeFolder(join(top, 'nowhere', 'code')), null);
});
