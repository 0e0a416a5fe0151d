import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { parseAggregateReport, readAggregateReport } from './aggregate-read.ts';
import { buildAggregateReport } from './aggregate-write.ts';
import { REPORT_LIMITS } from './limits.ts';
import { ReportError } from './report-error.ts';
import { PLAIN_REPORT, testFacts, zipOf } from './testing.ts';

const failsWith = (code: string) => (error: unknown) => error instanceof ReportError && error.code === code;

test('a report is read whether it comes plain, in gzip, or in a zip archive', async () => {
  const plain = await parseAggregateReport(Buffer.from(PLAIN_REPORT));
  assert.deepEqual(await parseAggregateReport(gzipSync(PLAIN_REPORT)), plain);
  assert.deepEqual(await parseAggregateReport(zipOf({ 'big.example!us.test!1!2.xml': PLAIN_REPORT })), plain);
  assert.deepEqual(await parseAggregateReport(Buffer.from(`\ufeff${PLAIN_REPORT}`, 'utf16le')), plain);
  assert.equal(plain.organization, 'big.example');
  assert.equal(plain.beginAt, 1_782_864_000_000);
  assert.equal(plain.policy.domain, 'us.test');
  assert.deepEqual(plain.records[1], {
    sourceIp: '2001:db8::66',
    count: 3,
    disposition: 'reject',
    dkim: 'fail',
    spf: 'fail',
    headerFrom: 'us.test',
    envelopeFrom: 'evil.test',
    envelopeTo: '',
    reasons: [{ type: 'local_policy', comment: 'a & b' }],
    dkimResults: [],
    spfResults: [{ domain: 'evil.test', scope: 'mfrom', result: 'fail' }],
  });
});

test('what we write, we read', async () => {
  const built = buildAggregateReport({
    organization: 'A & B <mail>',
    email: 'postmaster@us.test',
    receiver: 'us.test',
    domain: 'remote.test',
    policy: testFacts().policy,
    day: 20_635,
    rows: [{ facts: testFacts({ override: { type: 'mailing_list', comment: '"x" \x00 <y>' } }), count: 4 }],
  });
  const read = await readAggregateReport(built.xml);
  assert.equal(read.organization, 'A & B <mail>');
  assert.equal(read.reportId, built.reportId);
  assert.deepEqual([read.beginAt, read.endAt], [20_635 * 86_400_000, 20_636 * 86_400_000 - 1000]);
  assert.deepEqual(
    read.records.map(({ sourceIp, count, dkim, spf, reasons, dkimResults }) => ({ sourceIp, count, dkim, spf, reasons, dkimResults })),
    [
      {
        sourceIp: '192.0.2.7',
        count: 4,
        dkim: 'pass',
        spf: 'fail',
        reasons: [{ type: 'mailing_list', comment: '"x" ? <y>' }],
        dkimResults: [{ domain: 'remote.test', selector: 's1', result: 'pass' }],
      },
    ],
  );
  assert.equal(built.fileName, 'us.test!remote.test!1782864000!1782950399.xml.gz');
});

test('any text in our facts gives XML that is read back', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary', maxLength: 40 }), async (comment) => {
      const facts = testFacts({ override: { type: 'other', comment } });
      const { xml } = buildAggregateReport({
        organization: 'o',
        email: 'e@o.test',
        receiver: 'o.test',
        domain: 'remote.test',
        policy: facts.policy,
        day: 20_000,
        rows: [{ facts, count: 1 }],
      });
      assert.equal((await readAggregateReport(xml)).records.length, 1);
    }),
    { seed: 7489, numRuns: 200 },
  );
});

const small = (
  inside: string,
  metadata = '<org_name>o</org_name><report_id>1</report_id><date_range><begin>1782864000</begin><end>1782950399</end></date_range>',
): string =>
  `<feedback><report_metadata>${metadata}</report_metadata><policy_published><domain>us.test</domain><p>none</p></policy_published>${inside}</feedback>`;
const ROW = '<record><row><source_ip>192.0.2.1</source_ip><count>1</count></row></record>';

test('namespaces and attributes of some vendors do not matter', async () => {
  const xml = small(ROW)
    .replaceAll(/<(\/?)(\w)/g, '<$1d:$2')
    .replace('<d:feedback>', '<d:feedback xmlns:d="http://dmarc.org/dmarc-xml/0.1" xml:lang="en">');
  assert.equal((await readAggregateReport(xml)).records[0]!.sourceIp, '192.0.2.1');
});

for (const [what, metadata, begin] of [
  ['milliseconds', '<date_range><begin>1782864000000</begin><end>1782950399000</end></date_range>', 1_782_864_000_000],
  ['a written date', '<date_range><begin>2026-07-01T00:00:00Z</begin><end>2026-07-02</end></date_range>', Date.UTC(2026, 6, 1)],
  ['nothing but the file name', '', 1_782_864_000_000],
  ['a swapped range', '<date_range><begin>1782950399</begin><end>1782864000</end></date_range>', 1_782_864_000_000],
  ['nonsense', '<date_range><begin>-5</begin><end>99999999999999999999</end></date_range>', 1_782_864_000_000],
] as const)
  test(`dates given as ${what} are made out`, async () =>
    assert.equal((await readAggregateReport(small(ROW, metadata), 'o!us.test!1782864000!1782950399.xml')).beginAt, begin));

