import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { digestMessage } from '../../mail/digest.ts';
import { formatAddress } from '../../mail/address.ts';
import type { DnsAnswer } from '../../net/dns.ts';
import type { AdminContext } from '../../ports.ts';
import { openLocalStore } from '../../store/local.ts';
import { STORE_SETTINGS } from '../../store/settings.ts';
import { testDirectory } from '../../store/testing.ts';
import { defaultsOf } from '../../system/declare.ts';
import { SILENT_LOG } from '../../system/log.ts';
import { ThreadMetrics } from '../../system/metrics.ts';
import { REPORTS_ADMIN, type OutgoingView, type ReceivedReportView, type SourcesAnswer } from './admin.ts';
import { parseAggregateReport } from './aggregate-read.ts';
import { createReportCollector } from './collector.ts';
import { parseDestination, reportDestinations } from './destinations.ts';
import { REPORT_LIMITS } from './limits.ts';
import { REPORTS_OPERATIONS } from './operations.ts';
import { type OutgoingReport, startDmarcReporter } from './reporter.ts';
import { REPORTS_SETTINGS } from './settings.ts';
import { takeReport } from './take.ts';
import { PLAIN_REPORT, testFacts, zipOf } from './testing.ts';
import { composeReportMail } from './report-mail.ts';

const NOON = Date.UTC(2026, 6, 1, 12);
const DAY = 86_400_000;

function bench(t: TestContext, txt: Readonly<Record<string, string | 'dead'>> = {}) {
  const clock = { now: NOON };
  const dataDir = testDirectory(t);
  const open = () =>
    openLocalStore({ dataDir, settings: defaultsOf(STORE_SETTINGS), log: SILENT_LOG, now: () => clock.now, operations: REPORTS_OPERATIONS, journey: () => {} });
  let store = open();
  t.after(() => store.close());
  const settings = { ...defaultsOf(REPORTS_SETTINGS), 'dmarc.sendReports': true, hostname: 'mx.us.test', domain: 'us.test' };
  const sent: OutgoingReport[] = [];
  let id = 0;
  const metrics = new ThreadMetrics();
  const dns = {
    txt: async (name: string): Promise<DnsAnswer<string>> => {
      const found = txt[name];
      return found === undefined
        ? { kind: 'none', exists: false }
        : found === 'dead'
          ? { kind: 'failed', reason: 'no answer' }
          : { kind: 'found', records: [found] };
    },
  };
  const b = {
    clock,
    settings,
    sent,
    get store() {
      return store;
    },
    async reopen() {
      await store.close();
      store = open();
    },
    collector: () => {
      const collector = createReportCollector({
        writer: store.writer,
        log: SILENT_LOG,
        metrics,
        isWanted: () => settings['dmarc.sendReports'],
        now: () => clock.now,
      });
      t.after(() => collector.close());
      return collector;
    },
    reporter: () => {
      const reporter = startDmarcReporter({
        settings: () => settings,
        reader: store.reader,
        writer: store.writer,
        dns,
        log: SILENT_LOG,
        metrics,
        prepare: async (mail) => {
          sent.push(mail);
          return {
            id: mail.id,
            at: mail.at,
            source: 'bounce',
            sender: formatAddress(mail.sender),
            accountId: null,
            message: { size: mail.bytes.length, blob: { kind: 'inline', codec: 0, data: mail.bytes }, digest: digestMessage(mail.bytes) },
            deliveries: [],
            remote: [{ address: formatAddress(mail.recipient), domain: mail.recipient.domain, orcpt: null, notify: 'never' }],
            envid: null,
            ret: null,
            smtputf8: false,
            whenFull: 'queue',
            journey: null,
          };
        },
        newId: () => `id${String((id += 1)).padStart(14, '0')}`,
        now: () => clock.now,
      });
      t.after(() => reporter.stop());
      return reporter;
    },
    queued: () => store.reader.rows('SELECT address FROM queue_recipient ORDER BY address').flat(),
    call: <T>(name: string, args: unknown): Promise<T> =>
      REPORTS_ADMIN[name]!({ reader: store.reader } as unknown as AdminContext, args, () => {}, new AbortController().signal) as Promise<T>,
    taker: {
      get writer() {
        return store.writer;
      },
      log: SILENT_LOG,
      metrics,
      isLocalDomain: (domain: string) => domain === 'us.test',
    },
  };
  return b;
}

