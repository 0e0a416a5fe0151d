/**
 * What an access table says about what it found (access(5)): parsed once for each text, then carried out.
 * Restrictions named on the right-hand side are compiled by a function that the compiler gives.
 */
import { BoundedMap } from '../../directory/bounded.ts';
import { runSteps, type Step } from './engine.ts';
import { POLICY_LIMITS } from './limits.ts';
import type { Run } from './run.ts';
import { after, DUNNO, PERMIT, type Soon, type Status } from './status.ts';
import type { List } from './stages.ts';
import { enhancedFor, splitEnhanced, type Subject, type SubjectName } from './words.ts';

/** Compiles restrictions that name no tables, for a list; a sentence when they make no sense there. */
export type CompileWords = (words: string, list: List) => readonly Step[] | string;

export type Action =
  | { readonly kind: 'dunno' | 'ok' }
  /** `code` 0: the parameter for REJECT (5xx) or for DEFER and its kin. */
  | { readonly kind: 'reject' | 'defer' | 'deferIfPermit' | 'deferIfReject'; readonly code: number; readonly enhanced: string; readonly text: string }
  | { readonly kind: 'info' | 'warn' | 'filter' | 'hold' | 'discard' | 'redirect' | 'bcc' | 'prepend'; readonly text: string }
  | { readonly kind: 'restrictions'; readonly steps: readonly Step[] }
  /** `why` is for the log. */
  | { readonly kind: 'wrong'; readonly why: string }
  /** An action without what it needs: passed over. */
  | { readonly kind: 'ignored'; readonly why: string };

const OK: Action = { kind: 'ok' };
const DUNNO_ACTION: Action = { kind: 'dunno' };

export class AccessActions {
  readonly #compile: CompileWords;
  readonly #known = new Map<List, BoundedMap<string, Action>>();

  constructor(compile: CompileWords) {
    this.#compile = compile;
  }

  /** Carries out what table `table` said about `key`; a refusal is about `name`. */
  perform(run: Run, list: List, value: string, table: string, key: string, name: SubjectName, subject: Subject): Soon<Status> {
    const action = this.#action(value, list);
    switch (action.kind) {
      case 'dunno':
        return DUNNO;
      case 'ok':
        run.said = `${table}: ${value}`;
        return PERMIT;
      case 'reject':
        return run.reject(action.code === 0 ? run.codes.accessMapReject : action.code, enhancedFor(action.enhanced, subject), name, subject, action.text);
      case 'defer':
        return run.reject(run.codes.accessMapDefer, enhancedFor(action.enhanced, subject), name, subject, action.text);
      case 'deferIfPermit':
        return run.tempfail('defer_if_permit', run.codes.accessMapDefer, enhancedFor(action.enhanced, subject), name, subject, action.text);
      case 'deferIfReject':
        return run.deferRejection(run.codes.accessMapDefer, enhancedFor(action.enhanced, subject), name, subject, action.text);
      case 'info':
      case 'warn':
        run.note(action.kind === 'info' ? 'policy.info' : 'policy.warn', action.text);
        return DUNNO;
      case 'restrictions':
        if (run.depth >= POLICY_LIMITS.depth) return run.misconfigured(`${table}: "${key}" leads to restrictions without end`);
        return after(runSteps(action.steps, run, name, subject), (status) => status);
      case 'wrong':
        return run.misconfigured(`${table}: "${key}": ${action.why}`);
      case 'ignored':
        run.note('policy.action.ignored', `${table}: "${key}": ${action.why}`);
        return DUNNO;
      default:
        return affect(run, action.kind, action.text, value, table, key);
    }
  }

  /** What is wrong with the right-hand side of an entry, in a sentence; null when it can be carried out. */
  check(value: string, list: List): string | null {
    const action = this.#parse(value, list);
    return action.kind === 'wrong' || action.kind === 'ignored' ? action.why : null;
  }

  #action(value: string, list: List): Action {
    let known = this.#known.get(list);
    if (known === undefined) this.#known.set(list, (known = new BoundedMap()));
    return known.get(value) ?? known.set(value, this.#parse(value, list), POLICY_LIMITS.actionsRemembered);
  }

