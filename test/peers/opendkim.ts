/** Debian's OpenDKIM as a milter: signs with a key of its own, or verifies. Its resolver never asks 127.0.0.1, so it reads the keys it verifies with from a file. */
import { chmodSync, chownSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { keepRunning, need, succeed } from '../harness/run.ts';
import { atEnd, type Owner, tempDir } from '../harness/temp.ts';
import { ended, listening } from './milter-socket.ts';

export interface DkimKey {
  readonly domain: string;
  readonly selector: string;
  readonly file: string;
  /** The TXT record in zone-file form, its name absolute. */
  readonly record: string;
  /** What that record says. */
  readonly text: string;
}

/** A key made by opendkim-genkey. */
export async function makeDkimKey(owner: Owner, domain: string, selector: string): Promise<DkimKey> {
  need('opendkim-genkey');
  const dir = tempDir(owner, 'dkim-key');
  await succeed('opendkim-genkey', ['-b', '2048', '-D', dir, '-d', domain, '-s', selector]);
  const file = join(dir, `${selector}.private`);
  const strings = [...readFileSync(join(dir, `${selector}.txt`), 'utf8').matchAll(/"([^"]*)"/g)].map((match) => match[1]!);
  const record = `${selector}._domainkey.${domain}. IN TXT ( ${strings.map((text) => `"${text}"`).join(' ')} )`;
  return { domain, selector, file, record, text: strings.join('') };
}

export interface OpendkimOptions {
  /** 's' signs with `key`, 'v' verifies what that key signed. */
  readonly mode: 's' | 'v';
  readonly key?: DkimKey;
  /** Further lines of opendkim.conf. */
  readonly config?: Readonly<Record<string, string>>;
}

/** Answers the path of its socket. */
export async function startOpendkim(owner: Owner, options: OpendkimOptions): Promise<string> {
  need('opendkim');
  const dir = tempDir(owner, 'opendkim');
  const socket = join(dir, 'milter.sock');
  const lines: Record<string, string> = {
    Socket: `local:${socket}`,
    Mode: options.mode,
    Background: 'no',
    Syslog: 'no',
    UMask: '000',
    InternalHosts: '127.0.0.1,192.0.2.0/24',
    Canonicalization: 'relaxed/simple',
    OversignHeaders: 'From',
    AuthservID: 'opendkim.test',
    ...(options.mode === 'v' ? { InternalHosts: '203.0.113.1' } : {}),
  };
  if (options.mode === 'v') {
    const keys = join(dir, 'public-keys');
    const { key } = options;
    writeFileSync(keys, key === undefined ? '' : `${key.selector}._domainkey.${key.domain} ${key.text}\n`);
    lines['TestPublicKeys'] = keys;
  } else if (options.key !== undefined) {
    // It refuses keys that others can read, and runs as root here.
    mkdirSync(join(dir, 'keys'));
    const key = join(dir, 'keys', 'key');
    writeFileSync(key, readFileSync(options.key.file));
    chmodSync(key, 0o600);
    chownSync(key, 0, 0);
    Object.assign(lines, { Domain: options.key.domain, Selector: options.key.selector, KeyFile: key, RequireSafeKeys: 'no' });
  }
  const config = join(dir, 'opendkim.conf');
  writeFileSync(
    config,
    Object.entries({ ...lines, ...options.config })
      .map(([name, value]) => `${name} ${value}\n`)
      .join(''),
  );
  const running = keepRunning('opendkim', ['-f', '-x', config]);
  atEnd(owner, () => ended(running));
  await listening('opendkim', { path: socket }, running);
  return socket;
}
