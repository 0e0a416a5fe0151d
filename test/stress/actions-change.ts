/** What brings messages and takes them away: APPEND, COPY, MOVE, EXPUNGE, and mailboxes that come and go. */
import { setTimeout as pause } from 'node:timers/promises';
import { setOf, someFlags, someMessages, storeCommand } from './actions.ts';
import { type Place, type StressClient, surelyMay } from './client.ts';
import { ALL_RIGHTS, appendEffect, copyEffect, expungeEffect } from './effects.ts';
import type { Command } from './session.ts';
import type { Flag } from './truth.ts';
import { must } from './violation.ts';

/** Above that, more is removed than added. */
const MESSAGES_WANTED = 120;

export interface Letter {
  readonly mark: string;
  readonly text: string;
}

/** A message whose Subject says which one it is, and whose ends are marked. */
export function letter(client: { readonly random: StressClient['random'] }, mark: string): Letter {
  const { random } = client;
  const size = random.next() < 0.95 ? random.between(0, 1500) : random.between(20_000, 150_000);
  let body = '';
  while (body.length < size) body += `${random.next().toString(36)} ${random.next().toString(36)} ${random.next().toString(36)}\r\n`;
  const head = `From: <sender@us.test>\r\nTo: <all@us.test>\r\nSubject: ${mark}\r\nMessage-ID: <${mark}@stress.test>\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\n`;
  return { mark, text: `${head}\r\nBegin ${mark}\r\n${body}End ${mark}\r\n` };
}

export const isFull = (client: StressClient): boolean => (client.session?.belief?.count ?? 0) > MESSAGES_WANTED;

export function target(client: StressClient): Place {
  const { random } = client;
  return client.scratch.length > 0 && random.next() < 0.15 ? random.pick(client.scratch) : random.pick(client.places);
}

export async function append(client: StressClient): Promise<void> {
  if (isFull(client)) return expunge(client);
  const { random, world } = client;
  const session = client.session!;
  const place = target(client);
  const letters = Array.from({ length: random.next() < 0.75 ? 1 : random.between(2, 4) }, () => ({
    ...letter(client, world.truth.newMark()),
    flags: someFlags(random),
  }));
  const isAllowed = surelyMay(place, 'i');
  const state = { isWhole: false };
  // Without all rights some flags are left out; which is not looked at here.
  const messages = letters.map(({ mark, flags }) => ({ mark, flags: place.rights === ALL_RIGHTS ? flags : (null as readonly Flag[] | null) }));
  const effect = appendEffect(world.truth, place.mailbox, messages, state);
  const refusal = isAllowed ? undefined : /^\[NOPERM\]/;
  const first = letters[0]!;
  const head = (flags: readonly Flag[], size: number, plus: string): string => ` (${flags.join(' ')}) {${size}${plus}}`;
  const isCut = random.next() < 0.04;
  if (letters.length === 1 && random.next() < 0.4) {
    // With "+" from the server.
    const { mayGoOn, reply } = await session.head(
      { text: `APPEND "${place.path}"`, effect, refusal },
      `APPEND "${place.path}"${head(first.flags, first.text.length, '')}`,
    );
    if (mayGoOn && isCut) return cutInLiteral(client, first.text, reply);
    if (mayGoOn) {
      state.isWhole = true;
      session.wire.send(`${first.text}\r\n`);
    }
    await reply;
    return;
  }
  let text = `APPEND "${place.path}"`;
  for (const { flags, text: message } of letters) text += `${head(flags, message.length, '+')}\r\n${message}`;
  if (isCut) {
    // The last line end is missing: the command is not whole.
    const { reply } = session.unfinished({ text: `APPEND "${place.path}"`, effect, refusal }, text.slice(0, random.between(text.length - 40, text.length - 1)));
    await pause(random.between(0, 20));
    session.cut();
    await reply;
    return;
  }
  state.isWhole = true;
  await session.run({ text, effect, refusal });
}

