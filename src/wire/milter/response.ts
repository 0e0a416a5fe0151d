/** What a milter answers: written by our face, read by our client. */
import { RESPONSE } from './codes.ts';
import { MILTER_LIMITS } from './limits.ts';
import { type Options, parseOptions, writeOptions } from './negotiate.ts';
import { type Packet, packet, readTexts, textPacket } from './packet.ts';

/** A change of the message; only at its end. Texts have one character per byte. */
export type MilterChange =
  | { readonly kind: 'addHeader'; readonly name: string; readonly value: string }
  | { readonly kind: 'insertHeader' | 'changeHeader'; readonly index: number; readonly name: string; readonly value: string }
  | { readonly kind: 'replaceBody'; readonly chunk: Buffer }
  | { readonly kind: 'changeSender'; readonly address: string; readonly args: string | null }
  | { readonly kind: 'addRecipient'; readonly address: string; readonly args: string | null }
  | { readonly kind: 'deleteRecipient'; readonly address: string }
  | { readonly kind: 'quarantine'; readonly reason: string };

export type MilterResponse =
  | MilterChange
  | { readonly kind: 'negotiate'; readonly options: Options }
  /** "550 5.7.1 text", perhaps of several lines. */
  | { readonly kind: 'reply'; readonly text: string }
  | { readonly kind: 'continue' | 'accept' | 'reject' | 'tempfail' | 'discard' | 'skip' | 'progress' | 'connectionFail' | 'shutdown' };

const PLAIN = {
  continue: RESPONSE.continue,
  accept: RESPONSE.accept,
  reject: RESPONSE.reject,
  tempfail: RESPONSE.tempfail,
  discard: RESPONSE.discard,
  skip: RESPONSE.skip,
  progress: RESPONSE.progress,
  connectionFail: RESPONSE.connectionFail,
  shutdown: RESPONSE.shutdown,
} as const;
const PLAIN_BY_CODE: ReadonlyMap<number, MilterResponse> = new Map(
  (Object.keys(PLAIN) as (keyof typeof PLAIN)[]).map((kind) => [PLAIN[kind], { kind } as MilterResponse]),
);

/** The packet of a response. */
export function writeResponse(response: MilterResponse): Buffer {
  switch (response.kind) {
    case 'negotiate':
      return writeOptions(response.options);
    case 'reply':
      return textPacket(RESPONSE.replyCode, [response.text]);
    case 'addHeader':
      return textPacket(RESPONSE.addHeader, [response.name, response.value]);
    case 'insertHeader':
    case 'changeHeader':
      return textPacket(RESPONSE[response.kind], [response.name, response.value], response.index);
    case 'replaceBody':
      return packet(RESPONSE.replaceBody, response.chunk);
    case 'changeSender':
      return textPacket(RESPONSE.changeSender, withArgs(response.address, response.args));
    case 'addRecipient':
      return textPacket(response.args === null ? RESPONSE.addRecipient : RESPONSE.addRecipientWithArgs, withArgs(response.address, response.args));
    case 'deleteRecipient':
      return textPacket(RESPONSE.deleteRecipient, [response.address]);
    case 'quarantine':
      return textPacket(RESPONSE.quarantine, [response.reason]);
    default:
      return packet(PLAIN[response.kind]);
  }
}

const withArgs = (address: string, args: string | null): string[] => (args === null ? [address] : [address, args]);

/** The response in a packet, or null when it is none or malformed. */
export function parseResponse({ code, data }: Packet): MilterResponse | null {
  const plain = PLAIN_BY_CODE.get(code);
  if (plain !== undefined) return plain;
  switch (code) {
    case RESPONSE.negotiate: {
      const options = parseOptions(data);
      return options === null ? null : { kind: 'negotiate', options };
    }
    case RESPONSE.replaceBody:
      return { kind: 'replaceBody', chunk: data };
    case RESPONSE.insertHeader:
    case RESPONSE.changeHeader:
      return parseIndexed(code === RESPONSE.insertHeader ? 'insertHeader' : 'changeHeader', data);
  }
  const texts = readTexts(data);
  const first = texts?.[0];
  if (texts === null || first === undefined) return null;
  switch (code) {
    case RESPONSE.replyCode:
      return first.length > MILTER_LIMITS.replyBytesMax ? null : { kind: 'reply', text: first };
    case RESPONSE.addHeader:
      return first === '' ? null : { kind: 'addHeader', name: first, value: texts[1] ?? '' };
    case RESPONSE.changeSender:
      return { kind: 'changeSender', address: first, args: texts[1] ?? null };
    case RESPONSE.addRecipient:
      return { kind: 'addRecipient', address: first, args: null };
    case RESPONSE.addRecipientWithArgs:
      return { kind: 'addRecipient', address: first, args: texts[1] ?? '' };
    case RESPONSE.deleteRecipient:
      return { kind: 'deleteRecipient', address: first };
    case RESPONSE.quarantine:
      return { kind: 'quarantine', reason: first };
    default:
      return null;
  }
}

function parseIndexed(kind: 'insertHeader' | 'changeHeader', data: Buffer): MilterResponse | null {
  const texts = data.length < 4 ? null : readTexts(data, 4);
  const name = texts?.[0];
  if (texts === null || name === undefined || name === '') return null;
  return { kind, index: data.readUInt32BE(0), name, value: texts[1] ?? '' };
}
