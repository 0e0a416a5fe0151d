/** What commands mean for the truth, from when they are sent until they are answered, or for ever when they are not. */
import type { Belief, Slot } from './belief.ts';
import { formatNumbers, numbersOf } from './parse.ts';
import type { Effect, Reply, StressSession } from './session.ts';
import { FLAGS, type Flag, LOST_MS, type MailboxTruth, type MessageRecord, type Truth, type Write } from './truth.ts';
import { must } from './violation.ts';

export const ALL_RIGHTS = 'lrswipkxtea';

/** Flags that the rights allow to change (RFC 4314 section 4). */
export function flagsAllowed(rights: string): readonly Flag[] {
  return FLAGS.filter((flag) => rights.includes(flag === '\\Seen' ? 's' : flag === '\\Deleted' ? 't' : 'w'));
}

export interface StoreChange {
  readonly mode: '+' | '-' | '';
  readonly flags: readonly Flag[];
  readonly isSilent: boolean;
  readonly isUid: boolean;
}

/** Flags after a STORE. */
export function applied(flags: string, { mode, flags: asked }: StoreChange, allowed: readonly Flag[]): string {
  const now = new Set(flags === '' ? [] : flags.split(' '));
  for (const flag of allowed) {
    if (asked.includes(flag)) {
      if (mode === '-') now.delete(flag);
      else now.add(flag);
    } else if (mode === '') now.delete(flag);
  }
  return [...now].sort().join(' ');
}

