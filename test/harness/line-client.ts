/** A bare connection for line protocols: what was sent and received is the error message when they disagree. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { PATIENCE_MS, within } from './wait.ts';

export interface ConnectOptions {
  readonly host?: string;
  readonly tls?: boolean;
  /** Our own address, to come from somewhere that is not 127.0.0.1. */
  readonly from?: string;
}

export class LineClient {
  readonly transcript: string[] = [];
  #socket: Socket;
  #chunks: Buffer = Buffer.alloc(0);
  #closed = false;
  #wake: (() => void) | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#listen(socket);
  }
  static async open(port: number, options: ConnectOptions = {}): Promise<LineClient> {
    const host = options.host ?? '127.0.0.1';
    const to = { host, port, localAddress: options.from };
    const socket = options.tls === true ? connectTls({ ...to, rejectUnauthorized: false, servername: 'mx.us.test' }) : connectTcp(to);
    await within(`a connection to ${host}:${port}`, once(socket, options.tls === true ? 'secureConnect' : 'connect'));
    socket.setNoDelay(true);
    return new LineClient(socket);
  }

  send(text: string | Uint8Array): void {
    const bytes = typeof text === 'string' ? Buffer.from(text, 'latin1') : text;
    this.transcript.push(`C: ${text.length > 2000 ? `(${text.length} bytes)` : Buffer.from(bytes).toString('latin1').trimEnd()}`);
    this.#socket.write(bytes);
  }
  /** The next line without its CRLF (bytes as latin1), or null at the end of the connection. */
  async line(): Promise<string | null> {
    for (;;) {
      const end = this.#chunks.indexOf(10);
      if (end >= 0) {
        const line = this.#chunks.toString('latin1', 0, end > 0 && this.#chunks[end - 1] === 13 ? end - 1 : end);
        this.#chunks = this.#chunks.subarray(end + 1);
        this.transcript.push(`S: ${line}`);
        return line;
      }
      if (this.#closed) return null;
      await this.#more('the next line');
    }
  }
  /** Exactly `count` bytes, as latin1. */
  async bytes(count: number): Promise<string> {
    while (this.#chunks.length < count) {
      assert.ok(!this.#closed, this.#story(`the connection ended before ${count} bytes had come`));
      await this.#more(`${count} bytes`);
    }
    const text = this.#chunks.toString('latin1', 0, count);
    this.#chunks = this.#chunks.subarray(count);
    return text;
  }
  /** Sends without keeping a record, and waits while the other side is behind. */
  async sendPaced(bytes: Uint8Array): Promise<void> {
    if (!this.#socket.write(bytes)) await once(this.#socket, 'drain');
  }
  /** Reads `count` bytes and throws them away. */
  async skip(count: number): Promise<void> {
    for (let left = count; left > 0; ) {
      const part = Math.min(left, this.#chunks.length);
      this.#chunks = this.#chunks.subarray(part);
      left -= part;
      if (left > 0) await this.#more(`${left} more bytes`);
    }
  }
  /** The next line must match. */
  async expect(pattern: RegExp): Promise<string> {
    const line = await this.line();
    assert.ok(line !== null && pattern.test(line), this.#story(`expected ${pattern}, got ${line}`));
    return line;
  }
  /** Sends a command, reads a whole SMTP reply (RFC 5321 section 4.2) and answers its lines joined. */
  async smtp(command: string | null, pattern: RegExp): Promise<string> {
    if (command !== null) this.send(`${command}\r\n`);
    const lines: string[] = [];
    for (;;) {
      const line = await this.line();
      assert.ok(line !== null, this.#story('the connection ended instead of a reply'));
      lines.push(line);
      if (line[3] !== '-') break;
    }
    const reply = lines.join('\n');
    assert.match(reply, pattern, this.#story(`expected ${pattern}`));
    return reply;
  }
  /** True when the other side has ended the connection and nothing is left to read. */
  async ended(): Promise<boolean> {
    for (let line = await this.line(); line !== null; line = await this.line());
    return true;
  }
  /** From now on in TLS. */
  async startTls(): Promise<void> {
    this.#socket.removeAllListeners();
    const secure = connectTls({ socket: this.#socket, rejectUnauthorized: false, servername: 'mx.us.test' });
    await within('the TLS handshake', once(secure, 'secureConnect'));
    this.#socket = secure;
    this.#listen(secure);
  }
  /** Reads nothing any more. */
  pause(): void {
    this.#socket.pause();
  }
  close(): void {
    this.#socket.destroy();
  }

  #listen(socket: Socket): void {
    const wake = (): void => {
      this.#wake?.();
      this.#wake = null;
    };
    socket.on('data', (chunk: Buffer) => {
      this.#chunks = this.#chunks.length === 0 ? chunk : Buffer.concat([this.#chunks, chunk]);
      wake();
    });
    const closed = (): void => {
      this.#closed = true;
      wake();
    };
    socket.on('end', closed);
    socket.on('close', closed);
    socket.on('error', closed);
  }
  #more(what: string): Promise<void> {
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    return within(this.#story(what), woken, PATIENCE_MS);
  }
  #story(what: string): string {
    return `${what}\n${this.transcript.slice(-60).join('\n')}`;
  }
}
