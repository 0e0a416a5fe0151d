import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { routeRules } from './check.ts';
import type { AllRouteSettings } from './plan.ts';
import { ROUTE_SETTINGS } from './settings.ts';
import { createSystemUsers, parsePasswd } from './system-users.ts';
import { routeSettings } from './testing.ts';

const wrong = (changes: Partial<AllRouteSettings>) => routeRules(routeSettings(changes));

test('the defaults are right', () => assert.deepEqual(wrong({}), []));

test('a table that cannot be opened is named with its option, file and line', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-route-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'patterns');
  writeFileSync(file, '/a/ b\n/[/ c\n');
  const [first] = wrong({ 'route.transportMaps': [`pcre:${file}`] });
  assert.equal(first?.key, 'route.transportMaps');
  assert.ok(first.message.startsWith(`${file}:2: `), first.message);
  assert.deepEqual(
    wrong({ 'route.relocatedMaps': [`hash:${dir}/missing`] }).map(({ key }) => key),
    ['route.relocatedMaps'],
  );
  assert.deepEqual(
    wrong({ 'aliases.sources': [`hash:${dir}/missing`] }).map(({ key }) => key),
    ['aliases.sources'],
  );
});

test('a transport that is not there, or is there twice, is found before the start', () => {
  assert.match(wrong({ 'route.defaultTransport': 'nosuch:x' })[0]!.message, /no transport "nosuch"/);
  assert.deepEqual(wrong({ 'route.mailboxTransport': 'lmtp:unix:' }), [
    { key: 'route.mailboxTransport', message: '"lmtp:unix:": "unix:" is neither unix:/path nor inet:host:port' },
  ]);
  for (const right of [
    'lmtp:unix:/s',
    'lmtp:inet:[::1]:24',
    'smtp:',
    'smtp:a.test, [b.test]:26',
    'error:5.1.1 gone',
    'retry:',
    'discard:',
    'local:',
    'virtual:',
  ])
    assert.deepEqual(wrong({ 'route.mailboxTransport': right }), [], right);
  assert.deepEqual(wrong({ 'transport.smtp': ['inner tls=verify tlsCaFile=/nowhere/ca.pem'] }), [
    { key: 'transport.smtp', message: '"inner": there is no file /nowhere/ca.pem' },
  ]);
  assert.deepEqual(wrong({ 'route.mailboxTransport': 'slow:[a]', 'transport.smtp': ['slow'] }), []);
  assert.match(wrong({ 'transport.smtp': ['slow', 'slow'] })[0]!.message, /two transports/);
  assert.equal(wrong({ 'transport.smtp': ['slow'], 'transport.pipe': ['slow user=games argv=/x'] })[0]!.key, 'transport.pipe');
  assert.equal(wrong({ 'route.fallbackRelay': ['[a'] })[0]!.key, 'route.fallbackRelay');
});

test('options that take words take only those', () => {
  assert.throws(() => ROUTE_SETTINGS['route.canonicalClasses'].parse(['everywhere']));
  assert.throws(() => ROUTE_SETTINGS['transport.pipe'].parse(['x argv=/y']), /user= is missing/);
  assert.deepEqual(ROUTE_SETTINGS['route.propagateExtensions'].parse(['virtual']), ['virtual']);
});

test('users of the machine are read again when the file changes', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'posthorn-route-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const file = join(dir, 'passwd');
  writeFileSync(file, 'rita:x:1000:100:Rita,,,:/home/rita:/bin/sh\nbroken\nrita:x:1:1::/:/bin/sh\n');
  let now = 0;
  const users = createSystemUsers({ file, now: () => now });
  assert.deepEqual(users.find('rita'), { name: 'rita', uid: 1000, gid: 100, home: '/home/rita', shell: '/bin/sh' });
  assert.equal(users.find('broken'), null);
  writeFileSync(file, 'eve:x:1001:100::/home/eve:\n');
  assert.equal(users.find('eve'), null);
  now += 1000;
  assert.equal((users.find('eve') as { uid: number }).uid, 1001);
  assert.throws(() => createSystemUsers({ file: join(dir, 'none'), now: () => 0 }).find('x'));
  assert.equal(parsePasswd('a:x:99999999999:1::/:\n#b:x:1:1::/:\n').size, 0);
});
