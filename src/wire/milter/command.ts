/** What an MTA sends: written by our client, read by our face. */
import { COMMAND } from './codes.ts';
import { type Options, parseOptions, writeOptions } from './negotiate.ts';
import { type Packet, packet, readTexts, textPacket } from './packet.ts';

export type MilterCommand =
  | { readonly kind: 'negotiate'; readonly options: Options }
  /** Macros of the command with the letter `command` that follows; names with their braces, as sent. */
  | { readonly kind: 'macro'; readonly command: number; readonly macros: readonly (readonly [name: string, value: string])[] }
  | { readonly kind: 'connect'; readonly name: string; readonly peer: MilterPeer }
  | { readonly kind: 'helo'; readonly name: string }
  /** `address` as in the SMTP command, with its angle brackets; `args` are ESMTP parameters. */
  | { readonly kind: 'mail' | 'rcpt'; readonly address: string; readonly args: readonly string[] }
  | { readonly kind: 'header'; readonly name: string; readonly value: string }
  | { readonly kind: 'body' | 'endOfMessage'; readonly chunk: Buffer }
  | { readonly kind: 'unknown'; readonly line: string }
  | { readonly kind: 'data' | 'endOfHeaders' | 'abort' | 'quit' | 'quitNewConnection' };

/** Whom the MTA speaks with. */
export type MilterPeer =
  | { readonly family: 'inet' | 'inet6'; readonly port: number; readonly address: string }
  | { readonly family: 'unix'; readonly path: string }
  | { readonly family: 'unknown' };

const FAMILIES = { inet: '4', inet6: '6', unix: 'L', unknown: 'U' } as const;

/** The packet of a command. */
export function writeCommand(command: MilterCommand): Buffer {
  switch (command.kind) {
    case 'negotiate':
      return writeOptions(command.options);
    case 'macro':
      return macroPacket(command.command, command.macros);
    case 'connect':
      return connectPacket(command.name, command.peer);
    case 'helo':
      return textPacket(COMMAND.helo, [command.name]);
    case 'mail':
    case 'rcpt':
      return textPacket(COMMAND[command.kind], [command.address, ...command.args]);
    case 'header':
      return textPacket(COMMAND.header, [command.name, command.value]);
    case 'body':
    case 'endOfMessage':
      return packet(COMMAND[command.kind], command.chunk);
    case 'unknown':
      return textPacket(COMMAND.unknown, [command.line]);
    default:
      return packet(COMMAND[command.kind]);
  }
}

export function macroPacket(command: number, macros: readonly (readonly [name: string, value: string])[]): Buffer {
  // The letter stands before the first text, without a NUL of its own: one byte wide, as if it were part of the first name.
  const texts = macros.flat();
  const letter = String.fromCharCode(command);
  if (texts.length === 0) return packet(COMMAND.macro, Buffer.of(command));
  texts[0] = letter + texts[0];
  return textPacket(COMMAND.macro, texts);
}

function connectPacket(name: string, peer: MilterPeer): Buffer {
  const letter = FAMILIES[peer.family];
  const head = Buffer.from(`${name.replaceAll('\0', ' ')}\0${letter}`, 'latin1');
  if (peer.family === 'unknown') return packet(COMMAND.connect, head);
  const port = Buffer.allocUnsafe(2);
  port.writeUInt16BE(peer.family === 'unix' ? 0 : peer.port & 0xffff, 0);
  const place = peer.family === 'unix' ? peer.path : peer.address;
  return packet(COMMAND.connect, Buffer.concat([head, port, Buffer.from(`${place.replaceAll('\0', ' ')}\0`, 'latin1')]));
}

/** The command in a packet, or null when it is none or malformed. */
export function parseCommand({ code, data }: Packet): MilterCommand | null {
  switch (code) {
    case COMMAND.negotiate: {
      const options = parseOptions(data);
      return options === null ? null : { kind: 'negotiate', options };
    }
    case COMMAND.macro:
      return parseMacros(data);
    case COMMAND.connect:
      return parseConnect(data);
    case COMMAND.helo:
      return { kind: 'helo', name: firstText(data) };
    case COMMAND.mail:
      return parsePath('mail', data);
    case COMMAND.rcpt:
      return parsePath('rcpt', data);
    case COMMAND.header: {
      const nul = data.indexOf(0);
      if (nul <= 0) return null;
      const end = data.indexOf(0, nul + 1);
      return { kind: 'header', name: data.toString('latin1', 0, nul), value: data.toString('latin1', nul + 1, end === -1 ? data.length : end) };
    }
    case COMMAND.body:
      return { kind: 'body', chunk: data };
    case COMMAND.endOfMessage:
      return { kind: 'endOfMessage', chunk: data };
    case COMMAND.unknown:
      return { kind: 'unknown', line: firstText(data) };
    case COMMAND.data:
      return { kind: 'data' };
    case COMMAND.endOfHeaders:
      return { kind: 'endOfHeaders' };
    case COMMAND.abort:
      return { kind: 'abort' };
    case COMMAND.quit:
      return { kind: 'quit' };
    case COMMAND.quitNewConnection:
      return { kind: 'quitNewConnection' };
    default:
      return null;
  }
}

function firstText(data: Buffer): string {
  const nul = data.indexOf(0);
  return data.toString('latin1', 0, nul === -1 ? data.length : nul);
}

function parsePath(kind: 'mail' | 'rcpt', data: Buffer): MilterCommand | null {
  const texts = readTexts(data);
  return texts === null || texts.length === 0 ? null : { kind, address: texts[0]!, args: texts.slice(1) };
}

function parseMacros(data: Buffer): MilterCommand | null {
  if (data.length === 0) return null;
  const texts = readTexts(data, 1);
  if (texts === null) return null;
  const macros: [string, string][] = [];
  for (let at = 0; at < texts.length; at += 2) macros.push([texts[at]!, texts[at + 1] ?? '']);
  return { kind: 'macro', command: data[0]!, macros };
}

function parseConnect(data: Buffer): MilterCommand | null {
  const nul = data.indexOf(0);
  if (nul === -1 || nul + 1 >= data.length) return null;
  const name = data.toString('latin1', 0, nul);
  const letter = String.fromCharCode(data[nul + 1]!);
  if (letter === FAMILIES.unknown) return { kind: 'connect', name, peer: { family: 'unknown' } };
  if (nul + 4 > data.length) return null;
  const port = data.readUInt16BE(nul + 2);
  const place = firstText(data.subarray(nul + 4));
  if (letter === FAMILIES.inet) return { kind: 'connect', name, peer: { family: 'inet', port, address: place } };
  if (letter === FAMILIES.inet6) return { kind: 'connect', name, peer: { family: 'inet6', port, address: place } };
  if (letter === FAMILIES.unix) return { kind: 'connect', name, peer: { family: 'unix', path: place } };
  return null;
}
