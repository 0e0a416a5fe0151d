/** What the judge's tests share: zones with every kind of sender, our host in them, and a stranger who tries. */
import type { Config } from '../harness/posthorn.ts';
import { LineClient } from '../harness/line-client.ts';
import { CLIENT, US } from '../peers/small-internet.ts';

/** Nothing resolves it, so mail from it is likely spam; addresses of the loopback device that are nobody's. */
export const BARE = '192.0.2.66';

/** Senders by what their domain says of CLIENT. */
const SENDERS = `
friend          IN A     ${CLIENT}
friend          IN TXT   "v=spf1 ip4:${CLIENT} -all"
_dmarc.friend   IN TXT   "v=DMARC1; p=none"
plain           IN A     ${CLIENT}
soft            IN A     198.51.100.1
soft            IN TXT   "v=spf1 ~all"
fail            IN A     198.51.100.1
fail            IN TXT   "v=spf1 -all"
strict          IN A     198.51.100.1
strict          IN MX 10 mx.sink
strict          IN TXT   "v=spf1 -all"
_dmarc.strict   IN TXT   "v=DMARC1; p=reject; rua=mailto:dmarc@strict.test"
loose           IN A     198.51.100.1
loose           IN TXT   "v=spf1 -all"
_dmarc.loose    IN TXT   "v=DMARC1; p=quarantine"
`;

/** Zones for NSD: ours, the senders, and `more` in "test."; a root that says of all else that it does not exist. */
export function zones(more = ''): Record<string, string> {
  return {
    'test.': `
ns              IN A     127.0.0.1
us              IN MX 10 mx.us
mx.us           IN A     ${US}
client          IN A     ${CLIENT}
client          IN MX 10 client
remote          IN MX 10 mx.remote
mx.remote       IN A     192.0.2.2
sink            IN MX 10 mx.sink
mx.sink         IN A     192.0.2.3
${SENDERS}${more}`,
    '2.0.192.in-addr.arpa.': '1 IN PTR mx.us.test.\n2 IN PTR mx.remote.test.\n20 IN PTR client.test.',
    '.': '',
  };
}

/** Nobody is exempt and nobody waits for the greeting; the first listener is the one that strangers reach. */
export const JUDGED: Config = {
  listen: { smtp: [`${US}:25`], submission: [`${US}:587`], lmtp: [] },
  dns: { servers: ['127.0.0.1:53'] },
  judge: { exempt: [] },
  door: { greetingDelay: '0s' },
  greylist: { mode: 'off' },
};

export interface Attempt {
  readonly ip?: string;
  readonly helo?: string;
  readonly sender?: string;
  readonly recipients?: readonly string[];
  /** null ends it before DATA. */
  readonly message?: string | null;
}
export interface Heard {
  /** The step that was refused first, or "message" when nothing was. */
  readonly step: 'greeting' | 'EHLO' | 'MAIL' | 'RCPT' | 'DATA' | 'message';
  /** The reply to it. */
  readonly reply: string;
  /** To each recipient. */
  readonly rcpt: readonly string[];
}

/** One transaction on a connection of its own, up to the first refusal (of all recipients). */
export async function attempt(what: Attempt): Promise<Heard> {
  const { helo = 'client.test', sender = 'rita@friend.test', recipients = ['anna@us.test'] } = what;
  const client = await LineClient.open(25, { host: US, from: what.ip ?? CLIENT });
  const rcpt: string[] = [];
  try {
    let reply = await client.smtp(null, /^/);
    if (isRefusal(reply)) return { step: 'greeting', reply, rcpt };
    reply = await client.smtp(`EHLO ${helo}`, /^/);
    if (isRefusal(reply)) return { step: 'EHLO', reply, rcpt };
    reply = await client.smtp(`MAIL FROM:<${sender}>`, /^/);
    if (isRefusal(reply)) return { step: 'MAIL', reply, rcpt };
    for (const recipient of recipients) rcpt.push(await client.smtp(`RCPT TO:<${recipient}>`, /^/));
    if (rcpt.every(isRefusal)) return { step: 'RCPT', reply: rcpt[0]!, rcpt };
    if (what.message === null) return { step: 'message', reply: rcpt.at(-1)!, rcpt };
    reply = await client.smtp('DATA', /^/);
    if (isRefusal(reply)) return { step: 'DATA', reply, rcpt };
    client.send((what.message ?? mail()).replaceAll(/^\./gm, '..'));
    reply = await client.smtp('.', /^/);
    return { step: 'message', reply, rcpt };
  } finally {
    client.close();
  }
}
const isRefusal = (reply: string): boolean => /^[45]/.test(reply);

/** A letter that nothing is wrong with; `lines` stand on top of it. */
export function mail(options: { from?: string; subject?: string; lines?: readonly string[]; body?: string } = {}): string {
  const { from = 'Rita <rita@friend.test>', subject = 'a letter', lines = [], body = 'Hello.' } = options;
  const fields = [
    ...lines,
    `From: ${from}`,
    'To: <anna@us.test>',
    `Subject: ${subject}`,
    'Date: Fri, 20 Nov 2026 10:00:00 +0000',
    `Message-ID: <${subject.replaceAll(/[^a-z0-9]+/gi, '-')}@letter.test>`,
  ];
  return `${fields.join('\r\n')}\r\n\r\n${body.replaceAll(/\r?\n/g, '\r\n')}\r\n`;
}

/** The id at the end of a refusal or an acceptance. */
export function idOf(reply: string): string {
  const id = /(?:ref|queued as|discarded as|accepted as|as) ([0-9A-Za-z-]+)\s*$/.exec(reply)?.[1];
  if (id === undefined) throw new Error(`no id in "${reply}"`);
  return id;
}
