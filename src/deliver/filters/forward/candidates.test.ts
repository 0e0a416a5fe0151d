import assert from 'node:assert/strict';
import { test } from 'node:test';
import { forwardCandidates, forwardFileProblem } from './candidates.ts';

const VALUES = {
  user: 'ann',
  home: '/home/ann',
  shell: '/bin/sh',
  recipient: 'ann@example.org',
  extension: null as string | null,
  delimiter: '+',
  domain: 'example.org',
  local: 'ann',
};

test('without an extension there is one file', () => {
  assert.deepEqual(forwardCandidates(VALUES), ['/home/ann/.forward']);
  assert.deepEqual(forwardCandidates({ ...VALUES, extension: '' }), ['/home/ann/.forward']);
});

test('with an extension its own file comes first, in lower case and with the delimiter that was used', () => {
  assert.deepEqual(forwardCandidates({ ...VALUES, extension: 'Lists' }), ['/home/ann/.forward+lists', '/home/ann/.forward']);
  assert.deepEqual(forwardCandidates({ ...VALUES, extension: 'a.b', delimiter: '-' }), ['/home/ann/.forward-a.b', '/home/ann/.forward']);
});

test('an extension that is no name of a file has no file', () => {
  for (const extension of ['../../etc/x', 'a/b', 'a b', 'x\0', '..', 'x'.repeat(300), 'a\nb', '$(id)'])
    assert.deepEqual(forwardCandidates({ ...VALUES, extension }), ['/home/ann/.forward'], JSON.stringify(extension));
});

test('the administrator may say where to look, with conditions', () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Postfix's notation
  const path = '/forward/${domain}/$user${extension?{+$extension}:{/plain}}, $home/.f${extension:none}';
  assert.deepEqual(forwardCandidates(VALUES, path), ['/forward/example.org/ann/plain', '/home/ann/.fnone']);
  assert.deepEqual(forwardCandidates({ ...VALUES, extension: 'x' }, path), ['/forward/example.org/ann+x', '/home/ann/.f']);
  assert.deepEqual(forwardCandidates({ ...VALUES, local: 'a/../b' }, '/f/$local $unknown'), ['/f/a_.._b']);
});

test('files of others, files that everybody may write to and things that are no files are not followed', () => {
  const good = { isRegular: true, mode: 0o100644, uid: 1000 };
  assert.equal(forwardFileProblem(good, 1000), null);
  assert.equal(forwardFileProblem({ ...good, uid: 0 }, 1000), null);
  assert.equal(forwardFileProblem({ ...good, mode: 0o100664 }, 1000), null);
  for (const bad of [
    { ...good, uid: 1001 },
    { ...good, mode: 0o100646 },
    { ...good, isRegular: false },
  ])
    assert.notEqual(forwardFileProblem(bad, 1000), null);
});
