/** Our end of ManageSieve, written from RFC 5804 alone: sends octets, reads whole responses. */
import { LineClient } from '../harness/line-client.ts';

export interface SieveResponse {
  /** Lines before the last, with literals in place, as the server wrote them. */
  readonly data: readonly string[];
  readonly status: 'OK' | 'NO' | 'BYE' | 'closed';
  /** "QUOTA/MAXSIZE", 'TAG "x"' as written, or ''. */
  readonly code: string;
  readonly text: string;
}

export class ManageSieveClient {
  readonly wire: LineClient;

  private constructor(wire: LineClient) {
    this.wire = wire;
  }

  /** Reads the greeting; `isSecure` continues in TLS. */
  static async open(port: number, isSecure = false): Promise<ManageSieveClient> {
    const client = new ManageSieveClient(await LineClient.open(port));
    await client.response();
    if (isSecure) {
      await client.command('STARTTLS');
      await client.wire.startTls();
      await client.response();
    }
    return client;
  }

  static async login(port: number, user: string, password: string): Promise<ManageSieveClient> {
    const client = await ManageSieveClient.open(port);
    const response = await client.command(`AUTHENTICATE "PLAIN" "${Buffer.from(`\0${user}\0${password}`).toString('base64')}"`);
    if (response.status !== 'OK') throw new Error(`login refused: ${JSON.stringify(response)}`);
    return client;
  }

  command(command: string): Promise<SieveResponse> {
    this.wire.send(Buffer.from(`${command}\r\n`, 'utf8'));
    return this.response();
  }

  /** A line with the literals it announces. Null at the end of the connection. */
  async #unit(): Promise<string | null> {
    let unit = await this.wire.line();
    for (let mark = literalIn(unit); unit !== null && mark !== null; mark = literalIn(unit)) {
      const literal = await this.wire.bytes(mark);
      const rest: string | null = await this.wire.line();
      unit = `${unit.slice(0, unit.lastIndexOf('{'))}${JSON.stringify(literal)}${rest ?? ''}`;
      if (rest === null || literalIn(rest) === null) break;
    }
    return unit;
  }

  async response(): Promise<SieveResponse> {
    const data: string[] = [];
    for (;;) {
      const unit = await this.#unit();
      if (unit === null) return { data, status: 'closed', code: '', text: '' };
      const match = /^(OK|NO|BYE)(?: \(([^)]*)\))?(?: (.*))?$/i.exec(unit);
      if (match === null) {
        data.push(unit);
        continue;
      }
      const text = match[3] ?? '';
      return { data, status: match[1]!.toUpperCase() as 'OK', code: match[2] ?? '', text: text.startsWith('"') ? safeJson(text) : text };
    }
  }
}

function literalIn(line: string | null): number | null {
  const match = line === null ? null : /\{(\d+)\}$/.exec(line);
  return match === null ? null : Number(match[1]);
}

function safeJson(text: string): string {
  return text.slice(1, -1).replaceAll('\\"', '"');
}

/** `text` as a literal of the client. */
export function literal(text: string): string {
  return `{${Buffer.byteLength(text)}+}\r\n${text}`;
}
