/** One client: connects, logs in, does random things for a while, leaves or is cut off, and comes back with what it remembers. */
import { setTimeout as pause } from 'node:timers/promises';
import type { Random } from '../torture/random.ts';
import { randomAction } from './actions.ts';
import { contextsAreTrue } from './actions-context.ts';
import type { Belief, Memory } from './belief.ts';
import { formatNumbers } from './parse.ts';
import type { Register } from './registers.ts';
import { type SessionEnd, StressSession, statusItems } from './session.ts';
import type { MailboxTruth, Truth } from './truth.ts';
import { must } from './violation.ts';
import type { Endpoint } from './wire.ts';

/** A mailbox as one account sees it. */
export interface Place {
  path: string;
  readonly mailbox: MailboxTruth;
  readonly rights: string;
  /** Rights are given and taken back: `rights` are those that there may be. */
  readonly isVarying?: boolean;
}

/** Has the client this right there for certain? */
export function surelyMay({ rights, isVarying }: Place, right: string): boolean {
  return isVarying !== true && rights.includes(right);
}

export interface World {
  readonly truth: Truth;
  /** Where a new connection of a client may go. */
  endpoint(random: Random): Endpoint;
  readonly password: string;
  /** Annotations by mailbox and entry. */
  readonly registers: Map<string, Register>;
  /** The server was told to end, or was killed. */
  isDown: boolean;
  isOver: boolean;
  /** Clients come and go more than they do anything: views of mailboxes are read again and again, while others change them. */
  readonly isRestless: boolean;
  failed(client: StressClient, error: unknown): void;
  /** Waits while the run stands still to be looked at. */
  breakpoint(client: StressClient): Promise<void> | null;
}

/** What is in a mailbox according to a client that has just come. */
export interface Fresh {
  readonly uids: readonly number[];
  readonly uidNext: number;
  readonly flags: ReadonlyMap<number, string>;
  readonly modseqs: ReadonlyMap<number, number>;
}

const MEMORIES_KEPT = 3;
/** Part of the connections that compress. */
const COMPRESSED = 0.15;
/** Of the conversation, in a report. */
export const LINES_SHOWN = 50;
/** A client hears of what another thread's client did after that, at the latest. */
const LEVEL_TRIES = 60;

export class StressClient implements SessionEnd {
  readonly name: string;
  readonly login: string;
  readonly random: Random;
  readonly world: World;
  readonly places: Place[];
  /** Mailboxes of its own that come and go. */
  readonly scratch: Place[] = [];
  scratchCount = 0;
  session: StressSession | null = null;
  place: Place | null = null;
  readonly memories = new Map<MailboxTruth, Memory[]>();
  readonly #highest = new Map<MailboxTruth, number>();
  readonly #uidNext = new Map<MailboxTruth, number>();
  readonly counts = { actions: 0, connections: 0, resynchronised: 0 };
  #lastLines: readonly string[] = [];
  #mayHangUp = false;

  constructor(name: string, login: string, places: readonly Place[], random: Random, world: World) {
    this.name = name;
    this.login = login;
    this.places = [...places];
    this.random = random;
    this.world = world;
  }

  isExpected(): boolean {
    return this.world.isDown || this.#mayHangUp;
  }
  failed(error: unknown): void {
    this.world.failed(this, error);
  }
  get lines(): readonly string[] {
    return this.session?.wire?.lines ?? this.#lastLines;
  }

  /** Until the run is over. Errors go to the world. */
  async live(): Promise<void> {
    try {
      while (!this.world.isOver) {
        const standing = this.world.breakpoint(this);
        if (standing !== null) {
          await standing;
          continue;
        }
        if (this.session === null || this.session.isClosed) {
          this.remember();
          if (!(await this.connect())) await pause(20);
          continue;
        }
        await randomAction(this);
        this.counts.actions += 1;
        if (this.session?.isClosed === false) await this.learn();
      }
    } catch (error) {
      this.failed(error);
    }
    // It may have come back just now.
    this.session?.cut();
  }

