/** The same programs started by Debian's Postfix (local(8), pipe(8)) and by our user agent: what they are given, and what their end means. */
import { ownNetwork } from './harness/own-network.ts';

ownNetwork();

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, chownSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { parseMailbox } from '../src/mail/address.ts';
import { parsePipeTransport } from '../src/route/named.ts';
import { pipeArguments } from '../src/route/pipe-arguments.ts';
import { LineClient } from './harness/line-client.ts';
import { need, run } from './harness/run.ts';
import { atEnd, tempDir } from './harness/temp.ts';
import { eventually } from './harness/wait.ts';
import { CASES, type ProgramCase, RECORDER } from './local/cases.ts';
import { startUserAgentSide, type UserAgentSide } from './local/posthorn-side.ts';
import { setUpPostfix } from './peers/postfix.ts';

const HOST = 'mx.test';
const FIRST_UID = 41_000;
const TIME_LIMIT_SECONDS = 2;
/** Deliveries of ours at once; fewer than the agent has workers. */
const SIDE_BY_SIDE = 3;

/** What became of a message, and what its program was given; null where none ran. */
interface Seen {
  readonly status: string;
  readonly enhanced: string;
  /** Of a failure. */
  readonly text: string;
  readonly given: string | null;
}

test('programs are given the same by Postfix and by Posthorn, and their ends mean the same', async (t) => {
  need('postfix', 'postalias');
  const dir = tempDir(t, 'local');
  chmodSync(dir, 0o755);
  const out = join(dir, 'out');
  mkdirSync(out);
  chmodSync(out, 0o1777);
  const recorder = join(dir, 'recorder');
  writeFileSync(recorder, RECORDER);
  chmodSync(recorder, 0o755);
  const scenes = CASES.map((one, index) => new Scene(one, index, dir));
  makeUsers(dir, scenes);
  atEnd(t, () => execFileSync('umount', ['/etc/passwd']));
  const postfix = await setUpPostfix(tempDir(t, 'postfix-local'), {
    ...{ address: '192.0.2.2:2525', hostname: HOST, domains: [], users: [], tls: false },
    main: {
      mydestination: HOST,
      myorigin: HOST,
      alias_maps: `hash:${dir}/aliases`,
      mail_spool_directory: '/var/mail/',
      recipient_delimiter: '+',
      virtual_mailbox_domains: '',
      local_recipient_maps: '',
      relay_domains: 'pipe.test',
      command_time_limit: `${TIME_LIMIT_SECONDS}s`,
      mailbox_command_maps: `texthash:${dir}/commands`,
      transport_maps: `texthash:${dir}/transports`,
      mynetworks: '192.0.2.0/24 127.0.0.0/8',
      smtpd_peername_lookup: 'no',
      default_destination_recipient_limit: '1',
      smtputf8_enable: 'no',
      command_execution_directory: '$home',
      export_environment: 'TZ',
    },
  });
  writeFileSync(join(dir, 'aliases'), scenes.map((scene) => scene.alias()).join(''));
  writeFileSync(join(dir, 'commands'), scenes.map((scene) => scene.mailboxCommand()).join(''));
  writeFileSync(join(dir, 'transports'), scenes.map((scene) => (scene.one.kind === 'pipe' ? `p${scene.index}.pipe.test ${scene.name}:\n` : '')).join(''));
  appendFileSync(join(postfix.config, 'master.cf'), scenes.map((scene) => scene.master()).join(''));
  await run('postalias', ['-c', postfix.config, `hash:${dir}/aliases`]);
  atEnd(t, () => postfix.stop());
  await postfix.start();
  await send(scenes);
  const theirs = await eventually('Postfix has tried everything', () => {
    const found = outcomes(postfix.log);
    return scenes.every(({ index }) => found.has(index)) ? found : null;
  });
  const agent = await startUserAgentSide(t, dir, HOST, TIME_LIMIT_SECONDS * 1000);
  const table = readFileSync(resolve(import.meta.dirname, '../docs/postfix-differences.md'), 'utf8');
  const outcomeOf = async (scene: Scene): Promise<{ readonly expected: Seen; readonly actual: Seen }> => {
    const expected: Seen = { ...theirs.get(scene.index)!, given: scene.given() };
    const answer = await scene.deliver(agent);
    const status = { delivered: 'sent', deferred: 'deferred', failed: 'bounced' }[answer.outcome];
    const text = answer.outcome === 'delivered' ? '' : answer.text;
    return { expected, actual: { status, enhanced: answer.enhanced, text: plain(text), given: scene.given() } };
  };
  const found = await sideBySide(scenes, outcomeOf);
  for (const scene of scenes)
    await t.test(scene.title, async () => {
      const result = found.get(scene)!;
      if (result.status === 'rejected') throw result.reason;
      const { expected, actual } = result.value;
      const { differs } = scene.one;
      if (differs === undefined) assert.deepEqual(actual, expected);
      else {
        assert.ok(table.includes(`| ${differs} |`), `docs/postfix-differences.md has no row "${differs}"`);
        assert.notDeepEqual(actual, expected, 'there is no difference any more');
      }
    });
});

