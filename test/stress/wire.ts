/** One connection as the stress run uses it: whole responses come in, anything goes out, and it may be cut or stop reading at any time. */
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { constants, createDeflateRaw, createInflateRaw, type DeflateRaw, type InflateRaw } from 'node:zlib';
import { Violation } from './violation.ts';

const LINES_KEPT = 60;
/** A response that is longer than any the run asks for. */
const RESPONSE_BYTES_MAX = 64 * 1024 * 1024;

export interface Endpoint {
  readonly port: number;
  readonly isTls: boolean;
}

export interface WireEvents {
  /** One response without its last CRLF; literals stand in it as they came. Bytes as latin1. */
  response(text: string): void;
  /** What came cannot be read. */
  broken(error: Violation): void;
  closed(): void;
}

export class Wire {
  readonly #socket: Socket;
  readonly #events: WireEvents;
  #text = '';
  /** Where the search for the end of the response goes on. */
  #from = 0;
  #deflate: DeflateRaw | null = null;
  #inflate: InflateRaw | null = null;
  isOpen = true;
  /** What was said last, both ways. */
  readonly lines: string[] = [];

  private constructor(socket: Socket, events: WireEvents) {
    this.#socket = socket;
    this.#events = events;
    socket.setNoDelay(true);
    socket.on('data', (bytes: Buffer) => {
      if (this.#inflate === null) this.#read(bytes.toString('latin1'));
      else this.#inflate.write(bytes);
    });
    const gone = (): void => {
      if (!this.isOpen) return;
      this.isOpen = false;
      socket.destroy();
      events.closed();
    };
    socket.on('error', gone).on('end', gone).on('close', gone);
  }

  /** null: nobody listens there. */
  static open({ port, isTls }: Endpoint, events: WireEvents): Promise<Wire | null> {
    return new Promise((resolve) => {
      const to = { host: '127.0.0.1', port };
      const socket = isTls ? connectTls({ ...to, rejectUnauthorized: false, servername: 'mx.us.test' }) : connect(to);
      socket.once('error', () => resolve(null));
      socket.once(isTls ? 'secureConnect' : 'connect', () => {
        socket.removeAllListeners('error');
        resolve(new Wire(socket, events));
      });
    });
  }

  send(text: string): void {
    if (!this.isOpen) return;
    this.#note('C', text.includes('\nSubject: ') ? `${text.slice(0, text.indexOf('\r\n'))} … (${text.length} bytes)` : text);
    if (this.#deflate === null) this.#socket.write(text, 'latin1');
    else {
      this.#deflate.write(text, 'latin1');
      this.#deflate.flush(constants.Z_SYNC_FLUSH);
    }
  }

  /** COMPRESS was answered with OK: both ways are compressed from here on (RFC 4978). */
  compress(): void {
    this.#note('-', 'compressed from here on');
    if (this.#text !== '') throw new Violation('nothing follows the OK of COMPRESS uncompressed', `${this.#text.length} bytes`);
    const deflate = createDeflateRaw();
    deflate.on('data', (bytes: Buffer) => {
      if (this.isOpen) this.#socket.write(bytes);
    });
    const inflate = createInflateRaw();
    inflate.on('data', (bytes: Buffer) => this.#read(bytes.toString('latin1')));
    inflate.on('error', (error) => {
      if (this.isOpen) this.#events.broken(new Violation('what is compressed can be read', error.message));
    });
    this.#deflate = deflate;
    this.#inflate = inflate;
  }

  /** Stops reading: the server must not hold up others for this one. */
  pause(): void {
    this.#note('-', 'the client stops reading');
    this.#socket.pause();
  }
  resume(): void {
    this.#note('-', 'the client reads again');
    this.#socket.resume();
  }

  /** The connection is lost: nothing that is still under way is read. */
  cut(): void {
    if (!this.isOpen) return;
    this.#note('-', 'the connection is cut');
    this.isOpen = false;
    this.#socket.destroy();
    this.#events.closed();
  }

  #note(who: string, text: string): void {
    for (const line of text.trimEnd().split('\r\n')) this.lines.push(`[${Math.round(performance.now())}] ${who}: ${line.slice(0, 600)}`);
    if (this.lines.length > LINES_KEPT * 2) this.lines.splice(0, this.lines.length - LINES_KEPT);
  }

  #read(chunk: string): void {
    this.#text += chunk;
    let start = 0;
    while (this.isOpen) {
      const end = this.#text.indexOf('\r\n', Math.max(start, this.#from));
      if (end === -1) break;
      const literal = /~?\{(\d+)\}$/.exec(this.#text.slice(Math.max(start, end - 20), end));
      if (literal !== null) {
        // What follows the literal belongs to the response too.
        this.#from = end + 2 + Number(literal[1]);
        if (this.#text.length < this.#from) break;
        continue;
      }
      const response = this.#text.slice(start, end);
      start = end + 2;
      this.#from = start;
      this.#note('S', response.length > 600 ? `${response.slice(0, 500).replaceAll('\r\n', '⏎')} … (${response.length} bytes)` : response);
      this.#events.response(response);
    }
    this.#text = this.#text.slice(start);
    this.#from = Math.max(0, this.#from - start);
    if (this.#text.length > RESPONSE_BYTES_MAX) this.cut();
  }
}
