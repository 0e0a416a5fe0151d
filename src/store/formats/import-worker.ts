/** The thread that reads an import's source: it parses and compresses ahead of the commits, a few batches at most. */
import { parentPort, workerData } from 'node:worker_threads';
import { createStaging } from '../blobs/staging.ts';
import type { ImportedMessage } from '../operations/import.ts';
import type { FromImportWorker, ImportWorkerData, ToImportWorker } from './import-messages.ts';
import { KEY_BYTES, KeySet } from './key-set.ts';
import { openSource, readFolder, type Source } from './source.ts';

/** One commit. Larger ones hardly save more, and deliveries wait for them. */
const BATCH_MESSAGES = 250;
const BATCH_BYTES = 4 * 1024 * 1024;
/** Batches on their way. */
const AHEAD = 3;

const data = workerData as ImportWorkerData;
const port = parentPort!;
const staging = createStaging(data);
let credit = AHEAD;
let wake: (() => void) | null = null;
let source: Source | null = null;

const send = (message: FromImportWorker): void => port.postMessage(message);

function fail(error: unknown): void {
  send({ kind: 'failed', message: error instanceof Error ? error.message : String(error) });
}

async function read(folder: number, keys: Uint8Array, uidl: string | null): Promise<void> {
  let messages: ImportedMessage[] = [];
  let batchKeys = new Uint8Array(BATCH_MESSAGES * KEY_BYTES);
  let bytes = 0;
  let known = 0;
  let position = 0;
  const flush = async (): Promise<void> => {
    if (messages.length === 0) return;
    while (credit === 0) await new Promise<void>((resolve) => (wake = resolve));
    credit -= 1;
    send({ kind: 'batch', messages, keys: batchKeys.slice(0, messages.length * KEY_BYTES), known, position });
    messages = [];
    batchKeys = new Uint8Array(BATCH_MESSAGES * KEY_BYTES);
    bytes = 0;
    known = 0;
  };
  for await (const found of readFolder(source!.folders[folder]!, staging, { done: new KeySet(keys), uidl })) {
    switch (found.kind) {
      case 'message': {
        const { key, message, flags, keywords, internalDate, uid, uidl: uniqueId } = found;
        batchKeys.set(key, messages.length * KEY_BYTES);
        messages.push({ message, flags, keywords, internalDate, uid, uidl: uniqueId });
        bytes += message.blob.kind === 'inline' ? message.blob.data.length : 0;
        if (messages.length >= BATCH_MESSAGES || bytes >= BATCH_BYTES) await flush();
        break;
      }
      case 'known':
        known += found.count;
        break;
      case 'position':
        position = found.bytes;
        break;
      case 'unreadable':
        send(found);
        break;
      case 'end':
        await flush();
        send({ kind: 'end', uidFloor: found.uidFloor, known });
    }
  }
}

port.on('message', (message: ToImportWorker) => {
  if (message.kind === 'more') {
    credit += 1;
    const waiting = wake;
    wake = null;
    waiting?.();
  } else read(message.folder, message.keys, message.uidl).catch(fail);
});

try {
  source = openSource(data.path);
  send({ kind: 'source', source });
} catch (error) {
  fail(error);
}
