/** What an import and its worker say to each other. The worker reads and prepares; the thread that began it commits. */
import type { ImportedMessage } from '../operations/import.ts';
import type { Source } from './source.ts';

export interface ImportWorkerData {
  readonly path: string;
  readonly blobDir: string;
  readonly inlineBytesMax: number;
}

export type ToImportWorker =
  /** `keys`: what was taken before. `batch`: how many messages and bytes at most. */
  | { readonly kind: 'read'; readonly folder: number; readonly keys: Uint8Array; readonly uidl: string | null }
  /** A batch is committed: the next may be prepared. */
  | { readonly kind: 'more' };

export type FromImportWorker =
  | { readonly kind: 'source'; readonly source: Source }
  | {
      readonly kind: 'batch';
      readonly messages: readonly ImportedMessage[];
      readonly keys: Uint8Array;
      readonly known: number;
      /** How far into the file (mbox). */
      readonly position: number;
    }
  | { readonly kind: 'unreadable'; readonly what: string }
  | { readonly kind: 'end'; readonly uidFloor: number; readonly known: number }
  | { readonly kind: 'failed'; readonly message: string };
