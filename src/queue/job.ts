/** A batch of the schedule as the job an agent is given. */
import type { Job, JobRecipient } from '../deliver/agent.ts';
import type { MessageReader, StoreReader } from '../ports.ts';
import { OtherHeader } from './outside.ts';
import type { Batch } from './schedule.ts';

export class BatchJob implements Job {
  readonly batch: Batch;
  readonly #reader: Pick<StoreReader, 'openBlob'>;

  constructor(batch: Batch, reader: Pick<StoreReader, 'openBlob'>) {
    this.batch = batch;
    this.#reader = reader;
  }

  get id(): string {
    return this.batch.entry.id;
  }
  get sender(): string | null {
    const { outside, sender } = this.batch.entry;
    return sender === null ? null : (outside?.sender ?? sender);
  }
  get recipients(): readonly JobRecipient[] {
    const { recipients } = this.batch;
    if (this.batch.entry.outside === null) return recipients;
    return recipients.map(({ n, address, outside, orcpt, notify }) => ({ n, address: outside ?? address, orcpt, notify }));
  }
  get size(): number {
    const { size, headerBytes, outside } = this.batch.entry;
    return outside?.header == null ? size : size - headerBytes + outside.header.length;
  }
  get headerBytes(): number {
    return this.batch.entry.outside?.header?.length ?? this.batch.entry.headerBytes;
  }
  get has8bit(): boolean {
    return this.batch.entry.has8bit;
  }
  get smtputf8(): boolean {
    return this.batch.entry.smtputf8;
  }
  get envid(): string | null {
    return this.batch.entry.envid;
  }
  get ret(): string | null {
    return this.batch.entry.ret;
  }
  open(): MessageReader {
    const { blobId, headerBytes, outside } = this.batch.entry;
    const message = this.#reader.openBlob(blobId);
    return outside?.header == null ? message : new OtherHeader(message, headerBytes, outside.header);
  }
}
