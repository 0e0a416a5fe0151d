/** A DKIM-Signature or ARC-Message-Signature field read and checked (RFC 6376 sections 3.5 and 6.1.1; RFC 8617 section 4.1.2). */
import { fieldValue, type HeaderField } from '../../mail/header.ts';
import type { HashAlgorithm } from './body-hash.ts';
import type { Canonicalisation } from './canonical-header.ts';
import type { KeyType } from './dkim-key.ts';
import { domainName, isWithin } from './domain-name.ts';
import { AUTHENTICITY_LIMITS } from './limits.ts';
import { base64, parseTags, type TagList, withoutFws } from './tags.ts';

export interface Signature {
  readonly field: HeaderField;
  readonly keyType: KeyType;
  readonly hash: HashAlgorithm;
  readonly headerForm: Canonicalisation;
  readonly bodyForm: Canonicalisation;
  /** d=, canonical. */
  readonly domain: string;
  readonly selector: string;
  /** i= decoded; null when not given. Of an ARC-Message-Signature always null. */
  readonly identity: string | null;
  readonly identityDomain: string;
  /** h= in lower case. */
  readonly names: readonly string[];
  readonly bodyHash: Buffer;
  readonly signature: Buffer;
  /** l=, or null. */
  readonly bodyBytes: number | null;
  /** t= and x= in seconds, or null. */
  readonly signedAt: number | null;
  readonly expiresAt: number | null;
  /** Without v=1: of a draft before RFC 4871. It can be verified, but is no DKIM signature. */
  readonly isDraft: boolean;
  /** Always so of a DKIM signature. */
  readonly isFromSigned: boolean;
  /** c= was given. */
  readonly hasForms: boolean;
}

/** A signature that cannot be checked. What is known of it is for reports only. */
export interface BadSignature {
  readonly result: 'neutral' | 'permerror';
  readonly reason: string;
  readonly domain: string;
  readonly selector: string;
  readonly signature: string;
  readonly algorithm: string;
}

const SECONDS = /^\d{1,12}$/;

export function parseSignature(bytes: Uint8Array, field: HeaderField, kind: 'dkim' | 'arc'): Signature | BadSignature {
  if (field.end - field.nameStart > AUTHENTICITY_LIMITS.signatureBytes) return bad('neutral', 'signature field is too long', null);
  const list = parseTags(fieldValue(bytes, field), kind === 'arc');
  if (typeof list === 'string') return bad('neutral', list, null);
  const { tags } = list;
  const tag = (name: string): string => tags.get(name) ?? '';
  for (const name of REQUIRED)
    if (tag(name) === '' && !(kind === 'arc' && name === 'h' && tags.has(name))) return bad('permerror', `${name}= is missing`, list);
  const version = tags.get('v');
  const isDraft = kind === 'dkim' && (version === undefined || version === '0.5');
  if (kind === 'dkim' && version !== '1' && !isDraft) return bad('neutral', 'unknown version', list);

  const algorithm = ALGORITHMS.get(tag('a').toLowerCase());
  if (algorithm === undefined || (kind === 'arc' && algorithm.hash === 'sha1')) return bad('neutral', 'unknown algorithm', list);
  const [headerForm, bodyForm = 'simple'] = (tags.get('c') ?? 'simple/simple').toLowerCase().split('/');
  if (!isForm(headerForm) || !isForm(bodyForm)) return bad('neutral', 'unknown canonicalization', list);
  const methods = tags.get('q');
  const isQueried =
    methods === undefined ||
    withoutFws(methods)
      .toLowerCase()
      .split(':')
      .some((method) => method === 'dns/txt' || (isDraft && method === 'dns'));
  if (!isQueried) return bad('neutral', 'unknown query method', list);

  const domain = domainName(tag('d'));
  const selector = domainName(tag('s'));
  if (domain === null) return bad('permerror', 'd= is no domain', list);
  if (selector === null || selector.length + domain.length > 240) return bad('permerror', 's= is no selector', list);
  const names = withoutFws(tag('h')).toLowerCase().split(':');
  if (names.length > AUTHENTICITY_LIMITS.signedNames) return bad('neutral', 'h= names too many fields', list);
  const isFromSigned = names.includes('from');
  if (!isFromSigned && kind === 'dkim') return bad('permerror', 'From is not signed', list);

  const identity = kind === 'dkim' && tags.has('i') ? decodeQuoted(tag('i')) : null;
  const identityDomain = identity === null ? domain : domainName(identity.slice(identity.lastIndexOf('@') + 1));
  if (identityDomain === null || (identity !== null && !identity.includes('@')) || !isWithin(identityDomain, domain))
    return bad('permerror', 'i= is not within d=', list);

  const bodyHash = base64(tag('bh'));
  const signature = base64(tag('b'));
  if (bodyHash === null || signature === null) return bad('permerror', 'b= or bh= is no base64', list);
  const length = tags.get('l');
  if (length !== undefined && !/^\d{1,15}$/.test(length)) return bad('permerror', 'l= is no number', list);
  const signedAt = tags.get('t');
  const expiresAt = tags.get('x');
  if ((signedAt !== undefined && !SECONDS.test(signedAt)) || (expiresAt !== undefined && !SECONDS.test(expiresAt)))
    return bad('permerror', 't= or x= is no time', list);
  return {
    field,
    keyType: algorithm.keyType,
    hash: algorithm.hash,
    headerForm,
    bodyForm,
    domain,
    selector,
    identity,
    identityDomain,
    names,
    bodyHash,
    signature,
    bodyBytes: length === undefined ? null : Number(length),
    signedAt: signedAt === undefined ? null : Number(signedAt),
    expiresAt: expiresAt === undefined ? null : Number(expiresAt),
    isDraft,
    isFromSigned,
    hasForms: tags.has('c'),
  };
}

const REQUIRED = ['a', 'b', 'bh', 'd', 'h', 's'] as const;
export const ALGORITHMS: ReadonlyMap<string, { readonly keyType: KeyType; readonly hash: HashAlgorithm }> = new Map([
  ['rsa-sha256', { keyType: 'rsa', hash: 'sha256' }],
  ['ed25519-sha256', { keyType: 'ed25519', hash: 'sha256' }],
  ['rsa-sha1', { keyType: 'rsa', hash: 'sha1' }],
]);

export function isBad(signature: Signature | BadSignature): signature is BadSignature {
  return 'reason' in signature;
}

function isForm(text: string | undefined): text is Canonicalisation {
  return text === 'simple' || text === 'relaxed';
}

function bad(result: BadSignature['result'], reason: string, list: TagList | null): BadSignature {
  const tag = (name: string): string => list?.tags.get(name) ?? '';
  return {
    result,
    reason,
    domain: domainName(tag('d')) ?? '',
    selector: domainName(tag('s')) ?? '',
    signature: withoutFws(tag('b')),
    algorithm: tag('a').toLowerCase(),
  };
}

/** dkim-quoted-printable (RFC 6376 section 2.11). */
function decodeQuoted(text: string): string {
  const bare = withoutFws(text);
  return bare.includes('=') ? bare.replace(/=([0-9A-F]{2})/gi, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))) : bare;
}
