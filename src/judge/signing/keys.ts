/**
 * Signing keys on disk: dataDir/dkim/DOMAIN/SELECTOR.key (PKCS#8 in PEM, 0600) and SELECTOR.json beside it, which says what the key
 * is for. Every file is written whole under another name first, so a reader never sees half of one.
 */
import { createPrivateKey, createPublicKey, generateKeyPair, type KeyObject, randomBytes } from 'node:crypto';
import { chownSync, closeSync, fsyncSync, mkdirSync, openSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { SIGNING_LIMITS } from './limits.ts';
import { dkimRecord, type KeyAlgorithm } from './record.ts';

/**
 * 'published': its record should be in DNS, it does not sign yet. 'active': it signs. 'retired': it signs no more, but its record
 * stays until mail that it signed has arrived everywhere.
 */
export type KeyState = 'published' | 'active' | 'retired';

export interface KeyInfo {
  readonly domain: string;
  readonly selector: string;
  readonly algorithm: KeyAlgorithm;
  /** Of an RSA key; 256 for Ed25519. */
  readonly bits: number;
  /** As decided; time makes more of it: see `currentStates`. */
  readonly state: KeyState;
  /** Unix milliseconds. */
  readonly createdAt: number;
  /** From then on it signs, unless it is retired. */
  readonly activeFrom: number;
}

export interface StoredKey extends KeyInfo {
  readonly file: string;
  /** Permission bits of the key file. */
  readonly mode: number;
  readonly key: KeyObject;
  /** Text of its TXT record. */
  readonly record: string;
}

/** A key or its description that could not be read. */
export interface KeyProblem {
  readonly file: string;
  /** A sentence without the file's name. */
  readonly problem: string;
}

const SELECTOR = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?){0,3}$/;

/** Sub-domain of "_domainkey" (RFC 6376 section 3.1), in lower case; also safe as a file name. */
export function isSelector(text: string): boolean {
  return text.length <= 100 && SELECTOR.test(text);
}

export function keysDirectory(dataDir: string): string {
  return join(dataDir, 'dkim');
}
export function domainDirectory(dataDir: string, domain: string): string {
  return join(keysDirectory(dataDir), domain);
}

export function keyFile(dataDir: string, domain: string, selector: string): string {
  return join(domainDirectory(dataDir, domain), `${selector}.key`);
}

/** Makes a key pair. Slow for RSA (a tenth of a second and more), but in a thread of its own. */
export async function generateKey(algorithm: KeyAlgorithm, rsaBits: number): Promise<KeyObject> {
  const generate = promisify(generateKeyPair) as (type: string, options: object) => Promise<{ privateKey: KeyObject }>;
  return (await generate(algorithm, algorithm === 'rsa' ? { modulusLength: rsaBits } : {})).privateKey;
}

/** Domains that have a folder of keys, sorted. */
export function keyDomains(dataDir: string): string[] {
  return names(keysDirectory(dataDir)).sort();
}

/** All keys of a domain, oldest first, and what could not be read. Never throws. */
export function readKeys(dataDir: string, domain: string): { keys: StoredKey[]; problems: KeyProblem[] } {
  const directory = domainDirectory(dataDir, domain);
  const keys: StoredKey[] = [];
  const problems: KeyProblem[] = [];
  const found = names(directory).filter((name) => name.endsWith('.key'));
  for (const name of found.slice(0, SIGNING_LIMITS.keysPerDomain)) {
    const selector = name.slice(0, -4);
    const file = join(directory, name);
    if (!isSelector(selector)) {
      problems.push({ file, problem: 'its name is no selector' });
      continue;
    }
    const read = readKey(file, domain, selector);
    if ('problem' in read) problems.push({ file, problem: read.problem });
    else keys.push(read);
  }
  if (found.length > SIGNING_LIMITS.keysPerDomain)
    problems.push({ file: directory, problem: `it holds more than ${SIGNING_LIMITS.keysPerDomain} keys; the rest is not read` });
  keys.sort((a, b) => a.createdAt - b.createdAt || (a.selector < b.selector ? -1 : 1));
  return { keys, problems };
}

function readKey(file: string, domain: string, selector: string): StoredKey | { problem: string } {
  try {
    const stat = statSync(file);
    if (stat.size > SIGNING_LIMITS.keyFileBytes) return { problem: 'it is too large for a key' };
    const key = createPrivateKey(readFileSync(file, 'utf8'));
    const algorithm = key.asymmetricKeyType;
    if (algorithm !== 'rsa' && algorithm !== 'ed25519') return { problem: `it holds a key of type ${algorithm}; DKIM knows RSA and Ed25519` };
    const bits = algorithm === 'rsa' ? (key.asymmetricKeyDetails?.modulusLength ?? 0) : 256;
    if (algorithm === 'rsa' && bits < 1024) return { problem: `its RSA key has ${bits} bits; nobody takes fewer than 1024 (RFC 8301 section 3.2)` };
    const info = readInfo(`${file.slice(0, -4)}.json`);
    const record = dkimRecord(algorithm, createPublicKey(key));
    return { domain, selector, algorithm, bits, ...(info ?? adopted(stat.mtimeMs)), file, mode: stat.mode & 0o777, key, record };
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    return { problem: code === 'EACCES' ? 'this user may not read it' : code === 'ENOENT' ? 'it is gone' : `it holds no private key in PEM form: ${message}` };
  }
}