  /** Connects, logs in and switches on what this connection is to use. */
  async connect(): Promise<boolean> {
    const { random, world } = this;
    this.#mayHangUp = false;
    const session = await StressSession.open(world.endpoint(random), world.truth, this);
    if (session === null) return false;
    this.session = session;
    this.place = null;
    session.statusHeard = (text) => this.#status(text);
    session.opened = (belief) => this.#selected(belief);
    await session.greeting;
    if ((await session.run({ text: `LOGIN ${this.login} ${world.password}` })).status !== 'OK') return false;
    this.counts.connections += 1;
    if (random.next() < COMPRESSED && (await session.run({ text: 'COMPRESS DEFLATE' })).status === 'OK') session.wire.compress();
    const dice = random.next();
    if (random.next() < 0.2) await session.run({ text: 'ENABLE IMAP4rev2' });
    if (dice < 0.55) {
      await session.run({ text: 'ENABLE QRESYNC' });
      session.mode = { isCondstore: true, isQresync: true };
    } else if (dice < 0.75) {
      await session.run({ text: 'ENABLE CONDSTORE' });
      session.mode = { isCondstore: true, isQresync: false };
    }
    return !session.isClosed;
  }

  /** Keeps what it knows of the selected mailbox, for the next time. */
  remember(): void {
    const belief = this.session?.belief ?? null;
    if (this.session !== null) this.#lastLines = this.session.wire.lines;
    if (belief === null || belief.mailbox.isDeleted) return;
    const memory = belief.memory(this.session!.wire.lines.slice(-LINES_SHOWN));
    if (memory === null) return;
    const known = this.memories.get(belief.mailbox) ?? [];
    // The oldest is kept on purpose: a client that was away for long.
    if (known.length >= MEMORIES_KEPT) known.splice(this.random.next() < 0.3 ? 0 : 1, 1);
    known.push(memory);
    this.memories.set(belief.mailbox, known);
  }

  /** SELECT or EXAMINE, then all that a client must ask to know the mailbox. False: it could not be opened. */
  async open(place: Place, isExamine: boolean, memory: Memory | null): Promise<boolean> {
    const session = this.session!;
    const { random } = this;
    this.remember();
    let parameter = '';
    let used: Memory | null = null;
    if (memory !== null && session.mode.isQresync) {
      used = memory;
      parameter = ` (QRESYNC (${memory.uidValidity} ${memory.level}${this.#known(memory)}))`;
    } else if (random.next() < 0.2) {
      parameter = ' (CONDSTORE)';
      if (!session.mode.isCondstore) session.mode = { isCondstore: true, isQresync: false };
    }
    this.place = null;
    // What happens there now is told otherwise.
    session.watching.delete(place.mailbox);
    const reply = await session.select(`${isExamine ? 'EXAMINE' : 'SELECT'} "${place.path}"${parameter}`, place.mailbox, isExamine, used);
    if (reply.status !== 'OK' || session.belief === null) return false;
    this.place = place;
    const { belief } = session;
    if (used !== null) this.counts.resynchronised += 1;
    await this.learn();
    if (session.isClosed || session.belief !== belief) return false;
    // Now and then everything is asked for after all: it must be what is believed.
    if (used !== null && random.next() < (this.world.isRestless ? 0.7 : 0.3) && belief.count > 0)
      await session.run({ text: 'UID FETCH 1:* (UID FLAGS MODSEQ)' });
    return !session.isClosed;
  }

