/** A batch of the schedule as the job an agent is given. */
import type { Job } from '../deliver/agent.ts';
import type { MessageReader, StoreReader } from '../ports.ts';
import type { QueuedRecipient } from './entry.ts';
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
    return this.batch.entry.sender;
  }
  get recipients(): readonly QueuedRecipient[] {
    return this.batch.recipients;
  }
  get size(): number {
    return this.batch.entry.size;
  }
  get headerBytes(): number {
    return this.batch.entry.headerBytes;
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
    return this.#reader.openBlob(this.batch.entry.blobId);
  }
}
