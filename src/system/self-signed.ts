/** A certificate of our own making, for a server that has none yet: encryption from the first start, trust comes later. */
import { webcrypto } from 'node:crypto';
import { existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { loadTlsMaterial, type TlsFiles } from './tls.ts';

/** The longest that clients of the larger makers accept in a certificate added by hand. */
const VALID_DAYS = 825;
const RENEW_DAYS = 30;
const DAY_MS = 86_400_000;

/**
 * The files `dir`/certificate.pem and key.pem (0600), made when they are missing, expire within 30 days or lack one of `names`.
 * `isNew` tells that clients which remembered the old one will ask again.
 */
export async function ensureSelfSigned(dir: string, names: readonly string[], now: number): Promise<TlsFiles & { isNew: boolean }> {
  const files: TlsFiles = { certificate: join(dir, 'certificate.pem'), key: join(dir, 'key.pem') };
  const wanted = [...new Set([...names.filter((name) => isIP(name) === 0).map((name) => name.toLowerCase()), 'localhost'])];
  if (isStillGood(files, wanted, now)) return { ...files, isNew: false };
  const { certificate, key } = await selfSigned(wanted, now);
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  // A crash between the renames leaves a pair that does not match; the next start sees that and makes another.
  writeFileSync(`${files.key}.new`, key, { mode: 0o600 });
  writeFileSync(`${files.certificate}.new`, certificate, { mode: 0o600 });
  renameSync(`${files.key}.new`, files.key);
  renameSync(`${files.certificate}.new`, files.certificate);
  return { ...files, isNew: true };
}

function isStillGood(files: TlsFiles, wanted: readonly string[], now: number): boolean {
  if (!existsSync(files.certificate) || !existsSync(files.key)) return false;
  try {
    const [old] = loadTlsMaterial([files]);
    return old!.expiresAt - now > RENEW_DAYS * DAY_MS && wanted.every((name) => old!.names.includes(name));
  } catch {
    return false; // damaged or not a pair: these two files are ours alone, so they may be made again
  }
}

/** A self-signed P-256 certificate for `names`, 127.0.0.1 and ::1, valid from an hour before `now`. Both in PEM. */
export async function selfSigned(names: readonly string[], now: number): Promise<{ certificate: string; key: string }> {
  provideReflectMetadata();
  const x509 = await import('@peculiar/x509');
  x509.cryptoProvider.set(webcrypto as any);
  const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
  const keys = await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [names[0]!] }],
    notBefore: new Date(now - 3_600_000),
    notAfter: new Date(now + VALID_DAYS * DAY_MS),
    signingAlgorithm: algorithm,
    keys: keys as unknown as Parameters<typeof x509.X509CertificateGenerator.createSelfSigned>[0]['keys'],
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension([
        ...names.map((value) => ({ type: 'dns', value }) as const),
        { type: 'ip', value: '127.0.0.1' },
        { type: 'ip', value: '::1' },
      ]),
    ],
  });
  const pkcs8 = Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey));
  const key = `-----BEGIN PRIVATE KEY-----\n${pkcs8.toString('base64').replaceAll(/.{64}/g, '$&\n').trimEnd()}\n-----END PRIVATE KEY-----\n`;
  return { certificate: `${certificate.toString('pem')}\n`, key };
}

/**
 * The dependency injection inside @peculiar/x509 will not load without the reflect-metadata polyfill, of which it uses three
 * functions to look at decorators that its published build does not have. These three are enough.
 */
function provideReflectMetadata(): void {
  const reflect = Reflect as unknown as Record<string, unknown>;
  if (typeof reflect.getMetadata === 'function') return;
  const all = new WeakMap<object, Map<unknown, unknown>>();
  reflect.getMetadata = (key: unknown, target: object) => all.get(target)?.get(key);
  reflect.getOwnMetadata = reflect.getMetadata;
  reflect.defineMetadata = (key: unknown, value: unknown, target: object) => {
    const own = all.get(target) ?? new Map<unknown, unknown>();
    all.set(target, own.set(key, value));
  };
}
