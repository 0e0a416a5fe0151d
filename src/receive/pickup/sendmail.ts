/** The classic sendmail(1) command: reads a message from stdin and leaves it in the pickup directory, whether the server runs or not. */
import { formatAddress, parseMailbox } from '../../mail/address.ts';
import { parseAddressList } from '../../mail/address-list.ts';
import { isField, scanHeaders } from '../../mail/header.ts';
import { PATH_LOCAL_BYTES_MAX } from '../smtp/path.ts';
import { mailboxesOf } from '../submission/complete.ts';
import { type Arguments, parseArguments } from './arguments.ts';
import { Drop, type DropEnvelope, PICKUP_LIMITS } from './drop.ts';
import { EXIT, type SendmailIo } from './io.ts';
import { DotEnd } from './lines.ts';
import { speakSmtp } from './stdio.ts';

/** Messages are at most this large unless `messageBytesMax` says otherwise. */
const MESSAGE_BYTES_MAX = 2 * 1024 * 1024 * 1024;
const HEADER_BYTES_MAX = 1024 * 1024;

/** `argv` without the program's name. Answers the exit code; never throws for what the user or the system did. */
export async function runSendmail(argv: readonly string[], io: SendmailIo): Promise<number> {
  const parsed = parseArguments(io.name ?? 'sendmail', argv);
  if (parsed.kind === 'usage') {
    io.stderr(`sendmail: ${parsed.message}\n`);
    return EXIT.usage;
  }
  const options = parsed.value;
  if (options.mode === 'nothing') return EXIT.ok;
  if (options.mode === 'queue') {
    if (io.printQueue !== undefined) return io.printQueue();
    io.stderr('sendmail: the queue can be seen with "posthorn queue list"\n');
    return EXIT.unavailable;
  }
  try {
    return options.mode === 'smtp' ? await speakSmtp(io, options) : await submit(options, io);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === undefined) throw error;
    io.stderr(`sendmail: cannot leave the message in ${io.directory}: ${(error as Error).message}\n`);
    return EXIT.tempFail;
  }
}

async function submit(options: Arguments, io: SendmailIo): Promise<number> {
  const recipients: string[] = [];
  for (const text of options.recipients) {
    const found = addressesOf(text);
    if (found === null) return refuse(io, EXIT.data, `"${text}" is no address`);
    recipients.push(...found);
  }
  let sender: string | null | undefined;
  if (options.sender === '') sender = null;
  else if (options.sender !== undefined) {
    const found = addressesOf(options.sender);
    if (found?.length !== 1) return refuse(io, EXIT.data, `"${options.sender}" is no address`);
    sender = found[0]!;
  }
  if (!options.fromHeader && recipients.length === 0) return refuse(io, EXIT.usage, 'no recipients: name them, or give -t to take them from the header');

  const most = io.messageBytesMax ?? MESSAGE_BYTES_MAX;
  const input = new Input(io.stdin, options.ignoresDots);
  let head: Uint8Array | null = null;
  if (options.fromHeader) {
    const header = await input.header();
    if (header === null) return refuse(io, EXIT.data, 'the header is too large');
    const { addresses, bytes } = recipientsOf(header);
    recipients.push(...addresses);
    head = bytes;
  }
  const unique = [...new Set(recipients)];
  if (unique.length === 0) return refuse(io, EXIT.usage, 'no recipients in the header');
  if (unique.length > PICKUP_LIMITS.recipientsMax) return refuse(io, EXIT.usage, `more than ${PICKUP_LIMITS.recipientsMax} recipients`);
  const envelope: DropEnvelope = {
    version: 1,
    sender,
    fullName: options.fullName,
    recipients: unique,
    notify: options.notify,
    ret: options.ret,
    envid: options.envid,
  };
  const drop = new Drop(io.directory, envelope);
  let isCommitted = false;
  try {
    if (head !== null) drop.write(head);
    for (;;) {
      const chunk = await input.next();
      if (chunk === null) break;
      if (drop.size + chunk.length > most) return refuse(io, EXIT.data, `the message is larger than ${most} bytes`);
      drop.write(chunk);
    }
    drop.commit();
    isCommitted = true;
  } finally {
    if (!isCommitted) drop.abort();
  }
  return EXIT.ok;
}

function refuse(io: SendmailIo, code: number, message: string): number {
  io.stderr(`sendmail: ${message}\n`);
  return code;
}

/** Addresses in one argument ("a@b, Bob <b@c>", "root"), or null when something in it is none. */
export function addressesOf(text: string): string[] | null {
  const found: string[] = [];
  for (const item of parseAddressList(Buffer.from(text, 'utf8'))) {
    if (item.kind !== 'mailbox') continue;
    const address = formatAddress({ local: utf8(item.local), domain: utf8(item.domain) });
    const whole = item.domain === '' ? `${address}@localhost` : address;
    if (item.local === '' || parseMailbox(whole, { utf8: true, localBytes: PATH_LOCAL_BYTES_MAX }) === null) return null;
    found.push(address);
  }
  return found.length === 0 ? null : found;
}

function utf8(text: string): string {
  return Buffer.from(text, 'latin1').toString('utf8');
}

/** -t: recipients of a header and the header without Bcc. With Resent- fields, only those count (RFC 5322 section 3.6.6). */
function recipientsOf(header: Buffer): { addresses: string[]; bytes: Buffer } {
  const { fields, end } = scanHeaders(header);
  const isResent = fields.some((field) => ['resent-to', 'resent-cc', 'resent-bcc'].some((name) => isField(header, field, name)));
  const addresses = mailboxesOf(header, isResent ? ['resent-to', 'resent-cc', 'resent-bcc'] : ['to', 'cc', 'bcc']);
  const pieces: Buffer[] = [];
  let fieldsEnd = 0;
  for (const field of fields) {
    fieldsEnd = field.end;
    if (!isField(header, field, 'bcc') && !isField(header, field, 'resent-bcc')) pieces.push(header.subarray(field.nameStart, field.end));
  }
  pieces.push(header.subarray(fieldsEnd, end), header.subarray(end));
  return { addresses: addresses.filter((address) => address !== ''), bytes: Buffer.concat(pieces) };
}

/** stdin up to its end, or up to a line with a single dot. */
class Input {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #dots: DotEnd | null;
  #isEnded = false;

  constructor(stdin: AsyncIterable<Uint8Array>, ignoresDots: boolean) {
    this.#source = stdin[Symbol.asyncIterator]();
    this.#dots = ignoresDots ? null : new DotEnd();
  }

  async next(): Promise<Uint8Array | null> {
    if (this.#isEnded) return null;
    const { done, value } = await this.#source.next();
    if (done === true) {
      this.#isEnded = true;
      const rest = this.#dots?.end() ?? new Uint8Array(0);
      return rest.length > 0 ? rest : null;
    }
    if (this.#dots === null) return value;
    const { bytes, isEnd } = this.#dots.push(value);
    this.#isEnded = isEnd;
    return bytes;
  }

  /** Everything up to the blank line at least; null when there is too much of it. */
  async header(): Promise<Buffer | null> {
    const chunks: Uint8Array[] = [];
    let size = 0;
    let tail = '';
    for (;;) {
      const chunk = await this.next();
      if (chunk === null) break;
      chunks.push(chunk);
      size += chunk.length;
      const text = tail + Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length).toString('latin1');
      if (text.includes('\n\n') || text.includes('\n\r\n')) break;
      tail = text.slice(-2);
      if (size > HEADER_BYTES_MAX) return null;
    }
    return Buffer.concat(chunks);
  }
}
