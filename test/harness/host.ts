/** A host with system users, started from an example: what several end-to-end files share. */
import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { US, US_CONFIG } from '../peers/small-internet.ts';
import { exampleConfig, mergeConfig } from './example.ts';
import { letter, sendLetter } from './letter.ts';
import { type Config, type Posthorn, startPosthorn } from './posthorn.ts';
import type { Owner } from './temp.ts';
import { eventually } from './wait.ts';

/** Who writes to us in these tests; reports come back to her at the remote host. */
export const RITA = 'rita@remote.test';

/** What an example must hear about the small internet: names, addresses, and that administration is quick. */
const HERE: Config = {
  hostname: 'mx.us.test',
  domain: 'us.test',
  listen: { ...US_CONFIG.listen, lmtp: ['127.0.0.1:0'], imap: ['127.0.0.1:143'], imaps: [], pop3: ['127.0.0.1:110'], pop3s: [], sieve: [], metrics: [] },
  dns: US_CONFIG.dns,
  policy: { localDomains: ['us.test', 'mx.us.test', 'localhost'] },
  log: { format: 'json', level: 'debug' },
};

/** Of all hosts in this file: they write to the same peers, and a subject must not be found in an earlier one's mail. */
let letters = 0;

export class Host {
  readonly server: Posthorn;
  #config: Config;
  constructor(server: Posthorn, config: Config) {
    this.server = server;
    this.#config = config;
  }

  /** Other settings for the running server. */
  async reconfigure(change: Config): Promise<void> {
    this.#config = mergeConfig(this.#config, change);
    this.server.configure(this.#config);
    chmodSync(this.server.configFile, 0o644); // it has given up root's rights, and reads it again without them
    await this.server.admin('reload');
  }

  /** Hands a letter in by SMTP and answers its subject, which is made unique unless given. `via`: an address of a stranger; loopback is no stranger. */
  async send(
    to: string | readonly string[],
    parts: { subject?: string; body?: string; headers?: Record<string, string>; from?: string; via?: string } = {},
  ): Promise<string> {
    letters += 1;
    const recipients = (typeof to === 'string' ? [to] : to).map((name) => (name.includes('@') ? name : `${name}@us.test`));
    const subject = parts.subject ?? `letter ${String(letters).padStart(3, '0')}`;
    const from = parts.from ?? RITA;
    const message = letter({ from: from === '' ? 'mailer-daemon@remote.test' : from, to: recipients[0]!, subject, body: parts.body, headers: parts.headers });
    const way = parts.via === undefined ? { host: '127.0.0.1' } : { host: US, localAddress: parts.via };
    const reply = await sendLetter({ port: 25, ...way, sender: from, recipients, message });
    assert.match(reply, /^250/, reply);
    return subject;
  }

  /** The journey of what has to do with `what`, in words, once it has been written down and `pattern` is in it. */
  trace(what: string, pattern: RegExp): Promise<string> {
    return eventually(`the trace of ${what} says ${pattern}`, async () => {
      const { stdout } = await this.server.cli(['trace', what]);
      return pattern.test(stdout) ? stdout : Promise.reject(new Error(stdout));
    });
  }

  get queued(): Promise<string> {
    return this.server.admin('queue', 'list');
  }
}

export async function startHost(owner: Owner, example: string, ...changes: readonly Config[]): Promise<Host> {
  const config = exampleConfig(example, HERE, ...changes);
  return new Host(await startPosthorn(owner, { config }), config);
}

/** Waits until a mailbox holds a message that the pattern finds; answers it. */
export function arrived(what: string, messages: () => readonly string[], pattern: RegExp | string): Promise<string> {
  return eventually(`${what}: a message with ${pattern}`, () => {
    const all = messages();
    const found = all.find((message) => (typeof pattern === 'string' ? message.includes(pattern) : pattern.test(message)));
    return found ?? Promise.reject(new Error(`there are ${all.length}:\n${all.join('\n────\n').slice(0, 4000)}`));
  });
}

/** Messages of an mbox file. */
export function mboxMessages(text: string | null): string[] {
  if (text === null || text === '') return [];
  return text.split(/^(?=From )/m).filter((part) => part !== '');
}
