/** What is stored: reads of the table filter_script. */
import type { AccountId, StoreReader } from '../../ports.ts';
import type { Held } from './quota.ts';
import { accountScope, domainScope, GLOBAL, type Place, type Scope } from './scope.ts';

export interface ScriptRow {
  readonly name: string;
  readonly place: Place;
  readonly isActive: boolean;
  readonly bytes: number;
  /** Unix milliseconds. */
  readonly changedAt: number;
  /** When its owner was last told that it fails, since it changed. */
  readonly reportedAt: number | null;
}

/** A script that is to run. */
export interface StoredScript {
  readonly scope: Scope;
  readonly name: string;
  readonly text: Uint8Array;
}

export interface ActiveScripts {
  /** Global ones first, then those of the domain, each in order of name. */
  readonly before: readonly StoredScript[];
  readonly personal: StoredScript | null;
  /** Those of the domain first, then global ones. */
  readonly after: readonly StoredScript[];
}

/** All scripts of a scope, in order of name. */
export function listScripts(reader: StoreReader, scope: Scope): ScriptRow[] {
  return reader
    .rows('SELECT name, place, is_active, length(text), changed_at, reported_at FROM filter_script WHERE scope=? ORDER BY name', scope)
    .map(([name, place, isActive, bytes, changedAt, reportedAt]) => ({ name, place, isActive: isActive === 1, bytes, changedAt, reportedAt }) as ScriptRow);
}

export function scriptText(reader: StoreReader, scope: Scope, name: string): Uint8Array | null {
  const [row] = reader.rows('SELECT text FROM filter_script WHERE scope=? AND name=?', scope, name);
  return row === undefined ? null : (row[0] as Uint8Array);
}

/** What a scope holds besides the script of this name. */
export function heldBesides(reader: StoreReader, scope: Scope, name: string): Held {
  const [row] = reader.rows('SELECT count(*), coalesce(sum(length(text)), 0) FROM filter_script WHERE scope=? AND name<>?', scope, name);
  const [count, bytes] = row as [number, number];
  return { count, bytes };
}

/** What runs for a message to this account: global before, domain before, personal, domain after, global after. `domain` is canonical. */
export function activeScripts(reader: StoreReader, accountId: AccountId, domain: string): ActiveScripts {
  const scopes = [GLOBAL, domainScope(domain), accountScope(accountId)] as const;
  const rows = reader.rows(
    "SELECT scope, name, place, text FROM filter_script WHERE scope IN (?, ?, ?) AND (place IN ('before', 'after') OR (place='personal' AND is_active=1)) ORDER BY name",
    ...scopes,
  ) as [Scope, string, Place, Uint8Array][];
  const of = (scope: Scope, place: Place): StoredScript[] =>
    rows.filter((row) => row[0] === scope && row[2] === place).map(([, name, , text]) => ({ scope, name, text }));
  if (rows.length === 0) return NONE;
  return {
    before: [...of(scopes[0], 'before'), ...of(scopes[1], 'before')],
    personal: of(scopes[2], 'personal')[0] ?? null,
    after: [...of(scopes[1], 'after'), ...of(scopes[0], 'after')],
  };
}
const NONE: ActiveScripts = { before: [], personal: null, after: [] };

/**
 * The text that `include` asks for (RFC 6609 section 3.2), or null. Personal: any script of the account. Global: one of the domain's that
 * are there to be included, else one of the server's.
 */
export function includedScript(reader: StoreReader, accountId: AccountId, domain: string, location: 'personal' | 'global', name: string): Uint8Array | null {
  if (location === 'personal') return scriptText(reader, accountScope(accountId), name);
  for (const scope of [domainScope(domain), GLOBAL]) {
    const [row] = reader.rows("SELECT text FROM filter_script WHERE scope=? AND name=? AND place='include'", scope, name);
    if (row !== undefined) return row[0] as Uint8Array;
  }
  return null;
}
