/** Writer operations on filter scripts. Names and texts are checked by the caller; whose and whether they exist is checked here. */
import { Failure } from '../../system/failure.ts';
import type { Operations, Transaction } from '../../store/transaction.ts';
import { brokenLimit, type ScriptLimits } from './quota.ts';
import { accountOf, type Place, type Scope } from './scope.ts';

export interface ScriptPutInput {
  readonly scope: Scope;
  readonly name: string;
  readonly place: Place;
  readonly text: Uint8Array;
  /** null: the administrator's scripts have none. */
  readonly limits: ScriptLimits | null;
  /** Of an account: make it the active one in the same step. Otherwise what was active stays so, also when it is replaced. */
  readonly isActivated: boolean;
}

/** Makes or replaces a script. Throws 'messageTooBig', 'limit' (too many) or 'overQuota' (too much together) and leaves the old one then. */
export function scriptPut(tx: Transaction, input: ScriptPutInput): { isNew: boolean } {
  const { scope, name, text } = input;
  requireOwner(tx, scope);
  if (input.limits !== null) {
    const [count, bytes] = tx.get('SELECT count(*), coalesce(sum(length(text)), 0) FROM filter_script WHERE scope=? AND name<>?', scope, name) as [
      number,
      number,
    ];
    const broken = brokenLimit({ count, bytes }, text.length, input.limits);
    if (broken !== null) throw new Failure(broken === 'size' ? 'messageTooBig' : broken === 'count' ? 'limit' : 'overQuota', QUOTA_TEXT[broken]);
  }
  const old = tx.get('SELECT changed_at, is_active FROM filter_script WHERE scope=? AND name=?', scope, name) as [number, number] | undefined;
  const isActivated = input.isActivated && input.place === 'personal';
  if (isActivated) tx.run('UPDATE filter_script SET is_active=0 WHERE scope=? AND is_active=1 AND name<>?', scope, name);
  tx.run(
    'INSERT INTO filter_script (scope, name, place, is_active, text, changed_at) VALUES (?, ?, ?, ?, ?, ?)' +
      ' ON CONFLICT (scope, name) DO UPDATE SET place=excluded.place, is_active=excluded.is_active, text=excluded.text, changed_at=excluded.changed_at, reported_at=NULL',
    scope,
    name,
    input.place,
    isActivated || (input.place === 'personal' && old?.[1] === 1) ? 1 : 0,
    text,
    // Later than the one it replaces, also within a millisecond.
    Math.max(tx.now, (old?.[0] ?? 0) + 1),
  );
  announce(tx, scope);
  return { isNew: old === undefined };
}

const QUOTA_TEXT = {
  size: 'The script is too large.',
  count: 'There are too many scripts.',
  total: 'All scripts together would be too large.',
} as const;

/** Throws 'noSuchEntry', or 'cannot' for the active script (RFC 5804 section 2.10). */
export function scriptDelete(tx: Transaction, input: { scope: Scope; name: string }): void {
  const row = requireScript(tx, input.scope, input.name);
  if (row.isActive) throw new Failure('cannot', `The script "${input.name}" is active.`);
  tx.run('DELETE FROM filter_script WHERE scope=? AND name=?', input.scope, input.name);
  announce(tx, input.scope);
}

/** An active script stays active (RFC 5804 section 2.11). Throws 'noSuchEntry', or 'exists', also for its own name. */
export function scriptRename(tx: Transaction, input: { scope: Scope; from: string; to: string }): void {
  const { scope, from, to } = input;
  requireScript(tx, scope, from);
  if (tx.get('SELECT 1 FROM filter_script WHERE scope=? AND name=?', scope, to) !== undefined)
    throw new Failure('exists', `There is a script "${to}" already.`);
  tx.run('UPDATE filter_script SET name=? WHERE scope=? AND name=?', to, scope, from);
  announce(tx, scope);
}

/** One personal script becomes the active one; '' means none (RFC 5804 section 2.8). Throws 'noSuchEntry'. */
export function scriptActivate(tx: Transaction, input: { scope: Scope; name: string }): void {
  const { scope, name } = input;
  if (name !== '' && requireScript(tx, scope, name).place !== 'personal') throw new Failure('cannot', 'Only the scripts of a user are activated.');
  tx.run("UPDATE filter_script SET is_active=(name=?) WHERE scope=? AND place='personal' AND is_active<>(name=?)", name, scope, name);
  announce(tx, scope);
}

/** Notes that the owner is told now that the script fails; `isFirst` is false when that was done since it last changed. */
export function scriptReported(tx: Transaction, input: { scope: Scope; name: string }): { isFirst: boolean } {
  const changed = tx.run('UPDATE filter_script SET reported_at=? WHERE scope=? AND name=? AND reported_at IS NULL', tx.now, input.scope, input.name);
  return { isFirst: changed === 1 };
}

function requireScript(tx: Transaction, scope: Scope, name: string): { isActive: boolean; place: Place } {
  const row = tx.get('SELECT is_active, place FROM filter_script WHERE scope=? AND name=?', scope, name) as [number, Place] | undefined;
  if (row === undefined) throw new Failure('noSuchEntry', `There is no script "${name}".`);
  return { isActive: row[0] === 1, place: row[1] };
}

/** Scripts of an account that is being removed would stay for ever. */
function requireOwner(tx: Transaction, scope: Scope): void {
  const id = accountOf(scope);
  if (id !== null && tx.get('SELECT 1 FROM account WHERE id=?', id) === undefined) throw new Failure('noSuchAccount', 'There is no such user.');
}

/** Every loop drops what it has compiled. Sessions stay: nobody's right to log in has changed, so an account is named, or nobody. */
function announce(tx: Transaction, scope: Scope): void {
  const id = accountOf(scope);
  tx.announce({ kind: 'directory', accounts: id === null ? [] : [id] });
}

export const SCRIPT_OPERATIONS = {
  'script.put': scriptPut,
  'script.delete': scriptDelete,
  'script.rename': scriptRename,
  'script.activate': scriptActivate,
  'script.reported': scriptReported,
} satisfies Operations;
