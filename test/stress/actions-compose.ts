/** Messages put together on the server (CATENATE, RFC 4469), and put in the place of others (REPLACE, RFC 8508). */
import { someFlags, someMessages } from './actions.ts';
import { expunge, isFull, letter, target } from './actions-change.ts';
import type { Slot } from './belief.ts';
import { type StressClient, surelyMay } from './client.ts';
import { ALL_RIGHTS, appendEffect, replaceEffect } from './effects.ts';
import type { Effect } from './session.ts';
import type { Flag, MessageRecord } from './truth.ts';
import { must } from './violation.ts';

/** Of a message that is put into another one; more now and then. */
const PIECE_OCTETS = 700;

interface Composed {
  readonly mark: string;
  /** null: not looked at. */
  readonly flags: readonly Flag[] | null;
  /** What follows the name of the mailbox. */
  readonly text: string;
  /** The message whose text is in it. */
  readonly part: MessageRecord | null;
}

function compose(client: StressClient, rights: string, source: Slot | null): Composed {
  const { random, world } = client;
  const { mark, text } = letter(client, world.truth.newMark());
  const flags = someFlags(random);
  const head = ` (${flags.join(' ')})`;
  const kept = rights === ALL_RIGHTS ? flags : null;
  if (source === null) return { mark, flags: kept, text: `${head} {${text.length}+}\r\n${text}`, part: null };
  const belief = client.session!.belief!;
  const part = belief.record(source);
  const path = client.place!.path.split('/').map(encodeURIComponent).join('/');
  const isWhole = random.next() < 0.1;
  const url = `/${path};UIDVALIDITY=${belief.uidValidity}/;UID=${source.uid}/;SECTION=TEXT${isWhole ? '' : `/;PARTIAL=0.${PIECE_OCTETS}`}`;
  world.truth.join(mark, part, isWhole);
  const begin = text.slice(0, text.indexOf(`Begin ${mark}\r\n`) + `Begin ${mark}\r\n`.length);
  const end = `\r\nEnd ${mark}\r\n`;
  return { mark, flags: kept, text: `${head} CATENATE (TEXT {${begin.length}+}\r\n${begin} URL "${url}" TEXT {${end.length}+}\r\n${end})`, part };
}

/** [BADURL] is right when the message may be gone. */
function withPart(effect: Effect, part: MessageRecord | null): Effect {
  return {
    answered(reply) {
      effect.answered(reply);
      if (part !== null && reply.text.startsWith('[BADURL '))
        must(
          part.mailbox.mayBeGone(part),
          'a URL of a message that is there can be read',
          () => `uid ${part.uid} of ${part.mailbox.key}: ${reply.text}`,
          part.uid,
        );
    },
    lost: () => effect.lost(),
  };
}

export async function catenate(client: StressClient): Promise<void> {
  if (isFull(client)) return expunge(client);
  const session = client.session!;
  const source = someMessages(client, 1)?.slots[0];
  if (source === undefined) return;
  const place = target(client);
  const { mark, flags, text, part } = compose(client, place.rights, source);
  await session.run({
    text: `APPEND "${place.path}"${text}`,
    refusal: surelyMay(place, 'i') ? /^\[BADURL / : /^\[(BADURL |NOPERM\])/,
    effect: withPart(appendEffect(client.world.truth, place.mailbox, [{ mark, flags }], { isWhole: true }), part),
  });
}

export async function replace(client: StressClient): Promise<void> {
  const { random, world } = client;
  const session = client.session!;
  const belief = session.belief!;
  const chosen = someMessages(client, 1);
  if (chosen === null) return;
  const place = random.next() < 0.6 ? client.place! : target(client);
  const source = random.next() < 0.25 ? (someMessages(client, 1)?.slots[0] ?? null) : null;
  const { mark, flags, text, part } = compose(client, place.rights, source);
  const here = client.place!;
  const refusals = ['EXPUNGEISSUED\\]', 'NONEXISTENT\\]'];
  if (part !== null) refusals.push('BADURL ');
  if (belief.isReadOnly || here.isVarying === true) refusals.push('READ-ONLY\\]');
  if (!surelyMay(here, 't') || !surelyMay(here, 'e') || !surelyMay(place, 'i')) refusals.push('NOPERM\\]');
  await session.run({
    text: `${chosen.uid}REPLACE ${chosen.set} "${place.path}"${text}`,
    refusal: new RegExp(`^\\[(${refusals.join('|')})`),
    effect: withPart(replaceEffect(world.truth, session, chosen.slots[0]!, place.mailbox, { mark, flags }), part),
  });
}
