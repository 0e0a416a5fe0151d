/** 8-bit messages for servers without 8BITMIME (RFC 6152 section 3). */
import { MimeParser } from '../mail/mime.ts';
import { indexOf } from '../mail/part-index.ts';
import { convertTo7bit } from '../mail/to7bit.ts';
import type { MessageReader } from '../ports.ts';
import type { Job } from './agent.ts';

/** The message in 7-bit form, in pieces. It is read twice: the queue does not keep the structure, and such servers are few. */
export async function* to7bit(job: Job, reader: MessageReader): AsyncGenerator<Uint8Array, void, undefined> {
  const parser = new MimeParser();
  for await (const piece of reader.stream(0, job.size)) parser.push(piece);
  yield* convertTo7bit(indexOf(parser.end()), (start, end) => reader.slice(start, end));
}