  /** Known uids, and some of them with their numbers: both may be left out. */
  #known({ slots }: Memory): string {
    const { random } = this;
    const uids = slots.map((slot) => slot.uid);
    if (uids.length === 0 || random.next() < 0.4) return '';
    const known = ` ${random.next() < 0.5 ? `1:${uids.at(-1)}` : formatNumbers(uids)}`;
    if (random.next() < 0.6) return known;
    const numbers = uids.map((_, i) => i + 1).filter(() => random.next() < 0.2);
    if (numbers.length === 0) return known;
    return `${known} (${formatNumbers(numbers)} ${formatNumbers(numbers.map((number) => uids[number - 1]!))})`;
  }

  #selected(belief: Belief): void {
    const { mailbox, highestModseq, uidNext } = belief;
    must(highestModseq > 0, 'SELECT tells HIGHESTMODSEQ, which is never 0', () => mailbox.key);
    const before = this.#highest.get(mailbox) ?? 0;
    must(highestModseq >= before, 'HIGHESTMODSEQ never goes down', () => `${mailbox.key}: ${before}, then ${highestModseq}`);
    this.#highest.set(mailbox, highestModseq);
    this.#checkUidNext(mailbox, uidNext);
    must(uidNext > belief.lastUid, 'UIDNEXT is above all uids', () => `${mailbox.key}: ${uidNext}, and the client has ${belief.lastUid}`);
  }
  #checkUidNext(mailbox: MailboxTruth, uidNext: number): void {
    const before = this.#uidNext.get(mailbox) ?? 0;
    must(uidNext >= before, 'UIDNEXT never goes down', () => `${mailbox.key}: ${before}, then ${uidNext}`);
    this.#uidNext.set(mailbox, uidNext);
  }

  /** STATUS of a mailbox: what it says about numbers that only grow. */
  #status(text: string): void {
    const path = /^STATUS "?([^"(]*?)"? \(/.exec(text)?.[1];
    const place = [...this.places, ...this.scratch].find((each) => each.path === path);
    if (place === undefined) return;
    const items = statusItems(text);
    const modseq = items.get('HIGHESTMODSEQ');
    if (modseq !== undefined) must(modseq > 0, 'HIGHESTMODSEQ is never 0', () => text);
    const uidNext = items.get('UIDNEXT');
    if (uidNext !== undefined) this.#checkUidNext(place.mailbox, uidNext);
    const messages = items.get('MESSAGES');
    if (messages !== undefined && uidNext !== undefined && this.session!.watching.has(place.mailbox))
      this.session!.watching.set(place.mailbox, { messages, uidNext });
  }

  /** Asks about messages of which it does not know everything. */
  async learn(): Promise<void> {
    const session = this.session!;
    const { random } = this;
    for (let tries = 0; tries < 6; tries += 1) {
      const { belief } = session;
      if (belief === null || session.isClosed || this.place === null) return;
      if (belief.firstUnknown === -1) {
        belief.synchronised();
        return;
      }
      // Some were removed and could not be told yet.
      if (tries > 0 && tries % 2 === 0) await session.run({ text: 'NOOP' });
      else await session.run({ text: this.#question(belief, session), hasNumbers: session.notify !== 'immediate', refusal: /^\[EXPUNGEISSUED\]/ });
      if (random.next() < 0.1 && session.isClosed) return;
    }
  }

  #question(belief: Belief, session: StressSession): string {
    const { slots } = belief;
    const items = `(UID FLAGS${session.mode.isCondstore ? ' MODSEQ' : ''}${this.random.next() < 0.7 ? ' ENVELOPE' : ''})`;
    const unknown = slots.flatMap((slot, i) => (slot.uid === 0 || slot.flags === null ? [i + 1] : []));
    if (session.notify === 'immediate') {
      const before = slots.slice(0, unknown[0]! - 1).findLast((slot) => slot.uid > 0)?.uid ?? 0;
      return `UID FETCH ${before + 1}:* ${items}`;
    }
    return `FETCH ${formatNumbers(unknown)} ${items}`;
  }

  hangUpExpected(): void {
    this.#mayHangUp = true;
  }

  /** The run stands still: what the client believes must become what is there. */
  async level(fresh: ReadonlyMap<MailboxTruth, Fresh>): Promise<void> {
    if (this.session === null || this.session.isClosed) {
      this.remember();
      for (let tries = 0; tries < 200 && !(await this.connect()); tries += 1) await pause(20);
    }
    if (this.session?.belief != null) {
      await this.learn();
      await this.#becomeLevel(fresh, 'as the connection stands');
      if (this.session.belief !== null) await contextsAreTrue(this.session);
    }
    if (this.session?.isClosed !== false) return;
    await this.#watchedAreTrue(fresh);
    if (this.session.isClosed) return;
    this.remember();
    if (this.session.belief !== null) {
      await this.session.run({ text: 'UNSELECT' });
      this.session.leave();
    }
    // All that it ever remembered, too.
    for (const [mailbox, memories] of [...this.memories])
      for (const memory of memories) {
        const place = this.places.find((each) => each.mailbox === mailbox);
        if (place === undefined) continue;
        if (!this.session.mode.isQresync) {
          await this.session.run({ text: 'ENABLE QRESYNC' });
          this.session.mode = { isCondstore: true, isQresync: true };
        }
        if (await this.open(place, true, memory)) await this.#becomeLevel(fresh, `resynchronised from ${memory.level}`);
      }
  }

  /** What NOTIFY told of other mailboxes must become what is there. */
  async #watchedAreTrue(fresh: ReadonlyMap<MailboxTruth, Fresh>): Promise<void> {
    const session = this.session!;
    for (const mailbox of session.watching.keys()) {
      const there = fresh.get(mailbox);
      if (there === undefined) continue;
      const isTrue = (): boolean => isKnownTo(session.watching.get(mailbox) ?? null, there);
      for (let tries = 0; tries < LEVEL_TRIES && !isTrue() && !session.isClosed; tries += 1) {
        await session.run({ text: 'NOOP' });
        if (tries > 1) await pause(50);
      }
      must(
        session.isClosed || isTrue(),
        'NOTIFY tells how watched mailboxes stand',
        () => `${mailbox.key}: ${JSON.stringify(session.watching.get(mailbox))}; there are ${there.uids.length}, UIDNEXT ${there.uidNext}`,
      );
    }
  }

  async #becomeLevel(fresh: ReadonlyMap<MailboxTruth, Fresh>, how: string): Promise<void> {
    const session = this.session!;
    let difference: Difference | null = null;
    for (let tries = 0; tries < LEVEL_TRIES; tries += 1) {
      if (session.isClosed || session.belief === null) return;
      const there = fresh.get(session.belief.mailbox);
      if (there === undefined) return;
      difference = differenceOf(session.belief, there);
      if (difference === null && tries > 0) return;
      await session.run({ text: 'NOOP' });
      await this.learn();
      if (tries > 1) await pause(50);
    }
    must(
      difference === null,
      'when all is still, every client knows what is there',
      () => `${session.belief!.mailbox.key}, ${how}: ${difference!.text}`,
      difference?.uid,
    );
  }
}

