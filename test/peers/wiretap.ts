/** Listens between a client and a server's plain port: which commands a client really sent, and the wire log when a test fails. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { atEnd, type Owner } from '../harness/temp.ts';

/** So many of the newest lines are kept at least. */
const LINES_MAX = 20_000;
const LINE_CHARS_SHOWN = 400;

export class Wiretap {
  readonly port: number;
  /** "C: …" and "S: …" in the order they went by, without line ends; bytes as latin1. */
  #lines: string[] = [];
  /** Lines that were there once: marks count them too. */
  #dropped = 0;
  /** Bytes that came from the server. */
  heardBytes = 0;
  #trigger: { readonly pattern: RegExp; left: number; readonly action: () => void } | null = null;
  #sockets = new Set<Socket>();
  #server: Server;

  private constructor(server: Server) {
    this.#server = server;
    this.port = (server.address() as AddressInfo).port;
  }

  static async open(owner: Owner, serverPort: number): Promise<Wiretap> {
    const server = createServer({ noDelay: true });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const tap = new Wiretap(server);
    server.on('connection', (client) => tap.#join(client, serverPort));
    atEnd(owner, () => tap.#close());
    return tap;
  }

  /** Where the record stands now, for `sent` and `heard`. */
  mark(): number {
    return this.#dropped + this.#lines.length;
  }
  /** Both sides. */
  lines(after = 0): string[] {
    return this.#lines.slice(Math.max(0, after - this.#dropped));
  }
  /** What clients sent since `after`. */
  sent(after = 0): string[] {
    return this.#side('C: ', after);
  }
  /** What the server said since `after`. */
  heard(after = 0): string[] {
    return this.#side('S: ', after);
  }
  /** Both sides, for the message of an assertion. */
  story(after = 0): string {
    return this.lines(after)
      .map((line) => line.slice(0, LINE_CHARS_SHOWN))
      .join('\n');
  }
  /** Cuts every connection that is open now, as a failing network would. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Runs `action` when the `count`th line that matches (with its "C: " or "S: ") goes by, before anything behind it does. Once; one at a time. */
  when(pattern: RegExp, count: number, action: () => void): void {
    this.#trigger = { pattern, left: count, action };
  }

  #side(prefix: string, after: number): string[] {
    return this.lines(after)
      .filter((line) => line.startsWith(prefix))
      .map((line) => line.slice(prefix.length));
  }

  #join(client: Socket, serverPort: number): void {
    const server = connect({ host: '127.0.0.1', port: serverPort, noDelay: true });
    this.#carry(client, server, 'C: ');
    this.#carry(server, client, 'S: ');
  }
  #carry(from: Socket, to: Socket, prefix: string): void {
    this.#sockets.add(from);
    let rest = '';
    from.on('data', (chunk: Buffer) => {
      if (prefix === 'S: ') this.heardBytes += chunk.length;
      const lines = (rest + chunk.toString('latin1')).split('\r\n');
      rest = lines.pop()!;
      for (const line of lines) this.#add(prefix + line);
    });
    from.pipe(to);
    from.on('error', () => to.destroy()); // The other side sees the same end.
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
  }
  #add(line: string): void {
    this.#lines.push(line);
    // A good part at once: not the whole array again for each line.
    if (this.#lines.length > 2 * LINES_MAX) this.#dropped += this.#lines.splice(0, LINES_MAX).length;
    const trigger = this.#trigger;
    if (trigger === null || !trigger.pattern.test(line)) return;
    trigger.left -= 1;
    if (trigger.left > 0) return;
    this.#trigger = null;
    trigger.action();
  }
  async #close(): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
