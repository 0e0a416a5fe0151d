/** Options of the tables that ask a server, TOML table [tables]. */
import { count, duration, HOUR, MINUTE, SECOND, type SettingsOf } from '../../../system/declare.ts';
import type { TableContext } from '../types.ts';

export const SERVER_TABLES_SETTINGS = {
  'tables.cacheTtl': duration({
    default: 5 * SECOND,
    most: HOUR,
    doc: 'How long the answer of a database, directory or map server is used again, found or not; "0s" asks every time. SQLite files are always read.',
  }),
  'tables.cacheEntries': count({
    default: 10_000,
    least: 0,
    most: 1_000_000,
    doc: 'Most answers each thread keeps for one such table.',
  }),
  'tables.connectTimeout': duration({
    default: 3 * SECOND,
    least: 10,
    most: MINUTE,
    doc: 'How long connecting to one server of a table may take before the next one is tried.',
  }),
  'tables.queryTimeout': duration({
    default: 10 * SECOND,
    least: 10,
    most: 10 * MINUTE,
    doc: 'How long one lookup on a server may take in all, waiting and connecting included; then it fails for now. A timeout in the .cf file goes before.',
    see: 'Postfix ldap_table(5) timeout',
  }),
  'tables.serverCooldown': duration({
    default: 5 * SECOND,
    most: HOUR,
    doc: 'How long a server that could not be reached is left alone; lookups fail at once when all servers of a table are.',
    see: 'Postfix mysql_table(5) retry_interval',
  }),
  'tables.connectionIdle': duration({
    default: MINUTE,
    least: SECOND,
    most: HOUR,
    doc: 'How long an unused connection to a server of a table stays open.',
    see: 'Postfix mysql_table(5) idle_interval',
  }),
  'tables.connectionsMax': count({
    default: 2,
    least: 1,
    most: 100,
    doc: 'Most connections each thread opens for one such table.',
  }),
  'tables.waitingMax': count({
    default: 1000,
    least: 1,
    most: 100_000,
    doc: 'Most lookups that may wait for a connection of one table; further ones fail for now.',
  }),
};
export type ServerTablesSettings = SettingsOf<typeof SERVER_TABLES_SETTINGS>;

/** The value in force; its default where the context was made without these options (a test of one table alone). */
export function serverSetting<K extends keyof ServerTablesSettings>(context: TableContext, key: K): ServerTablesSettings[K] {
  const known = context.settings() as Partial<ServerTablesSettings>;
  return known[key] ?? SERVER_TABLES_SETTINGS[key].default;
}