/** What came of each: every user has a worker of his own, and some programs run until they are ended. */
async function sideBySide<T, R>(all: readonly T[], work: (one: T) => Promise<R>): Promise<ReadonlyMap<T, PromiseSettledResult<R>>> {
  const found = new Map<T, PromiseSettledResult<R>>();
  const waiting = [...all];
  const next = async (): Promise<void> => {
    for (let one = waiting.shift(); one !== undefined; one = waiting.shift()) found.set(one, (await Promise.allSettled([work(one)]))[0]);
  };
  await Promise.all(Array.from({ length: SIDE_BY_SIDE }, next));
  return found;
}

class Scene {
  readonly one: ProgramCase;
  readonly index: number;
  readonly name: string;
  readonly home: string;
  readonly title: string;
  readonly #dir: string;

  constructor(one: ProgramCase, index: number, dir: string) {
    this.one = one;
    this.index = index;
    this.#dir = dir;
    this.name = `case${index}`;
    this.home = join(dir, 'home', this.name);
    this.title = Object.entries(one)
      .map(([key, value]) => `${key} ${JSON.stringify(value).slice(0, 60)}`)
      .join(', ');
  }

  get recipient(): string {
    const { kind, extension = '' } = this.one;
    return `${JSON.stringify(extension).includes(';') ? `"${this.name}${extension}"` : this.name + extension}@${kind === 'pipe' ? `p${this.index}.pipe.test` : HOST}`;
  }

  get sender(): string {
    return this.one.sender ?? 'sender@far.test';
  }

  get message(): string {
    const { header = 'Subject: s\n', body = 'body\n' } = this.one;
    return `Message-ID: <case-${this.index}@test>\nFrom: a@far.test\nDate: Mon, 5 Jan 2026 06:07:08 +0000\n${header.replace('$recipient', this.recipient)}\n${body}`;
  }

