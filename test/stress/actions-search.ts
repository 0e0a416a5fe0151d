/** SEARCH, ESEARCH, SORT and THREAD: what they answer must fit what the client knows, and the flags what commands can have made. */
import { useSaved } from './actions-pages.ts';
import type { Slot } from './belief.ts';
import type { StressClient } from './client.ts';
import { numbersOf } from './parse.ts';
import type { Command, StressSession } from './session.ts';
import type { Flag } from './truth.ts';
import { must } from './violation.ts';

export const KEYS: readonly (readonly [key: string, flag: Flag, value: 0 | 1])[] = [
  ['SEEN', '\\Seen', 1],
  ['UNSEEN', '\\Seen', 0],
  ['FLAGGED', '\\Flagged', 1],
  ['UNFLAGGED', '\\Flagged', 0],
  ['DELETED', '\\Deleted', 1],
  ['NOT DELETED', '\\Deleted', 0],
  ['ANSWERED', '\\Answered', 1],
  ['KEYWORD work', 'work', 1],
  ['UNKEYWORD $x', '$x', 0],
  ['ALL DRAFT', '\\Draft', 1],
];

/** Slots that a result names; each once. */
function slotsOf(session: StressSession, numbers: readonly number[], isUid: boolean, text: string): Slot[] {
  const belief = session.belief!;
  must(new Set(numbers).size === numbers.length, 'a result names each message once', () => text.slice(0, 300));
  return numbers.map((number) => {
    const slot = isUid ? (belief.find(number) ?? belief.slots.find((each) => each.uid === 0)) : belief.slots[number - 1];
    must(slot !== undefined, 'a result names messages that the client has', () => `${number} of ${belief.count}: ${text.slice(0, 300)}`);
    return slot;
  });
}

function judge(client: StressClient, session: StressSession, found: readonly Slot[], flag: Flag, value: 0 | 1, text: string): void {
  const { truth } = client.world;
  const belief = session.belief!;
  const reader = session.reader;
  const isIn = new Set(found);
  for (const slot of belief.slots) {
    if (slot.uid === 0) continue;
    const record = belief.record(slot);
    // What another client removed may be missing in any result.
    if (isIn.has(slot)) truth.readFlag(record, flag, value, reader, text);
    else if (record.goneAt === 0 && !belief.mailbox.mayBeGone(record)) truth.readFlag(record, flag, value === 1 ? 0 : 1, reader, text);
  }
}

export const byUid = (client: StressClient): boolean => client.session!.notify === 'immediate' || client.random.next() < 0.6;

function command(isUid: boolean, text: string, hear: (text: string, tag: string) => void): Command {
  const own = (said: string, tag: string): void => {
    if (/^(E?SEARCH|SORT|THREAD)( |$)/.test(said)) hear(said, tag);
  };
  return { text: `${isUid ? 'UID ' : ''}${text}`, hasNumbers: !isUid, hear: own };
}

export async function search(client: StressClient): Promise<void> {
  const session = client.session!;
  const { random } = client;
  const isUid = byUid(client);
  if (random.next() < 0.3) {
    const subject = `mark-${random.between(1, 60)}`;
    const { truth } = client.world;
    await session.run(
      command(isUid, `SEARCH ${random.pick(['SUBJECT', 'BODY', 'TEXT'] as const)} "${subject}"`, (text) => {
        for (const slot of slotsOf(session, searched(text), isUid, text)) {
          const mark = slot.uid === 0 ? null : truth.markOf(session.belief!.record(slot));
          must(mark === null || mark.includes(subject) || truth.isJoined(mark), 'SEARCH finds what has it', () => `${subject}: uid ${slot.uid} is ${mark}`);
        }
      }),
    );
    return;
  }
  const [key, flag, value] = random.pick(KEYS);
  await session.run(command(isUid, `SEARCH ${key}`, (text) => judge(client, session, slotsOf(session, searched(text), isUid, text), flag, value, text)));
}