test('equal messages become one row, and a day is reported once, when it is over', async (t) => {
  const b = bench(t);
  const collector = b.collector();
  for (let n = 0; n < 5; n += 1) collector.add(testFacts());
  collector.add(testFacts({ sourceIp: '192.0.2.8', disposition: 'reject', dkimAligned: false, dkim: [] }));
  collector.add(testFacts({ policy: { ...testFacts().policy, rua: [] } }));
  await collector.flush();
  collector.add(testFacts());
  await collector.flush();
  const reporter = b.reporter();
  await reporter.round();
  assert.equal(b.sent.length, 0, 'the day is not over');
  b.clock.now += DAY;
  await reporter.round();
  await reporter.round();
  assert.deepEqual(b.queued(), ['dmarc@remote.test']);
  const mail = Buffer.from(b.sent[0]!.bytes).toString('latin1');
  assert.match(mail, /^Subject: Report Domain: remote\.test Submitter: us\.test Report-ID:\r\n <1782864000\.remote\.test@us\.test>\r$/m);
  assert.match(mail, /filename="us\.test!remote\.test!1782864000!1782950399\.xml\.gz"/);
  const base64 = mail.slice(mail.indexOf('base64\r\n\r\n') + 10, mail.lastIndexOf('\r\n--'));
  const report = await parseAggregateReport(Buffer.from(base64, 'base64'));
  assert.match(gunzipSync(Buffer.from(base64, 'base64')).toString(), /^<\?xml/);
  assert.deepEqual(
    report.records.map(({ sourceIp, count, disposition }) => [sourceIp, count, disposition]),
    [
      ['192.0.2.7', 6, 'none'],
      ['192.0.2.8', 1, 'reject'],
    ],
  );
});

test('after a restart nothing is sent twice, and a late row opens no new report', async (t) => {
  const b = bench(t);
  const collector = b.collector();
  collector.add(testFacts());
  await collector.flush();
  b.clock.now += DAY;
  const first = b.reporter();
  await first.round();
  await first.stop();
  await b.reopen();
  b.clock.now -= DAY;
  const late = b.collector();
  late.add(testFacts({ sourceIp: '192.0.2.9' }));
  await late.flush();
  b.clock.now += DAY;
  await b.reporter().round();
  assert.equal(b.sent.length, 1);
  assert.deepEqual(b.queued(), ['dmarc@remote.test']);
});

test('two reporters that prepare the same report send it once', async (t) => {
  const b = bench(t);
  const collector = b.collector();
  collector.add(testFacts());
  await collector.flush();
  b.clock.now += DAY;
  await Promise.all([b.reporter().round(), b.reporter().round()]);
  assert.deepEqual(b.queued(), ['dmarc@remote.test']);
});

test('a foreign destination gets reports only when its zone says so', async (t) => {
  const b = bench(t, { 'remote.test._report._dmarc.yes.example': 'v=DMARC1;', 'remote.test._report._dmarc.other.example': 'v=spf1' });
  const collector = b.collector();
  const rua = ['mailto:a@yes.example', 'mailto:b@no.example', 'mailto:c@other.example', 'https://x.example/', 'mailto:d@sub.remote.test!1'];
  collector.add(testFacts({ policy: { ...testFacts().policy, rua } }));
  await collector.flush();
  b.clock.now += DAY;
  await b.reporter().round();
  assert.deepEqual(b.queued(), ['a@yes.example']);
  const [view] = await b.call<OutgoingView[]>('dmarc.outgoing', {});
  assert.equal(view!.state, 'sent');
  assert.match(view!.note!, /no\.example has not agreed.*other\.example has not agreed.*https:.* is no mailto.*d@sub\.remote\.test takes 1 octets/);
});

test('a name server that does not answer delays the report, and in the end it is given up', async (t) => {
  const b = bench(t, { 'remote.test._report._dmarc.dead.example': 'dead' });
  const collector = b.collector();
  collector.add(testFacts({ policy: { ...testFacts().policy, rua: ['mailto:a@dead.example'] } }));
  await collector.flush();
  b.clock.now += DAY;
  const reporter = b.reporter();
  await reporter.round();
  assert.deepEqual(await b.call('dmarc.outgoing', {}), [
    { day: '2026-07-01', domain: 'remote.test', rows: 1, state: 'open', attempts: 1, note: 'dead.example: no answer' },
  ]);
  for (let n = 1; n < REPORT_LIMITS.attempts; n += 1) await reporter.round();
  assert.equal((await b.call<OutgoingView[]>('dmarc.outgoing', {}))[0]!.state, 'given up');
  assert.deepEqual(b.store.reader.rows('SELECT count(*) FROM dmarc_row'), [[0]]);
});

test('made-up rows cannot fill the disk: what is too much is dropped', async (t) => {
  const b = bench(t);
  const collector = b.collector();
  for (let n = 0; n < REPORT_LIMITS.rowsPerDay + 700; n += 1) {
    collector.add(testFacts({ sourceIp: `2001:db8::${n.toString(16)}` }));
    if (n % 400 === 399) await collector.flush();
  }
  await collector.flush();
  assert.deepEqual(b.store.reader.rows('SELECT count(*) FROM dmarc_row'), [[REPORT_LIMITS.rowsPerDay]]);
});

test('nothing is counted while reports are off', async (t) => {
  const b = bench(t);
  b.settings['dmarc.sendReports'] = false;
  const collector = b.collector();
  collector.add(testFacts());
  await collector.flush();
  assert.deepEqual(await b.call('dmarc.outgoing', {}), []);
});

