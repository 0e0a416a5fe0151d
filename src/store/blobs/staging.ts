/**
 * Messages on their way in. Up to 256 KiB stay in memory and travel with the transaction that commits them;
 * beyond that the bytes go to a file, frame by frame, which is synced before anyone names it.
 * A crash leaves at most a file that no row names; the sweep at the next start removes it.
 */
import { type FileHandle, open, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { DigestBuilder, digestMessage } from '../../mail/digest.ts';
import { headerEnd, inPieces, viewOf } from '../../mail/view.ts';
import type { MessageReader, MessageView, MessageWriter, StagedMessage, Staging } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import { CODEC, compressFrame, decompressFrame, encodeFrames, FRAME_BYTES } from './codec.ts';
import { newBlobName, syncDirectory } from './files.ts';
import { openBlobRow } from './reader.ts';

export interface StagingOptions {
  readonly blobDir: string;
  /** Compressed size up to which a message lives in the database. */
  readonly inlineBytesMax: number;
}

/** What a failed write to disk means to the sender. */
export function diskFailure(cause: unknown): Failure {
  const code = (cause as NodeJS.ErrnoException | null)?.code;
  return new Failure(code === 'ENOSPC' || code === 'EDQUOT' || code === 'EFBIG' ? 'diskFull' : 'storeBusy', undefined, { cause });
}

class Staged implements MessageWriter {
  size = 0;
  readonly #options: StagingOptions;
  /** The current frame; grows by doubling up to one frame. */
  #buffer: Buffer = Buffer.allocUnsafeSlow(8192);
  #fill = 0;
  #digest: DigestBuilder | null = null;
  #file: FileHandle | null = null;
  #name = '';
  #frames: number[] = [];
  /** The header of a message that has left the memory, our own trace header included; at most one frame. */
  #head: Uint8Array | null = null;
  #isAborted = false;

  constructor(options: StagingOptions) {
    this.#options = options;
  }

  write(chunk: Uint8Array): void | Promise<void> {
    this.size += chunk.length;
    if (this.#fill + chunk.length <= FRAME_BYTES) {
      this.#append(chunk);
      return undefined;
    }
    return this.#spill(chunk);
  }

  #append(chunk: Uint8Array): void {
    const need = this.#fill + chunk.length;
    if (need > this.#buffer.length) {
      const larger = Buffer.allocUnsafeSlow(Math.min(FRAME_BYTES, Math.max(need, this.#buffer.length * 4)));
      this.#buffer.copy(larger, 0, 0, this.#fill);
      this.#buffer = larger;
    }
    this.#buffer.set(chunk, this.#fill);
    this.#fill = need;
  }

  insert(bytes: Uint8Array): boolean {
    if (this.#head !== null || this.#fill + bytes.length > FRAME_BYTES) return false;
    const old = this.#buffer;
    const end = this.#fill + bytes.length;
    if (end > old.length) this.#buffer = Buffer.allocUnsafeSlow(Math.min(FRAME_BYTES, Math.max(end, old.length * 4)));
    old.copy(this.#buffer, bytes.length, 0, this.#fill);
    this.#buffer.set(bytes, 0);
    this.#fill = end;
    this.size += bytes.length;
    return true;
  }

  async #spill(chunk: Uint8Array): Promise<void> {
    let at = 0;
    while (at < chunk.length) {
      const piece = chunk.subarray(at, at + FRAME_BYTES - this.#fill);
      this.#append(piece);
      at += piece.length;
      if (this.#fill === FRAME_BYTES && at < chunk.length) await this.#flushFrame();
    }
  }

  async #flushFrame(): Promise<void> {
    const bytes = this.#buffer.subarray(0, this.#fill);
    this.#digest ??= new DigestBuilder();
    this.#digest.push(bytes);
    this.#head ??= Buffer.from(bytes.subarray(0, headerEnd(bytes)));
    await this.#writeFrame(compressFrame(bytes));
    this.#fill = 0;
  }

  async #writeFrame(frame: Uint8Array): Promise<void> {
    try {
      if (this.#file === null) {
        const name = newBlobName();
        const file = await open(join(this.#options.blobDir, name), 'wx+', 0o600);
        // Known only now that it is there: an abort while it was being opened has nothing to remove, so this must.
        this.#name = name;
        this.#file = file;
        await this.#giveToOwner(file);
      }
      if (this.#isAborted) throw new Failure('storeBusy', 'aborted');
      await this.#file.writeFile(frame);
      this.#frames.push(frame.length);
    } catch (cause) {
      await this.#discard();
      throw cause instanceof Failure ? cause : diskFailure(cause);
    }
  }

  /** Root may stage for a store that belongs to the server's user (a command while the server is stopped): the file must be readable for that user. */
  async #giveToOwner(file: FileHandle): Promise<void> {
    if (process.getuid?.() !== 0) return;
    const { uid, gid } = await stat(this.#options.blobDir);
    if (uid !== 0) await file.chown(uid, gid);
  }

  view(from: number): MessageView {
    if (this.#head === null) return viewOf(this.#buffer.subarray(from, this.#fill));
    return { size: this.size - from, header: this.#head.subarray(from), bytes: null, stream: () => this.#stream(from) };
  }

  /** Reads back what is in the file, then what is still in memory. */
  async *#stream(from: number): AsyncIterable<Uint8Array> {
    let skip = from;
    let position = 0;
    for (const length of this.#frames) {
      // Aborted while somebody reads: the client is gone.
      if (this.#file === null) throw new Failure('storeBusy', 'aborted');
      const stored = Buffer.allocUnsafe(length);
      const read = await this.#file.read(stored, 0, length, position);
      if (read.bytesRead !== length) throw new Failure('storeBusy', `staged file ${this.#name} is short`);
      position += length;
      yield* inPieces(decompressFrame(stored, CODEC.zstd).subarray(skip));
      skip = 0;
    }
    yield* inPieces(this.#buffer.subarray(0, this.#fill));
  }

  finish(): StagedMessage | Promise<StagedMessage> {
    if (this.#frames.length > 0) return this.#finishFile();
    const bytes = this.#buffer.subarray(0, this.#fill);
    // The dictionary helps the beginning of a message: for large ones it is not worth its time.
    const codec = bytes.length <= this.#options.inlineBytesMax ? CODEC.zstdMail : CODEC.zstd;
    const data = compressFrame(bytes, codec);
    const digest = digestMessage(bytes);
    if (data.length <= this.#options.inlineBytesMax) return { size: this.size, blob: { kind: 'inline', codec, data }, digest };
    return this.#writeFrame(data).then(async () => ({ size: this.size, blob: await this.#seal(codec), digest }));
  }

  async #finishFile(): Promise<StagedMessage> {
    if (this.#fill > 0) await this.#flushFrame();
    const digest = this.#digest!.end();
    return { size: this.size, blob: await this.#seal(CODEC.zstd), digest };
  }

  async #seal(codec: number): Promise<StagedMessage['blob']> {
    try {
      await this.#file!.sync();
      await this.#file!.close();
      this.#file = null;
      await syncDirectory(dirname(join(this.#options.blobDir, this.#name)));
      if (this.#isAborted) throw new Failure('storeBusy', 'aborted');
    } catch (cause) {
      await this.#discard();
      throw cause instanceof Failure ? cause : diskFailure(cause);
    }
    return { kind: 'file', path: this.#name, frames: encodeFrames(this.#frames), codec };
  }

  abort(): void {
    if (this.#isAborted) return;
    this.#isAborted = true;
    // An unlink that fails leaves a file which the sweep finds.
    this.#discard().catch(() => {});
  }

  async #discard(): Promise<void> {
    const file = this.#file;
    const name = this.#name;
    this.#file = null;
    this.#name = '';
    if (file !== null) await file.close().catch(() => {});
    if (name !== '') await unlink(join(this.#options.blobDir, name)).catch(() => {});
  }
}

/** Reads a message that was staged and not yet committed. The caller closes the reader. */
export function openStaged(message: StagedMessage, blobDir: string): MessageReader {
  const { blob, size } = message;
  const row =
    blob.kind === 'inline'
      ? { bytes: size, codec: blob.codec, data: blob.data, file: null, frames: null }
      : { bytes: size, codec: blob.codec, data: null, file: blob.path, frames: blob.frames };
  return openBlobRow(row, NO_PREFIX, blobDir);
}
const NO_PREFIX = new Uint8Array(0);

/** The staging area of one store; stateless, one for each thread. */
export function createStaging(options: StagingOptions): Staging {
  return {
    open: () => new Staged(options),
    read: (message) => openStaged(message, options.blobDir),
    discard: ({ blob }) => {
      // One that stays is found by the sweep at the next start.
      if (blob.kind === 'file') unlink(join(options.blobDir, blob.path)).catch(() => {});
    },
    stage(message: Uint8Array): StagedMessage {
      if (message.length > FRAME_BYTES) throw new Error('stage() is for messages up to 256 KiB: use open()');
      // Always in the database, even where the compressed form is above the usual limit: these are our own short messages.
      return {
        size: message.length,
        blob: { kind: 'inline', codec: CODEC.zstdMail, data: compressFrame(message, CODEC.zstdMail) },
        digest: digestMessage(message),
      };
    },
  };
}
