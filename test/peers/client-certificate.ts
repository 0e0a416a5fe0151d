/** An authority of our own and certificates of its users, made by openssl. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { need, succeed } from '../harness/run.ts';
import type { CertificateFiles } from './certificate.ts';

export class UserAuthority {
  readonly #dir: string;
  readonly certificate: string;
  readonly #key: string;

  private constructor(dir: string, name: string) {
    this.#dir = dir;
    this.certificate = join(dir, `${name}.pem`);
    this.#key = join(dir, `${name}.key`);
  }

  /** `name`: of its files, and what it calls itself. */
  static async make(dir: string, name: string): Promise<UserAuthority> {
    need('openssl');
    const authority = new UserAuthority(dir, name);
    const request = ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '30', '-subj', `/CN=${name}`];
    await succeed('openssl', [...request, '-addext', 'basicConstraints=critical,CA:TRUE', '-keyout', authority.#key, '-out', authority.certificate]);
    return authority;
  }

  /** `alternative`: a subjectAltName such as "email:anna@us.test"; '' for none. */
  async issue(name: string, subject: string, alternative: string): Promise<CertificateFiles> {
    const [certificate, key, request, extensions] = ['pem', 'key', 'csr', 'ext'].map((ending) => join(this.#dir, `${name}.${ending}`)) as [
      string,
      string,
      string,
      string,
    ];
    await succeed('openssl', [
      'req',
      '-new',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:prime256v1',
      '-nodes',
      '-subj',
      subject,
      '-keyout',
      key,
      '-out',
      request,
    ]);
    writeFileSync(extensions, `extendedKeyUsage=clientAuth\n${alternative === '' ? '' : `subjectAltName=${alternative}\n`}`);
    const sign = ['x509', '-req', '-in', request, '-days', '30', '-CA', this.certificate, '-CAkey', this.#key, '-CAcreateserial'];
    await succeed('openssl', [...sign, '-extfile', extensions, '-out', certificate]);
    return { certificate, key };
  }
}
