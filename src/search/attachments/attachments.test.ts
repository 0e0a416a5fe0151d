import assert from 'node:assert/strict';
import { test } from 'node:test';
import { AttachmentReader } from './reader.ts';
import { docx, odt, part, pdf, withParts, zip } from './testing.ts';
import { officeText, xmlText } from './office.ts';
import { rtfText } from './rtf.ts';
import { SearchWorld } from '../testing.ts';

const MOST = 1024 * 1024;

test('texts of office documents', async () => {
  assert.equal((await officeText(docx('Quarterly &amp; final\nreport'), MOST)).trim(), 'Quarterly & final\nreport');
  assert.equal((await officeText(odt('Sehr <text:span>geehr</text:span>te'), MOST)).trim(), 'Sehr geehrte');
  const xlsx = zip([
    { name: 'xl/sharedStrings.xml', content: '<sst><si><t>Umsatz</t></si><si><r><t>Kos</t></r><r><t>ten</t></r></si></sst>' },
    { name: 'xl/worksheets/sheet1.xml', content: '<row><c t="s"><v>0</v></c><c t="inlineStr"><is><t>inline</t></is></c></row>' },
    { name: 'xl/styles.xml', content: '<t>unseen</t>' },
  ]);
  assert.deepEqual((await officeText(xlsx, MOST)).split(/\s+/).filter(Boolean), ['Umsatz', 'Kosten', 'inline']);
  const pptx = zip([{ name: 'ppt/slides/slide1.xml', content: '<p:sld><a:p><a:r><a:t>First slide</a:t></a:r></a:p></p:sld>' }]);
  assert.equal((await officeText(pptx, MOST)).trim(), 'First slide');
});

test('an archive that unpacks to too much, lies about sizes, or is none, is refused', async () => {
  const bomb = zip([{ name: 'content.xml', content: Buffer.alloc(17 * 1024 * 1024, 0x20) }]);
  assert.ok(bomb.length < 20_000);
  await assert.rejects(officeText(bomb, MOST), /too much/);
  const together = Array.from({ length: 3 }, (_, n) => ({ name: `word/header${n}.xml`, content: Buffer.alloc(12 * 1024 * 1024, 0x20) }));
  await assert.rejects(officeText(zip(together), MOST), /too much/);
  await assert.rejects(officeText(zip([{ name: 'content.xml', content: 'x'.repeat(100_000), saysBytes: 10 }]), MOST));
  await assert.rejects(officeText(Buffer.from('PK\x03\x04 no archive'), MOST));
});

test('XML is read in one pass, whatever it is', () => {
  assert.equal(xmlText('<t>a<![CDATA[<b>]]>c</t>out<t/>out', false), 'a<b>c');
  assert.equal(xmlText('<!-- <t>no</t> --><t>yes</t>', false), 'yes');
  assert.equal(xmlText('<t>never closed', false), 'never closed');
  assert.equal(xmlText('<'.repeat(100_000), true), '');
  assert.equal(xmlText('<![CDATA[', true), '');
});

test('RTF: groups, code pages, Unicode, hidden parts', () => {
  const rtf = (body: string): string => rtfText(Buffer.from(`{\\rtf1\\ansi\\ansicpg1252{\\fonttbl{\\f0 Arial;}}{\\*\\generator x;}${body}}`, 'latin1'), MOST);
  assert.equal(rtf('Hello {\\b bo}ld\\par next').trim(), 'Hello bold\nnext');
  assert.equal(rtf("Gr\\'fc\\'dfe").trim(), 'Grüße');
  assert.equal(rtf("\\u8364?uro \\uc2\\u252\\'fc\\'fcx").trim(), '€uro üx');
  assert.equal(rtf('{\\pict 0123abcd}a\\{b\\}').trim(), 'a{b}');
  assert.throws(() => rtf('{'.repeat(5000)));
  assert.throws(() => rtfText(Buffer.from('no rtf'), MOST));
  assert.equal(rtfText(Buffer.from('{\\rtf1 }}}}}}x'), MOST).trim(), 'x');
});

