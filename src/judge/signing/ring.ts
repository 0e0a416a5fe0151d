/**
 * The signing keys of one thread. Answers come from memory; at most every few seconds the folder of a domain is looked at, and
 * read again when it has changed. Nothing needs to be told to anybody after a key was made.
 */
import type { KeyObject } from 'node:crypto';
import { statSync } from 'node:fs';
import type { Log } from '../../ports.ts';
import { currentStates, domainDirectory, readKeys, type StoredKey } from './keys.ts';
import { KEY_CHECK_MS, KEY_SETTLE_MS, SIGNING_LIMITS } from './limits.ts';
import type { KeyAlgorithm } from './record.ts';

export interface DkimSigner {
  /** Signing domain (tag d=), lower case A-labels. */
  readonly domain: string;
  readonly selector: string;
  readonly algorithm: KeyAlgorithm;
  readonly key: KeyObject;
}

export interface KeyRing {
  /** The keys that sign for exactly this domain (lower case A-labels) now: at most one of each algorithm, RSA first. */
  signersFor(domain: string): readonly DkimSigner[];
  /** Forgets everything; used at reload. */
  reload(): void;
}

export interface KeyRingContext {
  readonly dataDir: string;
  readonly log: Log;
  now(): number;
}

interface Known {
  readonly keys: readonly StoredKey[];
  /** Modification time of the folder when it was read; 0 for none. */
  readonly changedAt: number;
  readonly readAt: number;
  checkAt: number;
  /** When the choice of keys changes by time alone. */
  changesAt: number;
  signers: readonly DkimSigner[];
}

const NONE: readonly DkimSigner[] = [];

export function createKeyRing(context: KeyRingContext): KeyRing {
  const { dataDir, log } = context;
  const domains = new Map<string, Known>();
  /** Problems said once each. */
  const said = new Set<string>();

  function folderTime(domain: string): number {
    return statSync(domainDirectory(dataDir, domain), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  }

  function read(domain: string, changedAt: number, now: number): Known {
    const { keys, problems } = changedAt === 0 ? { keys: [], problems: [] } : readKeys(dataDir, domain);
    for (const { file, problem } of problems) {
      const line = `${file}: ${problem}`;
      if (said.has(line)) continue;
      if (said.size >= SIGNING_LIMITS.domains) said.clear();
      said.add(line);
      log.warn('dkim.key.failed', { domain, file, cause: problem });
    }
    const known: Known = { keys, changedAt, readAt: now, checkAt: now + KEY_CHECK_MS, changesAt: 0, signers: NONE };
    choose(known, now);
    // Oldest first: a Map keeps the order of insertion.
    if (domains.size >= SIGNING_LIMITS.domains) domains.delete(domains.keys().next().value!);
    domains.set(domain, known);
    return known;
  }

  function choose(known: Known, now: number): void {
    const states = currentStates(known.keys, now);
    const active = known.keys.filter((key) => states.get(key) === 'active');
    active.sort((a, b) => Number(a.algorithm === 'ed25519') - Number(b.algorithm === 'ed25519'));
    known.signers = active.length === 0 ? NONE : active.map(({ domain, selector, algorithm, key }) => ({ domain, selector, algorithm, key }));
    known.changesAt = known.keys.reduce((next, key) => (states.get(key) === 'published' ? Math.min(next, key.activeFrom) : next), Number.POSITIVE_INFINITY);
  }

  return {
    signersFor(domain) {
      const now = context.now();
      let known = domains.get(domain);
      if (known === undefined) {
        // The name becomes a path: nothing but a domain may.
        if (!/^[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/.test(domain)) return NONE;
        known = read(domain, folderTime(domain), now);
      } else if (now >= known.checkAt) {
        const changedAt = folderTime(domain);
        const isUnsettled = known.changedAt > 0 && Math.abs(known.readAt - known.changedAt) < KEY_SETTLE_MS;
        if (changedAt !== known.changedAt || isUnsettled) {
          domains.delete(domain);
          known = read(domain, changedAt, now);
        } else known.checkAt = now + KEY_CHECK_MS;
      }
      if (now >= known.changesAt) choose(known, now);
      return known.signers;
    },
    reload: () => {
      domains.clear();
      said.clear();
    },
  };
}