test('missing elements and odd numbers take neutral values', async () => {
  const report = await readAggregateReport(
    small('<record/><record><row><count>1e9</count><source_ip>x</source_ip></row></record><record><row><count>999999999999999</count></row></record>', ''),
    'o!us.test!1782864000!1782950399.xml',
  );
  assert.deepEqual(
    report.records.map(({ sourceIp, count, disposition, dkim }) => [sourceIp, count, disposition, dkim]),
    [
      ['', 1, 'none', 'fail'],
      ['', 1, 'none', 'fail'],
      ['', REPORT_LIMITS.count, 'none', 'fail'],
    ],
  );
  assert.equal(report.organization, 'unknown');
});

for (const [what, xml, code] of [
  ['no report', '<html><body>no</body></html>', 'noReport'],
  ['nothing', '', 'noReport'],
  ['no domain', '<feedback><record><row/></record></feedback>', 'malformed'],
  ['no records', small(''), 'malformed'],
  ['a document type', `<!DOCTYPE feedback [<!ENTITY a "b">]>${small(ROW)}`, 'hostile'],
  ['entities that multiply', `<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><feedback>&b;</feedback>`, 'hostile'],
  ['endless nesting', `${'<a>'.repeat(100_000)}`, 'hostile'],
  ['endless tags', `<feedback>${'<a/>'.repeat(2_000_000)}</feedback>`, 'tooLarge'],
  ['a record within a record', small('<record><record></record></record>'), 'malformed'],
  ['a record without an end', small('<record>'), 'malformed'],
  ['a thousand tags without an end', small('<record '.repeat(100_000)), 'hostile'],
  ['too many records', small('<record/>'.repeat(REPORT_LIMITS.records + 1)), 'tooLarge'],
] as const)
  test(`XML with ${what} is refused as ${code}`, () => assert.rejects(readAggregateReport(xml), failsWith(code)));

test('names of object properties are only text', async () => {
  const report = await (async () => {
    try {
      return await readAggregateReport(small(`<__proto__><polluted>1</polluted></__proto__><constructor>x</constructor>${ROW}`));
    } catch (error) {
      assert.ok(error instanceof ReportError);
      return null;
    }
  })();
  assert.equal(({} as Record<string, unknown>)['polluted'], undefined);
  if (report !== null) assert.equal(report.records.length, 1);
});

test('archives that grow without bound, lie about their size, nest or are damaged are refused', async () => {
  const zeros = Buffer.alloc(REPORT_LIMITS.unpackedBytes + 1);
  await assert.rejects(parseAggregateReport(gzipSync(zeros)), failsWith('tooLarge'));
  await assert.rejects(parseAggregateReport(zipOf({ 'a.xml': zeros })), failsWith('tooLarge'));
  await assert.rejects(parseAggregateReport(zipOf({ 'a.xml': Buffer.alloc(1_000_000) }, 10)), failsWith('damaged'));
  await assert.rejects(parseAggregateReport(zipOf({ 'a.zip': zipOf({ 'a.xml': PLAIN_REPORT }) })), failsWith('nested'));
  await assert.rejects(parseAggregateReport(gzipSync(gzipSync(PLAIN_REPORT))), failsWith('nested'));
  await assert.rejects(parseAggregateReport(zipOf({})), failsWith('noReport'));
  await assert.rejects(parseAggregateReport(zipOf({ 'folder/': '' })), failsWith('noReport'));
  await assert.rejects(parseAggregateReport(Buffer.from('PK\x03\x04nothing more', 'latin1')), failsWith('damaged'));
  await assert.rejects(parseAggregateReport(gzipSync(PLAIN_REPORT).subarray(0, 100)), failsWith('damaged'));
  await assert.rejects(parseAggregateReport(Buffer.alloc(REPORT_LIMITS.packedBytes + 1)), failsWith('tooLarge'));
});

test('a name in an archive that points elsewhere leads nowhere', async () => {
  const report = await parseAggregateReport(zipOf({ '../../etc/passwd': 'x', '/abs\\..\\report.XML': PLAIN_REPORT }));
  assert.equal(report.policy.domain, 'us.test');
});

test('octets changed anywhere give a report or a ReportError, nothing else', async () => {
  const seeds = [gzipSync(PLAIN_REPORT), zipOf({ 'a.xml': PLAIN_REPORT }), Buffer.from(PLAIN_REPORT)];
  await fc.assert(
    fc.asyncProperty(fc.nat(2), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 5 }), async (which, changes) => {
      const bytes = Buffer.from(seeds[which]!);
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      try {
        await parseAggregateReport(bytes);
      } catch (error) {
        assert.ok(error instanceof ReportError, String(error));
      }
    }),
    { seed: 42, numRuns: 300 },
  );
});
