import assert from 'node:assert/strict';
import { test } from 'node:test';
import { defaultsOf } from '../../system/declare.ts';
import { SIEVE_SETTINGS } from '../filters/sieve/settings.ts';
import { LOCAL_SETTINGS, localConfiguration } from './settings.ts';

const settings = { ...defaultsOf(LOCAL_SETTINGS), ...defaultsOf(SIEVE_SETTINGS) };
const machine = { hostname: 'mx.example.org', domain: 'example.org', recipientDelimiter: '+' };

test('the options of a delivery are made once, and anew when something is different', () => {
  const first = localConfiguration(settings, machine);
  assert.equal(localConfiguration(settings, { ...machine }), first);
  const other = localConfiguration(settings, { ...machine, recipientDelimiter: '-' });
  assert.equal(other.recipientDelimiter, '-');
  const after = localConfiguration({ ...settings, 'local.mailbox': 'Maildir/' }, machine);
  assert.equal(after.mailbox, 'Maildir/');
  assert.equal(first.mailbox, 'store');
});
