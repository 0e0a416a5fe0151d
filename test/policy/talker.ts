/** A client that reads SMTP replies and can show a certificate in TLS. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { within } from '../harness/wait.ts';
import type { Conversation, Heard } from './types.ts';

export interface ClientKey {
  readonly cert: string;
  readonly key: string;
}

/** Holds a conversation with a server; `key` is what the client shows after STARTTLS. */
export async function converse(
  host: string,
  port: number,
  conversation: Conversation,
  key: ClientKey,
  onEnd: (story: string) => void = () => {},
): Promise<Heard[]> {
  const client = await Talker.open(host, port, conversation.from);
  const heard: Heard[] = [await client.reply()];
  for (const line of [...conversation.says, 'QUIT']) {
    if (line === '.' && heard.at(-1) !== '354') continue;
    const commands = line.split('|');
    client.send(`${commands.map((command) => (command === '.' ? 'Subject: test\r\n\r\nHello\r\n.' : command)).join('\r\n')}\r\n`);
    for (const _ of commands) heard.push(await client.reply());
    if (heard.at(-1) === 'closed') break;
    if (line === 'STARTTLS' && heard.at(-1)!.startsWith('220')) await client.startTls(key);
  }
  client.close();
  onEnd(client.story);
  return heard;
}

export class Talker {
  #socket: Socket;
  #text = '';
  #isClosed = false;
  #wake: () => void = () => {};
  readonly #transcript: string[] = [];

  private constructor(socket: Socket) {
    this.#socket = socket;
    this.#listen(socket);
  }
  static async open(host: string, port: number, from: string): Promise<Talker> {
    const socket = connect({ host, port, localAddress: from });
    await within(`a connection to ${host}:${port}`, once(socket, 'connect'));
    socket.setNoDelay(true);
    return new Talker(socket);
  }
  send(text: string): void {
    this.#transcript.push(`C: ${text.trimEnd()}`);
    this.#socket.write(text);
  }
  /** The next reply, or "closed". */
  async reply(): Promise<Heard> {
    for (;;) {
      const end = this.#text.indexOf('\n');
      if (end !== -1) {
        const line = this.#text.slice(0, end).trimEnd();
        this.#text = this.#text.slice(end + 1);
        this.#transcript.push(`S: ${line}`);
        if (line[3] === '-') continue;
        const enhanced = /^\d{3} ([245]\.\d+\.\d+)(?: |$)/.exec(line);
        return enhanced === null ? line.slice(0, 3) : `${line.slice(0, 3)} ${enhanced[1]}`;
      }
      if (this.#isClosed) return 'closed';
      await within(`a reply\n${this.#transcript.join('\n')}`, new Promise<void>((resolve) => (this.#wake = resolve)));
    }
  }
  /** From now on in TLS, with this certificate when there is one. */
  async startTls(key: ClientKey | null): Promise<void> {
    this.#socket.removeAllListeners();
    const secure = connectTls({ socket: this.#socket, rejectUnauthorized: false, servername: 'mx.us.test', ...key });
    await within('the TLS handshake', once(secure, 'secureConnect'));
    this.#socket = secure;
    this.#listen(secure);
  }
  close(): void {
    this.#socket.destroy();
  }
  /** What was said, for the one who looks for a difference. */
  get story(): string {
    return this.#transcript.join('\n');
  }

  #listen(socket: Socket): void {
    socket.on('data', (chunk: Buffer) => {
      this.#text += chunk.toString('latin1');
      this.#wake();
    });
    for (const event of ['end', 'close', 'error']) {
      socket.on(event, () => {
        this.#isClosed = true;
        this.#wake();
      });
    }
  }
}
