/** The command table: what there is, in which state, and what it announces in CAPA (RFC 2449). */
import { auth, pass, stls, user, utf8 } from './commands/authorization.ts';
import { uidl } from './commands/uidl.ts';
import { capa, lang, quit } from './commands/session.ts';
import { retr, top } from './commands/retrieve.ts';
import { dele, last, list, noop, rset, stat } from './commands/transaction.ts';
import type { Command } from './dialogue.ts';

// A Map, not an object: a client may well send the verb CONSTRUCTOR.
export const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  ['CAPA', { from: ['authorization', 'transaction'], run: capa }], // RFC 2449 section 5
  ['STLS', { from: ['authorization'], run: stls }], //                RFC 2595 section 4
  ['UTF8', { from: ['authorization'], run: utf8 }], //                RFC 6856 section 2
  ['LANG', { from: ['authorization', 'transaction'], run: lang }], // RFC 6856 section 3
  ['AUTH', { from: ['authorization'], run: auth }], //                RFC 5034 section 4
  ['USER', { from: ['authorization'], run: user }], //                RFC 1939 section 7
  ['PASS', { from: ['authorization'], run: pass }],
  ['STAT', { from: ['transaction'], run: stat }], //                  RFC 1939 section 5
  ['LIST', { from: ['transaction'], run: list }],
  ['UIDL', { from: ['transaction'], run: uidl }], //                  RFC 1939 section 7
  ['RETR', { from: ['transaction'], run: retr }],
  ['TOP', { from: ['transaction'], run: top }],
  ['DELE', { from: ['transaction'], run: dele }],
  ['RSET', { from: ['transaction'], run: rset }],
  ['LAST', { from: ['transaction'], run: last }], //                  RFC 1460
  ['NOOP', { from: ['transaction'], run: noop }],
  ['QUIT', { from: ['authorization', 'transaction'], run: quit }], //  RFC 1939 sections 4 and 6
]);
