/** Before the greeting: name lookups by NSD, DNS lists by rbldnsd, and what Debian's tools hear at the door. */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { createDns, type Dns, type DnsAnswer } from '../src/net/dns.ts';
import { DNS_SETTINGS } from '../src/net/dns-settings.ts';
import { reverseName } from '../src/net/reverse.ts';
import { Wheel } from '../src/net/wheel.ts';
import { DnsLists } from '../src/judge/door/dnsbl.ts';
import { defaultsOf } from '../src/system/declare.ts';
import { SILENT_LOG } from '../src/system/log.ts';
import { ownNetwork } from './harness/own-network.ts';
import { startPosthorn } from './harness/posthorn.ts';
import { need, run } from './harness/run.ts';
import { eventually, within } from './harness/wait.ts';
import { startNsd } from './peers/nsd.ts';
import { type ListZone, startRbldnsd } from './peers/rbldnsd.ts';
import { CLIENT, US } from './peers/small-internet.ts';

ownNetwork();
const NSD = '127.0.0.1:53';

/** Lists, as their operators publish them; `$` in a text stands for the address or domain. */
const LISTS: Readonly<Record<string, ListZone>> = {
  'bl.example': {
    type: 'ip4trie',
    data: ':127.0.0.2:Listed, see https://bl.example/?$\n192.0.2.66\n203.0.113.0/24 :127.0.0.4:A network of bots\n127.0.0.2\n192.0.2.3 :127.0.0.9:Policy',
  },
  'wl.example': { type: 'ip4trie', data: ':127.0.5.2:\n192.0.2.2' },
  'six.example': { type: 'ip6trie', data: ':127.0.0.2:Listed\n2001:db8:0:66::/64' },
  'dbl.example': { type: 'dnset', data: ':127.0.1.2:Domain $\nspam.test\n.wild.test' },
  // As lists answer a resolver that asks too much.
  'refuses.example': { type: 'ip4trie', data: ':127.255.255.254:Query refused\n0.0.0.0/0' },
};

function lookups(t: TestContext, servers: readonly string[]): Dns {
  const values = { ...defaultsOf(DNS_SETTINGS), 'dns.servers': servers };
  const dns = createDns(() => values);
  t.after(() => dns.close());
  return dns;
}
const found = <T>(answer: DnsAnswer<T>): readonly T[] | string => (answer.kind === 'found' ? answer.records : JSON.stringify(answer));

