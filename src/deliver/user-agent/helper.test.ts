import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { HelperOptions } from './helper.ts';
import { startUserAgent } from './start.ts';
import { GAMES, NEWS } from './testing.ts';

const isRoot = process.getuid?.() === 0;

/** A helper for a server that runs as games, with its socket in a folder of this owner. */
async function started(t: TestContext, folderOwner: number): Promise<{ socketPath: string; problem: string | null }> {
  const base = mkdtempSync(join(tmpdir(), 'posthorn-helper-'));
  t.after(() => rmSync(base, { recursive: true }));
  chmodSync(base, 0o755);
  const folder = join(base, 'data');
  mkdirSync(folder, { mode: 0o755 });
  chownSync(folder, folderOwner, folderOwner);
  const passwdFile = join(base, 'passwd');
  writeFileSync(passwdFile, 'root:x:0:0::/root:/bin/sh\n');
  const socketPath = join(folder, 'agent.sock');
  const options: HelperOptions = {
    ...{ socketPath, key: 'ab'.repeat(32), owner: GAMES, passwdFile, defaultUser: 'nobody' },
    ...{ workersMax: 1, blanks: 0, workerIdleMs: 1000, uidMin: 1000, usersAllowed: [] },
  };
  const handle = startUserAgent(options);
  t.after(() => handle.stop());
  const problem = await handle.ready.then(
    () => null,
    (error: Error) => error.message,
  );
  return { socketPath, problem };
}

test('the socket belongs to the user of the server and to nobody else', { skip: !isRoot && 'needs root' }, async (t) => {
  // At the first start the folder is still root's.
  for (const owner of [GAMES.uid, 0]) {
    const { socketPath, problem } = await started(t, owner);
    assert.equal(problem, null);
    const { uid, gid, mode } = statSync(socketPath);
    assert.deepEqual([uid, gid, mode & 0o777], [GAMES.uid, GAMES.gid, 0o600]);
  }
});

test('in a folder that is not its own root has no more rights than the user of the server', { skip: !isRoot && 'needs root' }, async (t) => {
  const { problem } = await started(t, NEWS.uid);
  assert.match(problem!, /EACCES/);
});
