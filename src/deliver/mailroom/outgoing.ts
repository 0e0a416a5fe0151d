/** Messages that a filter or a forward sends on its way: staged with new fields on top, and made ready for the transaction of the delivery. */
import { formatAddress, needsUtf8 } from '../../mail/address.ts';
import type { Address, JourneyEvent, MessageId, MessageReader, StagedMessage, Staging } from '../../ports.ts';
import type { AcceptInput, Arrival } from '../../store/operations/accept.types.ts';
import type { MessageVersion } from '../filters/filter.ts';

/** Bytes of a message from `bodyAt` on are its body. The caller closes `reader`. */
export interface Original {
  readonly reader: MessageReader;
  readonly headerBytes: number;
}

/** The message (or its changed version) with `top` above it, in staging. Rejects with Failure. */
export async function stageVersion(staging: Staging, top: Uint8Array, version: MessageVersion, original: Original): Promise<StagedMessage> {
  const writer = staging.open();
  try {
    if (top.length > 0) await writer.write(top);
    const { reader, headerBytes } = original;
    if (version === null) for await (const piece of reader.stream(0, reader.size)) await writer.write(piece);
    else {
      await writer.write(version.header);
      if (version.body !== null) await writer.write(version.body);
      else for await (const piece of reader.stream(headerBytes, reader.size)) await writer.write(piece);
    }
    return await writer.finish();
  } catch (error) {
    writer.abort();
    throw error;
  }
}

/** A message of our own making, in staging. Rejects with Failure. */
export async function stageBytes(staging: Staging, bytes: Uint8Array): Promise<StagedMessage> {
  const writer = staging.open();
  try {
    await writer.write(bytes);
    return await writer.finish();
  } catch (error) {
    writer.abort();
    throw error;
  }
}

export interface OutgoingMail {
  readonly id: MessageId;
  /** The message it comes from. */
  readonly about: MessageId;
  readonly at: number;
  /** For the journey and the queue. */
  readonly source: 'forward' | 'reply';
  readonly sender: Address | null;
  readonly to: readonly Address[];
  readonly message: StagedMessage;
  readonly accountId: number | null;
  readonly notify?: string | null;
  readonly ret?: 'FULL' | 'HDRS' | null;
}

/** Of a message that goes on as another: how often it went round inside this server. */
export function turnsAlone(arrival: Arrival | null): Arrival | null {
  return arrival?.turns === undefined ? null : { ip: null, name: null, helo: null, spam: null, turns: arrival.turns };
}

/** Into the queue, from where it is routed: a recipient that turns out to be ours is brought in again by the courier. */
export function outgoing({ id, about, at, source, sender, to, message, accountId, notify, ret }: OutgoingMail): AcceptInput {
  const addresses = to.map(formatAddress);
  return {
    id,
    at,
    source,
    sender: sender === null ? null : formatAddress(sender),
    accountId,
    message,
    deliveries: [],
    remote: to.map((address, i) => ({ address: addresses[i]!, domain: address.domain, orcpt: null, notify: notify ?? (source === 'reply' ? 'never' : null) })),
    envid: null,
    ret: ret ?? null,
    smtputf8: [...to, ...(sender === null ? [] : [sender])].some(needsUtf8),
    whenFull: 'queue',
    journey: bornEvent(id, about, { at, source, from: sender === null ? null : formatAddress(sender), to: addresses, size: message.size }),
  };
}

/** The first row of the journey of a message that was made here, of or about another one. `from` null: the null sender. */
export function bornEvent(
  id: MessageId,
  about: MessageId,
  { at, source, from, to, size }: { at: number; source: string; from: string | null; to: readonly string[]; size: number },
): JourneyEvent {
  const fields = { source, from: from ?? '<>', to, recipients: to.length, size, about };
  return { id, at, stage: 'receive', event: 'accepted', keys: [...to, about], fields };
}
