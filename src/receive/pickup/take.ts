/** One file of the pickup directory: read, completed, handed to the intake. */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { formatAddress, parseMailbox } from '../../mail/address.ts';
import { formatDate } from '../../mail/date.ts';
import { encodeWords } from '../../mail/encoded-word.ts';
import type { Address, ContentFilter, Envelope, LoopContext, Orders, Recipient, Reply, Ruling, StagedMessage } from '../../ports.ts';
import type { ReceiveSettings } from '../settings.ts';
import { Incoming } from '../smtp/incoming.ts';
import { PATH_LOCAL_BYTES_MAX } from '../smtp/path.ts';
import { parseNotify } from '../smtp/rcpt.ts';
import { zoneMinutes } from '../smtp/received.ts';
import { rewrite, ruledWith } from '../smtp/rewriting.ts';
import { applyEdits, recordDiscard, ruledEnvelope } from '../smtp/ruling.ts';
import { completeHeader } from '../submission/complete.ts';
import { type DropEnvelope, parseEnvelopeLine, PICKUP_LIMITS } from './drop.ts';
import { CrlfLines } from './lines.ts';
import type { PickupFailure } from './notice.ts';
import { userOf } from './users.ts';

export type Taken =
  /** In the store or queue; the file can go. `failures` are recipients that cannot be reached: the sender must be told. */
  | { readonly kind: 'accepted'; readonly envelope: Envelope; readonly failures: readonly PickupFailure[]; readonly header: Uint8Array }
  /** Nobody could be reached, or the message cannot be taken: the sender must be told, then the file can go. */
  | { readonly kind: 'refused'; readonly envelope: Envelope; readonly failures: readonly PickupFailure[]; readonly header: Uint8Array }
  /** Not now. */
  | { readonly kind: 'later'; readonly cause: string }
  /** No message of ours. */
  | { readonly kind: 'bad'; readonly cause: string };

const CHUNK_BYTES = 64 * 1024;
const HEADER_BYTES_MAX = 1024 * 1024;
const NOTICE_HEADER_BYTES_MAX = 64 * 1024;

export async function takeFile(context: LoopContext<ReceiveSettings>, path: string): Promise<Taken> {
  let file: FileHandle;
  try {
    // A symbolic link would have us read somebody else's file; a FIFO would have us wait for ever.
    file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return code === 'ELOOP' ? { kind: 'bad', cause: 'a symbolic link' } : { kind: 'later', cause: String((error as Error).message) };
  }
  try {
    const stat = await file.stat();
    if (!stat.isFile() || stat.nlink !== 1) return { kind: 'bad', cause: 'not a regular file with one name' };
    return await read(context, file, stat.uid);
  } finally {
    await file.close();
  }
}

async function read(context: LoopContext<ReceiveSettings>, file: FileHandle, uid: number): Promise<Taken> {
  const settings = context.settings();
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  let first: Buffer = Buffer.alloc(0);
  let end = -1;
  while (end === -1) {
    const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES);
    const searched = first.length;
    first = Buffer.concat([first, chunk.subarray(0, bytesRead)]);
    end = first.indexOf(10, searched);
    if (end === -1 && (bytesRead === 0 || first.length > PICKUP_LIMITS.envelopeBytesMax)) return { kind: 'bad', cause: 'there is no envelope line' };
  }
  const drop = parseEnvelopeLine(first.toString('utf8', 0, end));
  if (typeof drop === 'string') return { kind: 'bad', cause: drop };
  const envelope = await envelopeOf(context, drop, uid);
  if (envelope === 'unavailable') return { kind: 'later', cause: 'a lookup table does not answer' };
  if (typeof envelope === 'string') return { kind: 'bad', cause: envelope };

  const header = new PickupHeader(envelope, drop, settings, uid);
  const judge = context.judge?.beginSubmitted(envelope) ?? null;
  const patterns = judge?.content() ?? null;
  const incoming = new Incoming(context.staging, settings['smtp.messageBytesMax'], patterns === null ? [header] : [header, patterns], context.log);
  try {
    await incoming.prepend(
      Buffer.from(
        `Received: by ${settings.hostname} (Posthorn, from userid ${uid})\r\n\tid ${envelope.id}; ${formatDate(envelope.at, zoneMinutes(envelope.at))}\r\n`,
      ),
    );
    const lines = new CrlfLines();
    await incoming.write(lines.push(first.subarray(end + 1)));
    for (;;) {
      if (incoming.refusal !== null) break;
      const { bytesRead } = await file.read(chunk, 0, CHUNK_BYTES);
      if (bytesRead === 0) break;
      await incoming.write(lines.push(chunk.subarray(0, bytesRead)));
    }
    await incoming.write(lines.end());
    await incoming.complete();
    const view = incoming.view();
    const rewritten = view === null || context.router === undefined ? null : await rewrite(context.router, view, envelope.sender, true, context.log);
    if (rewritten === 'unavailable') return { kind: 'later', cause: 'a lookup table does not answer' };
    const found = judge === null || view === null ? null : await judge.message(rewritten?.message ?? view);
    const ruling = rewritten === null ? found : ruledWith(rewritten, envelope.sender, found ?? UNJUDGED);
    if (ruling !== null && ruling.discard !== null) {
      recordDiscard(context.journey, envelope, ruling.discard, ruling.orders.judged);
      return { kind: 'accepted', envelope, failures: [], header: header.bytes };
    }
    if (ruling !== null && ruling.reply !== null) incoming.refuse(ruling.reply);
    else if (ruling !== null) await applyEdits(incoming, ruling);
    const message = await incoming.finish();
    return await handOver(context, ruling === null ? envelope : ruledEnvelope(envelope, ruling), message, incoming, header.bytes, ruling?.orders);
  } finally {
    incoming.abort(); // does nothing to what was handed over
  }
}

