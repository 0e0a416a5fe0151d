/** Memory: one very large message, and thousands of idle IMAP connections that are all told of new mail. */
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { sendLetter } from '../test/harness/letter.ts';
import { LineClient } from '../test/harness/line-client.ts';
import { atEnd, programOwner } from '../test/harness/temp.ts';
import { within } from '../test/harness/wait.ts';
import { type Group, machine, peakMemory } from './harness/group.ts';
import { prose } from './harness/message.ts';
import { table } from './harness/table.ts';
import { PASSWORD, postfixToDovecot, posthorn, USERS } from './harness/targets.ts';

export interface MemoryOptions {
  readonly isQuick: boolean;
  readonly say: (text: string) => void;
  readonly isAlone?: boolean;
}
const MB = 1_000_000;
/** Handshakes and logins at the same time while connecting. */
const CONNECTING_MAX = 50;
const SETTLE_MS = 3000;

export async function memory(options: MemoryOptions): Promise<void> {
  options.say(`Memory, ${machine()}`);
  await large(options);
  await idle(options);
}

/** 100 MB in by SMTP and out by IMAP: how far the server's anonymous memory rises above its rest. */
async function large(options: MemoryOptions): Promise<void> {
  const owner = programOwner();
  try {
    const server = await posthorn(owner, { smtp: { messageBytesMax: 200 * 1024 * 1024 } });
    const bytes = 100 * MB;
    const text = Buffer.from(prose(1 * MB, 1, '\r\n'));
    await pause(1000);
    const rest = server.group.anonymous();
    const sent = await peakMemory(server.groups, () => sendLarge(server.smtpPort, text, bytes), 20);
    const fetched = await peakMemory(server.groups, () => fetchLarge(server.server.port('imap')), 20);
    const rows = [
      ['received by SMTP', (sent.peak.anonymous - rest) / MB, bytes / MB / (sent.value / 1000)],
      ['fetched by IMAP', (fetched.peak.anonymous - rest) / MB, bytes / MB / (fetched.value / 1000)],
    ];
    options.say(`\n${table(['a message of 100 MB', 'memory rises by MB', 'MB/s'], rows)}\nat rest: ${(rest / MB).toFixed(0)} MB`);
  } finally {
    await owner.end();
  }
}

async function sendLarge(port: number, text: Buffer, bytes: number): Promise<number> {
  const client = await LineClient.open(port);
  await client.smtp(null, /^220/);
  await client.smtp('EHLO client.test', /^250/);
  await client.smtp('MAIL FROM:<sender@example.com>', /^250/);
  await client.smtp(`RCPT TO:<${USERS[0]}@perf.test>`, /^250/);
  await client.smtp('DATA', /^354/);
  const start = performance.now();
  client.send('Subject: large\r\n\r\n');
  for (let sent = 0; sent < bytes; sent += text.length) await client.sendPaced(text);
  await client.smtp('.', /^250/);
  client.close();
  return performance.now() - start;
}

/** Reads and throws away. */
async function fetchLarge(port: number): Promise<number> {
  const client = await LineClient.open(port);
  await client.expect(/^\* OK/);
  client.send(`a LOGIN ${USERS[0]}@perf.test ${PASSWORD}\r\n`);
  while (!/^a /.test((await client.line()) ?? 'a '));
  client.send('b SELECT INBOX\r\n');
  while (!/^b /.test((await client.line()) ?? 'b '));
  const start = performance.now();
  client.send('c FETCH 1 BODY.PEEK[]\r\n');
  const size = Number(/\{(\d+)\}$/.exec((await client.expect(/\{\d+\}$/)) ?? '')?.[1]);
  await client.skip(size);
  await client.expect(/^\)/);
  client.close();
  return performance.now() - start;
}

