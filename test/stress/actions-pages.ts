/** Parts of results: FETCH by pages (PARTIAL, RFC 9394), and results kept by the server for "$" (SEARCHRES, RFC 5182). */
import { storeCommand, someMessages, setOf } from './actions.ts';
import { isFull, target } from './actions-change.ts';
import { searched } from './actions-search.ts';
import type { Belief, Slot } from './belief.ts';
import { type StressClient, surelyMay } from './client.ts';
import { copyEffect } from './effects.ts';
import { formatNumbers } from './parse.ts';
import type { Command, StressSession } from './session.ts';
import { must } from './violation.ts';

const uidsOf = (slots: Iterable<Slot>): string => formatNumbers([...slots].map((slot) => slot.uid));

/** It is there for certain: a command that names it must tell of it. */
const isThere = (belief: Belief, slot: Slot): boolean => belief.slots.includes(slot) && !belief.mailbox.mayBeGone(belief.record(slot));

/** A FETCH and the messages it told of; RFC822.SIZE is nothing that comes unasked. */
function sizes(session: StressSession, text: string, check: (told: ReadonlySet<Slot>) => void): Command {
  const told = new Set<Slot>();
  return {
    text,
    fetched: (slot, items) => {
      if (items.has('RFC822.SIZE')) told.add(slot);
    },
    effect: {
      answered: ({ status }) => {
        if (status === 'OK' && session.belief !== null) check(told);
      },
      lost: () => {},
    },
  };
}

export async function page(client: StressClient): Promise<void> {
  const { random } = client;
  const session = client.session!;
  const belief = session.belief!;
  const slots = someMessages(client, 60)?.slots;
  if (slots === undefined) return;
  const first = random.between(1, slots.length);
  const last = random.between(first, slots.length + 5);
  const isFromEnd = random.next() < 0.4;
  const expected = isFromEnd ? slots.slice(Math.max(0, slots.length - last), slots.length - first + 1) : slots.slice(first - 1, last);
  const bounds = isFromEnd ? `-${first}:-${last}` : `${first}:${last}`;
  const text = `UID FETCH ${setOf(client, slots, true)} (UID RFC822.SIZE) (PARTIAL ${bounds})`;
  await session.run(sizes(session, text, (told) => pageIsRight(belief, slots, expected, told, text)));
}

/** `slots`: all of which a page was asked for; `expected`: that page, when all of them are there. */
export function pageIsRight(belief: Belief, slots: readonly Slot[], expected: readonly Slot[], told: ReadonlySet<Slot>, text: string): void {
  const isCertain = slots.every((slot) => isThere(belief, slot));
  const isRight = isCertain
    ? told.size === expected.length && expected.every((slot) => told.has(slot))
    : told.size <= expected.length && [...told].every((slot) => slots.includes(slot));
  must(isRight, 'PARTIAL answers the page that was asked for', () => `${text}: uids ${uidsOf(told)}, expected was ${uidsOf(expected)}`);
}

/** A result was saved: "$" stands for these messages, and for no others, until a search saves another. */
export async function useSaved(client: StressClient, saved: readonly Slot[]): Promise<void> {
  const { random, world } = client;
  const session = client.session!;
  const belief = session.belief!;
  for (let uses = random.between(1, 3); uses > 0 && !session.isClosed && session.belief === belief; uses -= 1) {
    const dice = random.next();
    const uid = session.notify === 'immediate' || random.next() < 0.7 ? 'UID ' : '';
    const present = saved.filter((slot) => belief.slots.includes(slot));
    if (dice < 0.4) {
      const text = `${uid}FETCH $ (UID RFC822.SIZE)`;
      await session.run({ ...sizes(session, text, (told) => savedIsRight(belief, saved, told, text)), refusal: /^\[EXPUNGEISSUED\]/ });
    } else if (dice < 0.6) {
      const text = 'UID SEARCH RETURN (ALL) $';
      await session.run({
        text,
        hear: (said, tag) => {
          if (!said.startsWith(`ESEARCH (TAG "${tag}")`)) return;
          const found = new Set(searched(said));
          const strange = [...found].find((uid) => !saved.some((slot) => slot.uid === uid));
          must(strange === undefined, '"$" stands for the messages that were found', () => `uid ${strange} is not among ${uidsOf(saved)}`);
          savedIsRight(belief, saved, new Set(saved.filter((slot) => found.has(slot.uid))), text);
        },
      });
    } else if (dice < 0.8 && present.length > 0) {
      const command = storeCommand(client, present, false);
      await session.run({ ...command, text: command.text.replace(/STORE [\d:,]+/, () => 'STORE $') });
    } else if (dice < 0.9 && present.length > 0 && !isFull(client)) {
      const place = target(client);
      await session.run({
        text: `UID COPY $ "${place.path}"`,
        refusal: surelyMay(place, 'i') ? /^\[EXPUNGEISSUED\]/ : /^\[(EXPUNGEISSUED|NOPERM)\]/,
        effect: copyEffect(world.truth, session, present, place.mailbox, false),
      });
    } else await session.run({ text: random.next() < 0.5 ? 'NOOP' : 'UID SEARCH RETURN (COUNT) ALL' });
  }
}

export function savedIsRight(belief: Belief, saved: readonly Slot[], told: ReadonlySet<Slot>, text: string): void {
  const isRight = [...told].every((slot) => saved.includes(slot)) && saved.every((slot) => told.has(slot) || !isThere(belief, slot));
  must(isRight, '"$" stands for the messages that were found', () => `${text}: uids ${uidsOf(told)}, saved was ${uidsOf(saved)}`);
}

/** All that were asked for and are there were told of. */
export function allAreTold(belief: Belief, asked: readonly Slot[], told: ReadonlySet<Slot>, text: string): void {
  const missing = asked.find((slot) => !told.has(slot) && isThere(belief, slot));
  must(missing === undefined, 'FETCH tells of each message that was asked for', () => `uid ${missing!.uid}: ${text}`, missing?.uid);
}
