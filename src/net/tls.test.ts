import assert from 'node:assert/strict';
import { test } from 'node:test';
import { holderNames } from './tls.ts';

for (const [alternative, subject, names] of [
  ['email:anna@example.org', { CN: 'Anna' }, ['anna@example.org']],
  ['DNS:host.example.org, email:anna@example.org, email:a@example.net', {}, ['anna@example.org', 'a@example.net']],
  ['DNS:host.example.org', { CN: 'Anna', emailAddress: 'anna@example.org' }, ['anna@example.org']],
  [undefined, { CN: 'anna@example.org' }, ['anna@example.org']],
  [undefined, { CN: ['anna', 'bert'] }, ['anna', 'bert']],
  [undefined, {}, []],
  ['', undefined, []],
  // As in CVE-2021-44532: what is inside one entry must not look like another.
  ['DNS:"x, email:root@example.org", email:anna@example.org', {}, ['anna@example.org']],
  ['URI:"http://x/, email:root@example.org"', { CN: 'Anna' }, ['Anna']],
  ['email:"a\\"b@example.org", DNS:x', { CN: 'Anna' }, ['Anna']],
  ['URI:http://email:root@example.org/', { CN: 'Anna' }, ['Anna']],
  ['DNS:"unfinished, email:root@example.org', { CN: 'Anna' }, ['Anna']],
] as const)
  test(`whose certificate is it: ${alternative} ${JSON.stringify(subject)}`, () =>
    assert.deepEqual(holderNames({ subjectaltname: alternative, subject } as never), names));