test('NSD answers every kind of question, large ones by TCP', async (t) => {
  const long = Array.from({ length: 20 }, (_, i) => `${'x'.repeat(200)}${i}`);
  const nsd = await startNsd(t, {
    'z.test.': `
@      IN MX 10 MX1
@      IN MX 20 mx2.other.example.
null   IN MX 0 .
@      IN TXT "v=spf1 " "-all"
@      IN TXT "second"
long   IN TXT ${long.map((text) => `"${text}"`).join(' ')}
mx1    IN A 192.0.2.1
mx1    IN AAAA 2001:db8::1
www    IN CNAME web
web    IN CNAME mx1
_25._tcp.mx1 IN TLSA 3 1 1 abcdef0123456789
_imaps._tcp IN SRV 1 2 993 mx1
many   IN A ${Array.from({ length: 150 }, (_, i) => `10.0.0.${i}`).join('\nmany IN A ')}
`,
    '2.0.192.in-addr.arpa.': '1 IN PTR mx1.z.test.\n2 IN PTR elsewhere.z.test.\n',
  });
  const dns = lookups(t, [NSD]);
  assert.deepEqual(found(await dns.mx('Z.test.')), [
    { exchange: 'mx1.z.test', preference: 10 },
    { exchange: 'mx2.other.example', preference: 20 },
  ]);
  assert.deepEqual(found(await dns.mx('null.z.test')), [{ exchange: '', preference: 0 }]);
  assert.deepEqual(new Set(found(await dns.txt('z.test'))), new Set(['v=spf1 -all', 'second']));
  assert.deepEqual(found(await dns.txtStrings('long.z.test')), [long]); // 4 KB: cut by UDP, whole by TCP
  assert.equal(found(await dns.addresses4('many.z.test')).length, 100);
  assert.deepEqual(found(await dns.addresses4('www.z.test')), ['192.0.2.1']);
  assert.deepEqual(found(await dns.addresses6('www.z.test')), ['2001:db8::1']);
  assert.deepEqual(found(await dns.cname('www.z.test')), ['web.z.test']);
  assert.deepEqual(found(await dns.ns('z.test')), ['ns.test']);
  assert.deepEqual(found(await dns.srv('_imaps._tcp.z.test')), [{ target: 'mx1.z.test', port: 993, priority: 1, weight: 2 }]);
  const tlsa = await dns.tlsa('_25._tcp.mx1.z.test');
  assert.equal(tlsa.kind === 'found' && Buffer.from(tlsa.records[0]!.data).toString('hex'), 'abcdef0123456789');
  const soa = await dns.soa('z.test');
  assert.equal(soa.kind === 'found' && soa.records[0]!.minimumSeconds, 60);
  assert.equal(soa.kind === 'found' && soa.ttlSeconds, 60);
  assert.deepEqual(await dns.mx('mx1.z.test'), { kind: 'none', exists: true, ttlSeconds: 60, isAuthentic: false });
  assert.deepEqual(await dns.mx('nowhere.z.test'), { kind: 'none', exists: false, ttlSeconds: 60, isAuthentic: false });
  assert.deepEqual(await dns.mx('foreign.example'), { kind: 'failed', reason: 'name server refused the question' });
  assert.deepEqual(await reverseName(dns, '192.0.2.1'), { ptr: 'mx1.z.test', confirmed: true, isTemporary: false });
  assert.deepEqual(await reverseName(dns, '192.0.2.2'), { ptr: 'elsewhere.z.test', confirmed: false, isTemporary: false });

  await nsd.stop();
  dns.clear();
  assert.deepEqual(await dns.mx('z.test'), { kind: 'failed', reason: 'name server cannot be reached' });
});

test('rbldnsd: weights, filters, IPv6, domains, and a list that refuses to answer', async (t) => {
  await startNsd(t, { 'test.': '' });
  const lists = await startRbldnsd(t, LISTS);
  const wheel = new Wheel(50);
  const events: string[] = [];
  const asker = new DnsLists({
    // NSD refuses questions about the lists' zones; rbldnsd is asked next.
    dns: lookups(t, [NSD, lists.address]),
    log: { ...SILENT_LOG, warn: (event) => void events.push(event) },
    metrics: { count: () => {}, gauge: () => {} },
    now: Date.now,
    wheel,
  });
  const ask = async (ip: string, entries: readonly string[]): Promise<[number, string[]]> => {
    const score = await asker.queryAddress({ lists: entries, timeoutMs: 2000 }, ip);
    return [score.score, score.hits.map((hit) => `${hit.zone}=${hit.value}`)];
  };
  const usual = ['bl.example=127.0.0.[2..4]*2', 'bl.example=127.0.0.4*1', 'wl.example=127.0.[0..255].[1..3]*-2', 'six.example*5'];
  assert.deepEqual(await ask('192.0.2.66', usual), [2, ['bl.example=127.0.0.2']]);
  assert.deepEqual(await ask('203.0.113.9', usual), [3, ['bl.example=127.0.0.4', 'bl.example=127.0.0.4']]);
  assert.deepEqual(await ask('192.0.2.2', usual), [-2, ['wl.example=127.0.5.2']]);
  assert.deepEqual(await ask('192.0.2.3', usual), [0, []]);
  assert.deepEqual(await ask('192.0.2.1', usual), [0, []]);
  assert.deepEqual(await ask('2001:db8:0:66::1', ['six.example*5']), [5, ['six.example=127.0.0.2']]);
  assert.deepEqual(await ask('2001:db8:0:67::1', ['six.example*5']), [0, []]);
  assert.equal(await asker.reason('bl.example', '192.0.2.66', 2000), 'Listed, see https://bl.example/?192.0.2.66');
  const domain = async (name: string): Promise<number> => (await asker.queryDomain({ lists: ['dbl.example*4'], timeoutMs: 2000 }, name)).score;
  assert.deepEqual([await domain('spam.test'), await domain('a.wild.test'), await domain('a.spam.test'), await domain('good.test')], [4, 4, 0, 0]);
  assert.deepEqual(events, []);
  assert.deepEqual(await ask('192.0.2.66', ['refuses.example*99']), [0, []]);
  assert.deepEqual(events, ['door.list.refuses', 'door.list.leftOut']);
});

