/**
 * Writes a procmail rc file as Sieve where the meaning is equal. Recipes become tests with actions; which recipes a later one looks back
 * at (A, a, E) is followed as tests too. What has no counterpart is left out and named in the notes, with its line.
 */
import { formatAddress, parseMailbox } from '../../../mail/address.ts';
import { rereadCondition } from '../procmail/conditions.ts';
import type { Condition, ProcmailScript, Recipe, Statement as ProcmailStatement } from '../procmail/script.ts';
import type { Word } from '../procmail/word.ts';
import type { Converted, ConvertOptions, Note } from './converted.ts';
import { mailboxOf } from './folders.ts';
import { redirectAddress } from './forward.ts';
import { bodyTest, headerTest } from './pattern-tests.ts';
import { constant, constantWords, FIRST_VALUES, merge, type Values } from './procmail-values.ts';
import { alwaysStops, asCopy, nestingOf, type Statement, STOP, writeScript } from './script.ts';
import { all, any, FALSE, leaf, NoCounterpart, not, sizeOf, type Test, TRUE } from './tests.ts';

/** Set and forgotten: what they change is not where mail goes. */
const HARMLESS: ReadonlySet<string> = new Set(
  (
    'VERBOSE LOGFILE LOGABSTRACT LOG SHELL SHELLFLAGS SHELLMETAS PATH UMASK COMSAT LOCKFILE LOCKEXT LOCKSLEEP LOCKTIMEOUT TIMEOUT NORESRETRY ' +
    'SUSPEND LINEBUF MSGPREFIX DROPPRIVS PROCMAIL_OVERFLOW LASTFOLDER ORGMAIL TZ LANG'
  ).split(' '),
);
const MEANINGFUL: ReadonlyMap<string, string> = new Map([
  ['INCLUDERC', 'the included file is not part of this one; convert it by itself'],
  ['SWITCHRC', 'the other file is not part of this one; convert it by itself'],
  ['HOST', 'a file that ends on other machines'],
  ['EXITCODE', 'another exit code'],
  ['TRAP', 'a program at the end'],
  ['SENDMAIL', 'another program that sends mail'],
  ['SENDMAILFLAGS', 'options of the program that sends mail'],
  ['SHIFT', 'arguments of the script'],
]);

/** Tests of one `if`: with A and E together they multiply. */
const TESTS_MAX = 100;
/** Blocks and tests within each other; Sieve allows 32 (sieve.nestingMax). */
const NESTING_MAX = 20;

/** `script` is what parseProcmail gave. */
export function convertProcmail(script: ProcmailScript, options: ConvertOptions): Converted {
  return new Converter(script, options).convert();
}

/** What is known at one place of the script. null: unknown, because something before it was not converted. */
interface State {
  readonly values: Values;
  /** The last recipe without A or a held, and this one is being looked at. */
  lastHeld: Test | null;
  previousHeld: Test | null;
  /** Where a recipe with E goes on as `elsif`: this statement says what `previousHeld` does. */
  chain: (Statement & { kind: 'if' }) | null;
  /** Where a recipe with A belongs. */
  heldBody: Statement[] | null;
}

class Converter {
  readonly #script: ProcmailScript;
  readonly #options: ConvertOptions;
  readonly #notes: Note[] = [];

  constructor(script: ProcmailScript, options: ConvertOptions) {
    this.#script = script;
    this.#options = options;
  }

