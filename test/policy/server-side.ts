/** Our side as the whole program: one server, told the parameters of each setup by posthorn.toml and a reload. */
import { connect } from 'node:net';
import { once } from 'node:events';
import { connectControl, controlPath } from '../../src/system/control.ts';
import { Posthorn } from '../harness/posthorn.ts';
import { atEnd, type Owner, tempDir } from '../harness/temp.ts';
import { eventually, within } from '../harness/wait.ts';
import { serverConfig } from './server-config.ts';
import { CLIENTS, SERVER, SERVER6, WORLD } from './small-world.ts';
import { type ClientKey, converse } from './talker.ts';
import { BASE, type Conversation, type Heard, type Setup, type Side } from './types.ts';

/** Logins that conversations use; anna, bert and six are Postfix's local users. */
const LOGINS = ['anna', 'bert', 'six', 'boss', 'bad', 'slow', 'carl'];
/** Local users are in the directory, so these say nothing. */
const OF_LOCAL_USERS: ReadonlySet<string> = new Set(['mydestination', 'local_recipient_maps', 'unknown_local_recipient_reject_code']);

/** What is the same for all: nothing beside the policy decides, and what Posthorn's defaults do differently is as in Postfix. */
const FIXED = {
  threads: { loops: 1 },
  dns: { servers: ['127.0.0.1'] },
  judge: { exempt: [], greylistScore: '900', addHeaderScore: '900', rejectScore: '999' },
  door: { greetingDelay: '0s' },
  greylist: { mode: 'off' },
  smtp: { xclientFrom: [CLIENTS.proxy], errorsMax: 100, junkMax: 100 },
  policy: { unknownAddressRejectCode: 450, serviceRetryDelay: '10ms' },
};

export interface ServerSideOptions {
  readonly key: ClientKey;
  /** A parameter with the words that stand for paths and such replaced. */
  fill(setup: Setup, value: string): string;
  /** Whether us.test is a domain of the directory, or of the tables as in Postfix. */
  readonly hasDirectory: boolean;
}

export class ServerSide implements Side {
  readonly server: Posthorn;
  /** The last conversation, and what the server logged meanwhile. */
  story = '';
  readonly #options: ServerSideOptions;
  #current = '';
  #reloads = 0;

  private constructor(server: Posthorn, options: ServerSideOptions) {
    this.server = server;
    this.#options = options;
  }

  static async start(owner: Owner, options: ServerSideOptions): Promise<ServerSide> {
    const domain = options.hasDirectory ? 'us.test' : 'home.test';
    const server = new Posthorn(tempDir(owner, 'server'), { config: { ...FIXED, ...listening(options), domain } });
    atEnd(owner, () => server.kill());
    await server.start();
    if (options.hasDirectory) {
      // Not by commands: each would be a start of the runtime.
      const admin = await connectControl(controlPath(server.dataDir));
      for (const login of LOGINS) await admin.call('user.add', { login: `${login}@us.test`, password: `${login}-password` });
      await admin.call('alias.add', { address: 'also@us.test', targets: ['anna@us.test'] });
      await admin.close();
    }
    return new ServerSide(server, options);
  }

  async talk(setup: Setup, conversation: Conversation): Promise<Heard[]> {
    if (this.#current !== setup.name) await this.#become(setup);
    const mark = this.server.log.mark();
    const heard = await converse(conversation.from.includes(':') ? SERVER6 : SERVER, portsOf(this.#options).smtp, conversation, this.#options.key, (story) => {
      this.story = story;
    });
    this.story += `\n${this.server.log.lines
      .slice(mark)
      .map((line) => JSON.stringify(line))
      .join('\n')}`;
    return heard;
  }

  async #become(setup: Setup): Promise<void> {
    this.#current = setup.name;
    const { fill, hasDirectory } = this.#options;
    const main = Object.fromEntries(
      Object.entries({ ...WORLD, ...BASE, ...setup.main })
        .filter(([name]) => !hasDirectory || !OF_LOCAL_USERS.has(name))
        .map(([name, value]) => [name, fill(setup, value)]),
    );
    // Domains of one's own have a user in the directory; where the tables name them, the directory must not.
    if (!hasDirectory) delete main['mydomain'];
    this.#reloads += 1;
    const greeting = `setup ${this.#reloads}`;
    const config = serverConfig(main, { ...FIXED, ...listening(this.#options), smtp: { ...FIXED.smtp, greeting } });
    this.server.configure(hasDirectory ? config : { ...config, domain: 'home.test' });
    const mark = this.server.log.mark();
    this.server.signal('SIGHUP');
    const line = await within(
      'the server to reload',
      Promise.race([this.server.event('server.reloaded', undefined, { after: mark }), this.server.event('server.reload.failed', undefined, { after: mark })]),
    );
    if (line.event !== 'server.reloaded') throw new Error(`the server does not take ${setup.name}: ${JSON.stringify(line)}`);
    // LMTP knows no policy, and greets from the same thread: what it says, the next SMTP session has.
    await eventually(`the greeting "${greeting}"`, async () => (await greetingOf(portsOf(this.#options).lmtp)).includes(greeting));
  }
}

/** Both servers run at once. */
function portsOf({ hasDirectory }: ServerSideOptions): { smtp: number; lmtp: number } {
  return hasDirectory ? { smtp: 2490, lmtp: 2491 } : { smtp: 2492, lmtp: 2493 };
}

function listening(options: ServerSideOptions) {
  const { smtp, lmtp } = portsOf(options);
  const listen = {
    smtp: [`${SERVER}:${smtp}`, `[${SERVER6}]:${smtp}`],
    lmtp: [`127.0.0.1:${lmtp}`],
    submission: [],
    submissions: [],
    imap: [],
    imaps: [],
    pop3: [],
    pop3s: [],
  };
  return { listen };
}

async function greetingOf(port: number): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  try {
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    return chunk.toString('latin1').trimEnd();
  } finally {
    socket.destroy();
  }
}
