/**
 * Aggregate reports of others (RFC 7489 appendix C), read for what they mean: vendors add namespaces, leave elements out, write
 * dates in milliseconds. What cannot be made out takes a neutral value; only a report without a domain or without records is refused.
 */
import { isIP } from 'node:net';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { XMLParser } from 'fast-xml-parser';
import { canonicalDomain } from '../../directory/address.ts';
import type { AggregateRecord, AggregateReport } from './aggregate.types.ts';
import { DAY_MS, REPORT_LIMITS } from './limits.ts';
import { ReportError } from './report-error.ts';
import { unpackReport } from './unpack.ts';

/** Reads a report as attached; `fileName` helps where the dates are missing. Throws ReportError; never anything else for bad input. */
export async function parseAggregateReport(bytes: Uint8Array, fileName = ''): Promise<AggregateReport> {
  return readAggregateReport(decodeText(await unpackReport(bytes)), fileName);
}

/** UTF-8 unless a mark says UTF-16; wrong octets become U+FFFD. */
function decodeText(bytes: Uint8Array): string {
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? 'utf-16le' : bytes[0] === 0xfe && bytes[1] === 0xff ? 'utf-16be' : 'utf-8';
  return new TextDecoder(encoding).decode(bytes);
}

type Node = string | { readonly [name: string]: Node } | readonly Node[];

const PARSER = new XMLParser({
  ignoreAttributes: true,
  ignoreDeclaration: true,
  ignorePiTags: true,
  removeNSPrefix: true,
  parseTagValue: false,
  // Entities are where XML becomes dangerous; the five that everybody has are read below.
  processEntities: false,
  maxNestedTags: REPORT_LIMITS.xmlDepth,
});

/** Records read before others get a turn: some milliseconds. */
const RECORDS_AT_ONCE = 100;

/** Reads the XML, a part at a time so that a large report holds nobody up. Rejects with ReportError. */
export async function readAggregateReport(xml: string, fileName = ''): Promise<AggregateReport> {
  checkShape(xml);
  const { frame, records } = splitRecords(xml);
  const feedback = child(parse(frame), 'feedback');
  if (feedback === undefined) throw new ReportError('noReport', 'the XML is no aggregate report (no <feedback>)');
  const read: AggregateRecord[] = [];
  for (let at = 0; at < records.length; at += RECORDS_AT_ONCE) {
    if (at > 0) await nextTurn();
    const some = children(child(parse(`<r>${records.slice(at, at + RECORDS_AT_ONCE).join('')}</r>`), 'r'), 'record');
    for (const record of some) read.push(readRecord(record));
  }
  const metadata = child(feedback, 'report_metadata');
  const published = child(feedback, 'policy_published');
  // Some leave the policy out; the mails are all from the domain then.
  const domain = canonicalDomain(text(published, 'domain')) ?? canonicalDomain(read[0]?.headerFrom ?? '');
  if (domain === null) throw new ReportError('malformed', 'it does not say which domain it is about');
  if (read.length === 0) throw new ReportError('malformed', 'it holds no records');
  const range = child(metadata, 'date_range');
  const [beginAt, endAt] = dates(text(range, 'begin'), text(range, 'end'), fileName);
  return {
    organization: text(metadata, 'org_name') || text(metadata, 'email') || 'unknown',
    email: text(metadata, 'email'),
    // Without an id of its own, its time is what tells it from the sender's next one.
    reportId: text(metadata, 'report_id') || `${beginAt}-${endAt}`,
    beginAt,
    endAt,
    policy: {
      domain,
      adkim: word(text(published, 'adkim')) || 'r',
      aspf: word(text(published, 'aspf')) || 'r',
      p: word(text(published, 'p')),
      sp: word(text(published, 'sp')),
      pct: word(text(published, 'pct')) || '100',
    },
    records: read,
  };
}

function parse(xml: string): Node {
  try {
    return PARSER.parse(xml) as Node;
  } catch (error) {
    throw new ReportError('malformed', `the XML cannot be read: ${(error as Error).message.slice(0, 200)}`, { cause: error });
  }
}

/** Tags of <record>, with or without a prefix. Attributes are bounded: a search from each "<record" to the end of the text would be quadratic. */
const RECORD_TAG = /<(\/?)(?:[A-Za-z_][\w.-]{0,60}:)?record(?:\s[^<>]{0,500})?(\/?)>/g;

/** The text of each record, and the text around them. */
function splitRecords(xml: string): { frame: string; records: string[] } {
  const records: string[] = [];
  let frame = '';
  let outside = 0;
  let from = -1;
  for (const tag of xml.matchAll(RECORD_TAG)) {
    const end = tag.index + tag[0].length;
    const isClosing = tag[1] === '/';
    if (isClosing && from === -1) throw new ReportError('malformed', 'a record ends that never began');
    if (!isClosing) {
      if (from !== -1) throw new ReportError('malformed', 'a record begins within a record');
      from = tag.index;
      frame += xml.slice(outside, from);
      if (tag[2] === '') continue;
    }
    if (records.length === REPORT_LIMITS.records) throw new ReportError('tooLarge', `it has more than ${REPORT_LIMITS.records} records`);
    records.push(xml.slice(from, end));
    outside = end;
    from = -1;
  }
  if (from !== -1) throw new ReportError('malformed', 'its last record has no end');
  return { frame: frame + xml.slice(outside), records };
}

