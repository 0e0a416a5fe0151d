import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Account } from '../../ports.ts';
import { canonicalIdentifier, type SharingSettings } from './identifier.ts';

const LOGINS = ['anna@example.org', 'bert@example.org', 'dora@example.net', 'team@example.net', 'jürg@example.org'];
const account = (login: string): Account => ({ id: LOGINS.indexOf(login), login, isDisabled: false, quotaBytes: 0, quotaMessages: 0 });
const directory = {
  accountByLogin: (given: string): Account | null => {
    const login = given.toLowerCase();
    // An alias, and a login whose domain is left out.
    if (login === 'info@example.org') return account('bert@example.org');
    if (login === 'bert') return account('bert@example.org');
    return LOGINS.includes(login) ? account(login) : null;
  },
};
const settings = (sharing: string): SharingSettings => ({ 'imap.sharing': sharing, 'imap.sharedAccounts': ['team@example.net'] });

const CASES: readonly (readonly [owner: string, identifier: string, sharing: string, text: string | null, isKnown: boolean])[] = [
  ['anna@example.org', 'bert@example.org', 'domain', 'bert@example.org', true],
  ['anna@example.org', 'Bert@Example.ORG', 'domain', 'bert@example.org', true],
  ['anna@example.org', 'bert', 'domain', 'bert@example.org', true],
  ['anna@example.org', '-bert@example.org', 'domain', '-bert@example.org', true],
  ['anna@example.org', 'JÜRG@example.org', 'domain', 'jürg@example.org', true],
  ['anna@example.org', 'bert\u00ad@example.org', 'domain', 'bert@example.org', true],
  ['anna@example.org', 'info@example.org', 'domain', 'info@example.org', false],
  ['anna@example.org', 'nobody@example.org', 'all', 'nobody@example.org', false],
  ['anna@example.org', 'dora@example.net', 'domain', 'dora@example.net', false],
  ['anna@example.org', 'dora@example.net', 'all', 'dora@example.net', true],
  ['team@example.net', 'anna@example.org', 'domain', 'anna@example.org', true],
  ['team@example.net', 'anna@example.org', 'none', 'anna@example.org', false],
  ['anna@example.org', 'bert@example.org', 'none', 'bert@example.org', false],
  ['anna@example.org', 'anna@example.org', 'none', 'anna@example.org', true],
  ['anna@example.org', 'anyone', 'domain', 'anyone', true],
  ['anna@example.org', '-authenticated', 'domain', '-authenticated', true],
  ['anna@example.org', 'anyone', 'none', 'anyone', false],
  ['anna@example.org', '', 'all', null, false],
  ['anna@example.org', '-', 'all', null, false],
  ['anna@example.org', 'a\u0007b', 'all', null, false],
];

for (const [owner, identifier, sharing, text, isKnown] of CASES) {
  test(`${owner} and ${JSON.stringify(identifier)}, sharing ${sharing}: ${text} ${isKnown ? 'can' : 'cannot'} be given rights`, () => {
    assert.deepEqual(canonicalIdentifier(directory, settings(sharing), owner, identifier), { text, isKnown });
  });
}
