/** The ARC sets of a message (RFC 8617 sections 4.1 and 4.2), put in order; nothing is verified here. */
import { fieldValue, type HeaderField } from '../../mail/header.ts';
import { relaxed } from './canonical-header.ts';
import { domainName } from './domain-name.ts';
import { AUTHENTICITY_LIMITS } from './limits.ts';
import type { MessageHeader } from './message-header.ts';
import { base64, parseTags, type TagList } from './tags.ts';

export interface ArcSeal {
  readonly field: HeaderField;
  readonly cv: 'none' | 'pass' | 'fail';
  readonly domain: string;
  readonly selector: string;
  readonly keyType: 'rsa' | 'ed25519';
  readonly signature: Buffer;
}

export interface ArcSet {
  readonly instance: number;
  readonly results: HeaderField;
  /** authserv-id and results: what follows "i=N;". One character a byte, unfolded. */
  readonly payload: string;
  readonly message: HeaderField;
  readonly seal: ArcSeal;
}

/** Sets 1 to n; null when there are none; a short phrase when they make no chain. */
export function readChain(header: MessageHeader): ArcSet[] | null | string {
  const { arcSeals, arcSignatures, arcResults } = header;
  const count = arcSeals.length;
  if (count === 0 && arcSignatures.length === 0 && arcResults.length === 0) return null;
  if (header.isTruncated) return 'header is too large';
  if (count > AUTHENTICITY_LIMITS.arcSets) return `more than ${AUTHENTICITY_LIMITS.arcSets} sets`;
  if (arcSignatures.length !== count || arcResults.length !== count) return 'sets are not complete';
  let octets = 0;
  for (const field of [...arcSeals, ...arcSignatures, ...arcResults]) octets += field.end - field.nameStart;
  if (octets > AUTHENTICITY_LIMITS.arcBytes) return 'sets are too large';

  const seals: (ArcSeal | undefined)[] = [];
  for (const field of arcSeals) {
    const list = parseTags(fieldValue(header.bytes, field), true);
    const instance = typeof list === 'string' ? 0 : instanceOf(list.tags.get('i'));
    if (typeof list === 'string' || instance < 1 || instance > count || seals[instance] !== undefined) return 'instances of ARC-Seal are wrong';
    const seal = readSeal(field, list);
    if (typeof seal === 'string') return `ARC-Seal ${instance}: ${seal}`;
    seals[instance] = seal;
  }
  const messages: (HeaderField | undefined)[] = [];
  for (const field of arcSignatures) {
    const list = parseTags(fieldValue(header.bytes, field), true);
    const instance = typeof list === 'string' ? 0 : instanceOf(list.tags.get('i'));
    if (instance < 1 || instance > count || messages[instance] !== undefined) return 'instances of ARC-Message-Signature are wrong';
    messages[instance] = field;
  }
  const results: ({ field: HeaderField; payload: string } | undefined)[] = [];
  for (const field of arcResults) {
    const value = fieldValue(header.bytes, field);
    const match = /^[ \t]*i[ \t]*=[ \t]*(\d{1,2})[ \t]*;/.exec(value);
    const instance = instanceOf(match?.[1]);
    if (match === null || instance < 1 || instance > count || results[instance] !== undefined) return 'instances of ARC-Authentication-Results are wrong';
    results[instance] = { field, payload: value.slice(match[0].length).trim() };
  }
  const sets: ArcSet[] = [];
  for (let instance = 1; instance <= count; instance += 1) {
    const seal = seals[instance]!;
    sets.push({ instance, results: results[instance]!.field, payload: results[instance]!.payload, message: messages[instance]!, seal });
  }
  return sets;
}

function readSeal(field: HeaderField, { tags }: TagList): ArcSeal | string {
  const cv = tags.get('cv')?.toLowerCase();
  if (cv !== 'none' && cv !== 'pass' && cv !== 'fail') return 'cv= is wrong';
  if (tags.has('h')) return 'h= is not allowed'; // RFC 8617 section 4.1.3
  const algorithm = tags.get('a')?.toLowerCase();
  if (algorithm !== 'rsa-sha256' && algorithm !== 'ed25519-sha256') return 'unknown algorithm';
  const time = tags.get('t');
  if (time !== undefined && !/^\d{1,12}$/.test(time)) return 't= is no time';
  const domain = domainName(tags.get('d') ?? '');
  const selector = domainName(tags.get('s') ?? '');
  const signature = base64(tags.get('b') ?? '');
  if (domain === null || selector === null || signature === null) return 'd=, s= or b= is missing or wrong';
  return { field, cv, domain, selector, keyType: algorithm === 'rsa-sha256' ? 'rsa' : 'ed25519', signature };
}

/** 1 to 50, or 0. */
function instanceOf(text: string | undefined): number {
  return text !== undefined && /^\d{1,2}$/.test(text) ? Number(text) : 0;
}

/** Does an ARC-Authentication-Results payload say dmarc=pass for this author domain? Comments and quoted texts are passed over. */
export function saysDmarcPass(payload: string, authorDomain: string): boolean {
  for (const part of withoutComments(payload).split(';')) {
    const words = part.trim().split(/[ \t]+/);
    if (!/^dmarc=pass$/i.test(words[0] ?? '')) continue;
    const from = words.find((word) => /^header\.from=/i.test(word));
    if (from === undefined || domainName(from.slice('header.from='.length)) === authorDomain) return true;
  }
  return false;
}

/** The text without comments, and no blanks around "=". */
const withoutComments = (text: string): string =>
  bareText(text)
    .replace(/[ \t]+=/g, '=')
    .replace(/=[ \t]+/g, '=');

/** Without comments, quoted texts left empty: what a sender put there must not speak for us. */
export function bareText(text: string): string {
  let out = '';
  let depth = 0;
  let isQuoted = false;
  for (let i = 0; i < text.length; i += 1) {
    const c = text[i]!;
    if (c === '\\' && (isQuoted || depth > 0)) i += 1;
    else if (isQuoted) isQuoted = c !== '"';
    else if (c === '"' && depth === 0) isQuoted = true;
    else if (c === '(') depth += 1;
    else if (c === ')' && depth > 0) depth -= 1;
    else if (depth === 0) out += c;
  }
  return out;
}

/** A field as a seal covers it. */
export function sealedField(name: string, value: string): string {
  return `${relaxed(name, value)}\r\n`;
}
