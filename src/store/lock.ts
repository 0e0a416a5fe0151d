/**
 * One process at a time may write a data directory. The lock is an exclusive transaction on a database file of its
 * own: the system lets go of it when the process ends, however it ends.
 */
import { DatabaseSync } from 'node:sqlite';

/** Answers the way to let go, or null when another process has the lock. */
export function lockDataDirectory(path: string): (() => void) | null {
  const db = new DatabaseSync(path, { timeout: 0 });
  try {
    db.exec('PRAGMA journal_mode=DELETE; BEGIN EXCLUSIVE;');
  } catch (error) {
    db.close();
    // SQLITE_BUSY: held by another process. Anything else (permissions, not a database) is an error with a message.
    if ((error as { errcode?: number }).errcode === 5) return null;
    throw error;
  }
  return () => db.close();
}
