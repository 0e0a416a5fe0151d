import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { type Hop, type HopContext, hopOf, limitsOf, splitTransport } from './hop.ts';
import { parsePipeTransport, parseSmtpTransport } from './named.ts';
import { hopWords } from './router.ts';

const NAMED = [
  parseSmtpTransport('slow rateDelay=2s port=26'),
  parseSmtpTransport('in protocol=lmtp port=2424'),
  parsePipeTransport('vac user=games argv=/bin/vac'),
];
const CONTEXT: HopContext = { named: new Map(NAMED.map((one) => (typeof one === 'string' ? assert.fail(one) : [one.name, one]))), fallback: [] };
const hop = (text: string, domain = 'far.test'): Hop => {
  const { channel, nexthop } = splitTransport(text);
  return hopOf(channel, nexthop, domain, CONTEXT);
};

describe('a next hop as transport(5) writes it', () => {
  const rows: [text: string, key: string, words: string][] = [
    ['smtp:', 'far.test', 'smtp: the mail hosts of far.test'],
    ['smtp:far.test', 'far.test', 'smtp: the mail hosts of far.test'],
    ['smtp:[H.test]:26', 'smtp:[h.test]:26', 'smtp: [h.test], port 26'],
    ['smtp:h.test:26', 'smtp:h.test:26', 'smtp: the mail hosts of h.test, port 26'],
    ['smtp:[2001:db8::1]:26', 'smtp:[2001:db8::1]:26', 'smtp: [2001:db8::1], port 26'],
    ['smtp:inet:[h.test]', 'smtp:[h.test]:', 'smtp: [h.test]'],
    ['smtps:', 'smtps:far.test:465', 'smtps: the mail hosts of far.test, port 465'],
    ['relay:[h.test]', 'smtp:[h.test]:', 'smtp: [h.test]'],
    ['slow:', 'slow:far.test:26', 'slow: the mail hosts of far.test, port 26'],
    ['slow:[h.test]:99', 'slow:[h.test]:99', 'slow: [h.test], port 99'],
    ['lmtp:unix:/run/x', 'lmtp:unix:/run/x', 'lmtp: /run/x'],
    ['lmtp:inet:h.test:24', 'lmtp:[h.test]:24', 'lmtp: [h.test]:24'],
    ['in:inet:h.test', 'in:lmtp:[h.test]:24', 'in: [h.test]:2424'],
    ['error:5.7.1 no', 'error:5.7.1 no', 'refused: 5.7.1 no'],
    ['retry:later', 'retry:later', 'kept in the queue: 4.0.0 later'],
    ['discard:', 'discard:', 'thrown away'],
    ['vac:', 'vac:far.test', 'program vac: /bin/vac'],
    ['local:', 'local:', 'users of this machine'],
    [
      'lmtp:unix:relative',
      'wrong:lmtp:unix:relative',
      'kept in the queue: 4.3.5 Mail transport unavailable: "unix:relative" is neither unix:/path nor inet:host:port',
    ],
    ['smtp:[', 'wrong:smtp:[', 'kept in the queue: 4.3.5 Mail transport unavailable: "[" is no host'],
    ['who:x', 'wrong:who:x', 'kept in the queue: 4.3.5 Mail transport unavailable: there is no transport "who"'],
  ];
  for (const [text, key, words] of rows)
    test(text, () => {
      assert.equal(hop(text).key, key);
      assert.equal(hopWords(hop(text)), words);
    });
});

test('several hosts are tried one after the other', () => {
  const list = hop('smtp:[a.test], b.test:26 [c.test]');
  assert.ok(list.kind === 'smtp');
  assert.deepEqual(
    list.fallback?.map(({ host, port }) => `${host}:${port}`),
    ['b.test:26', 'c.test:null'],
  );
  assert.equal(hop(`smtp:${'[a.test],'.repeat(30)}`).kind, 'error');
});

test('a rate delay lets one message at a time go to a destination', () => {
  assert.deepEqual(limitsOf(hop('slow:'), 0), { concurrency: 1, rateDelayMs: 2000, recipientsMax: null });
  assert.deepEqual(limitsOf(hop('smtp:'), 0), { concurrency: null, rateDelayMs: 0, recipientsMax: null });
  assert.deepEqual(limitsOf(hop('smtp:'), 500), { concurrency: 1, rateDelayMs: 500, recipientsMax: null });
  assert.deepEqual(limitsOf(hop('vac:'), 0), { concurrency: null, rateDelayMs: 0, recipientsMax: 50 });
});

test('any text is some hop', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme', maxLength: 40 }), fc.constantFrom('far.test', '[192.0.2.1]', '[x]', ''), (text, domain) => {
      for (const channel of ['smtp', 'relay', 'smtps', 'lmtp', 'slow', 'in', 'error', 'vac', text])
        assert.ok(hopOf(channel, text, domain, CONTEXT).key.length > 0);
      hop(text, domain);
    }),
    { seed: 5, numRuns: 500 },
  );
});
