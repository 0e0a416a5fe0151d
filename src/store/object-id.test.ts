import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { AccountId, MailboxRow } from '../ports.ts';
import { emailObjectId, emailOfObjectId, mailboxObjectId, mailboxOfObjectId, threadObjectId, threadOfObjectId } from './object-id.ts';

const row = (id: number, uidValidity: number, name: string): MailboxRow => ({ id, uidValidity, name }) as MailboxRow;
const reader = { mailboxes: () => [row(1, 1700000000, 'INBOX'), row(2, 1700000001, 'Lists')] };
const ACCOUNT = 7 as AccountId;

test('an object id finds its mailbox, whatever it is called now', () => {
  assert.equal(mailboxOfObjectId(reader, ACCOUNT, mailboxObjectId({ id: 2, uidValidity: 1700000001 }))?.name, 'Lists');
});

test('the id of a mailbox that was deleted finds none, though its number is in use again', () => {
  assert.equal(mailboxOfObjectId(reader, ACCOUNT, mailboxObjectId({ id: 2, uidValidity: 1600000000 })), null);
  assert.equal(mailboxOfObjectId(reader, ACCOUNT, '2'), null);
});

test('an object id follows its grammar (RFC 8474 section 7)', () => {
  assert.match(mailboxObjectId({ id: 2, uidValidity: 1700000001 }), /^[A-Za-z0-9_-]{1,255}$/);
});

test('emails and threads are found by their object ids, and by nothing else', () => {
  assert.equal(emailOfObjectId(emailObjectId(12)), 12);
  assert.equal(threadOfObjectId(threadObjectId(7)), 7);
  for (const not of ['', 'E', 'E0', 'E012', 'e12', 'T12', '12', 'E1e3', `E${'9'.repeat(40)}`]) assert.equal(emailOfObjectId(not), -1, not);
});
