/** 'dkim.create', 'dkim.list', 'dkim.rotate', 'dkim.activate', 'dkim.remove': the keys of a domain's signatures. */
import { createPublicKey } from 'node:crypto';
import { canonicalDomain } from '../../directory/address.ts';
import type { AdminContext, AdminHandlers } from '../../ports.ts';
import { Failure } from '../../system/failure.ts';
import {
  currentStates,
  generateKey,
  isSelector,
  keyDomains,
  keyFile,
  type KeyInfo,
  type KeyState,
  readKeys,
  removeKey,
  type StoredKey,
  storeInfo,
  storeKey,
} from './keys.ts';
import { SIGNING_LIMITS } from './limits.ts';
import { dkimRecord, type KeyAlgorithm } from './record.ts';
import type { SigningSettings } from './settings.ts';

/** One key as commands show it. */
export interface DkimKeyView {
  readonly domain: string;
  readonly selector: string;
  readonly algorithm: KeyAlgorithm;
  readonly bits: number;
  readonly state: KeyState;
  readonly createdAt: number;
  readonly activeFrom: number;
  /** Where its TXT record belongs: "SELECTOR._domainkey.DOMAIN". */
  readonly name: string;
  /** Text of that record. */
  readonly record: string;
  readonly file: string;
  /** Permission bits of the key file. */
  readonly mode: number;
}
export interface DkimKeyList {
  readonly keys: readonly DkimKeyView[];
  /** Sentences about files that are no keys. */
  readonly problems: readonly string[];
}

const ALGORITHMS: Readonly<Record<string, readonly KeyAlgorithm[]>> = { rsa: ['rsa'], ed25519: ['ed25519'], both: ['rsa', 'ed25519'] };

function refuse(sentence: string): never {
  throw new Failure('cannot', sentence);
}

function domainOf(value: unknown): string {
  if (typeof value !== 'string' || value === '') return refuse('Please give the domain, such as example.org.');
  return canonicalDomain(value) ?? refuse(`"${value}" is not a domain; it should look like example.org.`);
}

function selectorOf(value: unknown): string | null {
  if (value === undefined || value === null) return null;
  const selector = String(value).toLowerCase();
  return isSelector(selector) ? selector : refuse(`"${String(value)}" is not a selector: letters, digits and hyphens, such as mail2026.`);
}

function bitsOf(value: unknown, settings: SigningSettings): number {
  if (value === undefined || value === null) return settings['dkim.rsaBits'];
  if (!Number.isInteger(value) || (value as number) < 1024 || (value as number) > 4096) return refuse('An RSA key has 1024 to 4096 bits; 2048 is usual.');
  return value as number;
}

/** Keys of one domain or of all, as they are now. */
function view(keys: readonly StoredKey[], now: number): DkimKeyView[] {
  const states = currentStates(keys, now);
  return keys.map((key) => {
    const { key: _secret, ...shown } = key;
    return { ...shown, state: states.get(key)!, name: `${key.selector}._domainkey.${key.domain}` };
  });
}

/** Each selector has one record, so a pair of keys has two. */
const suffixOf = (algorithm: KeyAlgorithm): string => (algorithm === 'ed25519' ? 'e' : '');

/** Selectors are named after the month, "e" for Ed25519; a second one in a month gets a number. */
function freeSelector(taken: ReadonlySet<string>, algorithm: KeyAlgorithm, now: number): string {
  const stem = `s${new Date(now).toISOString().slice(0, 7).replace('-', '')}`;
  for (let n = 1; ; n += 1) {
    const name = `${stem}${n === 1 ? '' : `-${n}`}${suffixOf(algorithm)}`;
    if (!taken.has(name)) return name;
  }
}

interface Wanted {
  readonly domain: string;
  readonly algorithms: readonly KeyAlgorithm[];
  /** Null names them by the month. */
  readonly selector: string | null;
  readonly rsaBits: number;
  /** When they begin to sign. */
  activeFrom(algorithm: KeyAlgorithm): number;
}

