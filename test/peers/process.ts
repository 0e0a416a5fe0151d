/** Ending a peer that runs in the foreground. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';

/** Asks the program to end and waits until it has; nothing to do when it runs no more. */
export async function ended(child: ChildProcess | undefined, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const closed = once(child, 'close');
  child.kill(signal);
  await closed;
}
