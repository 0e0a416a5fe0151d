/** What is derived from a message once, at arrival, and kept: the `Digest` of ports.ts. */
import { formatAddress } from './address.ts';
import { parseAddressList } from './address-list.ts';
import { serializeBody } from './body-structure.ts';
import { envelopeOf, messageIdOf, sentAtOf } from './envelope.ts';
import { MAIL_LIMITS, type MailLimits } from './limits.ts';
import { MimeParser, type MimePart } from './mime.ts';
import { encodeParts } from './part-index.ts';
import type { Digest } from '../ports.ts';

/** Digest of a whole message. Never throws, whatever the bytes. */
export function digestMessage(message: Uint8Array): Digest {
  const parser = new MimeParser();
  parser.push(message);
  return digestOf(parser, parser.end());
}

/** The same for a message that arrives in pieces; keeps neither the pieces nor the body. */
export class DigestBuilder {
  readonly #parser: MimeParser;
  constructor(limits: MailLimits = MAIL_LIMITS) {
    this.#parser = new MimeParser(limits);
  }
  push(chunk: Uint8Array): void {
    this.#parser.push(chunk);
  }
  /** Call once. */
  end(): Digest {
    return digestOf(this.#parser, this.#parser.end());
  }
}

function digestOf(parser: MimeParser, root: MimePart): Digest {
  const { header } = parser;
  return {
    headerBytes: root.bodyStart,
    envelope: envelopeOf(header),
    bodyStructure: serializeBody(root, true),
    parts: encodeParts(root),
    messageId: messageIdOf(header.messageId),
    sentAt: sentAtOf(header),
    has8bit: parser.has8bit,
    hasLongLine: parser.hasLongLine,
    receivedCount: header.receivedCount,
    deliveredTo: header.deliveredTo.length === 0 ? NOBODY : header.deliveredTo.map(deliveredAddress),
    isTruncated: parser.isTruncated,
  };
}
const NOBODY: readonly string[] = [];

/** The address of a Delivered-To field as "local@domain" with the domain in lower case, however it was written. */
function deliveredAddress(value: string): string {
  const first = parseAddressList(value, 1)[0];
  if (first === undefined || first.kind !== 'mailbox' || first.domain === '') return value.trim();
  return formatAddress({ local: first.local, domain: first.domain.toLowerCase() });
}
