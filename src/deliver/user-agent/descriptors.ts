/** Descriptors that came from whoever started the server, and would go on to users' programs: a terminal, a lock, a pipe of a supervisor. */
import { closeSync, readdirSync, readFileSync } from 'node:fs';

const O_CLOEXEC = 0o2000000;

/** Closes everything above `last` that a program started from here would inherit; the runtime's own descriptors are marked and stay. */
export function closeInherited(last: number): void {
  for (const name of readdirSync('/proc/self/fd')) {
    const fd = Number(name);
    if (fd <= last) continue;
    let flags: number;
    try {
      flags = Number.parseInt(/^flags:\s*([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${name}`, 'latin1'))?.[1] ?? '0', 8);
    } catch {
      continue; // the one with which the folder was read
    }
    if ((flags & O_CLOEXEC) === 0) closeSync(fd);
  }
}