test('the worker reads documents, and lives through hostile ones', async (t) => {
  const reader = new AttachmentReader();
  t.after(() => reader.close());
  assert.equal(reader.isRunning, false);
  assert.equal((await reader.text('pdf', pdf('Hello (PDF) world'), MOST))?.trim(), 'Hello (PDF) world');
  assert.equal((await reader.text('zip', docx('Hello Word'), MOST))?.trim(), 'Hello Word');
  assert.equal(await reader.text('pdf', Buffer.from('%PDF-1.7 but nothing else'), MOST), null);
  assert.equal(await reader.text('zip', zip([{ name: 'content.xml', content: Buffer.alloc(17 * 1024 * 1024) }]), MOST), null);
  assert.equal(await reader.text('rtf', Buffer.from('no rtf'), MOST), null);
  assert.equal(reader.isRunning, true);
  assert.equal((await reader.text('zip', docx('still here'), MOST))?.trim(), 'still here');
});

test('a document that takes too long or too much memory has no text, and the next one has a new worker', async (t) => {
  const slow = new AttachmentReader({ deadlineMs: 1 });
  t.after(() => slow.close());
  assert.equal(await slow.text('pdf', pdf('x'), MOST), null);
  assert.equal(slow.isRunning, false);
  const small = new AttachmentReader({ heapMb: 24 });
  t.after(() => small.close());
  const rows = '<text:p>a</text:p>'.repeat(900_000);
  assert.equal(await small.text('zip', zip([{ name: 'content.xml', content: rows }]), 16 * MOST), null);
  assert.equal((await small.text('rtf', Buffer.from('{\\rtf1 fine}'), MOST))?.trim(), 'fine');
});

test('a PDF whose stream unpacks without end does not take the memory of the process', async (t) => {
  const reader = new AttachmentReader({ growthMb: 64 });
  t.after(() => reader.close());
  const bomb = pdf('boom', Buffer.alloc(256 * 1024 * 1024, 0x20));
  assert.ok(bomb.length < 4 * 1024 * 1024);
  assert.equal(await reader.text('pdf', bomb, MOST), null);
  assert.equal((await reader.text('pdf', pdf('fine'), MOST))?.trim(), 'fine');
});

test('attachments are found by what they say, after the message itself', async (t) => {
  const reader = new AttachmentReader();
  t.after(() => reader.close());
  const world = new SearchWorld(t, { attachments: reader });
  const { id, inbox } = await world.account('a@example.org');
  const add = async (...parts: string[]): Promise<number> => (await world.add(id, inbox.id, withParts(parts))).email;
  const word = await add(part('application/vnd.openxmlformats-officedocument.wordprocessingml.document', 'a.docx', docx('a giraffe in Word')));
  const mislabelled = await add(part('application/octet-stream', 'B.PDF', pdf('a giraffe in PDF')));
  const json = await add(
    part('application/json', 'c', Buffer.from('{"animal":"giraffe"}')),
    part('application/octet-stream', 'x.bin', Buffer.from('giraffe unseen')),
  );
  const broken = await add(part('application/pdf', 'd.pdf', Buffer.from('giraffe but no PDF')));
  await world.indexer.catchUp();
  assert.deepEqual(await world.found(id, 'body', 'giraffe'), []);
  assert.equal(await world.indexer.readAttachments(), 4);
  assert.deepEqual(await world.found(id, 'body', 'giraffe'), [word, mislabelled, json]);
  assert.deepEqual(await world.found(id, 'text', 'giraffe in pdf'), [mislabelled]);
  assert.deepEqual(await world.found(id, 'header', 'giraffe'), []);
  assert.deepEqual(await world.found(id, 'body', 'see attached'), [word, mislabelled, json, broken]);
  assert.equal(await world.indexer.readAttachments(), 0);
});

test('attachments that ended the process twice are left alone', async (t) => {
  const world = new SearchWorld(t, { attachments: new AttachmentReader() });
  const { id, inbox } = await world.account('a@example.org');
  await world.add(id, inbox.id, withParts([part('application/json', 'c', Buffer.from('{"animal":"giraffe"}'))]));
  await world.indexer.catchUp();
  for (let attempt = 0; attempt < 2; attempt += 1) {
    const begun = world.indexer.readAttachments();
    world.restart();
    await begun.catch(() => {}); // as the process would end
  }
  assert.equal(await world.indexer.readAttachments(), 1);
  assert.deepEqual(await world.found(id, 'body', 'giraffe'), []);
});

test('a worker without work ends by itself', async () => {
  const reader = new AttachmentReader({ idleMs: 0 });
  assert.equal((await reader.text('rtf', Buffer.from('{\\rtf1 x}'), MOST))?.trim(), 'x');
  while (reader.isRunning) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(reader.isRunning, false);
});
