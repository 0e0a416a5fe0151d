import assert from 'node:assert/strict';
import { test } from 'node:test';
import packet from 'dns-packet';
import fc from 'fast-check';
import { matchResponse, readResponse, writeQuestion } from './dns-message.ts';
import type { DnsResponse, DnsType } from './dns-types.ts';

const NO_CASE = (): number => 0;

/** A response as another implementation writes it. */
function response(name: string, type: DnsType, answers: packet.Answer[], more: Partial<packet.Packet> = {}): Buffer {
  return packet.encode({ type: 'response', id: 0, flags: packet.RECURSION_DESIRED, questions: [{ type, name }], answers, ...more });
}
function read(name: string, type: DnsType, message: Buffer): DnsResponse | null {
  const question = writeQuestion(name, type, true, NO_CASE);
  assert.equal(matchResponse(message, question), 'yes');
  return readResponse(message, question.end);
}
function values(found: DnsResponse | null): unknown[] {
  assert.equal(found?.kind, 'response');
  return found?.kind === 'response' ? found.answers.map((record) => record.data) : [];
}

test('a question is read by another implementation as it was meant, with EDNS and AD', () => {
  const { bytes, end } = writeQuestion('mx.example.org', 'MX', true, NO_CASE);
  const read = packet.decode(bytes) as packet.DecodedPacket;
  assert.deepEqual(read.questions, [{ name: 'mx.example.org', type: 'MX', class: 'IN' }]);
  assert.equal(read.flag_rd && read.flag_ad, true);
  assert.equal((read.additionals?.[0] as packet.OptAnswer | undefined)?.udpPayloadSize, 1232);
  assert.equal(end, writeQuestion('mx.example.org', 'MX', false, NO_CASE).bytes.length);
});

test('letters are sent in the case that the random bits say, and compared', () => {
  const question = writeQuestion('abcdefghij-klmnopqrstuvwxyz.test', 'A', true, () => 0b1010_0110_1100_0101);
  const sent = (packet.decode(question.bytes) as packet.DecodedPacket).questions![0]!.name;
  assert.notEqual(sent, sent.toLowerCase());
  assert.equal(sent.toLowerCase(), 'abcdefghij-klmnopqrstuvwxyz.test');
  assert.equal(matchResponse(response(sent, 'A', []), question), 'yes');
  assert.equal(matchResponse(response(sent.toLowerCase(), 'A', []), question), 'otherCase');
  assert.equal(matchResponse(response('other.test', 'A', []), question), 'no');
  assert.equal(matchResponse(response(sent, 'AAAA', []), question), 'no');
  assert.equal(matchResponse(question.bytes, question), 'no', 'our own question sent back');
  assert.equal(matchResponse(response(sent, 'A', [], { flags: packet.TRUNCATED_RESPONSE }), question), 'truncated');
});

test('every type comes out as another implementation put it in', () => {
  const soa = { mname: 'ns.a.test', rname: 'hostmaster.a.test', serial: 1, refresh: 2, retry: 3, expire: 4, minimum: 5 };
  const rows: [DnsType, packet.Answer[], unknown[]][] = [
    ['A', [{ type: 'A', name: 'a.test', ttl: 60, data: '192.0.2.1' }], ['192.0.2.1']],
    ['AAAA', [{ type: 'AAAA', name: 'a.test', ttl: 60, data: '2001:db8::5' }], ['2001:db8::5']],
    ['MX', [{ type: 'MX', name: 'a.test', ttl: 60, data: { preference: 10, exchange: 'MX.A.test' } }], [{ preference: 10, exchange: 'mx.a.test' }]],
    ['MX', [{ type: 'MX', name: 'a.test', ttl: 60, data: { preference: 0, exchange: '.' } }], [{ preference: 0, exchange: '' }]],
    ['TXT', [{ type: 'TXT', name: 'a.test', ttl: 60, data: ['one', 'two ', ''] }], [['one', 'two ', '']]],
    ['PTR', [{ type: 'PTR', name: 'a.test', ttl: 60, data: 'Host.test' }], ['host.test']],
    ['NS', [{ type: 'NS', name: 'a.test', ttl: 60, data: 'ns.a.test' }], ['ns.a.test']],
    ['CNAME', [{ type: 'CNAME', name: 'a.test', ttl: 60, data: 'b.test' }], ['b.test']],
    [
      'SRV',
      [{ type: 'SRV', name: 'a.test', ttl: 60, data: { priority: 1, weight: 2, port: 993, target: 'imap.test' } }],
      [{ priority: 1, weight: 2, port: 993, target: 'imap.test' }],
    ],
    [
      'SOA',
      [{ type: 'SOA', name: 'a.test', ttl: 60, data: soa }],
      [{ primary: 'ns.a.test', responsible: 'hostmaster.a.test', serial: 1, refreshSeconds: 2, retrySeconds: 3, expireSeconds: 4, minimumSeconds: 5 }],
    ],
    [
      'TLSA',
      [{ type: 'TLSA', name: 'a.test', ttl: 60, data: { usage: 3, selector: 1, matchingType: 1, certificate: Buffer.from('abcd', 'hex') } }],
      [{ usage: 3, selector: 1, matchingType: 1, data: Uint8Array.of(0xab, 0xcd) }],
    ],
  ];
  for (const [type, answers, expected] of rows) assert.deepEqual(values(read('a.test', type, response('a.test', type, answers))), expected, type);
});

