/** Conversations about mailboxes that nobody thought of: the same ones at every run. */
import type { Script } from './conversation.ts';
import { append } from './life.ts';

const LEVELS = ['a', 'b', 'INBOX', 'a b', 'R&-D'];
const PATTERNS = ['*', '%', 'a*', '*b', '%/%', 'a/%', 'INBOX*', 'a/*/b', '*/b', '%b'];
const SELECTIONS = ['', '', '(SUBSCRIBED) ', '(SUBSCRIBED RECURSIVEMATCH) ', '() '];
const RETURNS = ['', '', ' RETURN (CHILDREN)', ' RETURN (SUBSCRIBED CHILDREN)'];

/** Park and Miller's generator: numbers in [0, 1). */
export function lehmer(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

/** Some `count` lines of creating, deleting, renaming, subscribing and listing names out of few levels, so that they often meet. */
export function generated(user: string, seed: number, count: number): Script {
  const random = lehmer(seed);
  const one = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)]!;
  const name = (): string => `"${Array.from({ length: 1 + Math.floor(random() * 3) }, () => one(LEVELS)).join('/')}"`;
  const line = (): string[] => {
    const choice = Math.floor(random() * 12);
    if (choice < 3) return withParents(name()).map((created) => `x: CREATE ${created}`);
    if (choice < 5) return [`x: DELETE ${name()}`];
    if (choice < 7) {
      const to = name();
      return [
        ...withParents(to)
          .slice(0, -1)
          .map((created) => `x: CREATE ${created}`),
        `x: RENAME ${name()} ${to}`,
      ];
    }
    if (choice === 7) {
      const subscribed = name();
      return [...withParents(subscribed).map((created) => `x: CREATE ${created}`), `x: SUBSCRIBE ${subscribed}`];
    }
    if (choice === 8) return [`x: UNSUBSCRIBE ${name()}`];
    if (choice === 9) return [append('x', name())];
    if (choice === 10) return [`x: STATUS ${name()} (MESSAGES)`];
    return [`x: LSUB "" "${one(PATTERNS)}"`];
  };
  const lines: string[] = ['x: STATUS INBOX (MESSAGES)'];
  for (let i = 0; lines.length < count; i += 1) {
    lines.push(...line());
    if (i % 4 === 3) lines.push(`x: LIST ${one(SELECTIONS)}"" "${one(PATTERNS)}"${one(RETURNS)}`);
  }
  return { user, lines };
}

/** The names above, then the name itself: Dovecot does not make those above mailboxes, we do. */
function withParents(quoted: string): string[] {
  const levels = quoted.slice(1, -1).split('/');
  return levels.map((_, i) => `"${levels.slice(0, i + 1).join('/')}"`);
}
