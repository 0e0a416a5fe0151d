/** The way in: ManageSieve sessions for the connections of one thread. */
import type { ScriptEngine } from '../../deliver/scripts/engine.types.ts';
import { type IdleSweeper, idle } from '../../net/idle.ts';
import type { SessionFactory } from '../../ports.ts';
import { COMMANDS } from './commands.ts';
import { CompilePace } from './pace.ts';
import { type ManageSieveThread, ManageSieveSession } from './session.ts';
import type { ManageSieveContext } from './settings.ts';

/** `engine` knows the language; `sweeper` is the thread's unless a test brings its own. */
export function createManageSieveSession(context: ManageSieveContext, engine: ScriptEngine, sweeper: IdleSweeper = idle): SessionFactory {
  const thread: ManageSieveThread = { context, engine, pace: new CompilePace(), idle: sweeper, commands: COMMANDS };
  return (connection) => new ManageSieveSession(thread, connection);
}