async function cutInLiteral(client: StressClient, text: string, reply: Promise<unknown>): Promise<void> {
  const session = client.session!;
  session.wire.send(text.slice(0, client.random.between(0, text.length - 1)));
  await pause(client.random.between(0, 20));
  session.cut();
  await reply;
}

export async function copyOrMove(client: StressClient): Promise<void> {
  const { random, world } = client;
  const session = client.session!;
  const belief = session.belief!;
  const place = target(client);
  const isMove = random.next() < (isFull(client) ? 0.9 : 0.5);
  if (!isMove && isFull(client)) return expunge(client);
  const chosen = someMessages(client, random.next() < 0.1 ? 40 : 5);
  if (chosen === null) return;
  const source = client.place!;
  const mayMove = surelyMay(source, 't') && surelyMay(source, 'e');
  const refusals = ['EXPUNGEISSUED'];
  if (isMove && (belief.isReadOnly || source.isVarying === true)) refusals.push('READ-ONLY');
  if (!surelyMay(place, 'i') || (isMove && !mayMove)) refusals.push('NOPERM');
  await session.run({
    text: `${chosen.uid}${isMove ? 'MOVE' : 'COPY'} ${chosen.set} "${place.path}"`,
    hasNumbers: false,
    refusal: new RegExp(`^\\[(${refusals.join('|')})\\]`),
    effect: copyEffect(world.truth, session, chosen.slots, place.mailbox, isMove),
  });
}

export async function expunge(client: StressClient): Promise<void> {
  const { random } = client;
  const session = client.session!;
  const belief = session.belief;
  if (belief === null) return;
  const { rights, isVarying } = client.place!;
  const commands: Command[] = [];
  const chosen = someMessages(client, isFull(client) ? 40 : 6);
  if (chosen !== null && !belief.isReadOnly && rights.includes('t')) commands.push(storeCommand(client, chosen.slots, true, ['\\Deleted']));
  const refusal = isVarying === true ? /^\[(READ-ONLY|NOPERM)\]/ : belief.isReadOnly ? /^\[READ-ONLY\]/ : rights.includes('e') ? undefined : /^\[NOPERM\]/;
  if (chosen !== null && random.next() < 0.4) {
    const uids = chosen.slots.map((slot) => slot.uid);
    commands.push({ text: `UID EXPUNGE ${setOf(client, chosen.slots, true)}`, refusal, effect: expungeEffect(belief.mailbox, uids) });
  } else commands.push({ text: 'EXPUNGE', refusal, effect: expungeEffect(belief.mailbox, null) });
  // In one packet, as old clients do it, or one after the other.
  if (random.next() < 0.5) await Promise.all(session.bundle(commands));
  else for (const command of commands) await session.run(command);
}

/** CREATE, RENAME, DELETE of mailboxes of its own. */
export async function scratch(client: StressClient): Promise<void> {
  const { random, world } = client;
  const session = client.session!;
  const dice = random.next();
  const [old] = client.scratch;
  if (old === undefined || (dice < 0.4 && client.scratch.length < 3)) {
    client.scratchCount += 1;
    const path = `s-${client.name}-${client.scratchCount}`;
    const place = { path, mailbox: world.truth.mailbox(`${client.login.split('@')[0]}/${path}`), rights: ALL_RIGHTS };
    if ((await session.run({ text: `CREATE "${path}"` })).status === 'OK') client.scratch.push(place);
    return;
  }
  if (dice < 0.7) {
    client.scratchCount += 1;
    const path = `s-${client.name}-${client.scratchCount}`;
    const { status } = await session.run({ text: `RENAME "${old.path}" "${path}"` });
    // Not answered: it has one name or the other, and is not used again.
    if (status === 'OK') old.path = path;
    else client.scratch.shift();
    return;
  }
  old.mailbox.isDeleted = true;
  client.scratch.shift();
  const { status } = await session.run({ text: `DELETE "${old.path}"` });
  if (status !== 'OK') return;
  const again = await session.run({ text: `STATUS "${old.path}" (MESSAGES)`, refusal: /^\[NONEXISTENT\]/ });
  must(again.status !== 'OK', 'a deleted mailbox is not there', () => old.path);
}
