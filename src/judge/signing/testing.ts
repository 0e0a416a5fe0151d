/** Keys and messages for tests of signing. */
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { scanHeaders } from '../../mail/header.ts';
import type { MessageView } from '../../ports.ts';
import { defaultsOf } from '../../system/declare.ts';
import type { DkimSigner, KeyRing } from './ring.ts';
import { type SigningSettings, SIGNING_SETTINGS } from './settings.ts';
import { type SignOptions, signOptions } from './sign.ts';

export const SIGNING_DEFAULTS: SigningSettings = defaultsOf(SIGNING_SETTINGS);

export function testDataDir(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'posthorn-signing-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** A view as the receiving side makes it; `isStreamed` gives it in pieces of `pieceBytes` only. */
export function viewOf(message: string | Uint8Array, isStreamed = false, pieceBytes = 64): MessageView {
  const bytes = typeof message === 'string' ? Buffer.from(message, 'latin1') : Buffer.from(message);
  return {
    size: bytes.length,
    header: bytes.subarray(0, scanHeaders(bytes).end),
    bytes: isStreamed ? null : bytes,
    async *stream() {
      for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
    },
  };
}

/** A ring in memory with one key of each algorithm for each domain. */
export function testRing(
  domains: readonly string[],
  algorithms: readonly ('rsa' | 'ed25519')[] = ['rsa', 'ed25519'],
): KeyRing & { signers: readonly DkimSigner[] } {
  const signers = domains.flatMap((domain) =>
    algorithms.map((algorithm) => ({
      domain,
      selector: algorithm,
      algorithm,
      key: algorithm === 'rsa' ? generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey : generateKeyPairSync('ed25519').privateKey,
    })),
  );
  return { signers, signersFor: (domain) => signers.filter((signer) => signer.domain === domain), reload: () => {} };
}

export function testOptions(at = Date.UTC(2026, 6, 1), settings: Partial<SigningSettings> = {}): SignOptions {
  return signOptions({ ...SIGNING_DEFAULTS, ...settings }, () => at);
}
