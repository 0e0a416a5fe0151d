/** Sealing a message that is forwarded (RFC 8617 section 5.1): one more ARC set on top of the chain. */
import { createHash, type KeyObject, sign } from 'node:crypto';
import type { MessageView } from '../../ports.ts';
import type { ArcResult } from './arc.ts';
import { sealedField } from './arc-chain.ts';
import { BodyHash } from './body-hash.ts';
import { canonicalField, relaxed, signedFields } from './canonical-header.ts';
import { AUTHENTICITY_LIMITS } from './limits.ts';
import type { MessageHeader } from './message-header.ts';

export interface SealInput {
  readonly message: MessageView;
  readonly header: MessageHeader;
  /** How the chain was found when the message came in, before anything was changed. */
  readonly chain: ArcResult;
  /** authserv-id and results (`AuthenticityResult.payload`), unfolded; one character a byte. */
  readonly payload: string;
  readonly domain: string;
  readonly selector: string;
  readonly key: KeyObject;
  readonly algorithm: 'rsa-sha256' | 'ed25519-sha256';
  /** Fields to sign, in lower case; only those present are named. Never ARC-Seal. */
  readonly names: readonly string[];
  readonly nowSeconds: number;
}

/** The three fields in the order in which they are put on top; values folded with CRLF and a blank. */
export type ArcFields = readonly { readonly name: string; readonly value: string }[];

/**
 * RFC 5322 allows 998 octets in a line. Values stay on one line below that: blanks within b= of the message signature would be covered by the
 * seal, and the ARC test suite expects none.
 */
const COLUMNS = 800;

/**
 * The fields to prepend; null when the chain is closed (its newest seal says cv=fail, section 5.1.2) or has as many sets as there may be.
 * Waits only for a message that is not in memory.
 */
export function sealArc(input: SealInput): ArcFields | null | Promise<ArcFields | null> {
  if (input.chain.isClosed || input.chain.highest >= AUTHENTICITY_LIMITS.arcSets) return null;
  const hash = new BodyHash('relaxed', 'sha256', null);
  if (input.message.bytes !== null) {
    hash.update(input.message.bytes.subarray(input.header.end));
    return seal(input, hash.digest());
  }
  return streamed(input, hash);
}

async function streamed(input: SealInput, hash: BodyHash): Promise<ArcFields> {
  let skip = input.header.end;
  for await (const chunk of input.message.stream()) {
    if (skip < chunk.length) hash.update(chunk.subarray(skip));
    skip = Math.max(0, skip - chunk.length);
  }
  return seal(input, hash.digest());
}

function seal(input: SealInput, bodyHash: Buffer): ArcFields {
  const { header, chain, algorithm, domain, selector, nowSeconds } = input;
  const instance = chain.highest + 1;
  const cv = chain.highest === 0 ? 'none' : chain.result === 'pass' ? 'pass' : 'fail';
  const names = input.names.filter((name) => name !== 'arc-seal' && header.named(name).length > 0);
  const results = `i=${instance}; ${input.payload.trim()}`;

  const messageTags = (b: string): string =>
    `a=${algorithm};\r\n b=${b};\r\n bh=${bodyHash.toString('base64')}; c=relaxed/relaxed;\r\n d=${domain}; h=${foldNames(names)};\r\n i=${instance}; s=${selector}; t=${nowSeconds}`;
  const signedText = signedFields(header, names, 'relaxed') + relaxed('ARC-Message-Signature', messageTags(''));
  const message = messageTags(signature(input, signedText));

  const sealTags = (b: string): string => `a=${algorithm};\r\n b=${b}; cv=${cv}; d=${domain}; i=${instance}; s=${selector};\r\n t=${nowSeconds}`;
  let sealedText = '';
  // A broken chain is not vouched for: its seal covers its own set only.
  if (cv === 'pass')
    for (const set of chain.sets)
      sealedText +=
        canonicalField(header.bytes, set.results, 'relaxed') +
        canonicalField(header.bytes, set.message, 'relaxed') +
        canonicalField(header.bytes, set.seal.field, 'relaxed');
  sealedText += sealedField('ARC-Authentication-Results', results) + sealedField('ARC-Message-Signature', message) + relaxed('ARC-Seal', sealTags(''));
  return [
    { name: 'ARC-Authentication-Results', value: results },
    { name: 'ARC-Message-Signature', value: message },
    { name: 'ARC-Seal', value: sealTags(signature(input, sealedText)) },
  ];
}

function signature({ key, algorithm }: SealInput, text: string): string {
  const data = Buffer.from(text, 'latin1');
  // RFC 8463 section 3: Ed25519 signs the hash.
  const signed = algorithm === 'rsa-sha256' ? sign('sha256', data, key) : sign(null, createHash('sha256').update(data).digest(), key);
  return signed.toString('base64');
}

function foldNames(names: readonly string[]): string {
  let out = '';
  let column = 0;
  for (const [index, name] of names.entries()) {
    const word = index === 0 ? name : `:${name}`;
    if (column + word.length > COLUMNS && index > 0) {
      out += `:\r\n ${name}`;
      column = name.length;
    } else {
      out += word;
      column += word.length;
    }
  }
  return out;
}
