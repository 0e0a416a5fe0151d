/** Many SMTP clients that send without end, survive a server that dies under them, and write down every answer. */
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import type { Entry, Ledger } from './ledger.ts';
import type { Random } from './random.ts';

export const MARK_HEADER = 'X-Torture';
/** Local parts at us.test with a mailbox. */
export const LOCAL_USERS = ['user1', 'user2', 'user3', 'user4', 'user5'] as const;
export const BOUNCES_TO = 'bounces@us.test';
const RECONNECT_MS = 15;

export interface LoadOptions {
  readonly port: number;
  readonly clients: number;
  readonly random: Random;
  readonly ledger: Ledger;
  /** Only mailboxes of ours as recipients. */
  readonly localOnly?: boolean;
  /** Further recipients, for a third of the mail. */
  readonly ruled?: readonly string[];
}

export class Load {
  readonly #options: LoadOptions;
  #isOver = false;
  #paused: Promise<void> | null = null;
  #resume: (() => void) | null = null;
  #inFlight = 0;
  #quiet: (() => void) | null = null;
  #serial = 0;
  readonly #running: Promise<void>[];

  constructor(options: LoadOptions) {
    this.#options = options;
    this.#running = Array.from({ length: options.clients }, () => this.#client());
  }
  /** Ends after the transactions in hand. */
  async stop(): Promise<void> {
    this.#isOver = true;
    this.resume();
    await Promise.all(this.#running);
  }
  /** Resolves when no client waits for an answer; none begins until `resume`. */
  async quiesce(): Promise<void> {
    this.#paused = new Promise((resolve) => {
      this.#resume = resolve;
    });
    if (this.#inFlight > 0)
      await new Promise<void>((resolve) => {
        this.#quiet = resolve;
      });
  }
  resume(): void {
    this.#resume?.();
    this.#paused = null;
  }

  async #client(): Promise<void> {
    while (!this.#isOver) {
      const wire = await Wire.open(this.#options.port);
      if (wire === null) {
        await pause(RECONNECT_MS);
        continue;
      }
      if ((await wire.reply())?.startsWith('220') === true && (await wire.ask('EHLO load.test\r\n'))?.startsWith('250') === true)
        await this.#transactions(wire);
      wire.close();
    }
  }
  async #transactions(wire: Wire): Promise<void> {
    for (let left = this.#options.random.between(1, 20); left > 0 && !this.#isOver; left -= 1) {
      if (this.#paused !== null) await this.#paused;
      this.#inFlight += 1;
      const goesOn = await this.#transaction(wire);
      this.#inFlight -= 1;
      if (this.#inFlight === 0) this.#quiet?.();
      if (!goesOn) return;
    }
  }
  /** One message, its commands in one write (PIPELINING). False when the connection is no longer of use. */
  async #transaction(wire: Wire): Promise<boolean> {
    const { random, ledger } = this.#options;
    const entry = ledger.open(`m${++this.#serial}`, this.#recipients());
    const commands = [`MAIL FROM:<${BOUNCES_TO}>`, ...entry.recipients.map((recipient) => `RCPT TO:<${recipient}>`), 'DATA'];
    wire.send(`${commands.join('\r\n')}\r\n`);
    let reply: string | null = null;
    for (const _ of commands) if ((reply = await wire.reply()) === null) return false;
    if (reply?.startsWith('354') !== true) return false;
    reply = await wire.ask(`${message(entry, random)}.\r\n`);
    if (reply === null) return false;
    if (reply.startsWith('250')) ledger.acknowledge(entry);
    else entry.answer = 'refused';
    return !reply.startsWith('421');
  }
  #recipients(): string[] {
    const { random } = this.#options;
    const recipients = new Set<string>();
    for (let count = random.next() < 0.7 ? 1 : random.between(2, 4); count > 0; count -= 1) {
      const { ruled = [] } = this.#options;
      if (ruled.length > 0 && random.next() < 0.33) {
        recipients.add(random.pick(ruled));
        continue;
      }
      const dice = random.next();
      if (this.#options.localOnly === true || dice < 0.7) recipients.add(`${random.pick(LOCAL_USERS)}@us.test`);
      else recipients.add(dice < 0.95 ? `r${random.between(1, 20)}@remote.test` : `gone${random.between(1, 3)}@remote.test`);
    }
    return [...recipients];
  }
}

/** Mostly small; some do not fit into memory with the transaction and travel by a file. */
function message(entry: Entry, random: Random): string {
  const bytes = random.next() < 0.95 ? random.between(200, 6000) : random.between(100_000, 600_000);
  let body = '';
  while (body.length < bytes) body += `${random.next().toString(36)}${random.next().toString(36)}${random.next().toString(36)}\r\n`;
  return `From: <${BOUNCES_TO}>\r\nTo: <${entry.recipients[0]}>\r\nSubject: ${entry.id}\r\nMessage-ID: <${entry.id}@torture.test>\r\n${MARK_HEADER}: ${entry.id}\r\n\r\n${body}`;
}

/** A connection that answers null for everything once it is gone. */
class Wire {
  readonly #socket: Socket;
  #text = '';
  #isGone = false;
  #wake: (() => void) | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setNoDelay(true);
    socket.setEncoding('latin1');
    const wake = (): void => {
      this.#wake?.();
      this.#wake = null;
    };
    const gone = (): void => {
      this.#isGone = true;
      wake();
    };
    socket.on('data', (text: string) => {
      this.#text += text;
      wake();
    });
    socket.on('error', gone).on('end', gone).on('close', gone);
  }
  static open(port: number): Promise<Wire | null> {
    return new Promise((resolve) => {
      const socket = connect({ host: '127.0.0.1', port });
      socket.once('error', () => resolve(null));
      socket.once('connect', () => resolve(new Wire(socket)));
    });
  }
  send(text: string): void {
    this.#socket.write(text, 'latin1');
  }
  ask(text: string): Promise<string | null> {
    this.send(text);
    return this.reply();
  }
  /** The last line of the next reply. A reply that had fully arrived before the connection broke counts. */
  async reply(): Promise<string | null> {
    for (;;) {
      const end = this.#text.indexOf('\r\n');
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 2);
        if (line[3] === '-') continue;
        return line;
      }
      if (this.#isGone) return null;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
  close(): void {
    this.#socket.destroy();
  }
}
