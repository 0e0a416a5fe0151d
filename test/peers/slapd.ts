/** OpenLDAP's slapd with one tree, on a port of 127.0.0.1, a unix socket, and with TLS where a certificate is given. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keepRunning, need, run, succeed } from '../harness/run.ts';
import { atEnd, type Owner, tempDir } from '../harness/temp.ts';
import { eventually } from '../harness/wait.ts';
import type { CertificateFiles } from './certificate.ts';
import { ended } from './process.ts';

export interface SlapdOptions {
  readonly port: number;
  readonly ldapsPort?: number;
  readonly certificate?: CertificateFiles;
  readonly suffix: string;
  /** Password of cn=admin,SUFFIX. */
  readonly password: string;
  readonly ldif: string;
  /** Further lines: of schemas before, of the database after. */
  readonly schema?: string;
  readonly extra?: string;
}
export interface Slapd {
  /** ldapi://… */
  readonly ldapi: string;
  stop(): Promise<void>;
  start(): Promise<void>;
}

export async function startSlapd(owner: Owner, options: SlapdOptions): Promise<Slapd> {
  need('slapd', 'slapadd', 'ldapsearch');
  const dir = tempDir(owner, 'slapd');
  mkdirSync(join(dir, 'data'));
  const lines = [
    ...['core', 'cosine', 'inetorgperson', 'nis', 'misc'].map((name) => `include /etc/ldap/schema/${name}.schema`),
    options.schema ?? '',
    'modulepath /usr/lib/ldap',
    'moduleload back_mdb',
    `pidfile ${dir}/slapd.pid`,
    ...(options.certificate === undefined ? [] : [`TLSCertificateFile ${options.certificate.certificate}`, `TLSCertificateKeyFile ${options.certificate.key}`]),
    'database mdb',
    `suffix "${options.suffix}"`,
    `rootdn "cn=admin,${options.suffix}"`,
    `rootpw ${options.password}`,
    `directory ${dir}/data`,
    options.extra ?? '',
  ];
  writeFileSync(join(dir, 'slapd.conf'), `${lines.join('\n')}\n`);
  writeFileSync(join(dir, 'tree.ldif'), options.ldif);
  await succeed('slapadd', ['-f', join(dir, 'slapd.conf'), '-l', join(dir, 'tree.ldif')]);
  const ldapi = `ldapi://${encodeURIComponent(join(dir, 'ldapi'))}`;
  const urls = [`ldap://127.0.0.1:${options.port}`, ldapi, ...(options.ldapsPort === undefined ? [] : [`ldaps://127.0.0.1:${options.ldapsPort}`])];
  let running: ReturnType<typeof keepRunning> | null = null;
  const server: Slapd = {
    ldapi,
    async start() {
      const own = keepRunning('slapd', ['-d', '0', '-f', join(dir, 'slapd.conf'), '-h', urls.join(' ')]);
      running = own;
      await eventually('slapd answers', async () => {
        if (own.child.exitCode !== null) throw new Error(`slapd ended: ${own.output()}`);
        return (await run('ldapsearch', ['-x', '-H', ldapi, '-b', '', '-s', 'base'])).code === 0;
      });
    },
    async stop() {
      await ended(running?.child);
      running = null;
    },
  };
  atEnd(owner, () => server.stop());
  await server.start();
  return server;
}
