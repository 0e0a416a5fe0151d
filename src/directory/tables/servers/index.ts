/** The types of tables that ask a server (or an SQLite file): one row each. */
import type { ServerTableOpeners } from '../types.ts';
import { openLdap } from './ldap.ts';
import { openMemcache } from './memcache.ts';
import { openMysql } from './mysql.ts';
import { openPgsql } from './pgsql.ts';
import { openSocketmap } from './socketmap.ts';
import { openSqlite } from './sqlite.ts';
import { openTcp } from './tcp.ts';

export const SERVER_TABLES: ServerTableOpeners = {
  ldap: openLdap,
  memcache: openMemcache,
  mysql: openMysql,
  pgsql: openPgsql,
  socketmap: openSocketmap,
  sqlite: openSqlite,
  tcp: openTcp,
};
