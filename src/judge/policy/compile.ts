/**
 * A policy as written becomes a policy that runs: names are looked up, arguments read, tables opened, once. Everything that can be wrong
 * with it is found here, before anything of it is in force.
 */
import { TableProblem } from '../../directory/tables/errors.ts';
import { AccessActions } from './actions.ts';
import { RESTRICTION_BY_NAME } from './catalogue.ts';
import type { PolicyConfig } from './config.ts';
import { runSteps, type Step } from './engine.ts';
import { POLICY_LIMITS } from './limits.ts';
import { Policy } from './policy.ts';
import type { PolicyContext } from './ports.ts';
import { openMatchList } from './match.ts';
import { PolicyProblem } from './problem.ts';
import { type Builder, type Restriction, WrongArgument } from './restriction.ts';
import { splitWords } from './split.ts';
import { LISTS, type List } from './stages.ts';

const CLASSES = 'policy.restrictionClasses';
const CLASS_NAME = /^[A-Za-z_][\w.-]*$/;

/** Where a word stands in the configuration. */
interface Place {
  readonly setting: string;
  readonly entry: number;
}
interface Word extends Place {
  readonly text: string;
}

/** Throws PolicyProblem. The tables it opened stay open: they belong to `context.tables`. */
export function compilePolicy(config: PolicyConfig, context: PolicyContext): Policy {
  return new Compiler(config, context).compile();
}

class Compiler {
  readonly #config: PolicyConfig;
  readonly #context: PolicyContext;
  readonly #actions: AccessActions;
  readonly #classes: ReadonlyMap<string, readonly Word[]>;
  readonly #compiledClasses = new Map<string, readonly Step[]>();
  readonly #notes: string[] = [];
  /** Names of the classes being compiled, to find one that holds itself. */
  readonly #open: string[] = [];

  constructor(config: PolicyConfig, context: PolicyContext) {
    this.#config = config;
    this.#context = context;
    this.#actions = new AccessActions((words, list) => this.#compileAction(words, list));
    this.#classes = readClasses(config.classes);
  }