  convert(): Converted {
    const state: State = { values: new Map(FIRST_VALUES), lastHeld: FALSE, previousHeld: FALSE, chain: null, heldBody: null };
    const list = this.#list(0, this.#script.statements.length, state);
    const rest = state.values.get('DEFAULT');
    if (rest === '/dev/null' && !alwaysStops(list)) list.push({ kind: 'discard' });
    return { sieve: writeScript(list, this.#options.heading), notes: this.#notes.sort((a, b) => a.line - b.line) };
  }

  #leaveOut(line: number, why: string): Statement {
    this.#notes.push({ line, why });
    return { kind: 'comment', text: `line ${line} is not converted: ${why}` };
  }

  /** Statements [from, to). */
  #list(from: number, to: number, state: State): Statement[] {
    const out: Statement[] = [];
    const { statements } = this.#script;
    for (let at = from; at < to; ) {
      const statement = statements[at]!;
      if (alwaysStops(out)) {
        out.push({ kind: 'comment', text: `line ${lineOf(statement)} and what follows are never reached` });
        break;
      }
      if (statement.kind === 'recipe') at = this.#recipe(statement, at, out, state);
      else {
        if (statement.kind === 'complaint') out.push(this.#leaveOut(statement.line, `procmail does not understand it either: ${statement.text}`));
        else if (statement.kind === 'assign') this.#assign(statement.line, statement.name, statement.value, out, state.values);
        at += 1;
      }
    }
    return out;
  }

  #assign(line: number, name: string, word: Word | null, out: Statement[], values: Values): void {
    const why = MEANINGFUL.get(name);
    const value = word === null ? null : constant(word, values);
    if (why !== undefined) {
      // "INCLUDERC=/dev/null" and no value are how it is switched off.
      if (word !== null && value !== '' && value !== '/dev/null') out.push(this.#leaveOut(line, why));
      return;
    }
    if (HARMLESS.has(name)) return;
    values.set(name, value === null ? null : this.#tilde(value));
    if (name === 'MAILDIR' && value !== null && !/^[/~]/.test(value)) values.set(name, `~/${value}`);
    if (word !== null && value === null) out.push(this.#leaveOut(line, `the value of ${name} is only known when a message is there`));
  }

  /** The home directory by its short name. */
  #tilde(path: string): string {
    const { home } = this.#options;
    return home !== null && home !== '/' && (path === home || path.startsWith(`${home}/`)) ? `~${path.slice(home.length)}` : path;
  }

  // ── Recipes ────────────────────────────────────────────────────────────────────────────────────────

  /** Gives the index of the statement behind it. */
  #recipe(recipe: Recipe, at: number, out: Statement[], state: State): number {
    const end = recipe.action.kind === 'block' ? recipe.action.end : at + 1;
    const { flags } = recipe;
    const isChained = flags.has('A') || flags.has('a');
    const test = this.#tests(recipe, state, out);
    if (test === null) {
      this.#unknown(recipe, at, end, state, isChained);
      return end;
    }
    const due = all(isChained ? state.lastHeld! : TRUE, flags.has('E') ? not(state.previousHeld!) : TRUE, flags.has('e') ? FALSE : TRUE);
    const holds = all(due, test);
    if (sizeOf(holds, TESTS_MAX) >= TESTS_MAX) {
      out.push(this.#leaveOut(recipe.line, 'it depends on too many recipes before it'));
      this.#unknown(recipe, at, end, state, isChained);
      return end;
    }
    const { chain, heldBody } = state;
    const wasPrevious = state.previousHeld;
    const isElse = flags.has('E') && !isChained && chain !== null;
    const isInside = isChained && !flags.has('E') && heldBody !== null;
    if (holds.kind === 'false') {
      out.push({ kind: 'comment', text: `line ${recipe.line} is never reached` });
      if (!isChained) Object.assign(state, { lastHeld: FALSE, heldBody: null });
      if (!flags.has('E')) Object.assign(state, { previousHeld: FALSE, chain: null });
      return end;
    }
    const body = this.#body(recipe, at, end, holds, state);
    const stops = alwaysStops(body);
    // Behind a recipe that ends the script it did not hold.
    const held = stops ? FALSE : holds;
    const target = isInside ? heldBody : out;
    const shown = isElse || isInside ? test : holds;
    let made: (Statement & { kind: 'if' }) | null = null;
    if (isElse) {
      chain.branches.push({ test: shown, body });
      made = chain;
    } else if (shown.kind === 'true') target.push(...body);
    else if (body.length > 0) {
      made = { kind: 'if', branches: [{ test: shown, body }] };
      target.push(made);
    }
    if (!isChained) {
      state.lastHeld = held;
      state.heldBody = stops ? null : made === null ? (shown.kind === 'true' ? out : null) : body;
    }
    // Something stands behind that body now, and has to be done after it.
    if (isChained && !isInside) state.heldBody = null;
    // Behind an `else` one of the branches has held.
    const isWhole = isElse && shown.kind === 'true';
    state.previousHeld = isWhole ? TRUE : flags.has('E') ? any(wasPrevious!, held) : held;
    // Only where the statement's own branches are all that `previousHeld` speaks of.
    state.chain = isInside || isWhole || (flags.has('E') && !isElse && wasPrevious!.kind !== 'false') ? null : made;
    return end;
  }

  /** The conditions, or null when they, or what they depend on, have no counterpart. */
  #tests(recipe: Recipe, state: State, out: Statement[]): Test | null {
    const { flags, line } = recipe;
    const isBlock = recipe.action.kind === 'block';
    const leaveOut = (why: string): null => {
      out.push(this.#leaveOut(line, isBlock ? `${why}; nor is what stands in its block` : why));
      return null;
    };
    if (((flags.has('A') || flags.has('a')) && state.lastHeld === null) || (flags.has('E') && state.previousHeld === null))
      return leaveOut('it depends on a recipe before it that is not converted');
    if (flags.has('e')) return leaveOut('what is to happen after an error is not a matter of the script in Sieve');
    try {
      return all(...recipe.conditions.map((condition) => this.#condition(condition, recipe, state.values, 0)));
    } catch (error) {
      if (!(error instanceof NoCounterpart)) throw error;
      return leaveOut(error.message);
    }
  }

  /** The recipe was left out: nobody knows whether it held, nor what was set in its block. */
  #unknown(recipe: Recipe, at: number, end: number, state: State, isChained: boolean): void {
    if (!isChained) Object.assign(state, { lastHeld: null, heldBody: null });
    Object.assign(state, { previousHeld: null, chain: null });
    for (const statement of this.#script.statements.slice(at + 1, end)) if (statement.kind === 'assign') state.values.set(statement.name, null);
    if (recipe.action.kind === 'capture') state.values.set(recipe.action.variable, null);
  }

  #body(recipe: Recipe, at: number, end: number, holds: Test, state: State): Statement[] {
    if (recipe.action.kind !== 'block') {
      try {
        return this.#action(recipe, state);
      } catch (error) {
        if (!(error instanceof NoCounterpart)) throw error;
        return [this.#leaveOut(recipe.line, error.message)];
      }
    }
    const inner: State = { values: new Map(state.values), lastHeld: TRUE, previousHeld: TRUE, chain: null, heldBody: null };
    const body = this.#list(at + 1, end - 1, inner);
    if (nestingOf(body) > NESTING_MAX) return [this.#leaveOut(recipe.line, 'too many blocks within each other')];
    if (recipe.flags.has('c')) {
      const copy = asCopy(body);
      return copy !== null && nestingOf(copy) <= NESTING_MAX
        ? copy
        : [this.#leaveOut(recipe.line, 'a block for a copy of the message that goes on behind the block')];
    }
    if (holds.kind === 'true') for (const [name, value] of inner.values) state.values.set(name, value);
    else if (!alwaysStops(body)) merge(state.values, inner.values);
    return body;
  }

  // ── Conditions ─────────────────────────────────────────────────────────────────────────────────────

  #condition(condition: Condition, recipe: Recipe, values: Values, depth: number): Test {
    if (condition.weight !== null) throw new NoCounterpart('a score');
    const isCaseSensitive = recipe.flags.has('D');
    switch (condition.kind) {
      case 'program':
        throw new NoCounterpart('a program decides');
      case 'expanded': {
        const text = constant(condition.word, values);
        if (text === null || depth > 8) throw new NoCounterpart('a condition that is made of what is only known when a message is there');
        return this.#condition(rereadCondition(text, isCaseSensitive, condition), recipe, values, depth + 1);
      }
      case 'size':
        return negated(this.#size(condition, values), condition);
      case 'regex':
        return negated(this.#regex(condition, recipe, values), condition);
    }
  }

  #size(condition: Condition & { kind: 'size' }, values: Values): Test {
    const number = constantWords(condition.words, values)?.[0];
    if (condition.area !== null) throw new NoCounterpart('the size of a part');
    if (number === undefined || !/^\d{1,12}$/.test(number)) throw new NoCounterpart('a size that is no number');
    return leaf(`size :${condition.operator === '<' ? 'under' : 'over'} ${Number(number)}`);
  }

  #regex(condition: Condition & { kind: 'regex' }, recipe: Recipe, values: Values): Test {
    const { area, text } = condition;
    const options = { isCaseSensitive: recipe.flags.has('D') };
    // A backslash at the start keeps what follows from being taken for anything but a pattern.
    const pattern = text.startsWith('\\') ? text.slice(1) : text;
    if (area?.kind === 'variable') {
      const value = values.get(area.name);
      if (value === undefined || value === null) throw new NoCounterpart(`a pattern over the variable ${area.name}`);
      return condition.compiled.expression?.test(Buffer.from(value, 'latin1')) === true ? TRUE : FALSE;
    }
    if (pattern === '') return TRUE;
    const part = area?.kind ?? (!recipe.flags.has('B') ? 'header' : recipe.flags.has('H') ? 'both' : 'body');
    if (part === 'both') throw new NoCounterpart('a pattern over header and body at once');
    if (pattern.includes('=\\?') || pattern.includes('=[?]')) throw new NoCounterpart('a pattern over encoded words: Sieve sees them decoded');
    // Without `* $` procmail takes the "$" for the end of a line, and the recipe never matches: rarely what was meant.
    if (/\$[A-Za-z_{]/.test(pattern)) throw new NoCounterpart('a variable in a condition that does not begin with "$"');
    return part === 'body' ? bodyTest(pattern, options) : headerTest(pattern, options);
  }

  // ── Actions ────────────────────────────────────────────────────────────────────────────────────────

  #action(recipe: Recipe, state: State): Statement[] {
    const { action, flags } = recipe;
    const isCopy = flags.has('c');
    const end = isCopy ? [] : [STOP];
    if (action.kind === 'pipe')
      throw new NoCounterpart(
        flags.has('f') ? `a program changes the message${hint(action.program.line)}` : `a program gets the message${hint(action.program.line)}`,
      );
    if (action.kind === 'capture') {
      state.values.set(action.variable, null);
      throw new NoCounterpart('a program says what a variable is');
    }
    if (action.kind === 'block') return [];
    if (flags.has('h') !== flags.has('b')) throw new NoCounterpart('only a part of the message is delivered');
    const words = constantWords(action.words, state.values);
    if (words === null || words.length === 0) throw new NoCounterpart('where it goes is only known when a message is there');
    if (action.kind === 'forward') {
      const redirects = words.flatMap((word) => this.#redirects(unicode(word), isCopy));
      if (redirects.length > this.#options.redirectsMax)
        throw new NoCounterpart(`a forward to more than ${this.#options.redirectsMax} addresses (sieve.redirectsMax)`);
      return [...redirects, ...end];
    }
    return [...this.#folders(words, isCopy, state.values), ...end];
  }

  #redirects(word: string, isCopy: boolean): Statement[] {
    if (word.startsWith('-')) throw new NoCounterpart('a forward with options');
    return word
      .split(',')
      .filter((text) => text !== '')
      .map((text) => {
        const bare = text.replace(/^<(.*)>$/, '$1');
        const address = parseMailbox(bare.includes('@') ? bare : `${bare}@${this.#options.domain}`);
        if (address === null) throw new NoCounterpart(`"${text.slice(0, 80)}" is no address to forward to`);
        return { kind: 'redirect', address: redirectAddress(formatAddress(address)), isCopy };
      });
  }

  #folders(words: readonly string[], isCopy: boolean, values: Values): Statement[] {
    const paths = words.map((word) => this.#tilde(unicode(word)));
    if (paths[0] === '/dev/null') return isCopy ? [] : [{ kind: 'discard' }];
    if (paths.length > 1 && !paths.every((path) => path.endsWith('/') || path.endsWith('/.')))
      throw new NoCounterpart('several folders that are not all directories');
    const places = { directory: values.get('MAILDIR') ?? null, inbox: values.get('DEFAULT') ?? null };
    return paths.map((path) => {
      const mailbox = mailboxOf(path, places);
      return mailbox === '' && !isCopy ? { kind: 'keep' } : { kind: 'fileinto', mailbox, isCopy };
    });
  }
}

const negated = (test: Test, { isNegated }: Condition): Test => (isNegated ? not(test) : test);
const unicode = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('utf8');

function lineOf(statement: ProcmailStatement): number {
  return statement.kind === 'end' ? 0 : statement.line;
}

/** What Sieve has for what is often done with programs. */
function hint(line: string): string {
  if (/\bformail\b.*\s-D\b/.test(line)) return ' (for doublets Sieve has the test "duplicate", RFC 7352)';
  if (/\bvacation\b/.test(line)) return ' (Sieve answers by itself: "vacation", RFC 5230)';
  if (/\bspam(?:c|assassin)\b|\brspamc\b|\bbogofilter\b/.test(line)) return ' (the server looks for spam by itself: the test "spamtest", RFC 5235)';
  return /\bformail\b.*\s-[aAiI]\b/.test(line) ? ' (Sieve changes headers with "addheader" and "deleteheader", RFC 5293)' : '';
}
