/** A self-signed certificate made by openssl: peers are told to trust exactly it. */
import { join } from 'node:path';
import { need, succeed } from '../harness/run.ts';

export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

/** Names may be host names or "IP:192.0.2.1". */
export async function makeCertificate(dir: string, names: readonly string[]): Promise<CertificateFiles> {
  need('openssl');
  const certificate = join(dir, 'cert.pem');
  const key = join(dir, 'key.pem');
  const alternatives = names.map((name) => (name.startsWith('IP:') ? name : `DNS:${name}`)).join(',');
  const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30', '-subj', `/CN=${names[0]}`];
  await succeed('openssl', [...request, '-addext', `subjectAltName=${alternatives}`, '-keyout', key, '-out', certificate]);
  return { certificate, key };
}
