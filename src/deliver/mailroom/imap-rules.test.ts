import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { MailboxRow } from '../../ports.ts';
import { type ImapRule, imapRule } from './imap-rules.ts';

const row = (name: string, role: MailboxRow['role'] = null): MailboxRow => ({ id: 1, name, role }) as MailboxRow;
const rule = (text: string): ImapRule => {
  const made = imapRule(text);
  assert.notEqual(typeof made, 'string', String(made));
  return made as ImapRule;
};

test('a mailbox by name, by pattern and by special use', () => {
  assert.ok(rule('Junk COPY learn').matches(row('Junk')));
  assert.ok(!rule('Junk COPY learn').matches(row('junk')));
  assert.ok(rule('inbox APPEND x').matches(row('INBOX')));
  assert.ok(rule('"Sent Items" APPEND x').matches(row('Sent Items')));
  assert.ok(rule('\\junk COPY x').matches(row('Spam', 'junk')));
  assert.ok(!rule('\\Junk COPY x').matches(row('Junk')));
  const pattern = rule('Lists/*/old* FLAG x');
  for (const name of ['Lists/a/old', 'Lists/a/b/older', 'Lists//old']) assert.ok(pattern.matches(row(name)), name);
  for (const name of ['Lists/old', 'lists/a/old', 'Lists/a/new']) assert.ok(!pattern.matches(row(name)), name);
  assert.ok(!rule('ab*ba FLAG x').matches(row('aba')));
});

test('causes, and where messages come from', () => {
  const made = rule('* copy,FLAG learn-ham');
  assert.deepEqual([...made.causes], ['COPY', 'FLAG']);
  assert.equal(made.comesFrom, null);
  assert.equal(made.script, 'learn-ham');
  const from = rule('* COPY learn-ham from \\Junk');
  assert.ok(from.comesFrom!(row('x', 'junk')));
  assert.ok(!from.comesFrom!(row('x')));
});

test('what is no rule says why', () => {
  for (const text of [
    '',
    'Junk COPY',
    'Junk MOVE x',
    'Junk COPY x of y',
    '\\Jink COPY x',
    '* COPY x from \\Nothing',
    '* APPEND x from Junk',
    '"Junk COPY x',
    '"" COPY x',
    `${'x'.repeat(3000)} COPY x`,
  ])
    assert.equal(typeof imapRule(text), 'string', text);
});