/** Makes the keys and writes them. */
async function make(dataDir: string, wanted: Wanted, now: number): Promise<DkimKeyView[]> {
  const { domain } = wanted;
  const pairs = await Promise.all(wanted.algorithms.map(async (algorithm) => ({ algorithm, key: await generateKey(algorithm, wanted.rsaBits) })));
  // From here on nothing waits, so nobody comes between looking and writing.
  const { keys } = readKeys(dataDir, domain);
  if (keys.length + pairs.length > SIGNING_LIMITS.keysPerDomain)
    return refuse(`${domain} has ${keys.length} keys already: remove old ones with posthorn dkim remove.`);
  const taken = new Set(keys.map((key) => key.selector));
  const made: DkimKeyView[] = [];
  for (const { algorithm, key } of pairs) {
    const name = wanted.selector === null ? freeSelector(taken, algorithm, now) : wanted.selector + (pairs.length > 1 ? suffixOf(algorithm) : '');
    if (taken.has(name)) return refuse(`The selector ${name} is taken; choose another.`);
    taken.add(name);
    const activeFrom = wanted.activeFrom(algorithm);
    const info: KeyInfo = {
      domain,
      selector: name,
      algorithm,
      bits: algorithm === 'rsa' ? wanted.rsaBits : 256,
      state: activeFrom > now ? 'published' : 'active',
      createdAt: now,
      activeFrom,
    };
    storeKey(dataDir, info, key);
    const record = dkimRecord(algorithm, createPublicKey(key));
    made.push({ ...info, name: `${name}._domainkey.${domain}`, record, file: keyFile(dataDir, domain, name), mode: 0o600 });
  }
  return made;
}

/**
 * Keys for a domain that has none: RSA and Ed25519, active at once (a signature whose record is not in DNS yet counts like none,
 * RFC 6376 section 6.1.2). Answers what was made; empty when the domain has keys, whatever their state.
 */
export async function ensureDkimKeys(context: Pick<AdminContext, 'dataDir' | 'settings' | 'log' | 'now'>, domain: string): Promise<DkimKeyView[]> {
  const name = canonicalDomain(domain);
  if (name === null || readKeys(context.dataDir, name).keys.length > 0) return [];
  const now = context.now();
  const { 'dkim.rsaBits': rsaBits } = context.settings() as SigningSettings;
  const made = await make(context.dataDir, { domain: name, algorithms: ['rsa', 'ed25519'], selector: null, rsaBits, activeFrom: () => now }, now);
  context.log.info('dkim.created', { domain: name, selectors: made.map((key) => key.selector) });
  return made;
}

function findKey(context: AdminContext, domain: string, selector: string | null): StoredKey {
  if (selector === null) return refuse('Please give the selector; posthorn dkim list shows them.');
  const key = readKeys(context.dataDir, domain).keys.find((one) => one.selector === selector);
  return key ?? refuse(`${domain} has no key with the selector ${selector}; posthorn dkim list shows them.`);
}

