/** Just enough of an IMAP client (RFC 9051) to look into mailboxes: commands in, untagged responses with their literals out. */
import assert from 'node:assert/strict';
import { type ConnectOptions, LineClient } from './line-client.ts';

export interface Answer {
  /** "OK …", "NO …" or "BAD …" after the tag. */
  readonly status: string;
  /** Untagged responses; a literal stands in its line as it came, after its "{n}" and a line end. */
  readonly untagged: readonly string[];
  /** All literals, in order. */
  readonly literals: readonly string[];
}

export class ImapClient {
  readonly wire: LineClient;
  #count = 0;
  private constructor(wire: LineClient) {
    this.wire = wire;
  }
  static async open(port: number, options: ConnectOptions = {}): Promise<ImapClient> {
    const client = new ImapClient(await LineClient.open(port, options));
    await client.wire.expect(/^\* (OK|PREAUTH)/);
    return client;
  }
  static async login(port: number, user: string, password: string, options: ConnectOptions = {}): Promise<ImapClient> {
    const client = await ImapClient.open(port, options);
    await client.ok(`LOGIN "${user}" "${password}"`);
    return client;
  }
  async command(text: string): Promise<Answer> {
    const tag = `t${++this.#count}`;
    this.wire.send(`${tag} ${text}\r\n`);
    return this.finish(tag);
  }
  /** A command that must be answered with OK. */
  async ok(text: string): Promise<Answer> {
    const answer = await this.command(text);
    assert.match(answer.status, /^OK/, `${text.slice(0, 200)}\n${this.wire.transcript.slice(-40).join('\n')}`);
    return answer;
  }
  async append(mailbox: string, message: string, flags = ''): Promise<Answer> {
    const bytes = Buffer.from(message);
    const tag = `t${++this.#count}`;
    this.wire.send(`${tag} APPEND "${mailbox}" (${flags}) {${bytes.length}}\r\n`);
    await this.wire.expect(/^\+/);
    this.wire.send(bytes);
    this.wire.send('\r\n');
    return this.finish(tag);
  }
  async finish(tag: string): Promise<Answer> {
    const untagged: string[] = [];
    const literals: string[] = [];
    for (;;) {
      let line = await this.#whole(literals);
      if (line.startsWith(`${tag} `)) return { status: line.slice(tag.length + 1), untagged, literals };
      if (line.startsWith('* ')) line = line.slice(2);
      untagged.push(line);
    }
  }
  /** Number of messages in a mailbox. */
  async count(mailbox = 'INBOX'): Promise<number> {
    await this.ok('NOOP'); // STATUS of the selected mailbox may answer from before.
    const { untagged } = await this.ok(`STATUS "${mailbox}" (MESSAGES)`);
    return Number(/MESSAGES (\d+)/.exec(untagged.join('\n'))?.[1] ?? Number.NaN);
  }
  /** All messages of a mailbox, whole. */
  async messages(mailbox = 'INBOX'): Promise<readonly string[]> {
    const { untagged } = await this.ok(`EXAMINE "${mailbox}"`);
    if (untagged.includes('0 EXISTS')) return [];
    return (await this.ok('FETCH 1:* BODY.PEEK[]')).literals;
  }
  async logout(): Promise<void> {
    await this.command('LOGOUT');
    this.wire.close();
  }
  async #whole(literals: string[]): Promise<string> {
    let text = '';
    for (;;) {
      const line = await this.wire.line();
      assert.ok(line !== null, `the IMAP connection ended\n${this.wire.transcript.slice(-40).join('\n')}`);
      text += line;
      const literal = /\{(\d+)\}$/.exec(line);
      if (literal === null) return text;
      const bytes = await this.wire.bytes(Number(literal[1]));
      literals.push(bytes);
      text += `\n${bytes}`;
    }
  }
}