async function handOver(
  context: LoopContext<ReceiveSettings>,
  envelope: Envelope,
  message: StagedMessage | null,
  incoming: Incoming,
  header: Uint8Array,
  orders?: Orders,
): Promise<Taken> {
  const everyone = (reply: Reply): PickupFailure[] => envelope.recipients.map(({ address }) => ({ recipient: address, reply }));
  if (message === null) {
    const reply = incoming.refusal ?? { code: 451, enhanced: '4.3.0', text: 'Internal error' };
    return reply.code < 500 ? { kind: 'later', cause: reply.text } : { kind: 'refused', envelope, failures: everyone(reply), header };
  }
  const answer = await context.intake.accept(envelope, message, orders).catch((error: unknown) => {
    incoming.release();
    throw error;
  });
  incoming.settle(answer);
  const { reply, perRecipient } = answer;
  if (reply.code >= 400 && reply.code < 500) return { kind: 'later', cause: `${reply.code} ${reply.enhanced} ${reply.text}` };
  const failures = everyone(reply)
    .map(({ recipient }, index) => ({ recipient, reply: perRecipient[index] ?? reply }))
    .filter((failure) => failure.reply.code >= 400);
  return reply.code >= 500 ? { kind: 'refused', envelope, failures, header } : { kind: 'accepted', envelope, failures, header };
}

const UNJUDGED: Ruling = { reply: null, discard: null, orders: {}, before: null, message: null };

/** A sentence when an address in it is none, 'unavailable' when a table cannot say where one leads. */
async function envelopeOf(context: LoopContext<ReceiveSettings>, drop: DropEnvelope, uid: number): Promise<Envelope | string> {
  const { domain } = context.settings();
  let sender: Address | null;
  if (drop.sender === null) sender = null;
  else {
    const address = addressOf(drop.sender ?? userOf(uid).name, domain);
    if (address === null) return 'the sender is no address';
    sender = address;
  }
  const notify = drop.notify === undefined ? null : parseNotify(drop.notify);
  const recipients: Recipient[] = [];
  const seen = new Set<string>();
  for (const text of drop.recipients) {
    const address = addressOf(text, domain);
    if (address === null) return `"${text.slice(0, 100)}" is no address`;
    const key = formatAddress(address);
    if (seen.has(key)) continue;
    seen.add(key);
    try {
      recipients.push({ address, resolution: (await context.router?.resolve(address, sender)) ?? context.directory.resolve(address), notify, orcpt: null });
    } catch (error) {
      context.log.error('route.unavailable', { cause: (error as Error).message });
      return 'unavailable';
    }
  }
  return {
    id: context.newId(),
    source: 'pickup',
    sender,
    recipients,
    client: null,
    helo: null,
    auth: null,
    dsn: { envid: drop.envid ?? null, ret: drop.ret ?? null },
    smtputf8: [sender, ...recipients.map(({ address }) => address)].some((address) => address !== null && /[^\x00-\x7f]/.test(address.local)),
    body: '8BITMIME',
    at: context.now(),
    tls: null,
  };
}

/** "root" is root at our domain. */
function addressOf(text: string, domain: string): Address | null {
  const options = { utf8: true, localBytes: PATH_LOCAL_BYTES_MAX };
  return parseMailbox(text, options) ?? parseMailbox(`${text}@${domain}`, options);
}

/** Holds the header until its blank line and adds From, Date and Message-ID. Local programs are not checked for whom they name. */
class PickupHeader implements ContentFilter {
  refusal: Reply | null = null;
  /** The header as it was given, for a failure notice; at most 64 KiB. */
  bytes: Uint8Array = new Uint8Array(0);
  #pieces: Uint8Array[] = [];
  #length = 0;
  #tail = '';
  #isDone = false;
  readonly #completion: Parameters<typeof completeHeader>[1];

  constructor(envelope: Envelope, drop: DropEnvelope, settings: ReceiveSettings, uid: number) {
    const user = userOf(uid);
    const address = envelope.sender === null ? `${user.name}@${settings.domain}` : formatAddress(envelope.sender);
    const name = drop.fullName ?? user.fullName;
    const phrase = name === null ? null : encodeWords(name);
    const shown =
      phrase === null || phrase === '' ? null : /^[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]+$/.test(phrase) ? phrase : `"${phrase.replace(/["\\]/g, '\\$&')}"`;
    this.#completion = {
      at: envelope.at,
      messageId: `<${envelope.id}@${settings.hostname}>`,
      from: shown === null ? address : `${shown} <${address}>`,
      dropsBcc: false,
    };
  }

  push(piece: Uint8Array): Uint8Array | null {
    if (this.#isDone || piece.length === 0) return this.#isDone ? piece : null;
    this.#pieces.push(piece);
    this.#length += piece.length;
    const text = this.#tail + Buffer.from(piece.buffer, piece.byteOffset, piece.length).toString('latin1');
    const isEmptyHeader = this.#length === text.length && text.startsWith('\r\n');
    if (isEmptyHeader || text.includes('\r\n\r\n') || this.#length > HEADER_BYTES_MAX) return this.#complete();
    this.#tail = text.slice(-3);
    return null;
  }

  end(): Uint8Array | null {
    return this.#isDone ? null : this.#complete();
  }

  #complete(): Uint8Array {
    this.#isDone = true;
    const input = Buffer.concat(this.#pieces);
    this.#pieces = [];
    const blank = input.indexOf('\r\n\r\n');
    this.bytes = Buffer.from(input.subarray(0, Math.min(blank === -1 ? input.length : blank + 2, NOTICE_HEADER_BYTES_MAX)));
    return completeHeader(input, this.#completion);
  }
}
