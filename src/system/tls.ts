/**
 * TLS material: main reads certificates and keys (as root, before it changes user) into plain texts that it can hand to every
 * thread; a thread makes its contexts from them and answers the name a client asks for (SNI, RFC 6066 section 3).
 */
import { constants, createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { resolve } from 'node:path';
import { createSecureContext, type SecureContext, type TlsOptions } from 'node:tls';
import type { TlsProvider } from '../ports.ts';
import type { SystemSettings } from './settings.ts';

const PEM_BYTES_MAX = 1024 * 1024;

/** Where one certificate and its key are. */
export interface TlsFiles {
  readonly certificate: string;
  readonly key: string;
}
/** One certificate chain with its key, checked to belong together. Plain data: may be posted to a thread. */
export interface TlsMaterial {
  readonly certificate: string;
  readonly key: string;
  /** DNS names it is for, in lower case; "*.example.org" stands as it is. */
  readonly names: readonly string[];
  /** Unix milliseconds. */
  readonly expiresAt: number;
  readonly file: string;
}
export interface TlsOptionsOfThread {
  /** 48 bytes, the same for all threads, so that a session may be resumed on any of them. */
  readonly ticketKeys: Uint8Array;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
  readonly asksClients?: boolean;
  readonly asksClientsOf?: readonly string[];
  /** PEM; undefined for the usual authorities. */
  readonly clientCa?: string | undefined;
}
export interface ThreadTls extends TlsProvider {
  /** New material for connections from now on; those that are open keep theirs. */
  replace(material: readonly TlsMaterial[], options?: TlsOptionsOfThread): void;
}

/** The files that the settings name: tls.certificate first (it also serves clients that name no host), then tls.certificates. */
export function tlsFilesOf(settings: SystemSettings, baseDir: string): TlsFiles[] {
  if (settings['tls.certificate'] === '') return [];
  const more = settings['tls.certificates'].map((entry) => {
    const [certificate, key] = entry.trim().split(/\s+/) as [string, string];
    return { certificate: resolve(baseDir, certificate), key: resolve(baseDir, key) };
  });
  return [{ certificate: settings['tls.certificate'], key: settings['tls.key'] }, ...more];
}

/** Reads and checks all files. Throws an Error with one sentence that names the file and what to do. */
export function loadTlsMaterial(files: readonly TlsFiles[]): TlsMaterial[] {
  return files.map(({ certificate: certificateFile, key: keyFile }) => {
    const certificate = readPem(certificateFile, 'certificate');
    const key = readPem(keyFile, 'private key');
    let leaf: X509Certificate;
    try {
      leaf = new X509Certificate(certificate); // the first of the chain
    } catch (error) {
      throw new Error(`${certificateFile} holds no certificate in PEM form ("-----BEGIN CERTIFICATE-----"): ${(error as Error).message}`, { cause: error });
    }
    let privateKey: ReturnType<typeof createPrivateKey>;
    try {
      privateKey = createPrivateKey(key);
    } catch (error) {
      const isLocked = key.includes('ENCRYPTED');
      throw new Error(
        isLocked
          ? `The private key ${keyFile} is locked with a passphrase: write it without ("openssl pkey -in ${keyFile} -out plain.pem").`
          : `${keyFile} holds no private key in PEM form: ${(error as Error).message}`,
        { cause: error },
      );
    }
    if (!leaf.checkPrivateKey(privateKey))
      throw new Error(`The private key ${keyFile} does not belong to the certificate ${certificateFile} (the first in the file must be the server's own).`);
    return { certificate, key, names: namesOf(leaf), expiresAt: Date.parse(leaf.validTo), file: certificateFile };
  });
}

function readPem(file: string, what: string): string {
  try {
    if (statSync(file).size > PEM_BYTES_MAX) throw new Error('it is larger than 1 MiB');
    return readFileSync(file, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const why = code === 'ENOENT' ? 'there is no such file' : code === 'EACCES' ? 'this user may not read it' : (error as Error).message;
    throw new Error(`The ${what} ${file} cannot be read: ${why}.`, { cause: error });
  }
}

/** DNS names of the subject alternative name, or the common name when there are none. */
function namesOf(certificate: X509Certificate): string[] {
  const names = [...(certificate.subjectAltName ?? '').matchAll(/(?:^|, )DNS:([^,"]+)/g)].map((match) => match[1]!.trim().toLowerCase());
  if (names.length > 0) return names;
  const common = /^CN=(.+)$/m.exec(certificate.subject)?.[1];
  return common === undefined ? [] : [common.toLowerCase()];
}

/** Certificates that end within `days`, in words for the log; empty when all is well. */
export function expiryWarnings(material: readonly TlsMaterial[], now: number, days = 14): string[] {
  return material.flatMap(({ file, expiresAt }) => {
    const left = Math.floor((expiresAt - now) / 86_400_000);
    if (left >= days) return [];
    return [
      left < 0
        ? `The certificate ${file} has expired on ${new Date(expiresAt).toISOString().slice(0, 10)}.`
        : `The certificate ${file} expires in ${left} days.`,
    ];
  });
}

/** Contexts of one thread. With no material `context()` is null: TLS is not offered. */
export function createTlsProvider(material: readonly TlsMaterial[], options: TlsOptionsOfThread): ThreadTls {
  let inForce = build(material, options);
  let threadOptions = options;
  return {
    context: () => inForce.fallback,
    options: () => inForce.options,
    get asksClients() {
      return threadOptions.asksClients === true;
    },
    get asksClientsOf() {
      return threadOptions.asksClientsOf ?? [];
    },
    replace(next, nextOptions) {
      threadOptions = nextOptions ?? threadOptions;
      inForce = build(next, threadOptions);
    },
  };
}

function build(material: readonly TlsMaterial[], options: TlsOptionsOfThread): { fallback: SecureContext | null; options: TlsOptions | null } {
  const byName = new Map<string, SecureContext>();
  let fallback: SecureContext | null = null;
  for (const { certificate, key, names } of material) {
    const context = createSecureContext({
      cert: certificate,
      key,
      minVersion: options.minVersion,
      ticketKeys: Buffer.from(options.ticketKeys),
      honorCipherOrder: true,
      // Renegotiation lets a client make us work (CVE-2011-1473) and may change what was agreed on; TLS 1.3 has none.
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
      sessionIdContext: 'posthorn',
      ...(options.clientCa === undefined ? {} : { ca: options.clientCa }),
    });
    fallback ??= context;
    for (const name of names) if (!byName.has(name)) byName.set(name, context);
  }
  if (fallback === null) return { fallback, options: null };
  const first = fallback;
  return {
    fallback,
    options: {
      secureContext: first,
      minVersion: options.minVersion,
      SNICallback: (servername, done) => done(null, contextFor(byName, servername) ?? first),
    },
  };
}

/** The context for a name as clients send it: any case, sometimes with the root's dot; then the wildcard one label up. */
function contextFor(byName: ReadonlyMap<string, SecureContext>, servername: string): SecureContext | undefined {
  const name = (servername.endsWith('.') ? servername.slice(0, -1) : servername).toLowerCase();
  return byName.get(name) ?? byName.get(`*${name.slice(Math.max(0, name.indexOf('.')))}`);
}
