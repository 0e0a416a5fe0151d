/** Annotations (RFC 5464) as registers: GETMETADATA answers what a SETMETADATA left, on each mailbox and on the server. */
import { type StressClient, surelyMay } from './client.ts';
import { parseValue } from './parse.ts';
import { Register } from './registers.ts';
import { must } from './violation.ts';

const PRIVATE = ['/private/comment', '/private/vendor/stress/a'] as const;
const SHARED = ['/shared/comment', '/shared/vendor/stress/b'] as const;
const LONG = 6000;

interface Chosen {
  /** As the client writes it, in quotes. */
  readonly path: string;
  readonly entries: readonly string[];
  /** What the registers are named after. */
  readonly key: string;
  readonly mayWrite: boolean;
}

function choose(client: StressClient): Chosen {
  const { random } = client;
  const user = client.login.split('@')[0]!;
  if (random.next() < 0.2) return { path: '""', entries: PRIVATE, key: `${user}/`, mayWrite: true };
  const place = random.pick(client.places);
  const { path, mailbox } = place;
  // On mailboxes of others there are shared ones only.
  const isOwn = mailbox.key.startsWith(`${user}/`);
  return { path: `"${path}"`, entries: isOwn ? [...PRIVATE, ...SHARED] : SHARED, key: mailbox.key, mayWrite: isOwn || surelyMay(place, 'w') };
}

function registerOf(client: StressClient, key: string, entry: string): Register {
  const { registers } = client.world;
  const name = `${key} ${entry}`;
  let register = registers.get(name);
  if (register === undefined) {
    register = new Register(name);
    registers.set(name, register);
  }
  return register;
}

export async function setMetadata(client: StressClient): Promise<void> {
  const { random, world } = client;
  const { path, entries, key, mayWrite } = choose(client);
  const changes = entries
    .filter(() => random.next() < 0.6)
    .map((entry) => {
      const unique = `${world.truth.newMark()} of ${client.name}`;
      const value = random.next() < 0.2 ? null : random.next() < 0.1 ? unique.padEnd(LONG, '.') : unique;
      return { entry, value };
    });
  if (changes.length === 0) return getMetadata(client);
  const writes = changes.map(({ entry, value }) => {
    const register = registerOf(client, key, entry);
    return { register, write: register.begin(value) };
  });
  const settle = (isDone: boolean | null): void => {
    for (const { register, write } of writes) register.end(write, isDone);
  };
  const written = changes.map(
    ({ entry, value }) => `${entry} ${value === null ? 'NIL' : value.length < LONG ? `"${value}"` : `{${value.length}+}\r\n${value}`}`,
  );
  await client.session!.run({
    text: `SETMETADATA ${path} (${written.join(' ')})`,
    refusal: mayWrite ? undefined : /^\[NOPERM\]/,
    effect: { answered: ({ status }) => settle(status === 'OK'), lost: () => settle(null) },
  });
}

export async function getMetadata(client: StressClient): Promise<void> {
  const session = client.session!;
  const { path, entries, key } = choose(client);
  const since = performance.now();
  const told = new Map<string, string | null>();
  const { status } = await session.run({
    text: `GETMETADATA ${path} (${entries.join(' ')})`,
    hear(text) {
      // What others changed is told by names alone.
      const head = /^METADATA ("[^"]*"|[^ ]+) \(/.exec(text)?.[0];
      if (head === undefined) return;
      const [value, end] = parseValue(text, head.length - 1);
      const items = value as readonly (string | null)[];
      must(end === text.length && items.length % 2 === 0, 'METADATA has entries with their values', () => text.slice(0, 200));
      for (let i = 0; i < items.length; i += 2) told.set(items[i]!, items[i + 1] ?? null);
    },
  });
  if (status !== 'OK') return;
  for (const entry of entries) {
    must(told.has(entry), 'GETMETADATA answers each entry', () => `${path} ${entry}: ${[...told.keys()].join(' ')}`);
    registerOf(client, key, entry).read(told.get(entry)!, since);
  }
}