test('how long absence holds is the lesser of the TTL of the SOA and its minimum', () => {
  const soa = { mname: 'ns.test', rname: 'h.test', serial: 1, refresh: 2, retry: 3, expire: 4, minimum: 90 };
  const found = read('a.test', 'A', response('a.test', 'A', [], { authorities: [{ type: 'SOA', name: 'test', ttl: 3600, data: soa }], flags: 3 }));
  assert.deepEqual(found, { kind: 'response', rcode: 3, isAuthentic: false, answers: [], negativeSeconds: 90 });
});

/** A response with one record whose owner is the question, and whose data is `data`. */
function withData(type: DnsType, code: number, data: Buffer): Buffer {
  const head = response('a.test', type, []);
  head.writeUInt16BE(1, 6);
  const record = Buffer.alloc(12);
  record.writeUInt16BE(0xc00c, 0);
  record.writeUInt16BE(code, 2);
  record.writeUInt16BE(1, 4);
  record.writeUInt32BE(60, 6);
  record.writeUInt16BE(data.length, 10);
  return Buffer.concat([head, record, data]);
}

test('a dot or a control character within a label cannot pose as another name', () => {
  const name = Buffer.concat([Buffer.from([9]), Buffer.from('Good.test'), Buffer.from([4]), Buffer.from('a\nÿ\\', 'latin1'), Buffer.from([0])]);
  assert.deepEqual(values(read('a.test', 'PTR', withData('PTR', 12, name))), ['good\\046test.a\\010\\255\\092']);
});

test('records whose data does not fit their length are passed over', () => {
  for (const [type, code, hex] of [
    ['A', 1, 'c00002'],
    ['A', 1, 'c000020102'],
    ['AAAA', 28, '00'],
    ['MX', 15, '000a'],
    ['MX', 15, '000a0161'],
    ['MX', 15, '000a01610000'],
    ['TXT', 16, '05616263'],
    ['PTR', 12, 'c0ff'],
    ['PTR', 12, '40'],
    ['SRV', 33, '000000000000'],
    ['TLSA', 52, '030101'],
    ['SOA', 6, '000000000001'],
  ] as const) {
    assert.deepEqual(values(read('a.test', type, withData(type, code, Buffer.from(hex, 'hex')))), [], `${type} ${hex}`);
  }
});

test('compression pointers that point to themselves or forwards end the reading', () => {
  const head = response('a.test', 'A', []);
  for (const pointer of [head.length, head.length + 2, 0, 0x3fff]) {
    const message = Buffer.concat([head, Buffer.from([0xc0 | (pointer >> 8), pointer & 255]), Buffer.alloc(20)]);
    message.writeUInt16BE(1, 6);
    assert.equal(readResponse(message, head.length), null);
  }
});

test('a message that promises 65,535 records and repeats one is read in bounds', () => {
  const record = withData('A', 1, Buffer.from([192, 0, 2, 1])).subarray(response('a.test', 'A', []).length);
  const message = Buffer.concat([response('a.test', 'A', []), ...new Array<Buffer>(4000).fill(record)]);
  message.writeUInt16BE(65_535, 6);
  assert.equal(values(read('a.test', 'A', message)).length, 400);
});

test('random and damaged messages never throw, and never answer another question', () => {
  const question = writeQuestion('a.test', 'MX', true, NO_CASE);
  const good = response('a.test', 'MX', [
    { type: 'CNAME', name: 'a.test', ttl: 60, data: 'b.test' },
    { type: 'MX', name: 'b.test', ttl: 60, data: { preference: 10, exchange: 'mx.b.test' } },
    { type: 'TXT', name: 'b.test', ttl: 60, data: ['x', 'y'] },
  ]);
  const look = (message: Buffer): void => {
    if (matchResponse(message, question) !== 'yes') return;
    assert.ok(message.subarray(12, question.end).equals(question.bytes.subarray(12, question.end)));
    const found = readResponse(message, question.end);
    assert.ok(found === null || found.kind === 'response');
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.boolean(), (bytes, withHead) => {
      look(withHead ? Buffer.concat([good.subarray(0, question.end), bytes]) : Buffer.from(bytes));
    }),
    { seed: 5, numRuns: 2000 },
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 6 }), fc.nat(good.length), (changes, cut) => {
      const message = Buffer.from(good);
      for (const [at, value] of changes) message[at] = value;
      look(message);
      look(message.subarray(0, cut));
    }),
    { seed: 6, numRuns: 3000 },
  );
});