type Purpose = Pick<KeyInfo, 'state' | 'createdAt' | 'activeFrom'>;

/** A key somebody copied here without a description signs at once. */
function adopted(mtimeMs: number): Purpose {
  return { state: 'active', createdAt: Math.trunc(mtimeMs), activeFrom: Math.trunc(mtimeMs) };
}

function readInfo(file: string): Purpose | null {
  let text: string;
  try {
    if (statSync(file).size > SIGNING_LIMITS.infoFileBytes) throw new Error('the description beside it is too large');
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
  const { state, createdAt, activeFrom } = JSON.parse(text) as Partial<KeyInfo>;
  if ((state !== 'published' && state !== 'active' && state !== 'retired') || !Number.isFinite(createdAt) || !Number.isFinite(activeFrom))
    throw new Error('the description beside it makes no sense');
  return { state, createdAt: createdAt!, activeFrom: activeFrom! };
}

/**
 * What each key is now: of each algorithm, the newest whose time has come signs; older ones are retired by that alone.
 * So a rotation needs nobody to be awake when its time comes.
 */
export function currentStates<K extends KeyInfo>(keys: readonly K[], now: number): Map<K, KeyState> {
  const states = new Map<K, KeyState>();
  for (const algorithm of ['rsa', 'ed25519'] as const) {
    let signing: K | null = null;
    for (const key of keys) {
      if (key.algorithm !== algorithm || key.state === 'retired' || key.activeFrom > now) continue;
      if (signing === null || key.activeFrom > signing.activeFrom || (key.activeFrom === signing.activeFrom && key.createdAt > signing.createdAt))
        signing = key;
    }
    for (const key of keys) {
      if (key.algorithm !== algorithm) continue;
      states.set(key, key === signing ? 'active' : key.state !== 'retired' && key.activeFrom > now ? 'published' : 'retired');
    }
  }
  return states;
}

/** Writes a new key. Throws with code EEXIST when the selector is taken. */
export function storeKey(dataDir: string, info: KeyInfo, key: KeyObject): void {
  const directory = domainDirectory(dataDir, info.domain);
  const owner = statSync(dataDir);
  for (const path of [keysDirectory(dataDir), directory]) {
    if (mkdirSync(path, { recursive: true, mode: 0o700 }) !== undefined) giveTo(path, owner);
  }
  const file = keyFile(dataDir, info.domain, info.selector);
  if (names(directory).includes(`${info.selector}.key`)) throw Object.assign(new Error(`the selector ${info.selector} is taken`), { code: 'EEXIST' });
  // The description first: a crash between the two leaves no key that signs by accident.
  storeInfo(dataDir, info);
  replaceFile(file, key.export({ type: 'pkcs8', format: 'pem' }) as string, owner);
}

/** Writes what a key is for. */
export function storeInfo(dataDir: string, info: KeyInfo): void {
  const { algorithm, state, createdAt, activeFrom } = info;
  const file = join(domainDirectory(dataDir, info.domain), `${info.selector}.json`);
  replaceFile(file, `${JSON.stringify({ state, algorithm, createdAt, activeFrom, created: new Date(createdAt).toISOString() })}\n`, statSync(dataDir));
}

/** Removes a key for good. */
export function removeKey(dataDir: string, domain: string, selector: string): void {
  const directory = domainDirectory(dataDir, domain);
  rmSync(keyFile(dataDir, domain, selector));
  rmSync(join(directory, `${selector}.json`), { force: true });
  syncDirectory(directory);
}

function replaceFile(file: string, text: string, owner: { uid: number; gid: number }): void {
  const draft = `${file}.${randomBytes(6).toString('hex')}.new`;
  const handle = openSync(draft, 'wx', 0o600);
  try {
    writeSync(handle, text);
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
  giveTo(draft, owner);
  renameSync(draft, file);
  syncDirectory(dirname(file));
}

/** Made by root for a server that runs as another user: that user must be able to read it. */
function giveTo(path: string, owner: { uid: number; gid: number }): void {
  if (process.getuid?.() === 0 && owner.uid !== 0) chownSync(path, owner.uid, owner.gid);
}

function syncDirectory(directory: string): void {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** Entries of a folder; none when it is not there or closed to us. */
function names(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'EACCES') return [];
    throw error;
  }
}
