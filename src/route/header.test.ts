import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { Address } from '../ports.ts';
import { addressSpans } from './address-spans.ts';
import { rewriteHeader } from './header.ts';
import { createRouter, createTransports } from './router.ts';
import { routeContext } from './testing.ts';

describe('the addresses of a field stand at', () => {
  const rows: [value: string, ...spans: string[]][] = [
    [''],
    ['a@b', 'a@b'],
    [' a@b, c@d', 'a@b', 'c@d'],
    ['Joe <a@b>', 'a@b'],
    ['"Doe, Joe" <a@b>, root', 'a@b', 'root'],
    ['root (the one, really)', 'root'],
    ['(x) a@b (y)', 'a@b'],
    ['Friends: a@b, Carol <c@d>;', 'a@b', 'c@d'],
    ['undisclosed-recipients:;'],
    ['<@x,@y:a@b>', 'a@b'],
    ['a . b @ c . d', 'a . b @ c . d'],
    ['"a b"@c', '"a b"@c'],
    ['a@[1.2.3.4]', 'a@[1.2.3.4]'],
    ['<a@[IPv6:::1]>', 'a@[IPv6:::1]'],
    ['Joe User'],
    ['<>'],
    ['Joe\r\n <a@b>,\r\n\tc@d', 'a@b', 'c@d'],
    ['a@b <c@d>', 'c@d'],
    ['<a@b', 'a@b'],
    ['"open <a@b>'],
  ];
  for (const [value, ...spans] of rows)
    test(JSON.stringify(value), () =>
      assert.deepEqual(
        addressSpans(value, 100).map(({ start, end }) => value.slice(start, end)),
        spans,
      ),
    );
});

test('any text gives spans in order that do not overlap, in linear time', () => {
  const unit = fc.constantFrom('a', '"', '\\', '@', '.', ',', ';', ':', '<', '>', '(', ')', '[', ']', ' ', '\r\n');
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 60 }), (value) => {
      let last = 0;
      for (const { start, end } of addressSpans(value, 100)) {
        assert.ok(start >= last && end > start && end <= value.length);
        last = end;
      }
    }),
    { seed: 4, numRuns: 3000 },
  );
  for (const pattern of ['(', '<', '"', '[', '<@', 'a,', 'a ', '<"', '@[', ':', '\\', '<a@b']) addressSpans(pattern.repeat(30_000), 10_000);
});

const rewritten = (header: string, map: (address: Address) => Address): string | null => {
  const out = rewriteHeader(Buffer.from(header, 'latin1'), map);
  assert.ok(!(out instanceof Promise));
  return out === null ? null : Buffer.from(out).toString('latin1');
};
const toX = ({ local, domain }: Address): Address => ({ local, domain: domain === 'old.test' ? 'new.test' : domain });

test('only the addresses change, every other byte stays', () => {
  const header =
    'Received: by x; a@old.test\r\nFrom:  "J. Ü" \t<joe@old.test>  (c) \r\nto: a@old.test,\r\n\t B <b@else.test> , c@OLD.test\r\nSubject: a@old.test\r\nX\r\n\r\nbody to: a@old.test';
  assert.equal(
    rewritten(header, toX),
    header.replace('joe@old.test', 'joe@new.test').replace('to: a@old.test,', 'to: a@new.test,').replace('c@OLD.test', 'c@OLD.test'),
  );
  assert.equal(rewritten('From: a@b.test\r\n\r\n', toX), null);
  assert.equal(rewritten('', toX), null);
});

test('a local part that must be quoted is', () => {
  assert.equal(rewritten('From: "a b"@old.test\n\n', toX), 'From: "a b"@new.test\n\n');
  assert.equal(
    rewritten('Cc: a@b\n', () => ({ local: 'x y', domain: 'c' })),
    'Cc: "x y"@c\n',
  );
});

test('senders and recipients of the header go through the maps of their class, when the client is ours', () => {
  const router = createRouter(
    routeContext({
      'route.senderCanonicalMaps': ['inline:{joe@a.test=Joe.Doe@a.test}'],
      'route.recipientCanonicalMaps': ['inline:{ann@a.test=Ann.Eve@a.test}'],
      'route.masqueradeDomains': ['m.test'],
    }),
  );
  const header = Buffer.from('From: joe@a.test\nReply-To: ann@a.test\nTo: ann@a.test, joe@a.test, root, x@y.m.test\n\n');
  const out = router.header(header, true) as Uint8Array;
  assert.equal(Buffer.from(out).toString(), 'From: Joe.Doe@a.test\nReply-To: ann@a.test\nTo: Ann.Eve@a.test, joe@a.test, root@host.test, x@m.test\n\n');
  assert.equal(router.header(header, false), null);
  const everybody = createRouter(routeContext({ 'route.remoteHeaderRewriteDomain': 'domain.invalid' }));
  assert.equal(Buffer.from(everybody.header(header, false) as Uint8Array).toString(), header.toString().replace('root', 'root@domain.invalid'));
});

test('generic addresses are for mail that leaves: senders, recipients and the header', async () => {
  const generic = createTransports(
    routeContext({
      'route.genericMaps': ['later:{joe@host.test=joe@isp.test}'],
      'route.genericstable': ['inline:{ann=ann.eve@isp.test}'],
      'route.genericsDomains': ['g.test'],
    }),
  ).generic();
  assert.deepEqual(await generic.sender({ local: 'joe', domain: 'host.test' }), { local: 'joe', domain: 'isp.test' });
  assert.deepEqual(await generic.sender({ local: 'ann', domain: 'g.test' }), { local: 'ann.eve', domain: 'isp.test' });
  assert.deepEqual(await generic.recipient({ local: 'ann', domain: 'g.test' }), { local: 'ann', domain: 'g.test' });
  const header = await generic.header(Buffer.from('From: Joe <joe@host.test>\r\nTo: ann@g.test\r\n\r\n'));
  assert.equal(Buffer.from(header!).toString(), 'From: Joe <joe@isp.test>\r\nTo: ann@g.test\r\n\r\n');
  assert.equal(createTransports(routeContext()).generic().isIdle, true);
});
