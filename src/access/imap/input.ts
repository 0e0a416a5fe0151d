/**
 * What a client sends: octets, plain or compressed, into commands and the pieces of literals; and when the client must wait with more.
 * The session says what becomes of them.
 */
import type { Connection } from '../../ports.ts';
import { CommandReader } from '../../wire/imap/reader.ts';
import { Compression, withoutEndBlock } from './compress-layer.ts';
import type { Output } from './output.ts';
import type { ImapSettings } from './settings.ts';

/** Unread input above which the client must wait. */
const BUFFERED_MAX = 256 * 1024;
/** Until login, nobody needs long commands. */
const EARLY_LINE_BYTES = 16 * 1024;
const EARLY_LITERAL_BYTES = 4 * 1024;

export interface InputUser {
  readonly connection: Connection;
  readonly out: Output;
  readonly isClosed: boolean;
  /** A command is being worked on: what comes meanwhile waits. */
  readonly isBusy: boolean;
  /** Commands are under way beside the one that is read next. */
  readonly isAnswering: boolean;
  /** Works off what has arrived. */
  pump(): void;
  bye(text: string): void;
}

export class Input {
  readonly reader: CommandReader;
  readonly #user: InputUser;
  readonly #limits = { lineBytesMax: EARLY_LINE_BYTES, literalBytesMax: EARLY_LITERAL_BYTES };
  /** COMPRESS; null for nearly all. */
  #compression: Compression | null = null;
  /** Compression has just ended, and the client's last octets of it may still come. */
  #isDecompressed = false;
  #isPaused = false;

  constructor(user: InputUser) {
    this.#user = user;
    this.reader = new CommandReader(this.#limits);
  }

  /** From the socket. */
  received(chunk: Buffer): void {
    if (this.#compression !== null) {
      this.#compression.push(chunk);
      return;
    }
    if (this.#isDecompressed) {
      this.#isDecompressed = false;
      chunk = withoutEndBlock(chunk);
    }
    this.#take(chunk);
  }

  #take(bytes: Buffer): void {
    const user = this.#user;
    if (user.isClosed) return;
    this.reader.push(bytes);
    if (!user.isBusy) user.pump();
    else if (this.reader.buffered > BUFFERED_MAX && !this.#isPaused) {
      this.#isPaused = true;
      this.#source.pause();
    }
  }

  /** A client that had to wait may go on, when enough has been worked off. */
  resume(): void {
    if (!this.#isPaused || this.#user.isBusy || this.#user.isClosed || this.reader.buffered > BUFFERED_MAX) return;
    this.#isPaused = false;
    this.#source.resume();
  }

  get #source(): { pause(): unknown; resume(): unknown } {
    return this.#compression ?? this.#user.connection.socket;
  }

  /** Who has logged in may send longer commands. null: nobody has (any more). */
  allow(settings: ImapSettings | null): void {
    this.#limits.lineBytesMax = settings === null ? EARLY_LINE_BYTES : settings['imap.lineBytesMax'];
    this.#limits.literalBytesMax = settings === null ? EARLY_LITERAL_BYTES : settings['imap.literalBytesMax'];
  }

  /** Has the client sent more than the command that is being run? */
  get hasEarly(): boolean {
    return this.reader.buffered > 0;
  }

  get isCompressed(): boolean {
    return this.#compression !== null;
  }

  /** COMPRESS: `answer` says the tagged response; from then on everything is compressed, both ways (RFC 4978 section 3). */
  async beginCompression(settings: ImapSettings, answer: () => void): Promise<void> {
    const user = this.#user;
    const compression = new Compression(user.connection.socket, {
      take: (bytes) => this.#take(bytes),
      fail: (why) => user.bye(why),
      // UNAUTHENTICATE may still wait for its turn.
      ended: () => {
        if (!user.isBusy && !user.isAnswering) user.bye('Compressed data has ended');
      },
      bytesFree: settings['imap.appendBytesMax'] + settings['imap.literalBytesMax'] + settings['imap.lineBytesMax'],
    });
    // Before the response: the client's next octets may come at once.
    this.#compression = compression;
    answer();
    await user.out.drain();
    if (!user.isClosed) user.out.use(compression.sink, false);
  }

  /** Everything that has been said is compressed, everything from now on is not. */
  async endCompression(): Promise<void> {
    const user = this.#user;
    const compression = this.#compression;
    if (compression === null) return;
    user.out.flush();
    const plain = await compression.finish();
    if (user.isClosed) return;
    this.#compression = null;
    this.#isDecompressed = plain.length === 0;
    user.out.use(user.connection.socket, user.connection.tls !== null);
    if (plain.length > 0) this.#take(plain);
    user.connection.socket.resume();
  }

  close(): void {
    this.#compression?.close();
    this.#compression = null;
    this.reader.reset();
  }
}
