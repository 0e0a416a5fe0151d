/** One Postfix with a cleanup(8), a trivial-rewrite(8) and a door of its own for each scenario; mail is held where it can be read. */
import { once } from 'node:events';
import { appendFileSync, chmodSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { eventually } from '../harness/wait.ts';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { succeed } from '../harness/run.ts';
import { atEnd, type Owner, tempDir } from '../harness/temp.ts';
import { type Postfix, setUpPostfix } from '../peers/postfix.ts';
import { type MailCase, PIPES, type Scenario } from './cases.ts';

const FIRST_PORT = 2600;
export const LOCAL_MAIN = {
  ...{ myorigin: 'host.test', mydestination: 'local.test', mydomain: 'host.test', recipient_delimiter: '+', append_dot_mydomain: 'no' },
  ...{
    relay_domains: 'inner.test',
    virtual_alias_domains: 'alias.test',
    virtual_mailbox_domains: 'box.test',
    virtual_mailbox_maps: '',
    local_recipient_maps: '',
  },
  ...{ smtpd_reject_unlisted_recipient: 'no', local_header_rewrite_clients: 'static:all', swap_bangpath: 'no', allow_percent_hack: 'no' },
  ...{ default_transport: 'smtp', relay_transport: 'relay', virtual_transport: 'virtual', local_transport: 'local:$myhostname' },
};

/** What became of a mail: its envelope and header as Postfix keeps them; null when it was refused. */
export type Kept = { readonly sender: string; readonly recipients: readonly string[]; readonly header: string } | null;

export async function startRoutingPostfix(owner: Owner, scenarios: readonly Scenario[], generic: { port: number; maps: string }): Promise<RoutingPostfix> {
  const postfix = await setUpPostfix(tempDir(owner, 'postfix-route'), {
    ...{ address: '127.0.0.1:2525', hostname: 'mx.host.test', domains: [], users: [], tls: false },
    main: { ...LOCAL_MAIN, transport_maps: `inline:{${PIPES.map((_, i) => `p${i}.test=pipe${i}:Next${i}.Hop`).join(', ')}}` },
  });
  const lines = scenarios.map(({ main }, i) => {
    const options = Object.entries(main).map(([key, value]) => ` -o { ${key} = ${value.replaceAll('$', '$$$$').replaceAll('$$myhostname', '$myhostname')} }`);
    const own = ` -o rewrite_service_name=rewrite${i} -o cleanup_service_name=cleanup${i}`;
    return [
      `127.0.0.1:${FIRST_PORT + i} inet n - n - - smtpd${own}${options.join('')} -o { smtpd_end_of_data_restrictions = check_client_access static:HOLD }`,
      `cleanup${i} unix n - n - 0 cleanup${own}${options.join('')}`,
      `rewrite${i} unix - - n - - trivial-rewrite${own}${options.join('')}`,
    ].join('\n');
  });
  appendFileSync(join(postfix.config, 'master.cf'), `${lines.join('\n')}\n`);
  const door = [
    `127.0.0.1:${FIRST_PORT - 1} inet n - n - - smtpd -o { content_filter = sink:[127.0.0.1]:${generic.port} }`,
    `sink unix - - n - - smtp -o { smtp_generic_maps = inline:{${generic.maps}} }`,
  ];
  appendFileSync(join(postfix.config, 'master.cf'), `${door.join('\n')}\n`);
  const program = writeProgram(postfix.dir);
  const pipes = PIPES.map(({ flags, argv }, i) => `pipe${i} unix - n n - - pipe flags=${flags} user=nobody argv=${program} ${i} ${argv}`);
  appendFileSync(join(postfix.config, 'master.cf'), `127.0.0.1:${FIRST_PORT - 2} inet n - n - - smtpd\n${pipes.join('\n')}\n`);
  atEnd(owner, () => postfix.stop());
  await postfix.start();
  return new RoutingPostfix(postfix);
}

/** A program that writes its arguments down, each with a NUL behind it; the first names the file. */
function writeProgram(dir: string): string {
  const out = join(dir, 'arguments');
  mkdirSync(out);
  chmodSync(out, 0o1777);
  chmodSync(dir, 0o755);
  const program = join(dir, 'write-arguments');
  writeFileSync(program, `#!/bin/sh\ncat > /dev/null\nprintf '%s\\0' "$@" > "${out}/$1.part"\nmv "${out}/$1.part" "${out}/$1"\n`);
  chmodSync(program, 0o755);
  return program;
}

export class RoutingPostfix {
  readonly #postfix: Postfix;
  constructor(postfix: Postfix) {
    this.#postfix = postfix;
  }
  get log(): string {
    return this.#postfix.log;
  }

  /** All mails of a scenario, and what was kept of each. */
  async mails(scenario: number, cases: readonly MailCase[]): Promise<Kept[]> {
    const ids = await send(FIRST_PORT + scenario, cases);
    const known = ids.filter((id) => id !== null);
    const text = known.length === 0 ? '' : await succeed('postcat', ['-c', this.#postfix.config, '-e', '-h', '-q', ...known]);
    const kept = new Map(
      text
        .split('*** ENVELOPE RECORDS ')
        .slice(1)
        .map((part) => [/^\S*\/(\S+) \*\*\*/.exec(part)![1]!, readKept(part)]),
    );
    return ids.map((id) => (id === null ? null : kept.get(id)!));
  }

  /** The arguments that each program of PIPES was given, without its name. */
  async arguments(): Promise<string[][]> {
    await send(
      FIRST_PORT - 2,
      PIPES.map(({ from, to }, i) => ({ from, to: to.map((local) => `${local}@P${i}.Test`) })),
    );
    const file = (i: number): string => join(this.#postfix.dir, 'arguments', String(i));
    await eventually('all programs have run', () => PIPES.every((_, i) => existsSync(file(i))));
    return PIPES.map((_, i) => readFileSync(file(i), 'utf8').split('\0').slice(1, -1));
  }

  async generic(cases: readonly MailCase[]): Promise<void> {
    const ids = await send(FIRST_PORT - 1, cases);
    if (ids.includes(null)) throw new Error('Postfix refused a mail that is to leave');
  }

  /** What trivial-rewrite(8) says: transport and next hop. */
  async route(scenario: number, address: string, sender: string): Promise<{ transport: string; nexthop: string }> {
    const socket = createConnection(join(this.#postfix.dir, `spool/private/rewrite${scenario}`));
    const words = ['request', 'resolve', 'sender', sender, 'address', address, '', ''].join('\0');
    let heard = '';
    socket.setEncoding('utf8');
    await once(socket, 'connect');
    socket.write(words);
    for await (const data of socket) {
      heard += data as string;
      const match = /\0transport\0([^\0]*)\0nexthop\0([^\0]*)\0recipient\0[^\0]*\0flags\0\d+\0\0/.exec(heard);
      if (match !== null) return { transport: match[1]!, nexthop: match[2]! };
    }
    throw new Error(`trivial-rewrite said ${JSON.stringify(heard)} of ${address}`);
  }
}

function readKept(part: string): Exclude<Kept, null> {
  const field = (name: string): string[] => [...part.matchAll(new RegExp(`^${name}: (.*)$`, 'gm'))].map((match) => match[1]!);
  const headerAt = part.indexOf('*** MESSAGE CONTENTS');
  const envelope = part.slice(0, headerAt);
  const extracted = part.indexOf('*** HEADER EXTRACTED');
  const header = part.slice(part.indexOf('\n', headerAt) + 1, extracted === -1 ? undefined : extracted);
  const recipients = (extracted === -1 ? envelope : envelope + part.slice(extracted)).match(/^recipient: .*$/gm) ?? [];
  return { sender: field('sender')[0] ?? '', recipients: recipients.map((line) => line.slice('recipient: '.length)), header };
}

/** Queue ids, one a mail; null when the message was refused at its end. */
async function send(port: number, cases: readonly MailCase[]): Promise<(string | null)[]> {
  const socket = createConnection(port, '127.0.0.1');
  socket.setEncoding('latin1');
  const lines = replies(socket);
  const say = async (line: string): Promise<string> => {
    socket.write(`${line}\r\n`);
    return (await lines.next()).value as string;
  };
  await lines.next();
  await say('EHLO client.test');
  const ids: (string | null)[] = [];
  for (const { from, to, header } of cases) {
    for (const line of [`MAIL FROM:<${from}>`, ...to.map((one) => `RCPT TO:<${one}>`), 'DATA']) {
      const reply = await say(line);
      if (!/^[23]/.test(reply)) throw new Error(`${line}: ${reply}`);
    }
    const reply = await say(`${(header ?? 'Subject: x').replaceAll('\n', '\r\n')}\r\n\r\nbody\r\n.`);
    ids.push(/queued as (\S+)/.exec(reply)?.[1] ?? null);
  }
  socket.end('QUIT\r\n');
  return ids;
}

async function* replies(socket: AsyncIterable<unknown>): AsyncGenerator<string> {
  let text = '';
  for await (const data of socket) {
    text += String(data);
    for (let end = text.indexOf('\r\n'); end !== -1; end = text.indexOf('\r\n')) {
      const line = text.slice(0, end);
      text = text.slice(end + 2);
      if (line[3] !== '-') yield line;
    }
  }
}