/** A client that only connects, from an address of its choice. */
class Caller {
  readonly socket: Socket;
  #text = '';
  readonly #ended: Promise<void>;

  constructor(from: string) {
    this.socket = connect({ host: US, port: 25, localAddress: from });
    this.socket.setEncoding('latin1');
    this.socket.on('data', (text: string) => (this.#text += text));
    this.socket.on('error', () => {}); // 'close' follows
    this.#ended = new Promise((resolve) => this.socket.once('close', () => resolve()));
  }
  get text(): string {
    return this.#text;
  }
  /** What it heard up to the first whole line, or to the end. */
  async line(): Promise<string> {
    await Promise.race([this.#ended, eventually('a line from the server', async () => this.#text.includes('\n'))]);
    return this.#text.split('\r\n')[0]!;
  }
  async end(): Promise<string> {
    await within('the server to close', this.#ended, 10_000);
    return this.#text;
  }
  async greeted(): Promise<void> {
    assert.match(await this.line(), /^220 /);
    this.socket.destroy();
  }
}

test('at the door of the server', async (t) => {
  need('swaks');
  await startNsd(t, { 'test.': `us IN MX 10 mx.us\nmx.us IN A ${US}\nclient IN A ${CLIENT}\nclient IN MX 10 client\n` });
  const lists = await startRbldnsd(t, LISTS);
  // "silent.example" is refused by both servers: such a list delays and refuses nobody, in all that follows.
  const door = {
    dnsbl: ['bl.example=127.0.0.[2..4]*3', 'bl.example=127.0.0.9*1', 'wl.example*-2', 'silent.example*9'],
    dnsblThreshold: 3,
    allowlistThreshold: -2,
    greetingDelay: '1s',
    talkedEarlyFor: '1h',
  };
  const config = { listen: { smtp: [`${US}:25`, '127.0.0.1:0'] }, dns: { servers: [NSD, lists.address] } };
  const server = await startPosthorn(t, { config: { ...config, door }, users: { 'anna@us.test': 'anna-password' } });

  await t.test('a stranger hears the greeting in the end, and a list that refuses us is told of', async () => {
    await new Caller(CLIENT).greeted();
    await server.event('door.list.silent', (line) => line['zone'] === 'silent.example');
  });

  // From here on nobody who has to wait is greeted while a test lasts.
  server.configure({ ...config, door: { ...door, greetingDelay: '60s' } });
  await server.admin('reload');

  await t.test('a client that waited once is greeted at once, and swaks gets as far as RCPT', async () => {
    await new Caller(CLIENT).greeted();
    const result = await run('swaks', [
      '--server',
      US,
      '--local-interface',
      CLIENT,
      '--helo',
      'client.test',
      '--from',
      'rita@client.test',
      '--to',
      'anna@us.test',
      '--quit-after',
      'RCPT',
    ]);
    assert.equal(result.code, 0, result.stdout);
  });

  await t.test('a client that talks early hears 554, and 421 when it comes back', async () => {
    const early = new Caller('192.0.2.3');
    early.socket.write('EHLO bot.test\r\n');
    assert.match(await early.end(), /^554 5\.5\.1 /);
    assert.match(await new Caller('192.0.2.3').end(), /^421 4\.7\.0 /);
  });

  await t.test('a listed client is refused with the words of the list', async () => {
    assert.match(await new Caller('192.0.2.66').end(), /^554 5\.7\.1 .*192\.0\.2\.66.*bl\.example.*https:\/\/bl\.example\/\?192\.0\.2\.66\r\n$/);
    await server.event('door.refused', (line) => line['reason'] === 'listed' && line['client'] === '192.0.2.66');
  });

  await t.test('a client on a list of the good does not wait', async () => {
    await new Caller('192.0.2.2').greeted();
  });

  await t.test('clients that passed are known after a restart', async () => {
    await server.restart();
    await new Caller(CLIENT).greeted();
    assert.equal(server.log.text.includes('door.unsaved'), false);
  });
});
