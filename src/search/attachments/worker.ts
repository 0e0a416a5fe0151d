/** The worker behind reader.ts: one document in, its text out. Libraries are loaded when the first document of their kind comes. */
import { parentPort } from 'node:worker_threads';
import type { DocumentAnswer, DocumentRequest } from './reader.ts';

async function textOf({ kind, bytes, charactersMax }: DocumentRequest): Promise<string | null> {
  switch (kind) {
    case 'pdf':
      return (await import('./pdf.ts')).pdfText(bytes, charactersMax);
    case 'zip':
      return (await import('./office.ts')).officeText(bytes, charactersMax);
    case 'rtf':
      return (await import('./rtf.ts')).rtfText(bytes, charactersMax);
    default:
      return null;
  }
}

parentPort?.on('message', (request: DocumentRequest) => {
  textOf(request)
    // A file that is not what it says: hostile or damaged, it has no text for us.
    .catch(() => null)
    .then((text) => parentPort?.postMessage({ id: request.id, text } satisfies DocumentAnswer));
});