export const SIGNING_ADMIN: AdminHandlers = {
  /** {domain, selector?, algorithm? 'rsa'|'ed25519'|'both', rsaBits?}. The first of an algorithm signs at once, others wait for rotate or activate. */
  'dkim.create': async (context, args): Promise<{ keys: DkimKeyView[] }> => {
    const domain = domainOf(args.domain);
    const settings = context.settings() as SigningSettings;
    const algorithms = ALGORITHMS[String(args.algorithm ?? 'both')] ?? refuse('The algorithm must be rsa, ed25519 or both.');
    const now = context.now();
    const { keys: present } = readKeys(context.dataDir, domain);
    const states = currentStates(present, now);
    const hasActive = (algorithm: KeyAlgorithm): boolean => present.some((key) => key.algorithm === algorithm && states.get(key) === 'active');
    const wanted: Wanted = {
      domain,
      algorithms,
      selector: selectorOf(args.selector),
      rsaBits: bitsOf(args.rsaBits, settings),
      activeFrom: (algorithm) => (hasActive(algorithm) ? now + settings['dkim.activateAfter'] : now),
    };
    const keys = await make(context.dataDir, wanted, now);
    context.log.info('dkim.created', { domain, selectors: keys.map((key) => key.selector) });
    return { keys };
  },

  /** {domain?} */
  'dkim.list': async (context, args): Promise<DkimKeyList> => {
    const domains = args?.domain === undefined || args.domain === null ? keyDomains(context.dataDir) : [domainOf(args.domain)];
    const read = domains.map((domain) => readKeys(context.dataDir, domain));
    return {
      keys: read.flatMap(({ keys }) => view(keys, context.now())),
      problems: read.flatMap(({ problems }) => problems.map(({ file, problem }) => `${file}: ${problem}`)),
    };
  },

  /** {domain, algorithm?, rsaBits?, activate?: true}: new keys beside the old ones; they take over after dkim.activateAfter, or at once. */
  'dkim.rotate': async (context, args): Promise<{ keys: DkimKeyView[]; replaced: string[] }> => {
    const domain = domainOf(args.domain);
    const settings = context.settings() as SigningSettings;
    const now = context.now();
    const { keys: present } = readKeys(context.dataDir, domain);
    const states = currentStates(present, now);
    const active = present.filter((key) => states.get(key) === 'active');
    if (active.length === 0) return refuse(`${domain} has no key that signs; begin with: posthorn dkim create ${domain}`);
    const algorithms: readonly KeyAlgorithm[] =
      args.algorithm === undefined || args.algorithm === null
        ? [...new Set(active.map((key) => key.algorithm))]
        : (ALGORITHMS[String(args.algorithm)] ?? refuse('The algorithm must be rsa, ed25519 or both.'));
    const waiting = present.find((key) => states.get(key) === 'published' && algorithms.includes(key.algorithm));
    if (waiting !== undefined)
      return refuse(`The key ${waiting.selector} waits to take over already; posthorn dkim activate ${domain} ${waiting.selector} makes it sign now.`);
    const activeFrom = args.activate === true ? now : now + settings['dkim.activateAfter'];
    const keys = await make(
      context.dataDir,
      { domain, algorithms, selector: selectorOf(args.selector), rsaBits: bitsOf(args.rsaBits, settings), activeFrom: () => activeFrom },
      now,
    );
    context.log.info('dkim.created', { domain, selectors: keys.map((key) => key.selector) });
    return { keys, replaced: active.filter((key) => algorithms.includes(key.algorithm)).map((key) => key.selector) };
  },

  /** {domain, selector}: it signs from now on; the one that did is retired. */
  'dkim.activate': async (context, args): Promise<{ key: DkimKeyView; retired: string[] }> => {
    const domain = domainOf(args.domain);
    const chosen = findKey(context, domain, selectorOf(args.selector));
    const now = context.now();
    const { keys } = readKeys(context.dataDir, domain);
    const states = currentStates(keys, now);
    const retired = keys.filter((key) => key.algorithm === chosen.algorithm && key.selector !== chosen.selector && states.get(key) === 'active');
    storeInfo(context.dataDir, { ...chosen, state: 'active', activeFrom: now });
    for (const key of retired) storeInfo(context.dataDir, { ...key, state: 'retired' });
    context.log.info('dkim.activated', { domain, selector: chosen.selector, retired: retired.map((key) => key.selector) });
    const after = view(readKeys(context.dataDir, domain).keys, now);
    return { key: after.find((key) => key.selector === chosen.selector)!, retired: retired.map((key) => key.selector) };
  },

  /** {domain, selector, force?: true}: only one that does not sign, unless forced. */
  'dkim.remove': async (context, args): Promise<{ domain: string; selector: string }> => {
    const domain = domainOf(args.domain);
    const { selector } = findKey(context, domain, selectorOf(args.selector));
    const { keys } = readKeys(context.dataDir, domain);
    const states = currentStates(keys, context.now());
    const isActive = keys.some((key) => key.selector === selector && states.get(key) === 'active');
    if (isActive && args.force !== true) return refuse(`The key ${selector} signs the mail of ${domain}; rotate first, or add --force to go on without it.`);
    removeKey(context.dataDir, domain, selector);
    context.log.info('dkim.removed', { domain, selector });
    return { domain, selector };
  },
};
