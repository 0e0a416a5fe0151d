/** A verdict in the words of the milter protocol. */
import { latin1OfText } from '../../../mail/edit.ts';
import type { HeaderEdit, Reply, Verdict } from '../../../ports.ts';
import { ACTION } from '../../../wire/milter/codes.ts';
import { formatReplyText } from '../../../wire/milter/reply-text.ts';
import type { MilterChange, MilterResponse } from '../../../wire/milter/response.ts';

/** What the mail server lets us do, and how it writes header values. */
export interface Terms {
  /** Bits of ACTION. */
  readonly actions: number;
  readonly hasLeadingSpace: boolean;
}

const REFUSED: Reply = { code: 550, enhanced: '5.7.1', text: 'Message refused' };
const LATER: Reply = { code: 451, enhanced: '4.7.1', text: 'Please try again later' };

/** The responses at the end of a message; the last one ends it. `names`: of the message's header fields, in order, in lower case. */
export function answerTo(verdict: Verdict, names: readonly string[], terms: Terms): MilterResponse[] {
  switch (verdict.action) {
    case 'reject':
      return [reply(verdict.reply, REFUSED)];
    case 'defer':
    case 'greylist':
      return [reply(verdict.reply, LATER)];
    case 'discard':
      return [{ kind: 'discard' }];
    case 'quarantine': {
      const reason = verdict.reply?.text ?? (verdict.symbols.map((symbol) => symbol.name).join(' ') || 'quarantined');
      const hold: MilterResponse[] = (terms.actions & ACTION.quarantine) === 0 ? [] : [{ kind: 'quarantine', reason: oneLine(reason) }];
      return [...changes(verdict.edits, names, terms), ...hold, { kind: 'continue' }];
    }
    case 'accept':
    case 'addHeader':
      return [...changes(verdict.edits, names, terms), { kind: 'continue' }];
  }
}

function reply(given: Reply | null, otherwise: Reply): MilterResponse {
  return { kind: 'reply', text: formatReplyText(given !== null && given.code >= 400 ? given : otherwise) };
}
const oneLine = (text: string): string => latin1OfText(text.replace(/[\r\n\0]+/g, ' '));

/** A header field that is there, or will be. */
interface Field {
  readonly name: string;
  /** As the edit wrote it, for new ones. */
  readonly written: string;
  /** Which of its name it is in the message as it came, from 1; 0 for a new one. */
  readonly original: number;
  value: string | null;
  isGone: boolean;
}

/**
 * Our edits are made one after the other, each on what those before left. Mail servers differ in whether a deleted field still counts,
 * so we say changes first, deletions from the last to the first, and then what is new from top to bottom: no number is ambiguous.
 */
export function changes(edits: readonly HeaderEdit[], names: readonly string[], terms: Terms): MilterChange[] {
  if (edits.length === 0) return [];
  const fields = fieldsAfter(edits, names);
  const out: MilterChange[] = [];
  const value = (text: string): string => {
    const raw = latin1OfText(text.replace(/\r\n/g, '\n').replaceAll('\r', ' '));
    const isSpaced = /^[ \t\n]/.test(raw);
    return terms.hasLeadingSpace ? (isSpaced ? raw : ` ${raw}`) : raw.replace(/^[ \t\n]+/, '');
  };
  if ((terms.actions & ACTION.changeHeaders) !== 0) {
    for (const field of fields) {
      if (field.original > 0 && !field.isGone && field.value !== null)
        out.push({ kind: 'changeHeader', index: field.original, name: field.written, value: value(field.value) });
    }
    const gone = fields.filter((field) => field.isGone && field.original > 0).sort((a, b) => b.original - a.original);
    for (const field of gone) out.push({ kind: 'changeHeader', index: field.original, name: field.written, value: '' });
  }
  if ((terms.actions & ACTION.addHeaders) === 0) return out;
  const live = fields.filter((field) => !field.isGone);
  const firstOld = live.findIndex((field) => field.original > 0);
  const lastOld = live.findLastIndex((field) => field.original > 0);
  for (const [index, field] of live.entries()) {
    if (field.original > 0) continue;
    const added = { name: field.written, value: value(field.value ?? '') };
    if (index > lastOld && lastOld !== -1) out.push({ kind: 'addHeader', ...added });
    // Below the first old field there is also the mail server's own Received field above, which we were not shown but which counts.
    else out.push({ kind: 'insertHeader', index: firstOld !== -1 && index > firstOld ? index + 1 : index, ...added });
  }
  return out;
}

function fieldsAfter(edits: readonly HeaderEdit[], names: readonly string[]): Field[] {
  const counts = new Map<string, number>();
  let fields: Field[] = names.map((name) => {
    const original = (counts.get(name) ?? 0) + 1;
    counts.set(name, original);
    return { name, written: name, original, value: null, isGone: false };
  });
  for (const edit of edits) {
    const added = (): Field => ({ name: edit.name.toLowerCase(), written: oneLine(edit.name), original: 0, value: edit.value, isGone: false });
    if (edit.kind === 'prepend') fields.unshift(added());
    else if (edit.kind === 'append') fields.push(added());
    else if (edit.kind === 'insert') fields.splice(position(fields, edit.index), 0, added());
    else {
      const field = nth(fields, edit.name.toLowerCase(), edit.nth);
      if (field === undefined) {
        if (edit.value !== '') fields.push(added());
      } else if (edit.value !== '') field.value = edit.value;
      else if (field.original > 0) field.isGone = true;
      else fields = fields.filter((other) => other !== field);
    }
  }
  return fields;
}

function position(fields: readonly Field[], index: number): number {
  let left = index;
  for (const [at, field] of fields.entries()) {
    if (field.isGone) continue;
    if (left <= 0) return at;
    left -= 1;
  }
  return fields.length;
}

function nth(fields: readonly Field[], name: string, which: number): Field | undefined {
  let left = Math.max(which, 1);
  for (const field of fields) {
    if (field.isGone || field.name !== name) continue;
    left -= 1;
    if (left === 0) return field;
  }
  return undefined;
}
