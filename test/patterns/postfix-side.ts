/**
 * Debian's Postfix with an smtpd and a cleanup service for each setup, and no queue manager: what cleanup made of a message stays in the
 * queue, where postcat reads it.
 */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LineClient } from '../harness/line-client.ts';
import { atEnd, type Owner, tempDir } from '../harness/temp.ts';
import { type Postfix, setUpPostfix } from '../peers/postfix.ts';
import type { Outcome, PatternSetup } from './types.ts';

const SERVER = '192.0.2.2';
const FIRST_PORT = 2600;
export const SENDER = 'rita@remote.test';
export const RECIPIENT = 'anna@us.test';

/** Where a setup's tables are, by the Postfix parameter. */
export type TableSpecs = Readonly<Record<'header_checks' | 'mime_header_checks' | 'nested_header_checks' | 'body_checks', string | null>>;

export class PostfixSide {
  readonly postfix: Postfix;
  readonly #ports = new Map<string, number>();
  readonly #specs = new Map<string, TableSpecs>();

  private constructor(postfix: Postfix) {
    this.postfix = postfix;
  }

  static async start(owner: Owner, setups: readonly PatternSetup[]): Promise<PostfixSide> {
    const dir = tempDir(owner, 'patterns');
    const postfix = await setUpPostfix(join(dir, 'postfix'), {
      address: `${SERVER}:25`,
      hostname: 'mx.us.test',
      domains: ['us.test'],
      users: ['anna'],
      main: {
        // What cleanup does of its own accord is not what is compared here.
        local_header_rewrite_clients: '',
        message_drop_headers: '',
        smtpd_forbid_unauth_pipelining: 'no',
        smtpd_client_connection_count_limit: '0',
        smtpd_hard_error_limit: '100',
        smtpd_error_sleep_time: '0',
        fast_flush_domains: '',
        // No queue manager takes anything away: nobody is to wait for it.
        in_flow_delay: '0',
      },
      tls: false,
    });
    const side = new PostfixSide(postfix);
    const master = join(postfix.config, 'master.cf');
    let services = readFileSync(master, 'utf8').replace(/^qmgr .*$/m, '');
    for (const [index, setup] of setups.entries()) {
      const own = join(dir, `setup${index}`);
      mkdirSync(own);
      const specs = writeTables(own, setup);
      side.#specs.set(setup.name, specs);
      side.#ports.set(setup.name, FIRST_PORT + index);
      const options = Object.entries(specs).flatMap(([name, spec]) => (spec === null ? [] : [`  -o { ${name} = ${spec} }\n`]));
      if (setup.bodyBytesMax !== undefined) options.push(`  -o { body_checks_size_limit = ${setup.bodyBytesMax} }\n`);
      services += `${SERVER}:${FIRST_PORT + index} inet n - n - - smtpd\n  -o cleanup_service_name=cleanup${index}\n`;
      services += `cleanup${index} unix n - n - 0 cleanup\n${options.join('')}`;
    }
    writeFileSync(master, services);
    atEnd(owner, () => postfix.stop());
    await postfix.start();
    return side;
  }

  specsOf(setup: PatternSetup): TableSpecs {
    return this.#specs.get(setup.name)!;
  }

  async take(setup: PatternSetup, message: string): Promise<Outcome> {
    const client = await LineClient.open(this.#ports.get(setup.name)!, { host: SERVER });
    let reply: string;
    try {
      await client.smtp(null, /^220/);
      await client.smtp('EHLO client.test', /^250/);
      await client.smtp(`MAIL FROM:<${SENDER}>`, /^250/);
      await client.smtp(`RCPT TO:<${RECIPIENT}>`, /^250/);
      await client.smtp('DATA', /^354/);
      client.send(message.replaceAll(/(^|\n)\./g, '$1..'));
      reply = await client.smtp('.', /^[245]\d\d/);
      await client.smtp('QUIT', /^221/);
    } finally {
      client.close();
    }
    const queued = / queued as (\w+)$/.exec(reply);
    if (queued === null) return { reply };
    const file = ['incoming', 'hold'].map((queue) => join(this.postfix.dir, 'spool', queue, queued[1]!)).find((path) => existsSync(path));
    if (file === undefined) return { reply: '250', isDiscarded: true };
    return { reply: '250', isDiscarded: false, isHeld: file.includes('/hold/'), ...contentOf(await this.#postcat(file), file) };
  }

  async #postcat(file: string): Promise<string> {
    const { stdout } = await promisify(execFile)('/usr/sbin/postcat', ['-c', this.postfix.config, file], { encoding: 'latin1', maxBuffer: 64 * 1024 * 1024 });
    return stdout;
  }
}

/** What postcat prints of a queue file. */
function contentOf(text: string, file: string): Pick<Outcome, 'message' | 'redirect' | 'filter' | 'bcc'> {
  const start = `*** MESSAGE CONTENTS ${file} ***\n`;
  const end = `*** HEADER EXTRACTED ${file} ***\n`;
  const envelope = text.slice(0, text.indexOf(start)) + text.slice(text.lastIndexOf(end));
  const values = (name: string): string[] => [...envelope.matchAll(new RegExp(`^${name}: (.*)$`, 'gm'))].map((match) => match[1]!);
  return {
    redirect: values('redirect_to').at(-1) ?? null,
    filter: values('content_filter').at(-1) ?? null,
    bcc: values('recipient').filter((address) => address !== RECIPIENT),
    message: text.slice(text.indexOf(start) + start.length, text.lastIndexOf(end)).replace(/^Received: from [^\n]*\n(?:[ \t][^\n]*\n)*/, ''),
  };
}

/** Rules that are about every header would be about the trace field of Postfix, too. */
const NOT_OURS = '/^Received: from client\\.test/ DUNNO\n';

function writeTables(dir: string, setup: PatternSetup): TableSpecs {
  const write = (name: string, text: string | undefined, prefix: string): string | null => {
    if (text === undefined) return null;
    const isRegexp = text.startsWith('regexp:');
    const path = join(dir, name);
    writeFileSync(path, prefix + (isRegexp ? text.slice(7) : text), 'latin1');
    return `${isRegexp ? 'regexp' : 'pcre'}:${path}`;
  };
  return {
    header_checks: write('header', setup.header, NOT_OURS),
    mime_header_checks: write('mime', setup.mime, ''),
    nested_header_checks: write('nested', setup.nested, ''),
    body_checks: write('body', setup.body, ''),
  };
}