  compile(): Policy {
    this.#refuseOpenRelay();
    const steps = {} as Record<List, readonly Step[]>;
    for (const list of Object.keys(LISTS) as List[]) steps[list] = this.#steps(this.#words(list), list, list, true);
    // A class that only access tables name is looked at now, too: a mistake in it must not wait for the first message.
    for (const name of this.#classes.keys()) this.#class(name, 'recipient', true);
    return new Policy(this.#config, this.#context, steps, this.#notes);
  }

  #words(list: List): Word[] {
    return wordsOf(LISTS[list].setting, this.#config.lists[list]);
  }

  /** `isStrict`: restrictions that cannot work in this list are refused (in a class they are left to the list that uses it). */
  #steps(words: readonly Word[], list: List, label: string, isStrict: boolean): Step[] {
    const steps: Step[] = [];
    let ended: string | null = null;
    for (let at = 0; at < words.length; at += 1) {
      const word = words[at]!;
      if (ended !== null) {
        this.#notes.push(`${word.setting}[${word.entry}]: "${word.text}" is never asked, as "${ended}" comes before it`);
        ended = null;
      }
      const { text } = word;
      if (text.toLowerCase() === 'warn_if_reject') {
        steps.push({ text, list: label, check: null, isPerRecipient: false });
        continue;
      }
      if (text.includes(':')) {
        const { bareTable, subject } = LISTS[list];
        if (bareTable === null)
          throw problem(word, `write check_client_access or another check before "${text}": it is not clear what is to be looked up (${subject})`);
        steps.push(this.#step(RESTRICTION_BY_NAME.get(bareTable)!, bareTable, word, text, list, label, isStrict));
        continue;
      }
      const row = RESTRICTION_BY_NAME.get(text.toLowerCase());
      if (row === undefined) {
        steps.push(this.#classStep(word, list));
        continue;
      }
      let argument = '';
      if (row.argument !== undefined) {
        const next = words[at + 1];
        if (next === undefined) throw problem(word, `"${text}" needs ${ARGUMENT_WORDS[row.argument]}`);
        argument = next.text;
        at += 1;
        if (row.argument === 'type:table' && !argument.includes(':')) throw problem(next, `"${text}": "${argument}" is not of the form type:table`);
      }
      steps.push(this.#step(row, text, word, argument, list, label, isStrict));
      const isLast = row.names[0] === 'permit' || row.names[0] === 'reject' || row.names[0] === 'defer' || row.names[0] === 'check_relay_domains';
      const isWarning = steps.length > 1 && steps.at(-2)!.check === null;
      if (isLast && !isWarning) ended = text;
    }
    return steps;
  }

  #step(row: Restriction, name: string, word: Word, argument: string, list: List, label: string, isStrict: boolean): Step {
    const known = this.#config.delayReject ? LISTS[list].knows : LISTS[list].knowsAtOnce;
    if (isStrict && row.needs !== undefined && !known.includes(row.needs)) {
      const when = this.#config.delayReject ? '' : ' while policy.delayReject is off';
      throw problem(word, `"${name}" cannot work here${when}: there is no ${NEED_WORDS[row.needs]} yet`);
    }
    if (isStrict && row.lists !== undefined && !row.lists.includes(list))
      throw problem(word, `"${name}" cannot work here; it belongs to the lists ${row.lists.join(', ')}`);
    const builder: Builder = {
      config: this.#config,
      context: this.#context,
      actions: this.#actions,
      list,
      table: (spec) => this.#context.tables.open(spec),
      matchList: (setting, entries, parentMatchesSubdomains = false) => openMatchList(this.#context, setting, entries, parentMatchesSubdomains),
    };
    try {
      return {
        text: argument === '' ? name : `${name} ${argument}`,
        list: label,
        check: row.build(argument, builder),
        isPerRecipient: row.isPerRecipient === true,
      };
    } catch (error) {
      if (error instanceof WrongArgument) throw problem(word, `"${name} ${argument}": ${error.message}`);
      if (error instanceof TableProblem)
        throw new PolicyProblem(word.setting, word.entry, `"${argument}": ${error.sentence}`, error.file, error.line, { cause: error });
      throw error;
    }
  }

  #classStep(word: Word, list: List): Step {
    if (!this.#classes.has(word.text)) throw problem(word, unknownWord(word.text));
    if (this.#open.includes(word.text)) throw problem(word, `the restriction class "${word.text}" holds itself: ${[...this.#open, word.text].join(' → ')}`);
    const steps = this.#class(word.text, list, false);
    return { text: word.text, list, isPerRecipient: false, check: (run, name, subject) => runSteps(steps, run, name, subject) };
  }

  /** A class is compiled for each list that uses it: a bare table in it means another check in each. */
  #class(name: string, list: List, isAnyList: boolean): readonly Step[] {
    const key = `${list} ${name}`;
    const known = this.#compiledClasses.get(key);
    if (known !== undefined) return known;
    this.#open.push(name);
    const steps = this.#steps(this.#classes.get(name)!, list, name, !isAnyList);
    this.#open.pop();
    if (!isAnyList) this.#compiledClasses.set(key, steps);
    return steps;
  }

  /** The right-hand side of an access table. Its mistakes are the table's: a sentence, not an exception. */
  #compileAction(words: string, list: List): readonly Step[] | string {
    try {
      return this.#steps(wordsOf(LISTS[list].setting, [words]), list, 'access table', false);
    } catch (error) {
      if (error instanceof PolicyProblem) return error.sentence;
      throw error;
    }
  }

  /** As Postfix: without one of these in reach, anybody could send anywhere. */
  #refuseOpenRelay(): void {
    const { relay, recipient } = { relay: this.#words('relay'), recipient: this.#words('recipient') };
    if (this.#holdsBarrier(relay, 0) || this.#holdsBarrier(recipient, 0)) return;
    throw new PolicyProblem(
      LISTS.relay.setting,
      null,
      `this would be an open relay: policy.relayRestrictions or policy.recipientRestrictions must have at least one of ${[...BARRIERS].join(', ')}`,
    );
  }

  #holdsBarrier(words: readonly Word[], depth: number): boolean {
    if (depth > POLICY_LIMITS.depth) return false;
    for (let at = 0; at < words.length; at += 1) {
      const word = words[at]!.text;
      if (word.toLowerCase() === 'warn_if_reject') at += 1;
      else if (BARRIERS.has(word.toLowerCase())) return true;
      else {
        const inner = this.#classes.get(word);
        if (inner !== undefined && this.#holdsBarrier(inner, depth + 1)) return true;
      }
    }
    return false;
  }
}

const BARRIERS: ReadonlySet<string> = new Set([
  'reject_unauth_destination',
  'defer_unauth_destination',
  'reject',
  'defer',
  'defer_if_permit',
  'check_relay_domains',
]);

const ARGUMENT_WORDS = {
  'type:table': 'a table such as hash:/etc/postfix/access after it',
  zone: 'a domain name after it',
  seconds: 'a number of seconds after it',
  server: 'a server such as inet:127.0.0.1:10031 after it',
  file: 'a file name after it',
} as const;

const NEED_WORDS = { client: 'client', helo: 'HELO name', sender: 'sender', recipient: 'recipient', etrn: 'ETRN domain' } as const;

function problem(place: Place, sentence: string): PolicyProblem {
  return new PolicyProblem(place.setting, place.entry, sentence);
}

function wordsOf(setting: string, entries: readonly string[]): Word[] {
  const words: Word[] = [];
  for (const [entry, text] of entries.entries()) {
    const split = splitWords(text);
    if (typeof split === 'string') throw problem({ setting, entry }, split);
    for (const word of split) words.push({ setting, entry, text: word });
  }
  if (words.length > POLICY_LIMITS.listEntries) throw new PolicyProblem(setting, null, `has more than ${POLICY_LIMITS.listEntries} entries`);
  return words;
}

function readClasses(entries: readonly string[]): ReadonlyMap<string, readonly Word[]> {
  const classes = new Map<string, readonly Word[]>();
  for (const [entry, text] of entries.entries()) {
    const place = { setting: CLASSES, entry };
    const at = text.indexOf('=');
    const name = at === -1 ? '' : text.slice(0, at).trim();
    if (!CLASS_NAME.test(name)) throw problem(place, 'must be of the form "name = restriction, restriction"');
    if (RESTRICTION_BY_NAME.has(name.toLowerCase()) || name.toLowerCase() === 'warn_if_reject') throw problem(place, `"${name}" is the name of a restriction`);
    if (classes.has(name)) throw problem(place, `the class "${name}" is there twice`);
    classes.set(
      name,
      wordsOf(CLASSES, [text.slice(at + 1)]).map((word) => ({ ...word, entry })),
    );
  }
  return classes;
}

/** With a guess at what was meant, for typing mistakes. */
function unknownWord(word: string): string {
  const close = [...RESTRICTION_BY_NAME.keys()].find((name) => isClose(name, word.toLowerCase()));
  return `unknown restriction "${word}"${close === undefined ? '' : `; did you mean "${close}"?`}`;
}

/** At most two letters apart, counted where the names first and last differ. */
function isClose(a: string, b: string): boolean {
  if (Math.abs(a.length - b.length) > 2) return false;
  let start = 0;
  while (start < a.length && a[start] === b[start]) start += 1;
  let end = 0;
  while (end < Math.min(a.length, b.length) - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end += 1;
  return Math.max(a.length, b.length) - start - end <= 2;
}
