/** Searches and sorts whose client is told of each change (RFC 5267). Whether it knows the right result is looked at while all stands still. */
import { setTimeout as pause } from 'node:timers/promises';
import { byUid, KEYS, searched } from './actions-search.ts';
import type { StressClient } from './client.ts';
import { Context } from './contexts.ts';
import { numbersOf } from './parse.ts';
import type { StressSession } from './session.ts';
import { must } from './violation.ts';

/** The server promises more; a client that follows more is not looked for here. */
const CONTEXTS_MAX = 4;
/** Criteria for which messages must be read are told a little later. */
const TRIES = 100;
const ORDERS = ['ARRIVAL', 'SUBJECT', 'REVERSE SIZE', 'REVERSE ARRIVAL'] as const;

/** "SEARCH {} SEEN" and "SORT {} (ARRIVAL) UTF-8 SEEN": return options go where "{}" is. */
const asked = (question: string, isUid: boolean, options: string): string => `${isUid ? 'UID ' : ''}${question.replace('{}', `RETURN (${options})`)}`;

export async function follow(client: StressClient): Promise<void> {
  const session = client.session!;
  const belief = session.belief!;
  const { random } = client;
  if (belief.contexts.size >= CONTEXTS_MAX) return cancelUpdate(client);
  const isUid = byUid(client);
  // Some for which messages must be read: those are tested beside, and told later.
  const key = random.next() < 0.2 ? `${random.pick(['SUBJECT', 'BODY'] as const)} "mark-${random.between(1, 9)}"` : random.pick(KEYS)[0];
  const question = random.next() < 0.5 ? `SEARCH {} ${key}` : `SORT {} (${random.pick(ORDERS)}) UTF-8 ${key}`;
  let context: Context | null = null;
  await session.run({
    text: asked(question, isUid, 'UPDATE ALL'),
    hasNumbers: !isUid,
    hear(text, tag) {
      if (!text.startsWith(`ESEARCH (TAG "${tag}")`)) return;
      must(context === null, 'SEARCH RETURN is answered with one ESEARCH', () => text.slice(0, 300));
      const result = /^ESEARCH \(TAG "[^"]+"\)( UID)?(?: ALL ([\d:,]+))?$/.exec(text);
      must(result !== null && (result[1] !== undefined) === isUid, 'ESEARCH answers its command', () => text.slice(0, 300));
      context = new Context(tag, isUid, question, belief, result[2] === undefined ? [] : numbersOf(result[2]));
      belief.contexts.set(tag, context);
    },
  });
  must(session.isClosed || context !== null, 'SEARCH RETURN is answered with one ESEARCH', () => `${question}: none`);
}

export async function cancelUpdate(client: StressClient): Promise<void> {
  const session = client.session!;
  const { contexts } = session.belief!;
  const chosen = [...contexts.values()].filter(() => client.random.next() < 0.5);
  if (chosen.length === 0) return;
  for (const context of chosen) context.isLost = true;
  const { status } = await session.run({ text: `CANCELUPDATE ${chosen.map(({ tag }) => `"${tag}"`).join(' ')}` });
  if (status === 'OK') for (const { tag } of chosen) contexts.delete(tag);
}

/** All stands still: what the client knows by its contexts must become what a search finds. */
export async function contextsAreTrue(session: StressSession): Promise<void> {
  const belief = session.belief!;
  for (const context of belief.contexts.values()) {
    if (context.isLost) continue;
    let found: number[] = [];
    let isTrue = false;
    for (let tries = 0; tries < TRIES && !isTrue; tries += 1) {
      if (tries > 0) {
        await pause(30);
        await session.run({ text: 'NOOP' });
      }
      await session.run({
        text: asked(context.question, true, 'ALL'),
        hear(text, tag) {
          if (text.startsWith(`ESEARCH (TAG "${tag}")`)) found = searched(text);
        },
      });
      if (session.isClosed || session.belief !== belief) return;
      isTrue = found.join() === context.uids.join();
    }
    must(isTrue, 'a context has what a search finds', () => `${context.tag} ${context.question}: ${context.uids.join(' ')}; there is ${found.join(' ')}`);
  }
}
