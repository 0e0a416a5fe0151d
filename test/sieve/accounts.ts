/** What the tests of accounts with Sieve share: their small internet, scripts put by ManageSieve, mailboxes looked into by IMAP. */
import assert from 'node:assert/strict';
import { ImapClient } from '../harness/imap-client.ts';
import { type Config, type Posthorn, startPosthorn } from '../harness/posthorn.ts';
import type { Owner } from '../harness/temp.ts';
import { eventually } from '../harness/wait.ts';
import { type Attempt, attempt, JUDGED, mail, zones } from '../judge/world.ts';
import { literal, ManageSieveClient } from '../peers/managesieve-client.ts';
import { startNsd } from '../peers/nsd.ts';
import { type Postfix, startPostfix } from '../peers/postfix.ts';
import { REMOTE, US } from '../peers/small-internet.ts';

export const PASSWORD = 'a-long-password';
/** The second Posthorn, mx.them.test. */
export const THEM = '192.0.2.3';

/** Both servers and the Postfix may send for their domains, and prove it. */
const PROVEN = `
us              IN TXT   "v=spf1 ip4:${US} -all"
_dmarc.us       IN TXT   "v=DMARC1; p=none"
them            IN MX 10 mx.them
mx.them         IN A     ${THEM}
them            IN TXT   "v=spf1 ip4:${THEM} -all"
_dmarc.them     IN TXT   "v=DMARC1; p=none"
remote          IN TXT   "v=spf1 ip4:${REMOTE} -all"
_dmarc.remote   IN TXT   "v=DMARC1; p=none"
`;

export async function startInternet(owner: Owner): Promise<void> {
  const all = zones(PROVEN);
  await startNsd(owner, { ...all, '2.0.192.in-addr.arpa.': `${all['2.0.192.in-addr.arpa.']}\n3 IN PTR mx.them.test.` });
}

/** Debian's Postfix for remote.test: users rita and rob; `rich` may send through it to us. */
export function startPeer(owner: Owner): Promise<Postfix> {
  return startPostfix(owner, {
    name: 'remote',
    address: `${REMOTE}:25`,
    hostname: 'mx.remote.test',
    domains: ['remote.test'],
    users: ['rita', 'rob'],
    main: { mynetworks: `127.0.0.0/8 ${REMOTE}/32`, smtp_bind_address: REMOTE },
  });
}

export class World {
  readonly server: Posthorn;
  constructor(server: Posthorn) {
    this.server = server;
  }
  /** `users`: local parts at us.test. */
  static async start(owner: Owner, users: readonly string[], config: Config = {}): Promise<World> {
    const server = await startPosthorn(owner, {
      config: { ...JUDGED, listen: { ...(JUDGED['listen'] as object), lmtp: ['127.0.0.1:24'] }, deliver: { bindAddress4: US }, ...config },
      users: Object.fromEntries(users.map((user) => [`${user}@us.test`, PASSWORD])),
    });
    return new World(server);
  }

  /** The active script of a user, or one beside it that `include` names. */
  async script(user: string, text: string, name = 'main', isActive = true): Promise<void> {
    const client = await ManageSieveClient.login(this.server.port('sieve'), `${user}@us.test`, PASSWORD);
    const put = await client.command(`PUTSCRIPT "${name}" ${literal(text.replaceAll(/\r?\n/g, '\r\n'))}`);
    assert.equal(put.status, 'OK', put.text);
    if (isActive) assert.equal((await client.command(`SETACTIVE "${name}"`)).status, 'OK');
    await client.command('LOGOUT');
    client.wire.close();
  }
  async imap(user: string): Promise<ImapClient> {
    return ImapClient.login(this.server.port('imap'), at(user), PASSWORD);
  }
  async mailboxes(user: string): Promise<string[]> {
    const imap = await this.imap(user);
    const { untagged } = await imap.ok('LIST "" "*"');
    await imap.logout();
    return untagged.map((line) => /"?([^"]*)"?$/.exec(line.replace(/^LIST \([^)]*\) (?:NIL|"[^"]*") /, ''))?.[1] ?? line);
  }
  /** Messages whole; none where the mailbox does not exist. */
  async messages(user: string, mailbox = 'INBOX'): Promise<readonly string[]> {
    const imap = await this.imap(user);
    const { status } = await imap.command(`EXAMINE "${mailbox}"`);
    const found = status.startsWith('OK') ? await imap.messages(mailbox) : [];
    await imap.logout();
    return found;
  }
  async withSubject(user: string, subject: string, mailbox = 'INBOX'): Promise<readonly string[]> {
    return (await this.messages(user, mailbox)).filter((text) => text.includes(`\r\nSubject: ${subject}\r\n`));
  }
  /** The one message with this subject; waits for it. */
  async one(user: string, subject: string, mailbox = 'INBOX'): Promise<string> {
    const found = await eventually(`"${subject}" in ${mailbox} of ${user}`, async () => {
      const all = await this.withSubject(user, subject, mailbox);
      return all.length > 0 ? all : null;
    });
    assert.equal(found.length, 1, `"${subject}" is ${found.length} times in ${mailbox} of ${user}`);
    return found[0]!;
  }
  /** As a stranger at friend.test, who proves it; must be accepted. Answers the message's id. */
  async receive(
    subject: string,
    recipients: readonly string[],
    more: { lines?: readonly string[]; body?: string } & Omit<Attempt, 'message'> = {},
  ): Promise<string> {
    const { lines, body, ...rest } = more;
    const from = rest.sender === undefined || rest.sender === '' ? undefined : rest.sender;
    const heard = await attempt({ ...rest, recipients: recipients.map(at), message: mail({ subject, from, lines, body }) });
    assert.match(heard.reply, /^250 /, `${heard.step}: ${heard.reply}`);
    return /(?:queued|delivered) as (\S+)/.exec(heard.reply)![1]!;
  }
  /** Recipients in the queue. */
  async queued(): Promise<number> {
    return (JSON.parse(await this.server.admin('queue', 'list', '--json')) as { total: number }).total;
  }
  /** Nothing is on its way: what has not come by now does not come. */
  async settled(): Promise<void> {
    await eventually('the queue to be empty', async () => (await this.queued()) === 0);
  }
}
export const at = (user: string): string => (user.includes('@') ? user : `${user}@us.test`);
