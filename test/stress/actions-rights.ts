/** Rights that are given and taken back while others use the mailbox (RFC 4314). They are registers as annotations are: MYRIGHTS says what SETACL left. */
import type { StressClient } from './client.ts';
import { Register } from './registers.ts';

/** The mailbox of ann whose rights change; everybody may always see and read it. */
export const VARYING = 'Open';
/** What others may come to have there. */
export const VARYING_RIGHTS = 'lrswite';
export const VARYING_START = 'lrs';
const OTHERS = ['ben', 'cat', 'dan'] as const;
const SETS = ['lr', 'lrs', 'lrsw', 'lrst', 'lri', 'lrswi', 'lrte', VARYING_RIGHTS] as const;

/** "lrs" whatever the order and the old names for several rights (section 2.1.1). */
const canonical = (rights: string): string =>
  [...rights]
    .filter((right) => right !== 'c' && right !== 'd')
    .sort()
    .join('');

function rightsOf(client: StressClient, user: string): Register {
  const { registers } = client.world;
  const name = `rights of ${user}`;
  let register = registers.get(name);
  if (register === undefined) {
    register = new Register(name, canonical(VARYING_START));
    registers.set(name, register);
  }
  return register;
}

export async function setAcl(client: StressClient): Promise<void> {
  const { random } = client;
  if (client.login !== 'ann@us.test') return myRights(client);
  const user = random.pick(OTHERS);
  const rights = random.pick(SETS);
  const register = rightsOf(client, user);
  const write = register.begin(canonical(rights));
  await client.session!.run({
    text: `SETACL ${VARYING} ${user}@us.test ${rights}`,
    effect: { answered: ({ status }) => register.end(write, status === 'OK'), lost: () => register.end(write, null) },
  });
}

export async function myRights(client: StressClient): Promise<void> {
  const place = client.places.find(({ isVarying }) => isVarying);
  if (place === undefined) return;
  const since = performance.now();
  let rights: string | null = null;
  const { status } = await client.session!.run({
    text: `MYRIGHTS "${place.path}"`,
    hear(text) {
      // With NOTIFY others come between.
      rights = /^MYRIGHTS (?:"[^"]*"|[^ ]+) ([a-z]*)$/.exec(text)?.[1] ?? rights;
    },
  });
  if (status === 'OK') rightsOf(client, client.login.split('@')[0]!).read(rights === null ? null : canonical(rights), since);
}