/** Not `hasRights`: those it has when the server looks may be fewer, and then it is not known which flags were left out. */
export function storeEffect(truth: Truth, session: StressSession, slots: readonly Slot[], change: StoreChange, rights: string, hasRights = true): Effect {
  const belief = session.belief!;
  const allowed = flagsAllowed(rights);
  const targets = slots.map((slot) => ({ uid: slot.uid, record: belief.record(slot), writes: [] as [Flag, Write][] }));
  for (const { record, writes } of targets)
    for (const flag of allowed) {
      const isAsked = change.flags.includes(flag);
      if (!isAsked && change.mode !== '') continue;
      writes.push([flag, truth.write(record, flag, isAsked && change.mode !== '-' ? 1 : 0, session)]);
    }
  const settle = (end: number, isCertain: (uid: number) => boolean): void => {
    for (const { uid, writes } of targets)
      for (const [, write] of writes) {
        write.end = end;
        write.isCertain = isCertain(uid);
      }
  };
  return {
    answered(reply) {
      const modified = modifiedBy(reply, belief, change.isUid);
      for (const { uid, record, writes } of targets)
        if (modified.has(uid) || (reply.status === 'NO' && !/^\[(EXPUNGEISSUED|MODIFIED)/.test(reply.text)))
          for (const [flag, write] of writes) truth.unwrite(record, flag, write);
      settle(performance.now(), () => reply.status === 'OK' && hasRights);
      if (change.isSilent) for (const { uid } of targets) if (!modified.has(uid)) assume(session, belief.find(uid), reply, change, allowed);
    },
    lost: () => settle(performance.now() + LOST_MS, () => false),
  };
}

/** What a .SILENT STORE made of a message, worked out by the client. */
function assume(session: StressSession, slot: Slot | undefined, reply: Reply, change: StoreChange, allowed: readonly Flag[]): void {
  if (slot === undefined || slot.isFresh || slot.flags === null) return;
  // Not all of it was done (RFC 2180 section 4.2): what was is known by its mod-sequence, or must be asked for.
  if (reply.status === 'OK' || (session.mode.isCondstore && slot.isModseqFresh))
    session.belief!.assume(slot, applied(slot.flags, change, allowed), `STORE ${change.mode}FLAGS.SILENT (${change.flags.join(' ')})`, session.pending === 0);
  else if (!session.mode.isCondstore && reply.text.startsWith('[EXPUNGEISSUED]')) slot.flags = null;
}

function modifiedBy(reply: Reply, belief: Belief, isUid: boolean): ReadonlySet<number> {
  const set = /^\[MODIFIED ([\d:,]+)\]/.exec(reply.text)?.[1];
  if (set === undefined) return new Set();
  const numbers = numbersOf(set);
  if (isUid) return new Set(numbers);
  return new Set(
    numbers.map((number) => {
      must(number <= belief.count, 'MODIFIED has numbers that the client has', () => `${set}, of ${belief.count}`);
      return belief.slots[number - 1]!.uid;
    }),
  );
}

/** Reading sets \Seen. */
export function seenEffect(truth: Truth, session: StressSession, slots: readonly Slot[]): Effect {
  const writes = slots.map((slot) => truth.write(session.belief!.record(slot), '\\Seen', 1, session));
  const settle = (end: number): void => {
    for (const write of writes) write.end = end;
  };
  return { answered: () => settle(performance.now()), lost: () => settle(performance.now() + LOST_MS) };
}

export function expungeEffect(mailbox: MailboxTruth, uids: readonly number[] | null): Effect {
  const expunge = mailbox.beginExpunge(uids === null ? null : new Set(uids));
  return {
    answered(reply) {
      expunge.end = performance.now();
      expunge.isPossible = reply.status === 'OK';
    },
    lost: () => void (expunge.end = performance.now() + LOST_MS),
  };
}

export function copyEffect(truth: Truth, session: StressSession, slots: readonly Slot[], target: MailboxTruth, isMove: boolean): Effect {
  const start = performance.now();
  const { mailbox: source } = session.belief!;
  const records = new Map<number, MessageRecord>(slots.map((slot) => [slot.uid, source.message(slot.uid)]));
  target.arriving += 1;
  if (isMove) for (const record of records.values()) record.moves += 1;
  session.copyUid = null;
  return {
    answered(reply) {
      const code = session.copyUid;
      session.copyUid = null;
      const stayed = new Set(records.values());
      if (reply.status === 'OK' && code !== null) {
        const [validity, from, to] = code as [string, string, string];
        must(target.uidValidity === 0 || target.uidValidity === Number(validity), 'COPYUID has the UIDVALIDITY of the target', () => code.join(' '));
        const sources = numbersOf(from);
        const copies = numbersOf(to);
        must(sources.length === copies.length, 'COPYUID has a new uid for each message', () => code.join(' '));
        for (let i = 0; i < sources.length; i += 1) {
          const record = records.get(sources[i]!);
          must(record !== undefined, 'COPYUID names messages that were asked for', () => `${code.join(' ')}; asked for ${formatNumbers([...records.keys()])}`);
          stayed.delete(record);
          if (isMove) record.isTaken = true;
          truth.copied(record, target, copies[i]!, start);
        }
      }
      if (isMove) for (const record of stayed) record.moves -= 1;
      target.arriving -= 1;
    },
    lost() {
      for (const record of records.values()) target.allowCopy(record);
    },
  };
}

/** `isWhole`: all of it was sent; what was cut off before must never arrive. */
export function appendEffect(
  truth: Truth,
  target: MailboxTruth,
  messages: readonly { readonly mark: string; readonly flags: readonly Flag[] | null }[],
  state: { isWhole: boolean },
): Effect {
  const start = performance.now();
  target.arriving += 1;
  return {
    answered(reply) {
      const code = /^\[APPENDUID (\d+) ([\d:,]+)\]/.exec(reply.text);
      if (reply.status === 'OK') {
        must(code !== null, 'APPEND is answered with APPENDUID', () => reply.text);
        must(target.uidValidity === 0 || target.uidValidity === Number(code[1]), 'APPENDUID has the UIDVALIDITY of the mailbox', () => reply.text);
        const uids = numbersOf(code[2]!);
        must(uids.length === messages.length, 'APPENDUID has a uid for each message', () => reply.text);
        for (const [i, { mark, flags }] of messages.entries()) truth.appended(target, uids[i]!, mark, flags, start);
      }
      target.arriving -= 1;
    },
    lost() {
      if (state.isWhole) for (const { mark } of messages) target.allow(mark);
      else target.arriving -= 1;
    },
  };
}

/** REPLACE: a new message comes and the old one goes, or neither. */
export function replaceEffect(
  truth: Truth,
  session: StressSession,
  slot: Slot,
  target: MailboxTruth,
  { mark, flags }: { readonly mark: string; readonly flags: readonly Flag[] | null },
): Effect {
  const start = performance.now();
  const record = session.belief!.record(slot);
  record.moves += 1;
  target.arriving += 1;
  session.appendUid = null;
  return {
    answered(reply) {
      const code = session.appendUid;
      session.appendUid = null;
      if (reply.status === 'OK') {
        must(code !== null, 'REPLACE tells APPENDUID', () => reply.text);
        must(target.uidValidity === 0 || target.uidValidity === Number(code[0]), 'APPENDUID has the UIDVALIDITY of the mailbox', () => code.join(' '));
        truth.appended(target, Number(code[1]), mark, flags, start);
        record.isTaken = true;
      } else {
        record.moves -= 1;
        if (/^\[(EXPUNGEISSUED|NONEXISTENT)\]/.test(reply.text))
          must(record.mailbox.mayBeGone(record), 'a message that is there can be replaced', () => `uid ${record.uid} of ${record.mailbox.key}`, record.uid);
      }
      target.arriving -= 1;
    },
    lost: () => target.allow(mark),
  };
}
