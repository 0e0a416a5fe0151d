/** NSD, an authoritative DNS server, on 127.0.0.1:53 of our own network, serving the zones a test gives it. */
import { once } from 'node:events';
import { promises as dns } from 'node:dns';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keepRunning, need } from '../harness/run.ts';
import { atEnd, type Owner, tempDir } from '../harness/temp.ts';
import { eventually } from '../harness/wait.ts';

export interface Nsd {
  /** Ends it: from then on DNS is dead. */
  stop(): Promise<void>;
  start(): Promise<void>;
}

/** `zones`: records in zone file form by zone name ("test.", "." …); SOA, NS and TTL are added. */
export async function startNsd(owner: Owner, zones: Readonly<Record<string, string>>): Promise<Nsd> {
  need('nsd');
  const dir = tempDir(owner, 'nsd');
  mkdirSync(join(dir, 'zones'));
  const blocks: string[] = [];
  for (const [index, [name, records]] of Object.entries(zones).entries()) {
    const file = `${index}.zone`;
    const head = `$ORIGIN ${name}\n$TTL 60\n@ IN SOA ns.test. hostmaster.test. 1 3600 600 86400 60\n@ IN NS ns.test.\n`;
    writeFileSync(join(dir, 'zones', file), `${head}${records}\n`);
    blocks.push(`zone:\n  name: "${name}"\n  zonefile: "${file}"\n`);
  }
  const config = join(dir, 'nsd.conf');
  const server = [
    'ip-address: 127.0.0.1',
    'port: 53',
    'username: ""',
    'chroot: ""',
    'pidfile: ""',
    'database: ""',
    `zonesdir: "${dir}/zones"`,
    `xfrdfile: "${dir}/xfrd.state"`,
    `xfrdir: "${dir}"`,
    `zonelistfile: "${dir}/zone.list"`,
    'server-count: 1',
    // All questions come from one address here: NSD would take many of them for an attack.
    'rrl-ratelimit: 0',
    'verbosity: 0',
  ];
  writeFileSync(config, `server:\n  ${server.join('\n  ')}\nremote-control:\n  control-enable: no\n${blocks.join('')}`);

  let running: ReturnType<typeof keepRunning> | null = null;
  const nsd: Nsd = {
    async start() {
      const own = keepRunning('nsd', ['-d', '-c', config]);
      running = own;
      const resolver = new dns.Resolver({ timeout: 500, tries: 1 });
      resolver.setServers(['127.0.0.1:53']);
      await eventually('NSD answers', async () => {
        if (own.child.exitCode !== null) throw new Error(`nsd ended: ${own.output()}`);
        return (await resolver.resolveSoa(Object.keys(zones)[0]!.replace(/\.$/, '') || '.')) !== null;
      });
    },
    async stop() {
      if (running === null || running.child.exitCode !== null) return;
      const closed = once(running.child, 'close');
      running.child.kill('SIGTERM');
      await closed;
      running = null;
    },
  };
  await nsd.start();
  atEnd(owner, () => nsd.stop());
  return nsd;
}
