/** What a test cleans up when it ends, and the directory it works in. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** What of a node:test context we need; a benchmark has its own (`programOwner`). */
export interface Owner {
  after(action: () => unknown): void;
  /** Called with each part that has ended. */
  afterEach?(action: (part: any) => unknown): void;
  readonly passed?: boolean;
}

const endings = new WeakMap<Owner, (() => unknown)[]>();

/** Runs `action` when the owner ends, in the reverse order of the calls: a server stops before its directory goes. */
export function atEnd(owner: Owner, action: () => unknown): void {
  const known = endings.get(owner);
  if (known !== undefined) {
    known.push(action);
    return;
  }
  const actions = [action];
  endings.set(owner, actions);
  owner.after(async () => {
    endings.delete(owner);
    for (const next of actions.splice(0).reverse()) await next();
  });
}

/** A directory that is removed when the owner ends. Others may pass through it: peers run as users of their own. */
export function tempDir(owner: Owner, name = 'test'): string {
  const dir = mkdtempSync(join(tmpdir(), `posthorn-${name}-`));
  // The peers' own directories below are 0700 or owned by them; this one only has to be passable.
  chmodSync(dir, 0o755);
  atEnd(owner, () => rmSync(dir, { recursive: true, force: true, maxRetries: 3 }));
  return dir;
}

/** An owner for programs that are no tests: `end()` does what was asked for. */
export function programOwner(): Owner & { end(): Promise<void> } {
  const actions: (() => unknown)[] = [];
  return {
    after: (action) => actions.push(action),
    async end() {
      for (const action of actions.splice(0)) await action();
    },
  };
}
