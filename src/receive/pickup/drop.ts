/**
 * The pickup directory and the files in it. A file is one line of JSON, the envelope, and then the message as it was given (any line endings).
 *
 *   tmp/  being written; what is older than a day is left over from a crash
 *   new/  complete, on disk, waiting for the server; removed once the message was accepted
 *   bad/  what the server could not make sense of, kept for the administrator
 *
 * tmp and new are writable for everybody and readable for the server only (mode 1733): nobody else can list or remove.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, fsyncSync, mkdirSync, openSync, renameSync, statSync, unlinkSync, writeSync } from 'node:fs';
import { join } from 'node:path';

export const PICKUP_LIMITS = {
  /** The JSON line: room for `recipientsMax` addresses. */
  envelopeBytesMax: 1024 * 1024,
  recipientsMax: 2000,
  addressBytesMax: 1024,
} as const;

/** What the file's first line says. Addresses may lack a domain; the server adds its own. */
export interface DropEnvelope {
  readonly version: 1;
  /** null: the null reverse-path. Left out: the owner of the file. */
  readonly sender?: string | null;
  readonly fullName?: string;
  readonly recipients: readonly string[];
  readonly notify?: string;
  readonly ret?: 'FULL' | 'HDRS';
  readonly envid?: string;
}

/** Makes the directory as it must be; for the server, which owns it. */
export function preparePickup(directory: string): void {
  mkdirSync(directory, { recursive: true });
  for (const [name, mode] of [
    ['.', 0o755],
    ['tmp', 0o1733],
    ['new', 0o1733],
    ['bad', 0o700],
  ] as const) {
    const path = join(directory, name);
    mkdirSync(path, { recursive: true });
    // mkdir's mode is cut by the umask (077 in the server), and knows no sticky bit.
    if ((statSync(path).mode & 0o7777) !== mode) chmodSync(path, mode);
  }
}

/** One file on its way from tmp/ to new/. */
export class Drop {
  readonly #directory: string;
  readonly #name: string;
  readonly #fd: number;
  #size = 0;

  /** Throws the system's error (ENOENT, EACCES, ENOSPC …). */
  constructor(directory: string, envelope: DropEnvelope) {
    this.#directory = directory;
    // Nobody can guess the name, and nobody but the server can list the directory: a file that the server's own, unprivileged user
    // must be able to read is still private.
    this.#name = `${Date.now().toString(36)}-${randomBytes(16).toString('hex')}`;
    const isServers = statSync(join(directory, 'new')).uid === process.getuid?.();
    this.#fd = openSync(join(directory, 'tmp', this.#name), 'wx', isServers ? 0o600 : 0o644);
    if (!isServers) chmodSync(join(directory, 'tmp', this.#name), 0o644);
    this.write(Buffer.from(`${JSON.stringify(envelope)}\n`));
  }

  get size(): number {
    return this.#size;
  }

  write(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length; ) at += writeSync(this.#fd, bytes, at, bytes.length - at);
    this.#size += bytes.length;
  }

  /** On disk and handed over when this returns. */
  commit(): void {
    fsyncSync(this.#fd);
    closeSync(this.#fd);
    const target = join(this.#directory, 'new');
    renameSync(join(this.#directory, 'tmp', this.#name), join(target, this.#name));
    syncDirectory(target);
  }

  abort(): void {
    closeSync(this.#fd);
    unlinkSync(join(this.#directory, 'tmp', this.#name));
  }
}

/** Makes a rename durable. Users cannot open the directory for it; for them the file system's own ordering must do. */
function syncDirectory(path: string): void {
  let fd: number;
  try {
    fd = openSync(path, 'r');
  } catch {
    return; // EACCES: not the directory's owner
  }
  fsyncSync(fd);
  closeSync(fd);
}

/** The first line of a file as an envelope, or a sentence about what is wrong with it. */
export function parseEnvelopeLine(line: string): DropEnvelope | string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    return 'the first line is not JSON';
  }
  if (typeof value !== 'object' || value === null) return 'the first line is no envelope';
  const given = value as Record<string, unknown>;
  const isText = (text: unknown): boolean => typeof text === 'string' && text.length <= PICKUP_LIMITS.addressBytesMax;
  const isMaybeText = (text: unknown): boolean => text === undefined || isText(text);
  if (given['version'] !== 1) return 'the envelope has an unknown version';
  const { sender, recipients, fullName, notify, ret, envid } = given;
  if (sender !== null && !isMaybeText(sender)) return 'the sender is malformed';
  if (!Array.isArray(recipients) || recipients.length === 0) return 'there are no recipients';
  if (recipients.length > PICKUP_LIMITS.recipientsMax || !recipients.every(isText)) return 'the recipients are malformed or too many';
  if (![fullName, notify, envid].every(isMaybeText) || (ret !== undefined && ret !== 'FULL' && ret !== 'HDRS')) return 'the envelope is malformed';
  return given as unknown as DropEnvelope;
}
