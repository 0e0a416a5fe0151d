/** Waiting for a milter that was just started, or ended. */
import { once } from 'node:events';
import { connect } from 'node:net';
import type { keepRunning } from '../harness/run.ts';
import { eventually } from '../harness/wait.ts';

/** Resolves when something accepts connections there; rejects with the program's output when that has ended. */
export async function listening(
  name: string,
  place: { path: string } | { host: string; port: number },
  running: ReturnType<typeof keepRunning>,
): Promise<void> {
  await eventually(`${name} listens`, () => {
    if (running.child.exitCode !== null) throw new Error(`${name} ended: ${running.output()}`);
    return new Promise<boolean>((resolve) => {
      const socket = connect(place);
      const done = (isOpen: boolean): void => {
        socket.destroy();
        resolve(isOpen);
      };
      socket.once('connect', () => done(true));
      socket.once('error', () => done(false));
    });
  });
}

/** Ends it. Processes it leaves behind end with our process namespace, and must not hold our side of their output open until then. */
export async function ended(running: ReturnType<typeof keepRunning>): Promise<void> {
  const { child } = running;
  if (child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
  child.stdout?.destroy();
  child.stderr?.destroy();
}
