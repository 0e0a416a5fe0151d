/** The policy's operations in the writer: what address probes found. Every write is one row; the sweep keeps the table small. */
import type { Operations, Transaction } from '../../store/transaction.ts';

export interface ProbeRecord {
  /** "local@domain". */
  readonly address: string;
  /** 1 deliverable, 2 undeliverable, 3 not known (the server was not to be asked). */
  readonly status: 1 | 2 | 3;
  readonly checkedAt: number;
  readonly text: string;
  /** An address known as good since this or later stays so, whatever a probe says once. */
  readonly replacesGoodBefore: number;
}
export interface ProbeSweep {
  /** Rows of deliverable addresses checked before this, and of others before that, are removed. */
  readonly positiveBefore: number;
  readonly negativeBefore: number;
  readonly rowsMax: number;
}

const SWEEP_ROWS_MAX = 5000;

/** A single failure does not make a known good address bad: that row stays, and the address is asked again at the next occasion. */
function record(tx: Transaction, input: ProbeRecord): null {
  tx.run(
    'INSERT INTO address_probe (address, status, checked_at, text) VALUES (?, ?, ?, ?) ON CONFLICT (address) DO UPDATE SET status=excluded.status, checked_at=excluded.checked_at, text=excluded.text WHERE excluded.status=1 OR address_probe.status<>1 OR address_probe.checked_at<?',
    input.address,
    input.status,
    input.checkedAt,
    input.text,
    input.replacesGoodBefore,
  );
  return null;
}

/** Removes at most a few thousand rows; answers how many, so that the caller may come again. */
function sweep(tx: Transaction, input: ProbeSweep): { removed: number } {
  let removed = tx.run(
    'DELETE FROM address_probe WHERE address IN (SELECT address FROM address_probe WHERE checked_at < CASE status WHEN 1 THEN ? ELSE ? END LIMIT ?)',
    input.positiveBefore,
    input.negativeBefore,
    SWEEP_ROWS_MAX,
  );
  const [rows] = tx.get('SELECT count(*) FROM address_probe') as [number];
  if (rows > input.rowsMax) {
    const surplus = Math.min(rows - input.rowsMax, SWEEP_ROWS_MAX);
    removed += tx.run('DELETE FROM address_probe WHERE address IN (SELECT address FROM address_probe ORDER BY checked_at LIMIT ?)', surplus);
  }
  return { removed };
}

export const POLICY_OPERATIONS: Operations = { 'probe.record': record, 'probe.sweep': sweep };
