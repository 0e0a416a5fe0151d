/** 'store.repair': counts are made again from the rows they count; nothing that holds mail is touched. */
import { COUNT_CHECKS } from '../counts.ts';
import type { Derived } from '../derived.ts';
import type { Transaction } from '../transaction.ts';

export const REPAIR_OPERATIONS = {
  'store.repair': (tx: Transaction): { repaired: number } => {
    let repaired = 0;
    for (const check of COUNT_CHECKS) {
      // An email that nobody refers to any more is what an interrupted repair or a bug of an older version left. Before the blobs are
      // counted: it must not hold one.
      tx.run('DELETE FROM email WHERE refs=0');
      const wrong = tx.all(check.sql).length;
      if (wrong === 0) continue;
      repaired += wrong;
      tx.run(check.repair);
    }
    // Its file is found by the sweep.
    tx.run('DELETE FROM blob WHERE refs=0');
    return { repaired };
  },
  'store.setDerived': (tx: Transaction, rows: readonly Derived[]): number => {
    let changed = 0;
    for (const row of rows)
      changed += tx.run(
        'UPDATE email SET header_bytes=?, envelope=?, body_structure=?, parts=?, message_id=?, sent_at=? WHERE id=?',
        row.headerBytes,
        row.envelope,
        row.bodyStructure,
        row.parts,
        row.messageId,
        row.sentAt,
        row.id,
      );
    // Copies of these columns (search/listing.ts) count no longer. By the clock: the numbers of a copy of this store must not meet ours.
    if (changed > 0) tx.nextId('derived', tx.now);
    return changed;
  },
};
