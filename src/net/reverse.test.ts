import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeDns } from './dns-testing.ts';
import { reverseName } from './reverse.ts';

const dns = fakeDns({
  'PTR 192.0.2.1': ['mail.a.test'],
  'A mail.a.test': ['192.0.2.1', '192.0.2.9'],
  'PTR 192.0.2.2': ['claims.b.test'],
  'A claims.b.test': ['198.51.100.1'],
  'PTR 192.0.2.3': ['slow.test'],
  'A slow.test': 'timeout',
  'PTR 192.0.2.4': 'servfail',
  'PTR 192.0.2.5': ['wrong.test', 'mail.c.test'],
  'A wrong.test': ['198.51.100.2'],
  'A mail.c.test': ['192.0.2.5'],
  'PTR 192.0.2.6': ['192.0.2.6', 'odd\\046name.test'],
  'PTR 2001:db8::1': ['six.test'],
  'AAAA six.test': ['2001:db8::1'],
});

const ROWS = [
  ['192.0.2.1', { ptr: 'mail.a.test', confirmed: true, isTemporary: false }, 'a name that leads back'],
  ['192.0.2.2', { ptr: 'claims.b.test', confirmed: false, isTemporary: false }, 'a name that leads elsewhere'],
  ['192.0.2.3', { ptr: 'slow.test', confirmed: false, isTemporary: true }, 'a name whose addresses cannot be looked up now'],
  ['192.0.2.4', { ptr: null, confirmed: false, isTemporary: true }, 'an address whose name cannot be looked up now'],
  ['192.0.2.5', { ptr: 'mail.c.test', confirmed: true, isTemporary: false }, 'the confirmed one of several names'],
  ['192.0.2.6', { ptr: null, confirmed: false, isTemporary: false }, 'names that are no host names'],
  ['192.0.2.7', { ptr: null, confirmed: false, isTemporary: false }, 'no name at all'],
  ['2001:db8::1', { ptr: 'six.test', confirmed: true, isTemporary: false }, 'IPv6'],
] as const;
for (const [ip, expected, name] of ROWS) {
  test(`reverse name: ${name}`, async () => {
    const first = reverseName(dns, ip);
    assert.ok(first instanceof Promise);
    assert.deepEqual(await first, expected);
    assert.deepEqual(reverseName(dns, ip), expected, 'at once when cached');
  });
}
