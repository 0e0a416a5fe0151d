/** Writer operations of the door: the clients that waited for their greeting. Light: nothing the writer counts is touched. */
import type { Operations, Transaction } from '../../store/transaction.ts';
import { DOOR_LIMITS } from './limits.ts';

export interface RememberInput {
  /** Keys of clients that passed just now. */
  readonly passed: readonly string[];
  /** Keys of clients that are to wait again. */
  readonly forgotten: readonly string[];
  readonly keepMs: number;
  readonly rowsMax: number;
}

function remember(tx: Transaction, { passed, forgotten, keepMs, rowsMax }: RememberInput): void {
  for (const client of passed) {
    tx.run('INSERT INTO passed_client (client, passed_at) VALUES (?, ?) ON CONFLICT (client) DO UPDATE SET passed_at=excluded.passed_at', client, tx.now);
  }
  for (const client of forgotten) tx.run('DELETE FROM passed_client WHERE client=?', client);
  const oldest = 'DELETE FROM passed_client WHERE client IN (SELECT client FROM passed_client WHERE passed_at<? ORDER BY passed_at LIMIT ?)';
  tx.run(oldest, tx.now - keepMs, DOOR_LIMITS.prunedRows);
  const [rows] = tx.get('SELECT count(*) FROM passed_client') as [number];
  if (rows > rowsMax) tx.run(oldest, Number.MAX_SAFE_INTEGER, Math.min(rows - rowsMax, DOOR_LIMITS.prunedRows));
}

export const DOOR_OPERATIONS: Operations = { 'door.remember': remember };
