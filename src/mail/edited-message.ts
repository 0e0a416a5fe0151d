/** A message as it looks after changes, without making a copy of its body. */
import type { HeaderEdit, MessageView } from '../ports.ts';
import { applyEdits } from './edit.ts';
import { asBuffer } from './header.ts';
import { inPieces } from './view.ts';

/** A body that takes the place of the one that came; without the blank line above it. */
export interface NewBody {
  readonly size: number;
  /** All of it, when it is held in memory. */
  readonly bytes: Buffer | null;
  /** In pieces of at most 64 KiB; can be called again. */
  stream(): AsyncIterable<Uint8Array>;
}

/** `view` with the edits made and, unless null, another body. Costs a copy of the header; of a message in memory, one of the whole. */
export function editedMessage(view: MessageView, edits: readonly HeaderEdit[], body: NewBody | null = null): MessageView {
  if (edits.length === 0 && body === null) return view;
  const header = applyEdits(view.header, edits);
  const bodyBytes = body === null ? (view.bytes === null ? null : asBuffer(view.bytes).subarray(view.header.length)) : body.bytes;
  const size = header.length + (body === null ? view.size - view.header.length : body.size);
  const bytes = bodyBytes === null ? null : Buffer.concat([header, bodyBytes]);
  return { size, header, bytes, stream: () => (bytes === null ? joined(header, body === null ? bodyOf(view) : body.stream()) : inPieces(bytes)) };
}

/** The body of a message, in pieces: what follows `view.header`. */
export async function* bodyOf(view: MessageView): AsyncIterable<Uint8Array> {
  let skip = view.header.length;
  for await (const piece of view.stream()) {
    if (skip >= piece.length) skip -= piece.length;
    else if (skip === 0) yield piece;
    else {
      yield piece.subarray(skip);
      skip = 0;
    }
  }
}

async function* joined(header: Buffer, body: AsyncIterable<Uint8Array>): AsyncIterable<Uint8Array> {
  yield* inPieces(header);
  yield* body;
}

/** A message of a header (with its blank line) and a body kept elsewhere. */
export function messageOf(header: Buffer, body: NewBody): MessageView {
  const bodyBytes = body.bytes;
  if (bodyBytes !== null) return messageInMemory(Buffer.concat([header, bodyBytes]), header.length);
  return { size: header.length + body.size, header, bytes: null, stream: () => joined(header, body.stream()) };
}

/** The view of a message that is held in memory. `headerBytes` is where its body begins. */
export function messageInMemory(bytes: Uint8Array, headerBytes: number): MessageView {
  return { size: bytes.length, header: bytes.subarray(0, headerBytes), bytes, stream: () => inPieces(bytes) };
}
