/** The sending habit's rows in the writer. Notes come every few minutes; a lost one is a few messages that the habit does not know of. */
import type { AccountId } from '../../ports.ts';
import type { Operations, Transaction } from '../../store/transaction.ts';
import { DAY, HOUR } from '../../system/declare.ts';
import { addTo, type Figures } from './habit-figures.ts';

export interface HabitNotesInput {
  /** Milliseconds: the time of the batch. */
  readonly at: number;
  readonly notes: readonly (readonly [accountId: AccountId, recipients: number])[];
}
export interface HabitIncidentInput {
  readonly accountId: AccountId;
  readonly at: number;
  readonly until: number;
}
export interface HabitReleaseInput {
  readonly accountId: AccountId;
  readonly at: number;
  /** Not judged until then. */
  readonly allowedUntil: number;
  /** Recipients of the mail that was held: they were no attack, so they belong to the habit. */
  readonly recipients: number;
}

export interface HabitRow {
  readonly since: number;
  readonly hour: Figures;
  readonly day: Figures;
  readonly heldUntil: number;
  readonly allowedUntil: number;
}

export const HABIT_COLUMNS =
  'since, hour_at, hour_count, hour_mean, hour_deviation, hour_peak, day_at, day_count, day_mean, day_deviation, day_peak, held_until, allowed_until';

export function habitRow(row: readonly unknown[]): HabitRow {
  const [since, hourAt, hourCount, hourMean, hourDeviation, hourPeak, dayAt, dayCount, dayMean, dayDeviation, dayPeak, heldUntil, allowedUntil] =
    row as number[];
  return {
    since: since!,
    hour: { at: hourAt!, count: hourCount!, mean: hourMean!, deviation: hourDeviation!, peak: hourPeak! },
    day: { at: dayAt!, count: dayCount!, mean: dayMean!, deviation: dayDeviation!, peak: dayPeak! },
    heldUntil: heldUntil!,
    allowedUntil: allowedUntil!,
  };
}

function read(tx: Transaction, accountId: AccountId): HabitRow | null {
  const row = tx.get(`SELECT ${HABIT_COLUMNS} FROM sender_habit WHERE account_id=?`, accountId);
  return row === undefined ? null : habitRow(row);
}

function write(tx: Transaction, accountId: AccountId, { since, hour, day, heldUntil, allowedUntil }: HabitRow): void {
  tx.run(
    `INSERT OR REPLACE INTO sender_habit (account_id, ${HABIT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ...[accountId, since, hour.at, hour.count, hour.mean, hour.deviation, hour.peak],
    ...[day.at, day.count, day.mean, day.deviation, day.peak, heldUntil, allowedUntil],
  );
}

function withMore(row: HabitRow | null, recipients: number, at: number): HabitRow {
  return {
    since: row?.since ?? at,
    hour: addTo(row?.hour ?? null, recipients, at, HOUR),
    day: addTo(row?.day ?? null, recipients, at, DAY),
    heldUntil: row?.heldUntil ?? 0,
    allowedUntil: row?.allowedUntil ?? 0,
  };
}

const exists = (tx: Transaction, accountId: AccountId): boolean => tx.get('SELECT 1 FROM account WHERE id=?', accountId) !== undefined;

function note(tx: Transaction, input: HabitNotesInput): void {
  for (const [accountId, recipients] of input.notes) if (exists(tx, accountId)) write(tx, accountId, withMore(read(tx, accountId), recipients, input.at));
}

/** Opens an incident; false when one is open already: another session, of this thread or another, was first. */
function incident(tx: Transaction, input: HabitIncidentInput): { isNew: boolean } {
  if (!exists(tx, input.accountId)) return { isNew: false };
  const row = withMore(read(tx, input.accountId), 0, input.at);
  if (row.heldUntil > input.at) return { isNew: false };
  write(tx, input.accountId, { ...row, heldUntil: input.until });
  return { isNew: true };
}

/** Ends an incident: the administrator or the owner says that all is well. */
function release(tx: Transaction, input: HabitReleaseInput): { wasHeld: boolean } {
  if (!exists(tx, input.accountId)) return { wasHeld: false };
  const row = read(tx, input.accountId);
  write(tx, input.accountId, { ...withMore(row, input.recipients, input.at), heldUntil: 0, allowedUntil: input.allowedUntil });
  return { wasHeld: row !== null && row.heldUntil > input.at };
}

/** They touch only their own table: they may run among deliveries (LIGHT_OPERATIONS). */
export const HABIT_OPERATIONS = { 'habit.note': note, 'habit.incident': incident, 'habit.release': release } satisfies Operations;
