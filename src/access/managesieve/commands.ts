/** The command table (RFC 5804 section 2): what there is, in which state, with which arguments. */
import { authenticate } from './commands/authenticate.ts';
import { capability, logout, noop, startTls, unauthenticate } from './commands/basic.ts';
import { checkScript, putScript } from './commands/put.ts';
import { deleteScript, getScript, haveSpace, listScripts, renameScript, setActive } from './commands/scripts.ts';
import type { Command } from './session.ts';

// A Map, not an object: a client may well send the verb CONSTRUCTOR.
export const COMMANDS: ReadonlyMap<string, Command> = new Map<string, Command>([
  //                 legal in these states          arguments; those with "?" may be left out
  ['CAPABILITY', { from: ['new', 'authenticated'], takes: [], run: capability }], //                     section 2.4
  ['NOOP', { from: ['new', 'authenticated'], takes: ['string?'], run: noop }], //                        section 2.13
  ['LOGOUT', { from: ['new', 'authenticated'], takes: [], run: logout }], //                             section 2.3
  ['STARTTLS', { from: ['new'], takes: [], run: startTls }], //                                          section 2.2
  ['AUTHENTICATE', { from: ['new'], takes: ['string', 'string?'], run: authenticate }], //               section 2.1
  ['UNAUTHENTICATE', { from: ['authenticated'], takes: [], run: unauthenticate }], //                    section 2.14.1
  ['HAVESPACE', { from: ['authenticated'], takes: ['name', 'number'], run: haveSpace }], //              section 2.5
  ['PUTSCRIPT', { from: ['authenticated'], takes: ['name', 'string'], run: putScript }], //              section 2.6
  ['LISTSCRIPTS', { from: ['authenticated'], takes: [], run: listScripts }], //                          section 2.7
  ['SETACTIVE', { from: ['authenticated'], takes: ['nameOrNone'], run: setActive }], //                  section 2.8
  ['GETSCRIPT', { from: ['authenticated'], takes: ['name'], run: getScript }], //                        section 2.9
  ['DELETESCRIPT', { from: ['authenticated'], takes: ['name'], run: deleteScript }], //                  section 2.10
  ['RENAMESCRIPT', { from: ['authenticated'], takes: ['name', 'name'], run: renameScript }], //          section 2.11
  ['CHECKSCRIPT', { from: ['authenticated'], takes: ['string'], run: checkScript }], //                  section 2.12
]);
