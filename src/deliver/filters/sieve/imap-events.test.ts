import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MESSAGE, runScripts } from './testing.ts';

const cause = { kind: 'imap', cause: 'APPEND', mailbox: 'Work', flags: [], changedFlags: [], email: 'ken@example.net' } as const;
const lines = (script: string, world = {}): readonly string[] => runScripts([script], MESSAGE, world).lines;
const endOf = (script: string, world = {}): string => runScripts([script], MESSAGE, world).end.kind;

test('RFC 6785 section 3.3: keep and fileinto "INBOX" are two things at an IMAP event, and one in a delivery', () => {
  const script = 'require ["fileinto", "copy"]; fileinto :copy "INBOX"; keep;';
  assert.equal(lines(script, { cause }).length, 2);
  assert.equal(lines(script).length, 1);
});

test('RFC 6785 section 3.11: what is for deliveries only ends the script, used or not', () => {
  for (const name of ['reject', 'ereject', 'vacation']) {
    const script = `require ["${name}", "fileinto"]; fileinto "x";`;
    assert.equal(endOf(script, { cause }), 'failed', name);
    assert.equal(endOf(script), 'done', name);
  }
});

test('RFC 6785 section 4.6: envelope ends the script', () => {
  const script = 'require "envelope"; if envelope "from" "x" { discard; }';
  assert.equal(endOf(script, { cause }), 'failed');
  assert.equal(endOf(script), 'done');
});

test('RFC 6785 section 4.2: in a delivery nobody is the user', () => {
  const script =
    'require ["environment", "imapsieve"]; if allof (environment "imap.user" "", environment "imap.email" "", environment "imap.changedflags" "") { discard; }';
  assert.deepEqual(lines(script), ['discard']);
  assert.deepEqual(lines(script, { cause }), ['implicit keep']);
});
