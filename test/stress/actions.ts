/** What clients do, at random, with weights like those of a busy day. Only commands that are legal where they are sent. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../torture/random.ts';
import { append, copyOrMove, expunge, scratch } from './actions-change.ts';
import { catenate, replace } from './actions-compose.ts';
import { cancelUpdate, follow } from './actions-context.ts';
import { getMetadata, setMetadata } from './actions-metadata.ts';
import { allAreTold, page } from './actions-pages.ts';
import { myRights, setAcl } from './actions-rights.ts';
import { esearch, search, sort, thread } from './actions-search.ts';
import type { Slot } from './belief.ts';
import type { Place, StressClient } from './client.ts';
import { ALL_RIGHTS, expungeEffect, seenEffect, type StoreChange, storeEffect } from './effects.ts';
import { formatNumbers } from './parse.ts';
import type { Command } from './session.ts';
import { FLAGS, type Flag } from './truth.ts';
import { must } from './violation.ts';

type Action = (client: StressClient) => Promise<void>;

const ANYWHERE: readonly (readonly [weight: number, action: Action])[] = [
  [6, open],
  [4, append],
  [2, status],
  [1, list],
  [1, scratch],
  [2, setMetadata],
  [2, getMetadata],
  [1, setAcl],
  [1, leave],
];
const SELECTED: readonly (readonly [weight: number, action: Action])[] = [
  [10, noop],
  [14, fetch],
  [16, store],
  [5, bundle],
  [8, append],
  [5, copyOrMove],
  [5, expunge],
  [5, search],
  [3, esearch],
  [3, sort],
  [2, thread],
  [3, follow],
  [1, cancelUpdate],
  [3, replace],
  [3, page],
  [2, setAcl],
  [1, myRights],
  [2, catenate],
  [1, setMetadata],
  [2, getMetadata],
  [6, idle],
  [2, notify],
  [2, slowReader],
  [4, open],
  [2, unselect],
  [2, status],
  [1, list],
  [1, scratch],
  [1, cutInCommand],
  [1, leave],
];

/** Part of the actions of clients that go from mailbox to mailbox all the time. */
const RESTLESS = 0.5;

export async function randomAction(client: StressClient): Promise<void> {
  if (client.world.isRestless && client.random.next() < RESTLESS) return open(client);
  const rows = client.session!.belief === null ? ANYWHERE : SELECTED;
  let dice = client.random.next() * rows.reduce((sum, [weight]) => sum + weight, 0);
  for (const [weight, action] of rows) {
    dice -= weight;
    if (dice < 0) return action(client);
  }
}

// ── What to choose ──

export function some<T>(random: Random, items: readonly T[], most: number): T[] {
  if (items.length === 0) return [];
  const count = Math.min(items.length, random.between(1, most));
  // Neighbours half of the time.
  if (random.next() < 0.5) {
    const from = random.between(0, items.length - count);
    return items.slice(from, from + count);
  }
  const chosen = new Set<number>();
  for (let i = 0; i < count; i += 1) chosen.add(random.between(0, items.length - 1));
  return [...chosen].sort((a, b) => a - b).map((i) => items[i]!);
}

/** Some messages the client knows, by number or uid. */
export function someMessages(
  client: StressClient,
  most: number,
): { readonly slots: Slot[]; readonly set: string; readonly uid: string; readonly isUid: boolean } | null {
  const { random } = client;
  const session = client.session!;
  const belief = session.belief!;
  const slots = some(
    random,
    belief.slots.filter((slot) => slot.uid > 0 && slot.flags !== null),
    most,
  );
  if (slots.length === 0) return null;
  const isUid = session.notify === 'immediate' || random.next() < 0.6;
  return { slots, isUid, uid: isUid ? 'UID ' : '', set: setOf(client, slots, isUid) };
}

export function setOf(client: StressClient, slots: readonly Slot[], isUid: boolean): string {
  if (isUid) return formatNumbers(slots.map((slot) => slot.uid));
  const belief = client.session!.belief!;
  return formatNumbers(slots.map((slot) => belief.slots.indexOf(slot) + 1));
}

export function someFlags(random: Random, flags: readonly Flag[] = FLAGS): Flag[] {
  // What is \Deleted goes with the next EXPUNGE of anybody.
  return flags.filter((flag) => random.next() < (flag === '\\Deleted' && flags.length > 1 ? 0.05 : 0.3));
}

