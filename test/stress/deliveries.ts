/** Mail that comes by LMTP all the while. An acknowledged message must be in its INBOX, once. */
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../torture/random.ts';
import { letter } from './actions-change.ts';
import type { Truth } from './truth.ts';

export class Deliveries {
  readonly #truth: Truth;
  readonly #port: number;
  readonly #random: Random;
  readonly #users: readonly string[];
  #isOver = false;
  #standing: Promise<void> | null = null;
  #resume: () => void = () => {};
  #busy: Promise<unknown> = Promise.resolve();
  count = 0;

  constructor(truth: Truth, port: number, random: Random, users: readonly string[]) {
    this.#truth = truth;
    this.#port = port;
    this.#random = random;
    this.#users = users;
  }

  async live(): Promise<void> {
    while (!this.#isOver) {
      if (this.#standing !== null) await this.#standing;
      if (this.#isOver) return;
      const session = this.#session();
      this.#busy = session;
      await session;
      await pause(this.#random.between(5, 150));
    }
  }
  stop(): void {
    this.#isOver = true;
    this.#resume();
  }
  /** Resolves when nothing is under way; nothing begins before resume(). */
  async quiesce(): Promise<void> {
    this.#standing = new Promise((resolve) => {
      this.#resume = resolve;
    });
    await this.#busy;
  }
  resume(): void {
    this.#resume();
    this.#standing = null;
  }

  /** One connection with a few messages; ends at the first surprise (the server may be killed at any time). */
  async #session(): Promise<void> {
    const lines = await LmtpWire.open(this.#port);
    if (lines === null) return;
    try {
      if (!(await lines.reply())?.startsWith('220') || !(await lines.ask('LHLO stress.test'))?.startsWith('250')) return;
      for (let left = this.#random.between(1, 4); left > 0; left -= 1) if (!(await this.#message(lines))) return;
    } finally {
      lines.close();
    }
  }

  async #message(wire: LmtpWire): Promise<boolean> {
    const random = this.#random;
    const users = this.#users.filter(() => random.next() < 0.4);
    if (users.length === 0) users.push('ann');
    const { mark, text } = letter({ random }, this.#truth.newMark());
    if (!(await wire.ask('MAIL FROM:<sender@us.test>'))?.startsWith('250')) return false;
    for (const user of users) if (!(await wire.ask(`RCPT TO:<${user}@us.test>`))?.startsWith('250')) return false;
    if (!(await wire.ask('DATA'))?.startsWith('354')) return false;
    // From here on it may be delivered, answered or not.
    for (const user of users) this.#truth.mailbox(`${user}/INBOX`).allow(mark);
    wire.send(`${text}.\r\n`);
    for (const user of users) {
      const reply = await wire.reply();
      if (reply === null) return false;
      if (!reply.startsWith('250')) continue;
      this.#truth.mailbox(`${user}/INBOX`).delivered.add(mark);
      this.count += 1;
    }
    return true;
  }
}

/** Lines of LMTP; null once the connection is gone. */
class LmtpWire {
  readonly #socket: Socket;
  #text = '';
  #isGone = false;
  #wake: () => void = () => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    const gone = (): void => {
      this.#isGone = true;
      this.#wake();
    };
    socket.on('data', (text: string) => {
      this.#text += text;
      this.#wake();
    });
    socket.on('error', gone).on('end', gone).on('close', gone);
  }
  static open(port: number): Promise<LmtpWire | null> {
    return new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.1', port });
      socket.once('error', () => resolve(null));
      socket.once('connect', () => resolve(new LmtpWire(socket)));
    });
  }
  send(text: string): void {
    this.#socket.write(text, 'latin1');
  }
  ask(line: string): Promise<string | null> {
    this.send(`${line}\r\n`);
    return this.reply();
  }
  /** The last line of a reply. */
  async reply(): Promise<string | null> {
    for (;;) {
      const end = this.#text.indexOf('\r\n');
      if (end !== -1) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        if (line[3] !== '-') return line;
      } else if (this.#isGone) return null;
      else
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
    }
  }
  close(): void {
    this.#socket.destroy();
  }
}
