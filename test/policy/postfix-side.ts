/** Debian's Postfix with one smtpd service for each setup, all started once: every setup has a port, and its parameters on that service. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { succeed } from '../harness/run.ts';
import { atEnd, type Owner, tempDir } from '../harness/temp.ts';
import { type Postfix, setUpPostfix } from '../peers/postfix.ts';
import { CLIENTS, SERVER, SERVER6, WORLD, WORLD_FILES } from './small-world.ts';
import { type ClientKey, converse } from './talker.ts';
import { BASE, type Conversation, type Heard, type Setup, type Side } from './types.ts';

const FIRST_PORT = 2500;
const SOURCE = '.db-source';

export class PostfixSide implements Side {
  readonly postfix: Postfix;
  readonly #ports: ReadonlyMap<string, number>;
  readonly #dirs: ReadonlyMap<string, string>;

  readonly #key: ClientKey;

  private constructor(postfix: Postfix, ports: ReadonlyMap<string, number>, dirs: ReadonlyMap<string, string>, key: ClientKey) {
    this.postfix = postfix;
    this.#key = key;
    this.#ports = ports;
    this.#dirs = dirs;
  }

  /** `key`: what clients show after STARTTLS. `words`: what else stands for a value in parameters and files, as $dir does. */
  static async start(owner: Owner, setups: readonly Setup[], key: ClientKey, words: Readonly<Record<string, string>>): Promise<PostfixSide> {
    const dir = tempDir(owner, 'policy');
    const dirs = new Map<string, string>();
    for (const [index, setup] of setups.entries()) {
      const own = join(dir, `setup${index}`);
      mkdirSync(own);
      dirs.set(setup.name, own);
      for (const [name, text] of Object.entries({ ...WORLD_FILES, ...setup.files })) {
        writeFileSync(join(own, name), filled(text, { ...words, $dir: own }));
        if (name.endsWith(SOURCE)) await succeed('postmap', [`hash:${join(own, name)}`]);
      }
    }
    const inDir = (values: Readonly<Record<string, string>>, own: string): Record<string, string> =>
      Object.fromEntries(Object.entries(values).map(([name, value]) => [name, filled(value, { ...words, $dir: own })]));
    const shared = dirs.get(setups[0]!.name)!;
    const postfix = await setUpPostfix(join(dir, 'postfix'), {
      address: `${SERVER}:25`,
      hostname: 'mx.us.test',
      domains: [],
      users: [],
      main: { ...inDir({ ...WORLD, ...BASE }, shared), ...GLOBAL },
    });
    const ports = new Map<string, number>();
    let services = '';
    for (const [index, setup] of setups.entries()) {
      const port = FIRST_PORT + index;
      ports.set(setup.name, port);
      for (const address of [SERVER, `[${SERVER6}]`]) services += service(`${address}:${port}`, inDir(setup.main, dirs.get(setup.name)!));
    }
    const master = join(postfix.config, 'master.cf');
    writeFileSync(master, `${readFileSync(master, 'utf8')}\n${services}`);
    atEnd(owner, () => postfix.stop());
    await postfix.start();
    return new PostfixSide(postfix, ports, dirs, key);
  }

  dirOf(setup: Setup): string {
    return this.#dirs.get(setup.name)!;
  }

  talk(setup: Setup, conversation: Conversation): Promise<Heard[]> {
    return converse(conversation.from.includes(':') ? SERVER6 : SERVER, this.#ports.get(setup.name)!, conversation, this.#key);
  }
}

/** Words that begin with a dollar sign, replaced by what they stand for. */
export function filled(text: string, words: Readonly<Record<string, string>>): string {
  return Object.entries(words).reduce((all, [word, value]) => all.replaceAll(word, value), text);
}

const GLOBAL: Readonly<Record<string, string>> = {
  inet_protocols: 'all',
  inet_interfaces: `${SERVER}, ${SERVER6}`,
  local_transport: 'discard:',
  virtual_transport: 'discard:',
  relay_transport: 'discard:',
  default_transport: 'discard:',
  address_verify_default_transport: 'smtp',
  address_verify_relay_transport: 'smtp',
  address_verify_poll_delay: '1s',
  smtpd_authorized_xclient_hosts: CLIENTS.proxy,
  smtpd_hard_error_limit: '100',
  smtpd_soft_error_limit: '100',
  smtpd_error_sleep_time: '0',
  smtpd_forbid_unauth_pipelining: 'no',
  smtpd_client_connection_count_limit: '0',
  fast_flush_domains: '',
};

function service(address: string, main: Readonly<Record<string, string>>): string {
  const options = Object.entries(main).map(([name, value]) => `  -o { ${name} = ${value} }\n`);
  return `${address} inet n - n - - smtpd\n${options.join('')}`;
}
