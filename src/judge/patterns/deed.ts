/** What a rule's result does: what it changes beside the message is changed here, what happens to the line is told to the filter. */
import type { Log, Reply } from '../../ports.ts';
import type { PolicyEffects } from '../policy/facts.ts';
import { parsePatternAction } from './action.ts';

export interface PatternReport {
  readonly log: Log;
  /** For the log: the message's id. */
  readonly id: string;
  readonly effects: PolicyEffects;
  /** Called for HOLD and DISCARD with what the rule says. */
  onReason?(kind: 'hold' | 'discard', text: string): void;
  /** The message is refused: the reply to give, which may say more. */
  onRefusal?(reply: Reply, table: string): Reply;
}

/** The field or line that a table was asked about. */
export interface Asked {
  readonly table: string;
  readonly text: string;
  readonly where: 'header' | 'body';
}

export type Deed =
  /** stop: it stays, and nothing is looked at any more. */
  | { readonly kind: 'keep' | 'drop' | 'stop' }
  | { readonly kind: 'before' | 'instead'; readonly text: string }
  | { readonly kind: 'refuse'; readonly reply: Reply };

const KEEP: Deed = { kind: 'keep' };
const DROP: Deed = { kind: 'drop' };
const STOP: Deed = { kind: 'stop' };
/** Of a matched line in the log. */
const LOGGED_CHARACTERS = 200;

export function deedOf(result: string, { table, text, where }: Asked, report: PatternReport): Deed {
  const action = parsePatternAction(result, where);
  const { effects, log, id } = report;
  if (action === null) {
    log.warn('patterns.action.unknown', { id, table, action: result.slice(0, 100) });
    return KEEP;
  }
  const line = text.slice(0, LOGGED_CHARACTERS);
  switch (action.kind) {
    case 'dunno':
      return KEEP;
    case 'ignore':
      return DROP;
    case 'strip':
      log.info('patterns.strip', { id, where, table, line, text: action.text });
      return DROP;
    case 'info':
      log.info('patterns.info', { id, where, table, line, text: action.text });
      return KEEP;
    case 'warn':
      log.warn('patterns.warn', { id, where, table, line, text: action.text });
      return KEEP;
    case 'pass':
      log.info('patterns.pass', { id, where, table, line, text: action.text });
      return STOP;
    case 'hold':
      effects.isHeld = true;
      report.onReason?.('hold', action.text);
      return KEEP;
    case 'discard':
      effects.isDiscarded = true;
      report.onReason?.('discard', action.text);
      return STOP;
    case 'bcc':
      if (!effects.bcc.includes(action.text)) effects.bcc.push(action.text);
      return KEEP;
    case 'redirect':
      effects.redirect = action.text;
      // Postfix looks no further, either: the message leaves the ways that the rules are about.
      return STOP;
    case 'filter':
      effects.filter = action.text;
      return KEEP;
    case 'prepend':
      return { kind: 'before', text: action.text };
    case 'replace':
      return { kind: 'instead', text: action.text };
    case 'reject':
      log.info('patterns.reject', { id, where, table, line, text: action.reply.text });
      return { kind: 'refuse', reply: action.reply };
  }
}