/** SEARCH, as IMAP4rev2 answers it too (RFC 9051 section 6.4.4), and SORT. */
export function searched(text: string): number[] {
  const extended = /^ESEARCH \(TAG "[^"]+"\)(?: UID)?(?: ALL ([\d:,]+))?(?: MODSEQ \d+)?$/.exec(text);
  if (extended !== null) return extended[1] === undefined ? [] : numbersOf(extended[1]);
  const plain = text.replace(/ \(MODSEQ \d+\)$/, '');
  must(/^(SEARCH|SORT)( \d+)*$/.test(plain), 'a result is numbers', () => text.slice(0, 200));
  return plain.split(' ').slice(1).map(Number);
}

export async function esearch(client: StressClient): Promise<void> {
  const session = client.session!;
  const { random } = client;
  const isUid = byUid(client);
  const [key, flag, value] = random.pick(KEYS);
  const isSaved = random.next() < 0.4;
  let heard = 0;
  let saved: readonly Slot[] = [];
  await session.run(
    command(isUid, `SEARCH RETURN (MIN MAX COUNT ALL${isSaved ? ' SAVE' : ''}) ${key}`, (text, tag) => {
      const parts = /^ESEARCH \(TAG "([^"]+)"\)( UID)?( .*)?$/.exec(text);
      must(parts !== null && parts[1] === tag && (parts[2] !== undefined) === isUid, 'ESEARCH answers its command', () => text.slice(0, 200));
      heard += 1;
      const rest = parts[3] ?? '';
      const all = / ALL ([\d:,]+)/.exec(rest)?.[1];
      const numbers = all === undefined ? [] : numbersOf(all);
      const count = Number(/ COUNT (\d+)/.exec(rest)?.[1]);
      must(count === numbers.length, 'COUNT is the number of ALL', () => text.slice(0, 300));
      if (count > 0) {
        must(Number(/ MIN (\d+)/.exec(rest)?.[1]) === Math.min(...numbers), 'MIN is the least of ALL', () => text.slice(0, 300));
        must(Number(/ MAX (\d+)/.exec(rest)?.[1]) === Math.max(...numbers), 'MAX is the greatest of ALL', () => text.slice(0, 300));
      }
      saved = slotsOf(session, numbers, isUid, text);
      judge(client, session, saved, flag, value, text);
    }),
  );
  if (session.isClosed) return;
  must(heard === 1, 'SEARCH RETURN is answered with one ESEARCH', () => `${heard} came`);
  if (isSaved && saved.every((slot) => slot.uid > 0 && slot.flags !== null)) await useSaved(client, saved);
}

export async function sort(client: StressClient): Promise<void> {
  const session = client.session!;
  const { random } = client;
  const isUid = byUid(client);
  const [key, flag, value] = random.pick(KEYS);
  const order = random.pick(['ARRIVAL', 'SUBJECT', 'REVERSE DATE', 'SIZE', 'FROM SUBJECT', 'DISPLAYFROM'] as const);
  await session.run(
    command(isUid, `SORT (${order}) UTF-8 ${key}`, (text) => judge(client, session, slotsOf(session, searched(text), isUid, text), flag, value, text)),
  );
}

export async function thread(client: StressClient): Promise<void> {
  const session = client.session!;
  const { random } = client;
  const isUid = byUid(client);
  const [key, flag, value] = random.pick(KEYS);
  const algorithm = random.pick(['REFERENCES', 'ORDEREDSUBJECT', 'REFS'] as const);
  await session.run(
    command(isUid, `THREAD ${algorithm} UTF-8 ${key}`, (text) => {
      must(/^THREAD( [\d() ]+)?$/.test(text), 'THREAD is numbers in lists', () => text.slice(0, 200));
      judge(client, session, slotsOf(session, (text.match(/\d+/g) ?? []).map(Number), isUid, text), flag, value, text);
    }),
  );
}