const rightsOf = (client: StressClient): string => client.place?.rights ?? ALL_RIGHTS;

// ── Reading ──

async function noop(client: StressClient): Promise<void> {
  await client.session!.run({ text: client.random.next() < 0.8 ? 'NOOP' : 'CHECK' });
}

const ITEMS = [
  '(UID FLAGS)',
  '(FLAGS)',
  '(UID ENVELOPE)',
  '(UID FLAGS MODSEQ)',
  '(UID FLAGS INTERNALDATE RFC822.SIZE BODYSTRUCTURE)',
  '(UID BODY.PEEK[HEADER.FIELDS (SUBJECT FROM)])',
  '(FLAGS UID RFC822.SIZE BODY.PEEK[] MODSEQ)',
  '(UID RFC822.SIZE BODY[])',
  '(UID BODY[TEXT]<0.100> FLAGS)',
  '(UID EMAILID THREADID ENVELOPE)',
  '(UID SAVEDATE PREVIEW)',
  'ALL',
  'FULL',
  'FAST',
  '(UID BODY.PEEK[1] BINARY.SIZE[1] BINARY.PEEK[1])',
] as const;

export function fetchCommand(client: StressClient, most: number): Command | null {
  const session = client.session!;
  const { random } = client;
  const belief = session.belief!;
  const chosen = someMessages(client, most);
  if (chosen === null) return null;
  const items = random.pick(ITEMS);
  let modifier = '';
  if (random.next() < 0.25 && session.mode.isCondstore) {
    const since = random.next() < 0.2 ? 0 : Math.max(0, belief.level - random.between(0, 60));
    modifier = chosen.isUid && session.mode.isQresync && random.next() < 0.5 ? ` (CHANGEDSINCE ${Math.max(1, since)} VANISHED)` : ` (CHANGEDSINCE ${since})`;
  }
  const told = new Set<Slot>();
  const text = `${chosen.uid}FETCH ${chosen.set} ${items}${modifier}`;
  const setsSeen = /BODY\[/.test(items) && !belief.isReadOnly && rightsOf(client).includes('s');
  const seen = setsSeen ? seenEffect(client.world.truth, session, chosen.slots) : null;
  return {
    text,
    fetched: (slot) => void told.add(slot),
    hasNumbers: !chosen.isUid,
    refusal: chosen.isUid ? undefined : /^\[EXPUNGEISSUED\]/,
    effect: {
      answered(reply) {
        seen?.answered(reply);
        if (reply.status === 'OK' && modifier === '') allAreTold(belief, chosen.slots, told, text);
      },
      lost: () => seen?.lost(),
    },
  };
}

async function fetch(client: StressClient): Promise<void> {
  const session = client.session!;
  const command = fetchCommand(client, client.random.next() < 0.1 ? 200 : 12);
  if (command === null) return noop(client);
  const asksModseq = /MODSEQ|CHANGEDSINCE/.test(command.text);
  await session.run(command);
  if (asksModseq && !session.mode.isCondstore) session.mode = { ...session.mode, isCondstore: true };
}

async function slowReader(client: StressClient): Promise<void> {
  const { random } = client;
  const session = client.session!;
  const chosen = someMessages(client, 200);
  if (chosen === null) return;
  session.wire.pause();
  const reply = session.run({ text: `UID FETCH ${setOf(client, chosen.slots, true)} (UID FLAGS BODY.PEEK[])` });
  await pause(random.between(100, 1200));
  session.wire.resume();
  await reply;
}

// ── Flags ──

export function storeCommand(client: StressClient, slots: readonly Slot[], maySilent: boolean, flags = someFlags(client.random)): Command {
  const { random } = client;
  const session = client.session!;
  const belief = session.belief!;
  const isUid = session.notify === 'immediate' || random.next() < 0.6;
  const change: StoreChange = {
    mode: random.pick(['+', '+', '-', ''] as const),
    flags,
    // With NOTIFY a change of somebody else may be told while the command is on its way: then nobody knows what the own one made of it.
    isSilent: maySilent && client.place?.isVarying !== true && session.notify === 'none' && random.next() < 0.35,
    isUid,
  };
  const condition = session.mode.isCondstore && random.next() < 0.25 ? ` (UNCHANGEDSINCE ${Math.max(0, belief.level - random.between(0, 10))})` : '';
  return {
    text: `${isUid ? 'UID ' : ''}STORE ${setOf(client, slots, isUid)}${condition} ${change.mode}FLAGS${change.isSilent ? '.SILENT' : ''} (${change.flags.join(' ')})`,
    hasNumbers: !isUid,
    refusal:
      client.place?.isVarying === true
        ? /^\[(EXPUNGEISSUED|MODIFIED|NOPERM|READ-ONLY)/
        : belief.isReadOnly
          ? /^\[READ-ONLY\]/
          : rightsOf(client) === ALL_RIGHTS
            ? /^\[(EXPUNGEISSUED|MODIFIED)/
            : /^\[(EXPUNGEISSUED|MODIFIED|NOPERM)/,
    effect: storeEffect(client.world.truth, session, slots, change, rightsOf(client), client.place?.isVarying !== true),
  };
}

async function store(client: StressClient): Promise<void> {
  const chosen = someMessages(client, client.random.next() < 0.1 ? 150 : 8);
  if (chosen === null) return noop(client);
  await client.session!.run(storeCommand(client, chosen.slots, true));
}

/** Several commands in one packet, such that it is never in doubt what a number means (RFC 9051 section 5.5). */
async function bundle(client: StressClient): Promise<void> {
  const { random } = client;
  const session = client.session!;
  const commands: Command[] = [];
  const isByUid = session.notify === 'immediate' || random.next() < 0.5;
  const free = new Set(session.belief!.slots.filter((slot) => slot.uid > 0 && slot.flags !== null));
  for (let count = random.between(2, 6); count > 0; count -= 1) {
    const slots = some(random, [...free], 4);
    if (slots.length === 0) break;
    if (random.next() < 0.7) {
      // Each message in one STORE: two of them may be carried out side by side.
      const command = storeCommand(client, slots, true);
      const isUid = command.text.startsWith('UID ');
      if (isUid !== isByUid) {
        command.effect?.answered({ status: 'NO', text: '' });
        continue;
      }
      for (const slot of slots) free.delete(slot);
      commands.push(command);
    } else {
      const command = fetchCommand(client, 10);
      if (command === null || command.text.startsWith('UID ') !== isByUid || /MODSEQ|CHANGEDSINCE/.test(command.text)) {
        command?.effect?.answered({ status: 'NO', text: '' });
        continue;
      }
      commands.push(command);
    }
  }
  if (random.next() < 0.4) commands.push({ text: 'NOOP' });
  if (commands.length > 0) await Promise.all(session.bundle(commands));
}

// ── Waiting ──

async function idle(client: StressClient): Promise<void> {
  const { random } = client;
  const session = client.session!;
  session.isIdle = true;
  const { mayGoOn, reply } = await session.head({ text: 'IDLE' }, 'IDLE');
  if (mayGoOn) await pause(random.next() < 0.2 ? random.between(200, 1500) : random.between(5, 120));
  session.isIdle = false;
  if (random.next() < 0.3) {
    // As phones do: the next commands in the packet of DONE.
    const chosen = session.belief!.slots.filter((slot) => slot.uid > 0 && slot.flags !== null).slice(-3);
    const commands: Command[] = [{ text: 'NOOP' }];
    if (chosen.length > 0) commands.unshift({ text: `UID FETCH ${setOf(client, chosen, true)} (UID FLAGS)` });
    await Promise.all(session.bundle(commands, 'DONE\r\n'));
  } else session.wire.send('DONE\r\n');
  await reply;
}

/** Groups of NOTIFY besides the selected mailbox, and of which mailboxes with messages they are. */
function otherMailboxes(client: StressClient): { readonly others: string; readonly places: readonly Place[] } {
  const { random } = client;
  const flags = random.next() < 0.3 ? ' FlagChange' : '';
  const messages = `MessageNew MessageExpunge${flags}`;
  const dice = random.next();
  if (dice < 0.3) return { others: '', places: [] };
  const user = `${client.login.split('@')[0]}/`;
  const own = client.places.filter(({ mailbox }) => mailbox.key.startsWith(user));
  const names = random.next() < 0.5 ? ' MailboxName SubscriptionChange MailboxMetadataChange ServerMetadataChange' : '';
  if (dice < 0.6) return { others: ` (${random.pick(['personal', 'inboxes'] as const)} (${messages}${names}))`, places: own };
  const places = [...new Set(client.places)].filter(() => random.next() < 0.6);
  if (places.length === 0) return { others: '', places };
  return { others: ` (mailboxes (${places.map(({ path }) => `"${path}"`).join(' ')}) (${messages}))`, places };
}

async function notify(client: StressClient): Promise<void> {
  const { random } = client;
  const session = client.session!;
  const wished = random.pick(['delayed', 'immediate', 'delayed'] as const);
  const items = random.next() < 0.5 ? ` (UID FLAGS${session.mode.isCondstore ? ' MODSEQ' : ''})` : '';
  const { others, places } = otherMailboxes(client);
  const hasStatus = random.next() < 0.6;
  const selected = `(${wished === 'immediate' ? 'SELECTED' : 'SELECTED-DELAYED'} (MessageNew${items} MessageExpunge FlagChange))`;
  // From now on what nobody asked for may come.
  session.notify = wished;
  session.watching.clear();
  for (const { mailbox } of places) if (mailbox !== session.belief!.mailbox) session.watching.set(mailbox, null);
  const { status } = await session.run({ text: `NOTIFY SET${hasStatus ? ' STATUS' : ''} ${selected}${others}` });
  for (const [mailbox, told] of session.watching)
    must(told !== null || !hasStatus || status !== 'OK', 'NOTIFY SET STATUS tells how each mailbox stands', () => `${others}: ${mailbox.key}`);
  if (random.next() < 0.5) await pause(random.between(5, 100));
}

// ── Mailboxes ──

async function open(client: StressClient): Promise<void> {
  const { random } = client;
  const place = random.pick(client.places);
  const memories = client.memories.get(place.mailbox) ?? [];
  const memory = memories.length > 0 && random.next() < 0.85 ? (random.next() < 0.75 ? memories.at(-1)! : random.pick(memories)) : null;
  await client.open(place, random.next() < 0.15, memory);
}

async function unselect(client: StressClient): Promise<void> {
  const session = client.session!;
  const belief = session.belief!;
  const { random } = client;
  client.remember();
  if (random.next() < 0.6) await session.run({ text: 'UNSELECT' });
  else {
    const removes = !belief.isReadOnly && rightsOf(client).includes('e');
    await session.run({ text: 'CLOSE', effect: removes ? expungeEffect(belief.mailbox, null) : undefined });
  }
  session.leave();
  client.place = null;
}

async function status(client: StressClient): Promise<void> {
  const session = client.session!;
  const place = client.random.pick(client.places);
  await session.run({ text: `STATUS "${place.path}" (MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ SIZE)` });
  // RFC 7162 section 3.1: asking for HIGHESTMODSEQ switches CONDSTORE on.
  session.mode = { ...session.mode, isCondstore: true };
}

async function list(client: StressClient): Promise<void> {
  const { truth } = client.world;
  const names = new Set<string>();
  const session = client.session!;
  const isPlain = client.random.next() < 0.5;
  await session.run({
    text: isPlain ? 'LIST "" "*"' : 'LIST "" "*" RETURN (SPECIAL-USE STATUS (MESSAGES UIDNEXT))',
    hear: (text) => {
      const name = /^LIST \([^)]*\) "\/" "?([^"]*?)"?$/.exec(text)?.[1];
      if (name !== undefined) names.add(name);
    },
  });
  if (session.isClosed) return;
  truth.counts.contents += 1;
  for (const { path } of [...client.places, ...client.scratch])
    must(names.has(path), 'LIST has every mailbox', () => `${path} is not among ${[...names].join(', ')}`);
}

// ── Ends ──

async function leave(client: StressClient): Promise<void> {
  const session = client.session!;
  client.remember();
  if (client.random.next() < 0.5) {
    await session.logout();
    return;
  }
  session.cut();
}

/** The connection is lost while the server works on something. */
async function cutInCommand(client: StressClient): Promise<void> {
  const { random } = client;
  const session = client.session!;
  const chosen = someMessages(client, 20);
  if (chosen === null) return;
  const command = random.next() < 0.5 ? storeCommand(client, chosen.slots, false) : fetchCommand(client, 100)!;
  const reply = session.run(command);
  if (random.next() < 0.7) await pause(random.between(0, 15));
  session.cut();
  await reply;
}