interface IdleTarget {
  readonly label: string;
  readonly port: number;
  readonly isTls: boolean;
  readonly groups: readonly Group[];
  readonly user: (name: string) => string;
  readonly smtpPort: number;
}
async function idle(options: MemoryOptions): Promise<void> {
  const connections = options.isQuick ? 1000 : 5000;
  const rows: (string | number)[][] = [];
  for (const kind of options.isAlone === true ? (['plain', 'tls'] as const) : (['plain', 'tls', 'dovecot'] as const)) {
    const owner = programOwner();
    try {
      const target = kind === 'dovecot' ? await dovecot(owner) : await ours(owner, kind === 'tls');
      rows.push([target.label, connections, ...(await measureIdle(target, connections))]);
    } finally {
      await owner.end();
    }
  }
  options.say(`\n${table(['idle IMAP', 'connections', 'KB each', 'PSS KB each', 'set up/s', 'all told after s'], rows)}`);
}
async function ours(owner: ReturnType<typeof programOwner>, isTls: boolean): Promise<IdleTarget> {
  // Ten accounts hold all connections here; by default one account may have fewer.
  const target = await posthorn(owner, { imap: { connectionsPerUserMax: 1000 } });
  return {
    label: isTls ? 'Posthorn, TLS' : 'Posthorn, plain',
    port: target.server.port(isTls ? 'imaps' : 'imap'),
    isTls,
    groups: target.groups,
    user: (name) => `${name}@perf.test`,
    smtpPort: target.smtpPort,
  };
}
async function dovecot(owner: ReturnType<typeof programOwner>): Promise<IdleTarget> {
  // One inotify instance for each process in IDLE: with the kernel's 128 most of them would only look now and then.
  const limit = '/proc/sys/fs/inotify/max_user_instances';
  const before = readFileSync(limit, 'latin1');
  writeFileSync(limit, '20000');
  atEnd(owner, () => writeFileSync(limit, before));
  const target = await postfixToDovecot(owner);
  return { label: 'Dovecot, plain', port: 11143, isTls: false, groups: [target.groups[1]!], user: (name) => name, smtpPort: target.smtpPort };
}

async function measureIdle(target: IdleTarget, count: number): Promise<number[]> {
  const sum = (of: 'anonymous' | 'pss'): number => target.groups.reduce((total, group) => total + group.memory()[of], 0);
  await pause(1000);
  const before = { anonymous: sum('anonymous'), pss: sum('pss') };
  const start = performance.now();
  const idlers: Idler[] = [];
  let next = 0;
  await Promise.all(
    Array.from({ length: CONNECTING_MAX }, async () => {
      while (next < count) {
        const user = USERS[next++ % USERS.length]!;
        idlers.push(await Idler.open(target, target.user(user)));
      }
    }),
  );
  const setUpMs = performance.now() - start;
  await pause(SETTLE_MS);
  const after = { anonymous: sum('anonymous'), pss: sum('pss') };
  const message = `Subject: news\r\n\r\nhello\r\n`;
  const told = Promise.all(idlers.map((idler) => idler.told()));
  const sent = performance.now();
  await Promise.all(USERS.map((user) => sendLetter({ port: target.smtpPort, sender: 'sender@example.com', recipients: [`${user}@perf.test`], message })));
  await told;
  const toldMs = performance.now() - sent;
  for (const idler of idlers) idler.close();
  return [(after.anonymous - before.anonymous) / 1024 / count, (after.pss - before.pss) / 1024 / count, (count * 1000) / setUpMs, toldMs / 1000];
}

/** One connection in IDLE, as cheap as it can be on our side. */
class Idler {
  readonly #socket: Socket;
  #text = '';
  #wanted = '';
  #wake: (() => void) | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding('latin1');
    socket.on('data', (text: string) => {
      this.#text = (this.#text + text).slice(-2000);
      if (this.#wanted !== '' && this.#text.includes(this.#wanted)) {
        this.#wanted = '';
        this.#text = '';
        this.#wake?.();
      }
    });
    socket.on('error', () => {});
  }
  static async open(target: IdleTarget, user: string): Promise<Idler> {
    const where = { host: '127.0.0.1', port: target.port };
    const socket = target.isTls ? connectTls({ ...where, rejectUnauthorized: false }) : connect(where);
    const idler = new Idler(socket);
    const greeting = idler.#until('* OK');
    await Promise.all([once(socket, target.isTls ? 'secureConnect' : 'connect'), greeting]);
    await idler.#ask(`a LOGIN ${user} ${PASSWORD}`, 'a OK');
    await idler.#ask('b SELECT INBOX', 'b OK');
    await idler.#ask('c IDLE', '+ ');
    return idler;
  }
  told(): Promise<void> {
    return this.#until(' EXISTS');
  }
  close(): void {
    this.#socket.destroy();
  }
  #ask(command: string, answer: string): Promise<void> {
    const done = this.#until(answer);
    this.#socket.write(`${command}\r\n`);
    return done;
  }
  #until(text: string): Promise<void> {
    this.#wanted = text;
    const woken = new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    return within(`"${text}" from the server`, woken).catch((error: unknown) => {
      throw new Error(`the server said ${JSON.stringify(this.#text.slice(-300))}`, { cause: error });
    });
  }
}
