/** The message of one delivery in the forms that programs, files and filters want it: LF or CRLF, with the lines that local delivery puts on top. */
import { formatAddress } from '../../mail/address.ts';
import { scanHeaders } from '../../mail/header.ts';
import type { Address } from '../../ports.ts';
import type { MessageVersion } from '../filters/filter.ts';

const CR = 0x0d;
const LF = 0x0a;

/** CRLF becomes LF; a CR elsewhere stays. Copies once. */
export function toLf(bytes: Uint8Array): Buffer {
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const out = Buffer.allocUnsafe(source.length);
  let to = 0;
  let from = 0;
  for (;;) {
    const cr = source.indexOf(CR, from);
    if (cr === -1) break;
    const isEnd = source[cr + 1] === LF;
    to += source.copy(out, to, from, isEnd ? cr : cr + 1);
    from = cr + 1;
  }
  to += source.copy(out, to, from);
  return out.subarray(0, to);
}

/** LF becomes CRLF; CRLF stays. */
export function toCrlf(bytes: Uint8Array): Buffer {
  const source = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  let lines = 0;
  for (let at = source.indexOf(LF); at !== -1; at = source.indexOf(LF, at + 1)) if (at === 0 || source[at - 1] !== CR) lines += 1;
  const out = Buffer.allocUnsafe(source.length + lines);
  let to = 0;
  let from = 0;
  for (let at = source.indexOf(LF); at !== -1; at = source.indexOf(LF, at + 1)) {
    if (at > 0 && source[at - 1] === CR) continue;
    to += source.copy(out, to, from, at);
    out[to] = CR;
    out[to + 1] = LF;
    to += 2;
    from = at + 1;
  }
  source.copy(out, to, from);
  return out;
}

export interface MessageForms {
  /** As stored, CRLF; the header with its blank line. */
  readonly crlf: { readonly header: Uint8Array; readonly body: Uint8Array };
  /** LF, and the lines of local delivery on top. */
  readonly lf: { readonly header: Uint8Array; readonly body: Uint8Array };
  /** Those lines alone (LF). */
  readonly trace: Uint8Array;
}

/** Return-Path, X-Original-To and Delivered-To, in the order and spelling of Postfix's local(8). `nullSender` is what Return-Path has for `<>`. Line ends LF. */
export function traceLines(sender: Address | null, original: Address, final: Address, which = 'ROD', nullSender = ''): string {
  const clean = (text: string): string => text.replace(/[\0\r\n]/g, ' ');
  let lines = '';
  if (which.includes('R')) lines += `Return-Path: <${clean(sender === null ? nullSender : formatAddress(sender))}>\n`;
  if (which.includes('O')) lines += `X-Original-To: ${clean(formatAddress(original))}\n`;
  if (which.includes('D')) lines += `Delivered-To: ${clean(formatAddress(final))}\n`;
  return lines;
}

/** The LF form is made when it is first asked for: a delivery that only keeps a message in the store needs none. */
export function messageForms(stored: Uint8Array, trace: string): MessageForms {
  const { end, isComplete } = scanHeaders(stored);
  const header = isComplete ? stored.subarray(0, end) : Buffer.concat([stored.subarray(0, end), Buffer.from(endsLine(stored, end) ? '\r\n' : '\r\n\r\n')]);
  const crlf = { header, body: stored.subarray(end) };
  const traceBytes = Buffer.from(trace);
  let lf: MessageForms['lf'] | null = null;
  return {
    crlf,
    trace: traceBytes,
    get lf() {
      lf ??= { header: Buffer.concat([traceBytes, toLf(crlf.header)]), body: toLf(crlf.body) };
      return lf;
    },
  };
}

const endsLine = (bytes: Uint8Array, end: number): boolean => end === 0 || bytes[end - 1] === LF;

/** Addresses of the Delivered-To fields, lower case, at most 100. */
export function deliveredTo(header: Uint8Array): string[] {
  const found: string[] = [];
  for (const field of scanHeaders(header).fields) {
    if (field.nameEnd - field.nameStart !== 12) continue;
    const text = Buffer.from(header.buffer, header.byteOffset, header.length);
    if (text.toString('latin1', field.nameStart, field.nameEnd).toLowerCase() !== 'delivered-to') continue;
    found.push(text.toString('utf8', field.valueStart, field.valueEnd).trim().toLowerCase());
    if (found.length >= 100) break;
  }
  return found;
}

/** What a filter made of the message as it goes back to the courier: CRLF, without the lines that only this delivery had. */
export function changedBytes(version: MessageVersion, forms: MessageForms, isCrlf: boolean): Uint8Array | null {
  if (version === null) return null;
  let header = version.header;
  if (isCrlf) return Buffer.concat([header, version.body ?? forms.crlf.body]);
  header = withoutFromLine(header);
  const trace = forms.trace;
  if (trace.length > 0 && header.length >= trace.length && Buffer.compare(header.subarray(0, trace.length), trace) === 0)
    header = header.subarray(trace.length);
  return toCrlf(Buffer.concat([header, version.body ?? forms.lf.body]));
}

export function withoutFromLine(header: Uint8Array): Uint8Array {
  if (Buffer.from(header.buffer, header.byteOffset, Math.min(5, header.length)).toString('latin1') !== 'From ') return header;
  const end = header.indexOf(LF);
  return end === -1 ? header.subarray(header.length) : header.subarray(end + 1);
}
