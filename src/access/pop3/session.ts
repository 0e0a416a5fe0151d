/** The way in: POP3 sessions for the connections of one thread. */
import { type IdleSweeper, idle } from '../../net/idle.ts';
import type { SessionFactory } from '../../ports.ts';
import { COMMANDS } from './commands.ts';
import { Pop3Session, type Pop3Thread } from './dialogue.ts';
import type { Pop3Context } from './settings.ts';

/** `sweeper` is the thread's unless a test brings its own. */
export function createPop3Session(context: Pop3Context, sweeper: IdleSweeper = idle): SessionFactory {
  const thread: Pop3Thread = { context, open: new Set(), idle: sweeper, commands: COMMANDS };
  return (connection) => new Pop3Session(thread, connection);
}
