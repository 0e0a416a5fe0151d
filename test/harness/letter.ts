/** Messages for tests, and getting them in: by our own SMTP dialogue, over any port. */
import { LineClient } from './line-client.ts';

export interface Letter {
  readonly from: string;
  readonly to: string;
  readonly subject: string;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** RFC 5322, CRLF line ends, ended by CRLF. */
export function letter(parts: Letter): string {
  const headers = {
    From: `<${parts.from}>`,
    To: `<${parts.to}>`,
    Subject: parts.subject,
    Date: 'Fri, 20 Nov 2026 10:00:00 +0000',
    'Message-ID': `<${encodeURIComponent(parts.subject)}@letter.test>`,
  };
  const lines = Object.entries({ ...headers, ...parts.headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  return `${lines.join('')}\r\n${(parts.body ?? 'Hello.').replaceAll(/\r?\n/g, '\r\n')}\r\n`;
}

export interface Sending {
  readonly port: number;
  readonly host?: string;
  /** Our own address, to come from somewhere that is not 127.0.0.1. */
  readonly localAddress?: string;
  readonly sender: string;
  readonly recipients: readonly string[];
  /** Bytes as latin1. */
  readonly message: string;
  /** Parameters of MAIL and of each RCPT: "RET=FULL ENVID=x". */
  readonly mail?: string;
  readonly rcpt?: string;
}
/** One transaction on a connection of its own; answers the reply to the data. Every step before must be accepted. */
export async function sendLetter(sending: Sending): Promise<string> {
  const client = await LineClient.open(sending.port, { host: sending.host, from: sending.localAddress });
  try {
    await client.smtp(null, /^220/);
    await client.smtp('EHLO client.test', /^250/);
    await client.smtp(`MAIL FROM:<${sending.sender}>${parameters(sending.mail)}`, /^250/);
    for (const recipient of sending.recipients) await client.smtp(`RCPT TO:<${recipient}>${parameters(sending.rcpt)}`, /^250/);
    await client.smtp('DATA', /^354/);
    client.send(sending.message.replaceAll(/^\./gm, '..'));
    const reply = await client.smtp('.', /^[245]\d\d/);
    await client.smtp('QUIT', /^221/);
    return reply;
  } finally {
    client.close();
  }
}
const parameters = (text: string | undefined): string => (text === undefined ? '' : ` ${text}`);
