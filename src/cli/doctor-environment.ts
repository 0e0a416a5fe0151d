/** The real world of posthorn doctor: sockets, files, the clock, the authorities everybody trusts. */
import { execFile } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { existsSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { createConnection } from 'node:net';
import { createInterface } from 'node:readline';
import { rootCertificates } from 'node:tls';
import { createDns } from '../net/dns.ts';
import type { Admin } from '../ports.ts';
import type { ServerStatus } from '../system/admin.ts';
import { loadTlsMaterial, tlsFilesOf } from '../system/tls.ts';
import type { Config } from './context.ts';
import { isPublicAddress, publicAddresses, serverAddresses } from './dns-facts.ts';
import type { CertificateFacts, DoctorEnvironment, Reach } from './doctor-types.ts';

/** A local port answers at once or not at all; a firewall is silent. */
const CONNECT_MS = 3000;
/** The greeting may be held back on purpose for some seconds. */
const DIALOGUE_MS = 60_000;
const LINES_MAX = 1000;
const TEXT_BYTES_MAX = 1024 * 1024;

/** Call `close` in the end. `status` is null when the server does not run. */
export async function doctorEnvironment(config: Config, admin: Admin, isFull: boolean): Promise<DoctorEnvironment & { close(): void }> {
  const { settings, baseDir, file } = config;
  const dns = createDns(() => settings);
  const ownAddresses = publicAddresses();
  const domains: { name: string; isDisabled: boolean }[] = await admin.call('domain.list', {});
  return {
    settings,
    baseDir,
    configFile: file,
    admin,
    dns,
    status: await statusOf(admin),
    domains: domains.filter((domain) => !domain.isDisabled).map((domain) => domain.name),
    addresses: await serverAddresses(settings, dns, ownAddresses),
    ownAddresses,
    sourceAddresses: (await Promise.all([sourceAddress('udp4', '198.41.0.4'), sourceAddress('udp6', '2001:503:ba3e::2:30')])).flat(),
    isFull,
    isRoot: process.getuid?.() === 0,
    now: Date.now,
    reach,
    smtp,
    certificates: () => tlsFilesOf(settings, baseDir).map(certificateFacts),
    isTrusted,
    space: (path) => {
      try {
        const { bavail, blocks, ffree, files } = statfsSync(path);
        // Some file systems make inodes as they need them and say 0.
        return { freePercent: (100 * bavail) / Math.max(1, blocks), freeInodesPercent: files === 0 ? 100 : (100 * ffree) / files };
      } catch {
        return null; // The check says that it cannot be measured.
      }
    },
    file: (path) => {
      const stat = statSync(path, { throwIfNoEntry: false });
      return stat === undefined ? null : { mode: stat.mode & 0o777, changedAt: stat.mtimeMs };
    },
    text: (path) => {
      try {
        return statSync(path).size > TEXT_BYTES_MAX ? null : readFileSync(path, 'utf8');
      } catch {
        return null; // Not for us to read: then it is closed enough, which is what the check wants to know.
      }
    },
    clockIsSynchronised,
    close: () => dns.close(),
  };
}

/** The address that the system would send from to that one (a root name server), when it is public. A connected datagram socket sends nothing. */
function sourceAddress(type: 'udp4' | 'udp6', target: string): Promise<string[]> {
  return new Promise((resolve) => {
    const socket = createSocket(type);
    socket.once('error', () => {
      socket.close();
      resolve([]); // no way there
    });
    socket.connect(53, target, () => {
      const { address } = socket.address();
      socket.close();
      resolve(isPublicAddress(address) ? [address] : []);
    });
  });
}

/** Only the running server knows; the data folder alone does not have this handler. */
async function statusOf(admin: Admin): Promise<ServerStatus | null> {
  try {
    return (await admin.call('server.status', {})) as ServerStatus;
  } catch {
    return null;
  }
}

function reach(host: string | null, portOrPath: number | string): Promise<Reach> {
  return new Promise((resolve) => {
    const socket = host === null ? createConnection(String(portOrPath)) : createConnection({ host, port: Number(portOrPath) });
    const done = (reached: Reach): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(reached);
    };
    const timer = setTimeout(() => done('timeout'), CONNECT_MS);
    socket.once('connect', () => done('open'));
    socket.once('error', (error: NodeJS.ErrnoException) => done(error.code === 'ECONNREFUSED' ? 'refused' : (error.code ?? error.message)));
  });
}

function smtp(host: string, port: number, commands: readonly string[]): Promise<{ codes: number[]; localAddress: string }> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host, port });
    const lines = createInterface({ input: socket, crlfDelay: Number.POSITIVE_INFINITY });
    const codes: number[] = [];
    let localAddress = '';
    let count = 0;
    const end = (): void => {
      clearTimeout(timer);
      lines.close();
      socket.destroy();
    };
    const fail = (error: Error): void => {
      end();
      reject(error);
    };
    const timer = setTimeout(() => fail(new Error(`no answer from ${host} port ${port}`)), DIALOGUE_MS);
    socket.once('connect', () => {
      localAddress = (socket.localAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '');
    });
    socket.once('error', fail);
    lines.once('close', () => {
      clearTimeout(timer);
      resolve({ codes, localAddress });
    });
    lines.on('line', (line) => {
      count += 1;
      if (count > LINES_MAX) return fail(new Error(`${host} port ${port} talks without end`));
      if (!/^\d{3}(?: |$)/.test(line)) return; // more of this answer follows
      codes.push(Number(line.slice(0, 3)));
      const next = commands[codes.length - 1];
      if (next === undefined) end();
      else socket.write(`${next}\r\n`);
    });
  });
}

function certificateFacts(files: { certificate: string; key: string }): CertificateFacts {
  try {
    loadTlsMaterial([files]);
    const pems = readFileSync(files.certificate, 'latin1').match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
    return { file: files.certificate, chain: pems.slice(0, 10).map((pem) => new X509Certificate(pem)), problem: null };
  } catch (error) {
    return { file: files.certificate, chain: [], problem: (error as Error).message };
  }
}

/** Looked up by the issuer's name first: verifying against all of them would take long. */
function isTrusted(last: X509Certificate): boolean {
  for (const pem of rootCertificates) {
    const root = new X509Certificate(pem);
    if (root.fingerprint256 === last.fingerprint256) return true;
    if (root.subject === last.issuer && last.checkIssued(root) && last.verify(root.publicKey)) return true;
  }
  return false;
}

/** systemd-timesyncd leaves a file; timedatectl knows of the others. Null where there is neither. */
function clockIsSynchronised(): Promise<boolean | null> {
  if (existsSync('/run/systemd/timesync/synchronized')) return Promise.resolve(true);
  return new Promise((resolve) => {
    execFile('timedatectl', ['show', '-p', 'NTPSynchronized', '--value'], { timeout: 3000 }, (error, stdout) => {
      const answer = stdout.trim();
      resolve(error !== null || (answer !== 'yes' && answer !== 'no') ? null : answer === 'yes');
    });
  });
}
