/** rbldnsd, the server behind most DNS lists, on a port of 127.0.0.1 of our own network. It answers for its zones and refuses all else. */
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DnsClient } from '../../src/net/dns-client.ts';
import { DNS_SETTINGS } from '../../src/net/dns-settings.ts';
import { defaultsOf } from '../../src/system/declare.ts';
import { keepRunning, need } from '../harness/run.ts';
import { atEnd, type Owner, tempDir } from '../harness/temp.ts';
import { eventually } from '../harness/wait.ts';

export interface ListZone {
  /** 'ip4trie': IPv4 addresses and networks; 'ip6trie': the same of IPv6; 'dnset': domains. */
  readonly type: 'ip4trie' | 'ip6trie' | 'dnset';
  /** Lines of the data file: "192.0.2.0/24 :127.0.0.2:why $". */
  readonly data: string;
}
export interface Rbldnsd {
  /** For `dns.servers`. */
  readonly address: string;
}

/** Zones by name. Absence is said with an SOA of 60 seconds, as public lists do. */
export async function startRbldnsd(owner: Owner, zones: Readonly<Record<string, ListZone>>, port = 5300): Promise<Rbldnsd> {
  need('rbldnsd');
  const dir = tempDir(owner, 'rbldnsd');
  const specs: string[] = [];
  for (const [index, [name, zone]] of Object.entries(zones).entries()) {
    const file = `${index}.zone`;
    writeFileSync(join(dir, file), `$SOA 60 ns.${name} hostmaster.${name} 0 10m 5m 1d 60\n$TTL 300\n${zone.data}\n`);
    chmodSync(join(dir, file), 0o644);
    specs.push(`${name}:${zone.type}:${file}`);
  }
  // It refuses to be root, and stays in the foreground with -n.
  const running = keepRunning('rbldnsd', ['-n', '-u', 'nobody', '-w', dir, '-b', `127.0.0.1/${port}`, ...specs]);
  atEnd(owner, () => void running.child.kill('SIGKILL'));
  const address = `127.0.0.1:${port}`;
  const client = new DnsClient({ ...defaultsOf(DNS_SETTINGS), 'dns.servers': [address], 'dns.timeout': 200, 'dns.tries': 1 });
  await eventually('rbldnsd answers', async () => {
    if (running.child.exitCode !== null) throw new Error(`rbldnsd ended: ${running.output()}`);
    return (await client.ask(Object.keys(zones)[0]!, 'SOA')).kind === 'response';
  });
  client.close();
  return { address };
}