/** Is what NOTIFY told of a mailbox what is there? null: it told nothing yet. */
export function isKnownTo(told: { readonly messages: number; readonly uidNext: number } | null, there: Fresh): boolean {
  return told === null || (told.messages === there.uids.length && told.uidNext === there.uidNext);
}

export interface Difference {
  readonly text: string;
  readonly uid: number;
}

/** The first thing that a client believes and is not so; null when there is none. */
export function differenceOf({ slots }: Belief, fresh: Fresh): Difference | null {
  const uids = slots.map((slot) => slot.uid);
  const extra = uids.filter((uid) => !fresh.flags.has(uid));
  const missing = fresh.uids.filter((uid) => !uids.includes(uid));
  if (extra.length > 0 || missing.length > 0)
    return { text: `the client has uids ${formatNumbers(extra)} too many, and ${formatNumbers(missing)} too few`, uid: extra[0] ?? missing[0]! };
  for (const slot of slots) {
    if (slot.flags !== fresh.flags.get(slot.uid))
      return { text: `uid ${slot.uid} has (${fresh.flags.get(slot.uid)}), the client believes (${slot.flags})`, uid: slot.uid };
    if (slot.modseq > 0 && slot.modseq !== fresh.modseqs.get(slot.uid))
      return { text: `uid ${slot.uid} has modseq ${fresh.modseqs.get(slot.uid)}, the client believes ${slot.modseq}`, uid: slot.uid };
  }
  return null;
}
