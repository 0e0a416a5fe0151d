/** A body that comes in pieces (a milter's replacement, or what another mail server shows our face): in memory, or in a file when long. */
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import type { NewBody } from '../../mail/edited-message.ts';
import { inPieces } from '../../mail/view.ts';
import { CLIENT_LIMITS } from './limits.ts';

const PIECE_BYTES = 64 * 1024;
let count = 0;

export class SpooledBody implements NewBody {
  size = 0;
  readonly #bytesMax: number;
  readonly #tempDir: string;
  #chunks: Buffer[] = [];
  #file: FileHandle | null = null;

  constructor(bytesMax: number, tempDir: string) {
    this.#bytesMax = bytesMax;
    this.#tempDir = tempDir;
  }

  get bytes(): Buffer | null {
    if (this.#file !== null) return null;
    if (this.#chunks.length > 1) this.#chunks = [Buffer.concat(this.#chunks)];
    return this.#chunks[0] ?? Buffer.alloc(0);
  }

  /** Keeps `chunk` itself, not a copy. A sentence when it cannot be taken; a promise only when it goes to the file. */
  add(chunk: Buffer): string | null | Promise<string | null> {
    if (this.size + chunk.length > this.#bytesMax) return `the body is larger than ${this.#bytesMax} bytes`;
    this.size += chunk.length;
    this.#chunks.push(chunk);
    return this.#file === null && this.size <= CLIENT_LIMITS.bodyInMemoryBytes ? null : this.#spill();
  }

  async #spill(): Promise<string | null> {
    try {
      this.#file ??= await openNameless(this.#tempDir);
      await writeAll(this.#file, Buffer.concat(this.#chunks));
      this.#chunks = [];
      return null;
    } catch (error) {
      // A full disk: the milter's work cannot be kept, and its default action decides.
      return `the body could not be written: ${(error as Error).message}`;
    }
  }

  async *stream(): AsyncIterable<Uint8Array> {
    if (this.#file === null) {
      yield* inPieces(this.bytes!);
      return;
    }
    for (let at = 0; at < this.size; ) {
      const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, this.size - at));
      const { bytesRead } = await this.#file.read(piece, 0, piece.length, at);
      if (bytesRead === 0) throw new Error('the file of a replaced body ended early');
      yield piece.subarray(0, bytesRead);
      at += bytesRead;
    }
  }

  /** Gives memory and file back. Idempotent. */
  release(): void {
    this.#chunks = [];
    const file = this.#file;
    this.#file = null;
    this.size = 0;
    // Closing a file that has no name any more can only fail when it is closed already.
    file?.close().catch(() => {});
  }
}

/** A file that vanishes with its handle, whatever happens to us. */
async function openNameless(dir: string): Promise<FileHandle> {
  count += 1;
  const path = join(dir, `milter-body-${process.pid}-${performance.now().toString(36).replace('.', '')}-${count}`);
  const file = await open(path, 'wx+', 0o600);
  await unlink(path);
  return file;
}

async function writeAll(file: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, at, bytes.length - at);
    at += bytesWritten;
  }
}