/** Refuses declarations of entities, endless nesting and endless tags before anything is built of them. One pass. */
function checkShape(xml: string): void {
  if (/<!(?:DOCTYPE|ENTITY)/i.test(xml)) throw new ReportError('hostile', 'the XML declares a document type or entities');
  let depth = 0;
  let tags = 0;
  for (let at = xml.indexOf('<'); at !== -1; at = xml.indexOf('<', at + 1)) {
    const next = xml.charCodeAt(at + 1);
    if (next === 0x21 || next === 0x3f) continue; // comment, CDATA, declaration
    tags += 1;
    if (tags > REPORT_LIMITS.xmlTags) throw new ReportError('tooLarge', `it has more than ${REPORT_LIMITS.xmlTags} tags`);
    if (next === 0x2f) depth -= 1;
    else {
      const close = xml.indexOf('>', at);
      if (close === -1) return; // the parser says what is wrong
      if (xml.charCodeAt(close - 1) === 0x2f) continue;
      depth += 1;
      if (depth > REPORT_LIMITS.xmlDepth) throw new ReportError('hostile', `its elements are nested more than ${REPORT_LIMITS.xmlDepth} deep`);
    }
  }
}

function child(node: Node | undefined, name: string): Node | undefined {
  if (node === undefined || typeof node === 'string') return undefined;
  const one = Array.isArray(node) ? (node as readonly Node[])[0] : node;
  if (one === undefined || typeof one === 'string' || Array.isArray(one)) return undefined;
  return Object.hasOwn(one, name) ? (one as Readonly<Record<string, Node>>)[name] : undefined;
}

function children(node: Node | undefined, name: string): readonly Node[] {
  const found = child(node, name);
  return found === undefined ? [] : Array.isArray(found) ? (found as readonly Node[]) : [found];
}

/** Text of the first element of that name, bounded and without control characters; '' when there is none. */
function text(node: Node | undefined, name: string): string {
  const found = children(node, name)[0];
  if (typeof found !== 'string') return '';
  return found
    .slice(0, REPORT_LIMITS.textCharacters * 6)
    .replace(/&(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-f]{1,6});/gi, character)
    .replace(/[\x00-\x1f\x7f-\x9f]+/g, ' ')
    .trim()
    .slice(0, REPORT_LIMITS.textCharacters);
}

const NAMED: Readonly<Record<string, string>> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&apos;': "'" };

function character(entity: string): string {
  const named = NAMED[entity.toLowerCase()];
  if (named !== undefined) return named;
  const code = /^&#x/i.test(entity) ? Number.parseInt(entity.slice(3), 16) : Number(entity.slice(2, -1));
  return Number.isInteger(code) && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? String.fromCodePoint(code) : '\ufffd';
}

/** A keyword of the format. */
function word(value: string): string {
  return /^[A-Za-z0-9_-]{1,30}$/.test(value) ? value.toLowerCase() : '';
}

/** Seconds since 1970 as they should be; milliseconds and written-out dates are met. Then the file name's, then today. */
function dates(begin: string, end: string, fileName: string): [number, number] {
  const named = /!(\d{9,13})!(\d{9,13})/.exec(fileName);
  const from = moment(begin) ?? moment(named?.[1] ?? '') ?? moment(end) ?? Date.now();
  const to = moment(end) ?? moment(named?.[2] ?? '') ?? from + DAY_MS - 1000;
  return from <= to ? [from, to] : [to, from];
}

/** Before this, and far in the future, no report can be from. */
const FIRST = Date.UTC(2011, 0, 1);
const LAST = Date.UTC(2200, 0, 1);

function moment(value: string): number | null {
  const digits = /^\d{9,13}(?:\.\d{1,9})?$/.test(value);
  const found = digits ? Number(value) * (value.length >= 12 && !value.includes('.') ? 1 : 1000) : value === '' ? Number.NaN : Date.parse(value);
  return Number.isFinite(found) && found >= FIRST && found <= LAST ? Math.trunc(found) : null;
}

const passOrFail = (value: string): 'pass' | 'fail' => (word(value) === 'pass' ? 'pass' : 'fail');

function readRecord(record: Node): AggregateRecord {
  const row = child(record, 'row');
  const evaluated = child(row, 'policy_evaluated');
  // "identities" is what early drafts called them.
  const identifiers = child(record, 'identifiers') ?? child(record, 'identities');
  const results = child(record, 'auth_results');
  const ip = text(row, 'source_ip');
  const count = /^\d{1,15}$/.test(text(row, 'count')) ? Math.min(Number(text(row, 'count')), REPORT_LIMITS.count) : 1;
  const disposition = word(text(evaluated, 'disposition'));
  return {
    sourceIp: isIP(ip) === 0 ? '' : ip.toLowerCase(),
    count,
    disposition: disposition === 'quarantine' || disposition === 'reject' ? disposition : 'none',
    dkim: passOrFail(text(evaluated, 'dkim')),
    spf: passOrFail(text(evaluated, 'spf')),
    headerFrom: text(identifiers, 'header_from').toLowerCase(),
    envelopeFrom: text(identifiers, 'envelope_from').toLowerCase(),
    envelopeTo: text(identifiers, 'envelope_to').toLowerCase(),
    reasons: some(evaluated, 'reason').map((reason) => ({ type: word(text(reason, 'type')), comment: text(reason, 'comment') })),
    dkimResults: some(results, 'dkim').map((one) => ({
      domain: text(one, 'domain').toLowerCase(),
      selector: text(one, 'selector'),
      result: word(text(one, 'result')),
    })),
    spfResults: some(results, 'spf').map((one) => ({
      domain: text(one, 'domain').toLowerCase(),
      scope: word(text(one, 'scope')),
      result: word(text(one, 'result')),
    })),
  };
}

function some(node: Node | undefined, name: string): readonly Node[] {
  return children(node, name).slice(0, REPORT_LIMITS.dkimResults);
}