  #parse(value: string, list: List): Action {
    if (value.length > POLICY_LIMITS.actionCharacters) return { kind: 'wrong', why: `an action of ${value.length} characters` };
    const at = value.search(/[ \t]/);
    const word = (at === -1 ? value : value.slice(0, at)).toUpperCase();
    const text = at === -1 ? '' : value.slice(at).trim();
    if (/^\d+$/.test(value)) return OK;
    if (/^[45]\d\d$/.test(word) && text !== '') return refusal('reject', Number(word), `${word[0]}.7.1`, text, 'Access denied');
    switch (word) {
      case 'OK':
      case 'RELAY':
        return OK;
      case 'DUNNO':
        return DUNNO_ACTION;
      case 'REJECT':
        return refusal('reject', 0, '5.7.1', text, 'Access denied');
      case 'DEFER':
        return refusal('defer', 0, '4.7.1', text, 'Access denied');
      case 'DEFER_IF_PERMIT':
        return refusal('deferIfPermit', 0, '4.7.1', text, 'Service unavailable');
      case 'DEFER_IF_REJECT':
        return refusal('deferIfReject', 0, '4.7.1', text, 'Service unavailable');
      case 'INFO':
      case 'WARN':
      case 'HOLD':
      case 'DISCARD':
        return { kind: word.toLowerCase() as 'info' | 'warn' | 'hold' | 'discard', text };
      case 'FILTER':
        return text.includes(':') ? { kind: 'filter', text } : { kind: 'ignored', why: 'FILTER needs transport:destination' };
      case 'REDIRECT':
      case 'BCC':
        return text.includes('@') ? { kind: word === 'BCC' ? 'bcc' : 'redirect', text } : { kind: 'ignored', why: `${word} needs an address user@domain` };
      case 'PREPEND':
        return /^[\x21-\x39\x3b-\x7e]+[ \t]*:/.test(text) ? { kind: 'prepend', text } : { kind: 'ignored', why: 'PREPEND needs a header field "Name: value"' };
      case '':
        // Postfix takes an empty result for OK and warns; one typing mistake would then open a relay.
        return { kind: 'ignored', why: 'the result is empty' };
    }
    if (value.includes(':')) return { kind: 'wrong', why: `tables cannot be named within a table: "${value}"; put them into a restriction class` };
    const steps = this.#compile(value, list);
    return typeof steps === 'string' ? { kind: 'wrong', why: steps } : { kind: 'restrictions', steps };
  }
}

function refusal(kind: 'reject' | 'defer' | 'deferIfPermit' | 'deferIfReject', code: number, enhanced: string, words: string, otherwise: string): Action {
  const split = splitEnhanced(words, enhanced);
  return { kind, code, enhanced: split.enhanced, text: split.text === '' ? otherwise : split.text };
}

/** The actions that do something to the message. Outside a transaction (HELO refused at once, ETRN) there is nothing to do it to. */
function affect(
  run: Run,
  kind: 'filter' | 'hold' | 'discard' | 'redirect' | 'bcc' | 'prepend',
  text: string,
  value: string,
  table: string,
  key: string,
): Status {
  const { effects } = run;
  if (run.facts.senderText === null || run.stage === 'etrn') {
    run.note('policy.action.ignored', `${table}: "${key}": ${kind.toUpperCase()} without a message`);
    return DUNNO;
  }
  run.note(`policy.${kind}`, `${table}: ${value}`);
  switch (kind) {
    case 'filter':
      effects.filter = text;
      return DUNNO;
    case 'hold':
      effects.isHeld = true;
      return DUNNO;
    case 'redirect':
      effects.redirect = text;
      return DUNNO;
    case 'discard':
      effects.isDiscarded = true;
      return PERMIT;
    case 'bcc':
      // The lists are gone through for every recipient; the copy is wanted once.
      if (!effects.bcc.includes(text) && effects.bcc.length < POLICY_LIMITS.effectsOfOneKind) effects.bcc.push(text);
      return DUNNO;
    case 'prepend':
      if (run.stage === 'endOfData') run.note('policy.action.ignored', `${table}: "${key}": PREPEND comes too late at the end of data`);
      else if (!effects.prepend.includes(text) && effects.prepend.length < POLICY_LIMITS.effectsOfOneKind) effects.prepend.push(text);
      return DUNNO;
  }
}
