/**
 * DKIM signatures for a message on its way out (RFC 6376, RFC 8463): one for each key of the domain, relaxed/relaxed, the body hashed
 * once. Small messages are hashed where they lie; larger ones are streamed.
 */
import { createHash, type KeyObject, sign as signWith } from 'node:crypto';
import { canonicalDomain } from '../../directory/address.ts';
import { parseAddressList } from '../../mail/address-list.ts';
import { fieldName, fieldValue, type HeaderField, isField, latin1, scanHeaders } from '../../mail/header.ts';
import type { MessageView } from '../../ports.ts';
import { BodyHash } from '../authenticity/body-hash.ts';
import { relaxed } from '../authenticity/canonical-header.ts';
import { SIGNING_LIMITS } from './limits.ts';
import type { DkimSigner, KeyRing } from './ring.ts';
import type { SigningSettings } from './settings.ts';

/** Names to sign, made once from the settings. */
export interface SignedFields {
  /** Lower case, in the order of h=; `isOversigned`: named once more than it occurs. */
  readonly names: readonly { readonly name: string; readonly isOversigned: boolean }[];
}

export interface SignOptions {
  readonly fields: SignedFields;
  /** Milliseconds; 0 for no x= tag. */
  readonly expireAfterMs: number;
  now(): number;
}

/** The options in force, compiled; call again after a reload. */
export function signOptions(settings: Pick<SigningSettings, 'dkim.oversign' | 'dkim.signedFields' | 'dkim.expireAfter'>, now: () => number): SignOptions {
  const names = new Map<string, boolean>([['from', true]]);
  for (const name of settings['dkim.oversign']) names.set(name.toLowerCase(), true);
  for (const name of settings['dkim.signedFields']) if (!names.has(name.toLowerCase())) names.set(name.toLowerCase(), false);
  // What hops add or change must not be signed (RFC 6376 section 5.4).
  for (const name of ['return-path', 'received', 'comments', 'keywords', 'dkim-signature', 'authentication-results']) names.delete(name);
  return {
    fields: { names: [...names].map(([name, isOversigned]) => ({ name, isOversigned })) },
    expireAfterMs: settings['dkim.expireAfter'],
    now,
  };
}

/**
 * The domain of the From field (lower case A-labels), or of its nearest parent with keys when `useParent`; null when none has keys
 * or the message has no single, readable From field: such mail is not vouched for.
 */
export function signingDomain(header: Uint8Array, ring: KeyRing, useParent: boolean): string | null {
  const from = scanHeaders(header).fields.filter((field) => isField(header, field, 'from'));
  if (from.length !== 1) return null;
  const [first] = parseAddressList(fieldValue(header, from[0]!), 1);
  if (first === undefined || first.kind !== 'mailbox') return null;
  const domain = canonicalDomain(first.domain);
  if (domain === null) return null;
  if (ring.signersFor(domain).length > 0) return domain;
  if (!useParent) return null;
  for (let dot = domain.indexOf('.'); dot !== -1; dot = domain.indexOf('.', dot + 1)) {
    const parent = domain.slice(dot + 1);
    if (!parent.includes('.')) return null;
    if (ring.signersFor(parent).length > 0) return parent;
  }
  return null;
}

/**
 * Values of the DKIM-Signature fields to prepend, folded, without name and final CRLF; empty when the domain has no keys, the message
 * has no From field, or its header is longer than is held. Rejects only when the message cannot be read or a key does not work.
 */
export function signMessage(view: MessageView, domain: string, ring: KeyRing, options: SignOptions): readonly string[] | Promise<readonly string[]> {
  const signers = ring.signersFor(domain);
  if (signers.length === 0) return NOTHING;
  const section = scanHeaders(view.header);
  // A header that is not all here, or not all understood, cannot be signed as a whole.
  if (section.isTruncated || (!section.isComplete && view.header.length < view.size)) return NOTHING;
  const header = signedHeader(view.header, section.fields, options.fields);
  if (header === null) return NOTHING;
  if (view.bytes !== null) {
    const body = new BodyHash('relaxed', 'sha256', null);
    body.update(view.bytes.subarray(section.end));
    return signatures(signers, header, body.digest().toString('base64'), options);
  }
  return streamedBodyHash(view, section.end).then((bodyHash) => signatures(signers, header, bodyHash, options));
}
const NOTHING: readonly string[] = [];