  get #command(): string {
    const { command, end, words = '' } = this.one;
    return command ?? `${join(this.#dir, 'recorder')} ${join(this.#dir, 'out', this.name)} ${end}${words === '' ? '' : ` ${words}`}`;
  }

  get forward(): string | null {
    return this.one.kind === 'forward' ? `"|${this.#command.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"\n` : null;
  }

  alias(): string {
    return this.one.kind === 'alias' ? `${this.name}: "|${this.#command.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"\n` : '';
  }

  mailboxCommand(): string {
    return this.one.kind === 'mailbox' ? `${this.name} ${this.#command}\n` : '';
  }

  get #transport(): string {
    const { flags = '', attributes = '' } = this.one;
    const user = attributes.startsWith('user=') ? '' : 'user=games:games ';
    return `${flags === '' ? '' : `flags=${flags} `}${user}${attributes === '' ? '' : `${attributes} `}argv=${this.#command}`;
  }

  master(): string {
    return this.one.kind === 'pipe' ? `${this.name} unix - n n - - pipe ${this.#transport}\n` : '';
  }

  /** What the program wrote down, without what is different each time; it is taken away. */
  given(): string | null {
    const path = join(this.#dir, 'out', this.name);
    if (!existsSync(path)) return null;
    const text = readFileSync(path, 'latin1');
    rmSync(path);
    return (
      text
        .replace(/^From (.*?) {2}?\w{3} \w{3} [ \d]\d \d\d:\d\d:\d\d \d{4}(\r?)$/m, 'From $1 DATE$2')
        // Each side's own trace, and its queue's number.
        .replace(/^Received: .*\r?\n(?:[ \t].*\r?\n)+/m, '')
        .replace(/^ARGUMENT <\d+\.>$/m, 'ARGUMENT <SIZE>')
        .replace(/^DIRECTORY .*\/spool$/m, 'DIRECTORY /')
        // Rows of docs/postfix-differences.md: "PATH of programs", "variables of the session".
        .replace(/^VARIABLE PATH=(\/usr\/local\/bin:)?\/usr\/bin:\/bin$/m, 'VARIABLE PATH')
        .replace(/^VARIABLE CLIENT_PROTOCOL=.*\n/m, '')
        // "From_ line of senders with blanks".
        .replace(/^From "odd one"@/m, 'From "odd_one"@')
    );
  }

  async deliver(agent: UserAgentSide) {
    const { kind, extension } = this.one;
    const final = parseMailbox(this.recipient)!;
    const detail = extension === undefined ? null : extension.slice(1);
    const sender = this.sender === '' ? null : parseMailbox(this.sender)!;
    const { configuration } = agent;
    const task = { sender, recipient: final, final, detail, configuration };
    if (kind === 'alias') return agent.deliver({ ...task, work: { kind: 'command', command: this.#command, user: null } }, this.message);
    if (kind !== 'pipe') {
      const local = { ...configuration, mailboxCommand: kind === 'mailbox' ? this.#command : '' };
      return agent.deliver({ ...task, configuration: local, work: { kind: 'user', user: this.name, detail } }, this.message);
    }
    const transport = parsePipeTransport(`${this.name} ${this.#transport}`);
    assert.ok(typeof transport === 'object', String(transport));
    const argv = pipeArguments(transport, {
      sender,
      recipients: [{ address: final, original: null }],
      nexthop: final.domain,
      queueId: '1',
      size: this.message.length,
      delimiters: '+',
      clientAddress: '192.0.2.2',
      clientHelo: 'client.test',
    });
    const { name, user, group, directory, flags, eol, sizeMax, nullSender } = transport;
    const job = {
      kind: 'pipe',
      name,
      argv,
      user,
      group,
      directory,
      environment: {},
      flags,
      sizeMax,
      timeLimitMs: TIME_LIMIT_SECONDS * 1000,
      nullSender,
    } as const;
    return agent.deliver({ ...task, work: { ...job, eol: eol === '\r\n' ? '\r\n' : '\n' } }, this.message);
  }
}

function makeUsers(dir: string, scenes: readonly Scene[]): void {
  let lines = '';
  for (const { one, index, name, home, forward } of scenes) {
    if (one.kind !== 'forward' && one.kind !== 'mailbox') continue;
    const uid = FIRST_UID + index;
    mkdirSync(home, { recursive: true });
    chownSync(home, uid, uid);
    if (forward !== null) {
      writeFileSync(join(home, '.forward'), forward);
      chownSync(join(home, '.forward'), uid, uid);
    }
    lines += `${name}:x:${uid}:${uid}::${home}:/bin/bash\n`;
  }
  writeFileSync(join(dir, 'passwd'), readFileSync('/etc/passwd', 'utf8') + lines);
  execFileSync('mount', ['--bind', join(dir, 'passwd'), '/etc/passwd']);
}

/** All in one session. */
async function send(scenes: readonly Scene[]): Promise<void> {
  const client = await LineClient.open(2525, { host: '192.0.2.2', from: '192.0.2.2' });
  const say = async (text: string | null, expected: string): Promise<void> => {
    if (text !== null) client.send(`${text}\r\n`);
    let line = await client.line();
    while (line?.[3] === '-') line = await client.line();
    assert.ok(line?.startsWith(expected), client.transcript.slice(-5).join('\n'));
  };
  await say(null, '220');
  await say('EHLO client.test', '250');
  for (const { sender, recipient, message } of scenes) {
    await say(`MAIL FROM:<${sender}>`, '250');
    await say(`RCPT TO:<${recipient}>`, '250');
    await say('DATA', '354');
    await say(`${message.replaceAll(/^\./gm, '..').replaceAll('\n', '\r\n')}.`, '250');
  }
  await say('QUIT', '221');
}

/** The first line of the log about each case's recipient. */
function outcomes(log: string): Map<number, Omit<Seen, 'given'>> {
  const cases = new Map([...log.matchAll(/cleanup\[\d+\]: (\w+): message-id=<case-(\d+)@test>/g)].map((match) => [match[1]!, Number(match[2])]));
  const found = new Map<number, Omit<Seen, 'given'>>();
  for (const match of log.matchAll(/(?:local|pipe)\[\d+\]: (\w+): to=<.*?>, .*?dsn=([\d.]+), status=(\w+) \((.*)\)$/gm)) {
    const [, id, enhanced, status, text] = match as unknown as [string, string, string, string, string];
    const index = cases.get(id);
    if (index !== undefined && !found.has(index)) found.set(index, { status, enhanced, text: status === 'sent' ? '' : plain(text) });
  }
  return found;
}

/** The words of each side for the same thing. */
const plain = (text: string): string =>
  text
    .replace('signal SIGKILL', 'signal 9')
    .replace('signal SIGTERM', 'signal 15')
    .replace('Command output: /bin/sh: ', 'Command output: sh: ')
    .replace(/^temporary failure\. Command output: \w+: fatal: .*execvp (\S+): .*$/, 'not started: $1')
    .replace(/^the program could not be started \(\w+\): "(.*)"$/, 'not started: $1')
    .replace(/^message size \d+ exceeds the limit of .*$/, 'message too large')
    .replace('no reason given', '')
    .trimEnd();
