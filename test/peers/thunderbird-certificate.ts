/** A certificate authority and a server certificate of it: desktop clients take no self-signed certificate for a server. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { need, succeed } from '../harness/run.ts';
import type { CertificateFiles } from './certificate.ts';

export interface AuthorityFiles extends CertificateFiles {
  /** PEM of the authority, for the client to trust. */
  readonly authority: string;
}

const KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];

export async function makeAuthority(dir: string, names: readonly string[]): Promise<AuthorityFiles> {
  need('openssl');
  const file = (name: string): string => join(dir, name);
  const authority = ['req', '-x509', ...KEY, '-days', '30', '-subj', '/CN=Test authority', '-addext', 'keyUsage=critical,keyCertSign'];
  await succeed('openssl', [...authority, '-keyout', file('authority.key'), '-out', file('authority.pem')]);
  await succeed('openssl', ['req', ...KEY, '-subj', `/CN=${names[0]}`, '-keyout', file('key.pem'), '-out', file('request.pem')]);
  writeFileSync(file('extensions'), `basicConstraints=CA:FALSE\nextendedKeyUsage=serverAuth\nsubjectAltName=${names.map((name) => `DNS:${name}`).join(',')}\n`);
  const sign = ['x509', '-req', '-in', file('request.pem'), '-CA', file('authority.pem'), '-CAkey', file('authority.key'), '-set_serial', '2'];
  await succeed('openssl', [...sign, '-days', '20', '-extfile', file('extensions'), '-out', file('cert.pem')]);
  return { certificate: file('cert.pem'), key: file('key.pem'), authority: file('authority.pem') };
}
