import assert from 'node:assert/strict';
import { test } from 'node:test';
import { likeness } from './search-fuzzy.ts';

test('all words must be there, in any order; the more alike, the higher', () => {
  const like = likeness('imap break');
  assert.equal(like('break, IMAP!'), 100);
  assert.equal(like('IMAP'), 0);
  assert.equal(like(''), 0);
  assert.ok(like('imap breaks') < 100 && like('imap breaks') > like('impa braek'));
  assert.ok(like('impa braek') > 0);
  assert.equal(likeness('  ...  ')('anything'), 0);
});

test('words of every script, whatever their case and accents', () => {
  assert.equal(likeness('r\u00e9sum\u00e9')('RE\u0301SUME\u0301'), 100);
  assert.equal(likeness('\u03c3\u03af\u03c3\u03c5\u03c6\u03bf\u03c2')('\u03a3\u038a\u03a3\u03a5\u03a6\u039f\u03a3'), 100);
});
