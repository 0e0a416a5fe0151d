import assert from 'node:assert/strict';
import { test } from 'node:test';
import { filterHop, nexthop, parseNexthop, parseTransportLine, readRoutes } from './transport.ts';

const routes = (transports: string[], relayHost = '') => readRoutes({ 'deliver.relayHost': relayHost, 'deliver.transports': transports });

test('without settings mail goes to the MX of the domain', () => {
  assert.deepEqual(nexthop('example.org', routes([])), {
    kind: 'smtp',
    key: 'example.org',
    host: 'example.org',
    port: null,
    mx: true,
    implicitTls: false,
    isRelay: false,
  });
});
test('an address literal is its own host', () => {
  const v4 = nexthop('[192.0.2.1]', routes([]));
  assert.ok(v4.kind === 'smtp' && v4.host === '192.0.2.1' && !v4.mx);
  const v6 = nexthop('[ipv6:2001:db8::1]', routes([]));
  assert.ok(v6.kind === 'smtp' && v6.host === '2001:db8::1' && !v6.mx);
  assert.equal(nexthop('[x-unknown]', routes([])).kind, 'error');
});
test('the relay host takes what no transport line names', () => {
  const table = routes(['example.org smtp:[10.0.0.1]:26', '.example.net lmtp:unix:/run/lmtp'], 'relay.test:587');
  const a = nexthop('example.org', table);
  assert.ok(a.kind === 'smtp' && a.host === '10.0.0.1' && a.port === 26 && !a.mx);
  const b = nexthop('a.b.example.net', table);
  assert.ok(b.kind === 'lmtp' && b.path === '/run/lmtp');
  const c = nexthop('example.net', table);
  assert.ok(c.kind === 'smtp' && c.host === 'relay.test' && c.mx && c.isRelay);
});
test('a line with "smtp:" alone goes by MX past the relay host', () => {
  const a = nexthop('inner.test', routes(['inner.test smtp:'], '[relay.test]'));
  assert.ok(a.kind === 'smtp' && a.host === 'inner.test' && a.mx && !a.isRelay);
  const b = nexthop('x.inner.test', routes(['.inner.test :', '* [other.test]'], '[relay.test]'));
  assert.ok(b.kind === 'smtp' && b.host === 'x.inner.test');
});
test('"*" takes everything else, "error:" refuses', () => {
  const table = routes(['bad.test error:5.7.1 go away', '* smtps:[out.test]']);
  assert.deepEqual(nexthop('bad.test', table), { kind: 'error', key: 'error:5.7.1 go away', enhanced: '5.7.1', text: 'go away' });
  const a = nexthop('any.test', table);
  assert.ok(a.kind === 'smtp' && a.implicitTls && a.port === 465);
});
for (const bad of ['', '[', '[]', '[a', 'a:b', 'a:0', 'a:70000', 'lmtp:', 'lmtp:unix:', 'lmtp:unix:relative', 'smtp:[a]x', 'a b', '[1::2::3]:25'])
  test(`not a nexthop: ${JSON.stringify(bad)}`, () => assert.equal(parseNexthop(bad), null));
for (const bad of ['', 'example.org', 'example.org [', 'example.org smtp:[a]:x'])
  test(`not a transport line: ${JSON.stringify(bad)}`, () => assert.equal(parseTransportLine(bad), null));

test('a FILTER that is no next hop keeps the mail waiting: it does not pass by the filter', () => {
  const hop = filterHop('smtp-amavis:[127.0.0.1]:10024');
  assert.ok(hop?.kind === 'error' && hop.enhanced.startsWith('4') && hop.text.includes('smtp-amavis'));
  assert.equal(filterHop('smtp:'), null);
  assert.equal(filterHop('smtp:[127.0.0.1]:10025')?.kind, 'smtp');
});
