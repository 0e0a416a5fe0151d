/** For the tests of this room: DNS as a table, messages, a signer. */
import { createHash, type KeyObject, sign } from 'node:crypto';
import type { Answer, AuthDns } from './auth-dns.ts';
import { BodyHash, type HashAlgorithm } from './body-hash.ts';
import { type Canonicalisation, relaxed, signedFields } from './canonical-header.ts';
import { MessageHeader } from './message-header.ts';
import { scanHeaders } from '../../mail/header.ts';
import type { Mx } from '../../net/dns.ts';
import type { JudgeInput, MessageView } from '../../ports.ts';

export interface Zone {
  readonly txt?: readonly string[];
  readonly a?: readonly string[];
  readonly aaaa?: readonly string[];
  readonly mx?: readonly (readonly [preference: number, exchange: string])[];
  readonly ptr?: readonly string[];
  readonly cname?: string;
  /** These questions fail: 'txt', 'a' …, or all. */
  readonly fails?: readonly string[] | true;
}
/** By name in lower case; addresses of `ptr` stand as they are asked: "192.0.2.1". */
export type Zones = Readonly<Record<string, Zone>>;

/** Answers at once, or with `isSlow` always by a promise. `asked` collects the questions. */
export function tableDns(zones: Zones, isSlow = false, asked: string[] = []): AuthDns {
  const byName = new Map(Object.entries(zones).map(([name, zone]) => [name.toLowerCase().replace(/\.$/, ''), zone]));
  const look = <T>(type: string, name: string, read: (zone: Zone) => readonly T[] | undefined): Answer<T> => {
    asked.push(`${type} ${name}`);
    let zone = byName.get(name.toLowerCase());
    for (let hops = 0; zone?.cname !== undefined && hops < 8; hops += 1) zone = byName.get(zone.cname.toLowerCase());
    if (zone === undefined) return { kind: 'none', exists: false };
    if (zone.fails === true || zone.fails?.includes(type) === true) return { kind: 'failed', reason: 'name server did not answer in time' };
    const records = read(zone);
    return records === undefined || records.length === 0 ? { kind: 'none', exists: true } : { kind: 'found', records };
  };
  const answer = <T>(type: string, name: string, read: (zone: Zone) => readonly T[] | undefined): Answer<T> | Promise<Answer<T>> =>
    isSlow ? Promise.resolve(look(type, name, read)) : look(type, name, read);
  return {
    txt: (name) => answer('txt', name, (zone) => zone.txt),
    addresses4: (name) => answer('a', name, (zone) => zone.a),
    addresses6: (name) => answer('aaaa', name, (zone) => zone.aaaa),
    mx: (name) => answer<Mx>('mx', name, (zone) => zone.mx?.map(([preference, exchange]) => ({ preference, exchange: exchange.replace(/\.$/, '') }))),
    ptr: (ip) => answer('ptr', ip, (zone) => zone.ptr),
  };
}

/** A message as the judge is given it; with `pieceBytes` it is streamed in such pieces. */
export function messageView(bytes: Uint8Array, pieceBytes = 0): MessageView {
  return {
    size: bytes.length,
    header: bytes.subarray(0, scanHeaders(bytes).end),
    bytes: pieceBytes === 0 ? bytes : null,
    async *stream() {
      const step = pieceBytes === 0 ? 65_536 : pieceBytes;
      for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step);
    },
  };
}

/** Signs a message as a sender would: its DKIM-Signature on top. For tests only. */
export interface TestSignature {
  readonly key: KeyObject;
  readonly domain: string;
  readonly selector?: string;
  readonly names?: readonly string[];
  readonly forms?: readonly [header: Canonicalisation, body: Canonicalisation];
  readonly hash?: HashAlgorithm;
  /** l=. */
  readonly bodyBytes?: number;
  /** More tags, such as "t=1; x=2". */
  readonly tags?: string;
  /** a= in place of the right one. */
  readonly algorithm?: string;
}

export function signMessage(message: string, how: TestSignature): string {
  const bytes = Buffer.from(message, 'latin1');
  const header = new MessageHeader(bytes, bytes.length);
  const [headerForm, bodyForm] = how.forms ?? ['relaxed', 'relaxed'];
  const hash = how.hash ?? 'sha256';
  const body = new BodyHash(bodyForm, hash, how.bodyBytes ?? null);
  body.update(bytes.subarray(header.end));
  const names = how.names ?? ['from', 'to', 'subject', 'date'];
  const isRsa = how.key.asymmetricKeyType === 'rsa';
  const length = how.bodyBytes === undefined ? '' : ` l=${how.bodyBytes};`;
  const more = how.tags === undefined ? '' : ` ${how.tags};`;
  const value = ` v=1; a=${how.algorithm ?? `${isRsa ? 'rsa' : 'ed25519'}-${hash}`}; c=${headerForm}/${bodyForm}; d=${how.domain}; s=${how.selector ?? 's'};${length}${more}\r\n\th=${names.join(':')};\r\n\tbh=${body.digest().toString('base64')}; b=`;
  const field = `DKIM-Signature:${value}`;
  const lower = names.map((name) => name.toLowerCase());
  const data = Buffer.from(signedFields(header, lower, headerForm) + (headerForm === 'simple' ? field : relaxed('DKIM-Signature', value)), 'latin1');
  const signature = isRsa ? sign(hash, data, how.key) : sign(null, createHash(hash).update(data).digest(), how.key);
  return `${field}${signature.toString('base64')}\r\n${message}`;
}

/** The key record for a key pair. */
export function keyRecord(publicKey: KeyObject, tags = 'v=DKIM1'): string {
  const der = publicKey.export({ format: 'der', type: 'spki' });
  return publicKey.asymmetricKeyType === 'rsa' ? `${tags}; k=rsa; p=${der.toString('base64')}` : `${tags}; k=ed25519; p=${der.subarray(12).toString('base64')}`;
}

/** A judge's input with what most tests do not care about. */
export function judgeInput(message: string | MessageView, more: Partial<JudgeInput> = {}): JudgeInput {
  return {
    id: 'abcdefghijklmnop',
    source: 'smtp',
    client: { ip: '192.0.2.1', port: 4000, name: null },
    helo: 'mail.author.test',
    sender: { local: 'anna', domain: 'author.test' },
    recipients: [{ local: 'bert', domain: 'us.test' }],
    auth: null,
    tls: null,
    at: 0,
    message: typeof message === 'string' ? messageView(Buffer.from(message, 'latin1')) : message,
    ...more,
  };
}
