/** Gathers what posthorn dns and posthorn doctor must know of this server before they look at name servers. */
import { createHash, createPublicKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import ipaddr from 'ipaddr.js';
import type { DkimKeyList } from '../judge/signing/admin.ts';
import type { Dns } from '../net/dns.ts';
import type { Admin } from '../ports.ts';
import type { AllSettings } from '../settings.ts';
import { parseListenAddress } from '../system/listen-address.ts';
import { tlsFilesOf } from '../system/tls.ts';
import type { DnsFacts, ServiceProtocol } from './dns-advice.ts';
import type { DoctorSettings } from './doctor-settings.ts';

/** Settings that are read here; those of other rooms' options are declared there. */
export type FactSettings = AllSettings & Partial<DoctorSettings> & { readonly 'dmarc.reportAddress'?: string };

const SERVICES: readonly ServiceProtocol[] = ['submission', 'submissions', 'imap', 'imaps', 'pop3', 'pop3s', 'sieve'];

/** Can be reached from elsewhere: not loopback, link-local, or private. */
export function isPublicAddress(ip: string): boolean {
  if (!ipaddr.isValid(ip)) return false;
  const range = ipaddr.process(ip).range();
  // Documentation networks (RFC 5737, RFC 3849) count as public: examples and tests use them as such.
  return range === 'unicast' || range === 'reserved';
}

/** Addresses of this machine's interfaces that others can reach, IPv4 first. */
export function publicAddresses(interfaces: ReturnType<typeof networkInterfaces> = networkInterfaces()): string[] {
  const all = Object.values(interfaces).flatMap((list) => (list ?? []).map(({ address }) => address.replace(/%.*$/, '').toLowerCase()));
  return [...new Set(all.filter(isPublicAddress))].sort((a, b) => Number(a.includes(':')) - Number(b.includes(':')));
}

/**
 * The addresses that the host's name should lead to: doctor.addresses; else the public ones that listeners name; else those of the
 * interfaces, without those the administrator chose not to name (temporary IPv6 addresses); else what the name leads to.
 */
export async function serverAddresses(settings: FactSettings, dns: Dns, own: readonly string[] = publicAddresses()): Promise<string[]> {
  const configured = settings['doctor.addresses'] ?? [];
  if (configured.length > 0) return [...configured];
  const bound = settings['listen.smtp']
    .map(parseListenAddress)
    .flatMap((one) => (one !== null && 'host' in one && isPublicAddress(one.host) ? [one.host] : []));
  if (bound.length > 0) return [...new Set(bound)];
  const answers = await Promise.all([dns.addresses4(settings.hostname), dns.addresses6(settings.hostname)]);
  const named = answers.flatMap((answer) => (answer.kind === 'found' ? answer.records : [])).filter(isPublicAddress);
  const both = own.filter((ip) => named.includes(ip));
  return both.length > 0 ? both : own.length > 0 ? [...own] : named;
}

/** Port of the first listener of each protocol. */
export function servicePorts(settings: AllSettings): Partial<Record<ServiceProtocol, number>> {
  const ports: Partial<Record<ServiceProtocol, number>> = {};
  for (const protocol of SERVICES) {
    for (const text of settings[`listen.${protocol}`]) {
      const address = parseListenAddress(text);
      if (address !== null && 'port' in address) ports[protocol] ??= address.port;
    }
  }
  return ports;
}

/** SHA-256 of the public key (RFC 7671 section 5.1 recommends "3 1 1"); null for none, one we made ourselves, or one we may not read. */
export function certificateKey(settings: AllSettings, baseDir: string): string | null {
  const [files] = tlsFilesOf(settings, baseDir);
  if (files === undefined) return null;
  try {
    const leaf = new X509Certificate(readFileSync(files.certificate));
    return createHash('sha256')
      .update(createPublicKey(leaf.publicKey.export({ type: 'spki', format: 'pem' })).export({ type: 'spki', format: 'der' }))
      .digest('hex');
  } catch {
    return null; // The certificate itself is posthorn doctor's business.
  }
}

export async function dnsFacts(domain: string, settings: FactSettings, baseDir: string, admin: Admin, dns: Dns): Promise<DnsFacts> {
  const { keys }: DkimKeyList = await admin.call('dkim.list', { domain });
  const reportAddress = settings['dmarc.reportAddress'] ?? '';
  return {
    domain,
    hostname: settings.hostname.toLowerCase(),
    addresses: await serverAddresses(settings, dns),
    keys,
    ports: servicePorts(settings),
    reportAddress: reportAddress === '' ? null : reportAddress,
    certificateKey: certificateKey(settings, baseDir),
  };
}
