/** For tests only: a real store in a folder of its own, with the operations of a room of the judge. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { type LocalStore, openLocalStore } from '../../store/local.ts';
import { STORE_SETTINGS } from '../../store/settings.ts';
import type { Operations } from '../../store/transaction.ts';
import { defaultsOf } from '../../system/declare.ts';
import { SILENT_LOG } from '../../system/log.ts';

const ACCOUNTS: Operations = {
  'test.account': (tx, input: { login: string; createdAt: number }) => {
    const id = tx.nextId('account');
    tx.run('INSERT INTO account (id, login, next_uid_validity, created_at) VALUES (?, ?, 1, ?)', id, input.login, input.createdAt);
    return id;
  },
};

/** `now` is the writer's clock. Closed and removed with the test. */
export function openJudgeStore(t: TestContext, operations: Operations, now: () => number): LocalStore {
  const dataDir = mkdtempSync(join(tmpdir(), 'posthorn-judge-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const store = openLocalStore({
    dataDir,
    settings: defaultsOf(STORE_SETTINGS),
    log: SILENT_LOG,
    now,
    operations: { ...ACCOUNTS, ...operations },
    journey: () => {},
  });
  t.after(() => store.close());
  return store;
}
