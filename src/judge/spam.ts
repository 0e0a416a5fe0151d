/** What a score says to others: the header fields that recipes look for, and the words of a refusal. */
import { fieldBytes } from '../mail/edit.ts';
import { asBuffer, fieldName, scanHeaders } from '../mail/header.ts';
import type { HeaderEdit, JudgeSymbol, MessageView, Reply } from '../ports.ts';
import type { Thresholds } from './thresholds.ts';
import { type Sum, spamStatus } from './verdict.ts';

/** Fields of ours: with a stranger's message they would speak in our name. */
const OURS: ReadonlySet<string> = new Set(['x-spam-flag', 'x-spam-status', 'x-spam-level', 'x-spam-score', 'x-spam-bar']);
const LEVEL_MAX = 50;

export const spamHeaders = {
  /** Deletes the fields that the message came with. */
  removals(view: MessageView): HeaderEdit[] {
    const header = asBuffer(view.header);
    // Most messages have none: one native search instead of a walk over all fields.
    if (header.indexOf('X-Spam-') === -1 && !/^x-spam-/im.test(header.toString('latin1'))) return [];
    const counts = new Map<string, number>();
    for (const field of scanHeaders(view.header).fields) {
      const name = fieldName(view.header, field).toLowerCase();
      if (OURS.has(name)) counts.set(name, (counts.get(name) ?? 0) + 1);
    }
    const edits: HeaderEdit[] = [];
    for (const [name, count] of counts) for (let nth = count; nth >= 1; nth -= 1) edits.push({ kind: 'change', name, nth, value: '' });
    return edits;
  },

  fields(sum: Sum, symbols: readonly JudgeSymbol[], thresholds: Thresholds): Buffer[] {
    const fields = [fieldBytes('X-Spam-Status', spamStatus(sum, symbols, thresholds))];
    if (sum.score < thresholds.addHeader) return fields;
    return [fieldBytes('X-Spam-Flag', 'YES'), fieldBytes('X-Spam-Level', '*'.repeat(Math.min(LEVEL_MAX, Math.max(0, Math.floor(sum.score))))), ...fields];
  },
};

/** Names what weighed most, so that a sender who is no spammer knows what to mend. */
export function spamReply(sum: Sum, symbols: readonly JudgeSymbol[], thresholds: Thresholds): Reply {
  if (sum.by !== 'score')
    return { code: sum.action === 'defer' ? 451 : 550, enhanced: sum.action === 'defer' ? '4.7.1' : '5.7.1', text: `Refused by ${sum.by}` };
  const heaviest = [...symbols]
    .filter(({ score }) => score > 0)
    .sort((a, b) => b.score - a.score)
    .slice(0, 2)
    .map(({ text, name }) => (text === '' ? name : text));
  const why = heaviest.length === 0 ? '' : `: ${heaviest.join('; ')}`;
  const text = `This message looks like spam (${sum.score.toFixed(1)} points, ${thresholds.reject} are too many)${why}`;
  return { code: 550, enhanced: '5.7.1', text: text.replace(/[^\x20-\x7e]+/g, ' ').slice(0, 400) };
}
