/** An IMAP client that costs next to nothing: it only looks whether what came ends in the tagged line. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export class RawImap {
  readonly #socket: Socket;
  #number = 0;
  #tail = '';
  #kept: Buffer[] | null = null;
  #bytes = 0;
  #wanted = '';
  #done: ((line: string) => void) | null = null;
  #failed: ((error: Error) => void) | null = null;
  capabilities = '';

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#received(chunk));
    socket.on('error', (error) => this.#failed?.(error));
    socket.on('close', () => this.#failed?.(new Error(`closed after ${JSON.stringify(this.#tail.slice(-200))}`)));
  }

  static async open(port: number, user: string, password: string): Promise<RawImap> {
    const socket = connect({ host: '127.0.0.1', port });
    const client = new RawImap(socket);
    const greeting = client.#until('* ');
    await Promise.all([once(socket, 'connect'), greeting]);
    await client.ask(`LOGIN ${user} ${password}`);
    client.capabilities = (await client.text('CAPABILITY')).toUpperCase();
    return client;
  }

  /** Sends a command and answers how many bytes came back. Rejects unless it was answered with OK. */
  async ask(command: string, literals: readonly Buffer[] = []): Promise<number> {
    this.#number += 1;
    const tag = `zq${this.#number}`;
    this.#bytes = 0;
    const answered = this.#until(`${tag} `);
    // In one packet, as clients send it: the server wakes up once.
    if (literals.length === 0) this.#socket.write(`${tag} ${command}\r\n`);
    else this.#socket.write(Buffer.concat([Buffer.from(`${tag} ${command}`), ...literals, Buffer.from('\r\n')]));
    const line = await answered;
    if (!line.startsWith(`${tag} OK`)) throw new Error(`${command.slice(0, 80)}: ${line}`);
    return this.#bytes;
  }

  /** The same, and what was said. */
  async text(command: string): Promise<string> {
    this.#kept = [];
    await this.ask(command);
    const text = Buffer.concat(this.#kept).toString('latin1');
    this.#kept = null;
    return text;
  }

  /** APPEND with literals that need not be waited for. */
  append(mailbox: string, messages: readonly Buffer[]): Promise<number> {
    const pieces = messages.flatMap((message, n) => [Buffer.from(`${n === 0 ? '' : ' (\\Seen) '}{${message.length}+}\r\n`), message]);
    return this.ask(`APPEND ${mailbox} (\\Seen) `, pieces);
  }

  async close(): Promise<void> {
    await this.ask('LOGOUT').catch(() => 0); // some close before the answer has been read
    this.#socket.destroy();
  }

  #received(chunk: Buffer): void {
    this.#bytes += chunk.length;
    this.#kept?.push(chunk);
    this.#tail = (chunk.length >= 4096 ? '' : this.#tail.slice(-4096)) + chunk.toString('latin1', Math.max(0, chunk.length - 4096));
    if (this.#done === null || !this.#tail.endsWith('\r\n')) return;
    const line = this.#tail.slice(this.#tail.lastIndexOf('\r\n', this.#tail.length - 3) + 2, -2);
    const last = this.#tail.lastIndexOf('\r\n', this.#tail.length - 3) === -1 ? this.#tail.slice(0, -2) : line;
    if (!last.startsWith(this.#wanted)) return;
    const done = this.#done;
    this.#done = null;
    this.#failed = null;
    this.#tail = '';
    done(last);
  }

  #until(start: string): Promise<string> {
    this.#wanted = start;
    return new Promise((resolve, reject) => {
      this.#done = resolve;
      this.#failed = reject;
    });
  }
}