for (const [uri, expected] of [
  ['mailto:a@b.example', { address: 'a@b.example', bytesMax: null }],
  ['MAILTO:a@B.Example!10m', { address: 'a@b.example', bytesMax: 10 * 2 ** 20 }],
  ['mailto:a%21b@c.example!50K', { address: 'a!b@c.example', bytesMax: 50 * 1024 }],
  ['mailto:a@b.example!5', { address: 'a@b.example', bytesMax: 5 }],
  ['mailto:a@b.example!', null],
  ['mailto:a@b.example?cc=x@y.example', null],
  ['mailto:%zz@b.example', null],
  ['mailto:a@b.example,c@d.example', null],
  ['mailto:a%0d%0aBcc:x@b.example', null],
  ['mailto:', null],
  ['http://b.example/', null],
] as const)
  test(`the destination ${uri} is ${expected === null ? 'none' : `${expected.address}, at most ${expected.bytesMax ?? 'any number of'} octets`}`, () => {
    const found = parseDestination(uri);
    assert.deepEqual(found === null ? null : { address: formatAddress(found.address), bytesMax: found.bytesMax }, expected);
  });

test('the agreeing zone may name another address at the same host, not elsewhere', async () => {
  const ask = (record: string) => reportDestinations('remote.test', ['mailto:a@x.example'], { txt: async () => ({ kind: 'found', records: [record] }) });
  const first = async (record: string): Promise<string> => {
    const answer = await ask(record);
    assert.ok(answer.kind === 'ok');
    return formatAddress(answer.destinations[0]!.address);
  };
  assert.equal(await first('v=DMARC1; rua=mailto:b@x.example'), 'b@x.example');
  assert.equal(await first('v=DMARC1; rua=mailto:b@evil.example'), 'a@x.example');
});

// ── Reports of others ────────────────────────────────────────────────────────────────────────────────

function letterWith(gzip: Uint8Array, fileName = 'big.example!us.test!1782864000!1782950399.xml.gz'): Uint8Array {
  return composeReportMail({
    id: 'id00000000000001',
    at: NOON,
    hostname: 'mx.big.example',
    from: { local: 'noreply', domain: 'big.example' },
    to: { local: 'dmarc', domain: 'us.test' },
    domain: 'us.test',
    receiver: 'big.example',
    report: { reportId: '1782864000.x', fileName, xml: '' },
    gzip,
  });
}

test('a report that arrives by mail is stored once and shown by source', async (t) => {
  const b = bench(t);
  const letter = letterWith(zipOf({ 'r.xml': PLAIN_REPORT }));
  const first = await takeReport(letter, b.taker);
  const second = await takeReport(letter, b.taker);
  assert.deepEqual([first.kind, (first as { isNew: boolean }).isNew, (second as { isNew: boolean }).isNew], ['taken', true, false]);
  const [report] = await b.call<ReceivedReportView[]>('dmarc.reports', { domain: 'us.test' });
  assert.deepEqual([report!.organization, report!.messages, report!.passed], ['big.example', 15, 12]);
  const answer = await b.call<SourcesAnswer>('dmarc.sources', { domain: 'us.test' });
  assert.deepEqual(
    answer.sources.map(({ sourceIp, messages, passed, rejected }) => [sourceIp, messages, passed, rejected]),
    [
      ['192.0.2.1', 12, 12, 0],
      ['2001:db8::66', 3, 0, 3],
    ],
  );
  assert.deepEqual(answer.sources[1]!.spf, ['evil.test fail']);
  assert.deepEqual(await b.call('dmarc.reports', { domain: 'us.test', since: NOON + 30 * DAY }), []);
});

test('mail without a report, with a bad one, or about a foreign domain is not stored', async (t) => {
  const b = bench(t);
  assert.deepEqual(await takeReport(Buffer.from('From: a@b.test\r\n\r\nhello\r\n'), b.taker), { kind: 'none' });
  assert.equal((await takeReport(letterWith(Buffer.from('not xml at all')), b.taker)).kind, 'refused');
  const foreign = await takeReport(letterWith(Buffer.from(PLAIN_REPORT.replaceAll('us.test', 'foreign.test'))), b.taker);
  assert.match((foreign as { reason: string }).reason, /foreign\.test, which is not served here/);
  assert.deepEqual(await b.call('dmarc.reports', {}), []);
});

test('old reports go, a few at a time', async (t) => {
  const b = bench(t);
  for (let n = 0; n < 12; n += 1) await takeReport(letterWith(Buffer.from(PLAIN_REPORT.replace('1234567890', `id${n}`))), b.taker);
  b.clock.now += 400 * DAY;
  await takeReport(letterWith(Buffer.from(PLAIN_REPORT)), b.taker);
  await b.reporter().round();
  assert.equal((await b.call<ReceivedReportView[]>('dmarc.reports', {})).length, 1);
  assert.deepEqual(b.store.reader.rows('SELECT count(*) FROM dmarc_record'), [[2]]);
});
