/** CONDSTORE, QRESYNC, IDLE and NOTIFY (RFC 7162, RFC 2177, RFC 5465): the same conversations to us and to Debian's Dovecot. */
import { ownNetwork } from './harness/own-network.ts';

ownNetwork();

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answer, ImapClient } from './harness/imap-client.ts';
import { startPosthorn } from './harness/posthorn.ts';
import { startDovecot } from './peers/dovecot.ts';
import { SYNC_CASES, SYNC_DIFFERENCES } from './sync/dovecot-cases.ts';

const PASSWORD = 'a-long-password';
const DOVECOT = '127.0.0.9';
const MESSAGE = 'From: anna@us.test\r\nTo: bert@us.test\r\nSubject: hello\r\n\r\nworld\r\n';

/** Items of a FETCH response, and values of STATUS and LIST, in alphabetical order; mod-sequences are counted by each server in its own way. */
function comparableLine(line: string): string {
  const plain = line
    .replaceAll('"', '')
    .replace(/ ?\\Recent/, '')
    .replace(/(MODSEQ \(?)\d+/g, '$1#')
    .replace(/UIDVALIDITY \d+/, 'UIDVALIDITY #')
    .replace(/^OK \[([A-Z]+)( #)?\].*/, 'OK [$1]')
    .replace('( ', '(');
  const fetched = /^(\d+ FETCH) \((.*)\)$/s.exec(plain);
  if (fetched !== null) return `${fetched[1]} (${sorted(fetched[2]!.match(/[A-Z[\]]+ (?:\([^)]*\)|\{\d+\}\n[^ ]*|\S+)/g) ?? [])})`;
  const status = /^(STATUS \S+) \((.*)\)$/.exec(plain);
  if (status !== null) return `${status[1]} (${sorted(status[2]!.match(/\S+ \S+/g) ?? [])})`;
  const list = /^LIST \(([^)]*)\) (.*)$/.exec(plain);
  if (list !== null) return `LIST (${sorted(list[1]!.split(' '))}) ${list[2]!.replace(/^\. /, '/ ')}`;
  return plain;
}

function sorted(words: readonly string[]): string {
  return words
    .map((word) => word.replace(/FLAGS \((.*)\)/, (_, flags: string) => `FLAGS (${flags.split(' ').sort().join(' ').trim()})`))
    .sort()
    .join(' ');
}

const TOLD = /^(VANISHED|\d+ (FETCH|EXPUNGE|EXISTS)|STATUS|LIST|ENABLED|SEARCH|OK \[(HIGHESTMODSEQ|CLOSED|NOMODSEQ))/;

function comparable({ status, untagged }: Answer): string[] {
  const code = /^(OK|NO|BAD)(?: \[(HIGHESTMODSEQ|MODIFIED|READ-ONLY|READ-WRITE|BADEVENT|NOTIFICATIONOVERFLOW)( [\d:,]+)?)?/.exec(status)!;
  const end = code[2] === undefined ? '' : ` [${code[2]}${code[2] === 'MODIFIED' ? code[3] : ''}]`;
  return [...untagged.filter((line) => TOLD.test(line)).map(comparableLine), `${code[1]}${end}`];
}

/** One server's side of the conversation. */
class Side {
  readonly #clients = new Map<string, ImapClient>();
  readonly #remembered = new Map<string, string>();
  readonly #login: () => Promise<ImapClient>;
  readonly #pushes: boolean;
  readonly #idle = new Set<string>();

  /** `pushes` false: what NOTIFY tells is asked for with NOOP, because it comes late. */
  constructor(login: () => Promise<ImapClient>, pushes: boolean) {
    this.#login = login;
    this.#pushes = pushes;
  }

  async #client(name: string): Promise<ImapClient> {
    const client = this.#clients.get(name) ?? (await this.#login());
    this.#clients.set(name, client);
    return client;
  }

  async step(line: string): Promise<string[]> {
    const text = line.replace(/ +#\d+$/, '').replace(/\{(\w+)\}/g, (whole, name: string) => this.#remembered.get(name) ?? whole);
    const remember = /^(\w+) := (\w+)$/.exec(text);
    if (remember !== null) {
      const client = await this.#client('observer');
      const item = remember[1] === 'V' ? 'UIDVALIDITY' : 'HIGHESTMODSEQ';
      const { untagged } = await client.ok(`STATUS ${remember[2]} (${item})`);
      this.#remembered.set(remember[1]!, /(\d+)\)/.exec(untagged.join('\n'))![1]!);
      return [];
    }
    const hears = /^(\w+) hears (\d+)$/.exec(text);
    if (hears !== null) {
      const client = await this.#client(hears[1]!);
      const { wire } = client;
      const lines: string[] = [];
      if (!this.#pushes && !this.#idle.has(hears[1]!)) {
        for (let i = 0; i < 100 && lines.length < Number(hears[2]); i += 1) lines.push(...comparable(await client.command('NOOP')).slice(0, -1));
        return lines;
      }
      while (lines.length < Number(hears[2])) {
        const heard = ((await wire.line()) ?? '* the connection ended').slice(2);
        if (TOLD.test(heard) && !heard.startsWith('OK ')) lines.push(comparableLine(heard));
      }
      return lines;
    }
    const ends = /^(\w+) ends IDLE$/.exec(text);
    if (ends !== null) {
      const client = await this.#client(ends[1]!);
      this.#idle.delete(ends[1]!);
      client.wire.send('DONE\r\n');
      return comparable(await client.finish('idle'));
    }
    const [name, command] = [text.slice(0, text.indexOf(':')), text.slice(text.indexOf(':') + 2)];
    const client = await this.#client(name);
    if (command === 'IDLE') {
      this.#idle.add(name);
      client.wire.send('idle IDLE\r\n');
      await client.wire.expect(/^\+/);
      return [];
    }
    return comparable(command.startsWith('APPEND ') ? await client.append(command.slice(7), MESSAGE) : await client.command(command));
  }

  async close(): Promise<void> {
    for (const client of this.#clients.values()) await client.logout();
  }
}

test('the same conversations to Dovecot: what differs is in the table, with the reason', async (t) => {
  await startDovecot(t, {
    address: DOVECOT,
    imapPort: 1143,
    lmtpPort: 1024,
    users: { anna: PASSWORD },
    extra: 'mailbox_list_index = yes\nmail_always_cache_fields = flags\nnamespace inbox {\n  separator = /\n}\n',
  });
  const server = await startPosthorn(t, { users: { 'anna@us.test': PASSWORD } });
  const ours = new Side(() => ImapClient.login(server.port('imap'), 'anna@us.test', PASSWORD), true);
  const theirs = new Side(() => ImapClient.login(1143, 'anna', PASSWORD, { host: DOVECOT }), false);
  for (const side of [ours, theirs]) {
    await side.step('b: ENABLE CONDSTORE');
    for (let i = 0; i < 10; i += 1) await side.step('b: APPEND INBOX');
  }
  const wrong: unknown[] = [];
  for (const line of SYNC_CASES) {
    const [mine, peer] = [await ours.step(line), await theirs.step(line)];
    const known = SYNC_DIFFERENCES[line];
    const expected = known ?? { ours: mine, theirs: mine };
    if (JSON.stringify([mine, peer]) !== JSON.stringify([expected.ours, expected.theirs])) wrong.push({ line, ours: mine, theirs: peer });
  }
  assert.deepEqual(wrong, [], JSON.stringify(wrong, null, 1));
  assert.deepEqual(
    Object.keys(SYNC_DIFFERENCES).filter((line) => !SYNC_CASES.includes(line)),
    [],
  );
  await ours.close();
  await theirs.close();
});