async function streamedBodyHash(view: MessageView, headerBytes: number): Promise<string> {
  const body = new BodyHash('relaxed', 'sha256', null);
  let skip = headerBytes;
  for await (const chunk of view.stream()) {
    if (skip < chunk.length) body.update(skip === 0 ? chunk : chunk.subarray(skip));
    skip = Math.max(0, skip - chunk.length);
  }
  return body.digest().toString('base64');
}

interface SignedHeader {
  /** Names for h=. */
  readonly names: readonly string[];
  /** Canonical fields in that order, each with CRLF. Characters are bytes. */
  readonly text: string;
}

/** Null when there is no From field. The last field of a name is taken first (section 5.4.2). */
function signedHeader(bytes: Uint8Array, fields: readonly HeaderField[], wanted: SignedFields): SignedHeader | null {
  const byName = new Map<string, HeaderField[]>();
  for (const field of fields) {
    const name = fieldName(bytes, field).toLowerCase();
    const list = byName.get(name);
    if (list === undefined) byName.set(name, [field]);
    else list.push(field);
  }
  if (!byName.has('from')) return null;
  const names: string[] = [];
  let text = '';
  for (const { name, isOversigned } of wanted.names) {
    const present = byName.get(name);
    if (present !== undefined)
      for (let i = present.length - 1; i >= 0 && names.length < SIGNING_LIMITS.signedFields; i -= 1) {
        const field = present[i]!;
        names.push(name);
        text += `${relaxed(name, latin1(bytes, field.valueStart, field.valueEnd))}\r\n`;
      }
    if (isOversigned && names.length < SIGNING_LIMITS.signedFields) names.push(name);
  }
  return { names, text };
}

function signatures(signers: readonly DkimSigner[], header: SignedHeader, bodyHash: string, options: SignOptions): Promise<readonly string[]> {
  const seconds = Math.floor(options.now() / 1000);
  return Promise.all(
    signers.map(async (signer) => {
      const head = fieldHead(signer, header.names, bodyHash, seconds, options.expireAfterMs);
      const data = Buffer.from(`${header.text}${relaxed('dkim-signature', head)}`, 'latin1');
      return `${head}${foldedBase64(await signatureOf(signer, data))}`;
    }),
  );
}

/** RSA takes the better part of a millisecond: it runs in libuv's threads, so that the loop serves others meanwhile. */
function signatureOf({ algorithm, key }: DkimSigner, data: Buffer): Promise<Buffer> | Buffer {
  if (algorithm === 'rsa') return rsaSignature(data, key);
  // RFC 8463 section 3: the signature is over the SHA-256 hash.
  return signWith(null, createHash('sha256').update(data).digest(), key);
}

function rsaSignature(data: Buffer, key: KeyObject): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    signWith('sha256', data, key, (error, signature) => (error === null ? resolve(signature) : reject(error)));
  });
}

/** Octets of a line of ours; RFC 5322 section 2.1.1 wishes for 78. */
const LINE = 76;

/** Everything up to and including "b=". Lines are folded where white space may stand (RFC 6376 section 3.2). */
function fieldHead(signer: DkimSigner, names: readonly string[], bodyHash: string, seconds: number, expireAfterMs: number): string {
  const expires = expireAfterMs === 0 ? '' : ` x=${seconds + Math.max(1, Math.floor(expireAfterMs / 1000))};`;
  let line = '\th=';
  let list = '';
  for (const [index, name] of names.entries()) {
    const word = index === 0 ? name : `:${name}`;
    if (line.length + word.length > LINE) {
      list += `${line}\r\n`;
      line = '\t ';
    }
    line += word;
  }
  list += `${line};\r\n`;
  return (
    `v=1; a=${signer.algorithm}-sha256; c=relaxed/relaxed;\r\n` +
    `\td=${signer.domain}; s=${signer.selector};\r\n` +
    `\tt=${seconds};${expires}\r\n` +
    `${list}` +
    `\tbh=${bodyHash};\r\n` +
    '\tb='
  );
}

function foldedBase64(signature: Buffer): string {
  const text = signature.toString('base64');
  let out = text.slice(0, LINE - 3);
  for (let at = LINE - 3; at < text.length; at += LINE - 1) out += `\r\n\t${text.slice(at, at + LINE - 1)}`;
  return out;
}
