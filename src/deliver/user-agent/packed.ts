/** An answer with its changed messages as one frame, and back. */
import { attached, Attachments, frameHead } from './frame.ts';
import { ANSWER_BYTES_MAX } from './limits.ts';
import type { PackedAnswer } from './protocol.ts';
import { type DeliveryAnswer, simpleAnswer } from './types.ts';

export function packAnswer(answer: DeliveryAnswer): { head: PackedAnswer; attachments: Attachments } {
  const attachments = new Attachments();
  const pack = <T extends { readonly message: Uint8Array | null }>(list: readonly T[]) =>
    list.map((one) => ({ ...one, message: attachments.add(one.message) }));
  return { head: { ...answer, forwards: pack(answer.forwards), keeps: pack(answer.keeps), replies: pack(answer.replies) }, attachments };
}

export function unpackAnswer(packed: PackedAnswer, body: Uint8Array): DeliveryAnswer {
  const unpack = <T extends { readonly message: unknown }>(list: readonly T[]) => list.map((one) => ({ ...one, message: attached(body, one.message) }));
  return { ...packed, forwards: unpack(packed.forwards), keeps: unpack(packed.keeps), replies: unpack(packed.replies) };
}

/** The pieces of the frame. What is too large to travel is deferred: nothing of it was committed. */
export function answerFrame(answer: DeliveryAnswer): Uint8Array[] {
  const { head, attachments } = packAnswer(answer);
  if (attachments.bytes > ANSWER_BYTES_MAX)
    return answerFrame(simpleAnswer('deferred', 451, '4.3.1', 'the filters made more of the message than can be handled'));
  return [frameHead({ kind: 'delivered', answer: head }, attachments.bytes), ...attachments.pieces];
}
