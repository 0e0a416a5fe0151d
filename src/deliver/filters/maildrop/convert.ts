/**
 * Writes a `.mailfilter` as Sieve where the meaning is equal: tests of header fields, addresses, size and body text; folders, forwards,
 * and mail thrown away. Each statement that has no such counterpart is left out and named in the notes, with its line.
 */
import type { Expression, MaildropScript, Pattern, Statement } from './script.ts';
import { folderOf, header, type SieveTest, sieveString, textOf } from './convert-tests.ts';
import { toUnicode } from './values.ts';

export interface ConvertedMaildrop {
  readonly sieve: string;
  /** What could not be converted, by line; empty when the script means the same. */
  readonly notes: readonly { readonly line: number; readonly why: string }[];
}

/** `script` is what parseMaildrop gave. */
export function convertMaildrop(script: MaildropScript): ConvertedMaildrop {
  return new Converter(script).convert();
}

/** A part that cannot be said in Sieve; its statement becomes a note. */
class Untranslatable extends Error {}

class Converter {
  readonly #script: MaildropScript;
  readonly #required = new Set<string>();
  readonly #notes: { line: number; why: string }[] = [];
  /** Variables that have one value throughout, set at the top of the file. */
  readonly #constants = new Map<string, string>([
    ['HOME', '~'],
    ['DEFAULT', '~/Maildir'],
  ]);
  /** How often each variable is set anywhere. */
  readonly #assigned: ReadonlyMap<string, number>;

  constructor(script: MaildropScript) {
    this.#script = script;
    this.#assigned = countAssignments(script.statements);
  }

  convert(): ConvertedMaildrop {
    const lines = this.#statements(this.#script.statements, '', true);
    const required = [...this.#required].sort().map(sieveString);
    const head = required.length === 0 ? [] : [`require [${required.join(', ')}];`, ''];
    return { sieve: [...head, ...lines, ''].join('\n'), notes: this.#notes.sort((a, b) => a.line - b.line) };
  }

  #note(line: number, why: string): void {
    this.#notes.push({ line, why });
  }

  #statements(list: readonly Statement[], indent: string, isTop: boolean): string[] {
    const out: string[] = [];
    for (const statement of list) {
      try {
        out.push(...this.#statement(statement, indent, isTop));
      } catch (error) {
        if (!(error instanceof Untranslatable)) throw error;
        this.#note(statement.line, error.message);
        out.push(`${indent}# line ${statement.line} is not converted: ${error.message}`);
      }
    }
    return out;
  }

  #statement(statement: Statement, indent: string, isTop: boolean): string[] {
    switch (statement.kind) {
      case 'if':
        return this.#if(statement, indent, 'if');
      case 'block':
        return this.#statements(statement.body, indent, isTop);
      case 'locked':
        // The store does its own locking.
        return this.#statements(statement.body, indent, isTop);
      case 'deliver':
        return this.#deliver(statement, indent);
      case 'exit':
        return [`${indent}discard;`, `${indent}stop;`];
      case 'exception':
        this.#note(statement.line, 'what is to happen after an error is not a matter of the script in Sieve: the message stays in the inbox');
        return this.#statements(statement.body, indent, isTop);
      case 'evaluate':
        return this.#assignment(statement.value, isTop);
      case 'unset':
      case 'import':
        throw new Untranslatable(`there is no "${statement.kind}" of variables`);
      case 'while':
      case 'foreach':
        throw new Untranslatable('Sieve has no loops');
      case 'simple':
        if (statement.word === 'echo' || statement.word === 'log' || statement.word === 'logfile')
          throw new Untranslatable('Sieve does not write logs of its own');
        throw new Untranslatable(statement.word === 'include' ? 'the included file is not part of this one' : 'programs are not run');
    }
  }

  #assignment(value: Expression, isTop: boolean): string[] {
    if (value.kind !== 'assign') throw new Untranslatable('a value that nothing is done with');
    const text = textOf(value.value, this.#constants);
    if (value.name === 'VERBOSE') return [];
    if (text === null || !isTop || this.#assigned.get(value.name) !== 1)
      throw new Untranslatable(`the value of "${toUnicode(value.name)}" is not the same for every message`);
    if (value.name === 'DEFAULT' && folderOf(text) !== '') throw new Untranslatable('another default mailbox than the inbox');
    if (value.name === 'EXITCODE' || value.name === 'SENDMAIL') throw new Untranslatable(`"${value.name}" has no meaning in Sieve`);
    this.#constants.set(value.name, text);
    return [];
  }

  #if(statement: Statement & { kind: 'if' }, indent: string, word: 'if' | 'elsif'): string[] {
    const out = [`${indent}${word} ${this.#test(statement.test)} {`, ...this.#branch(statement.body, indent), `${indent}}`];
    const { otherwise } = statement;
    if (otherwise === null) return out;
    if (otherwise.kind === 'if') return [...out, ...this.#if(otherwise, indent, 'elsif')];
    return [...out, `${indent}else {`, ...this.#branch(otherwise, indent), `${indent}}`];
  }

  #branch(statement: Statement, indent: string): string[] {
    return this.#statements(statement.kind === 'block' ? statement.body : [statement], `${indent}    `, false);
  }

  // ── Tests ──────────────────────────────────────────────────────────────────────────────────────────

  #test(test: Expression): string {
    switch (test.kind) {
      case 'and':
      case 'or': {
        const word = test.kind === 'and' ? 'allof' : 'anyof';
        return `${word}(${flattened(test.kind, test)
          .map((one) => this.#test(one))
          .join(', ')})`;
      }
      case 'not':
        return `not ${this.#test(test.value)}`;
      case 'match':
        if (test.subject !== null) throw new Untranslatable('a pattern over a text of the script');
        return this.#pattern(test.pattern);
      case 'call': {
        if (test.name !== 'hasaddr') throw new Untranslatable(`the function "${test.name}"`);
        return `address :is ["to", "cc", "resent-to", "resent-cc"] ${sieveString(this.#text(test.args[0]!))}`;
      }
      case 'binary':
        return this.#size(test);
      default:
        throw new Untranslatable('a test that Sieve has no word for');
    }
  }

  #size(test: Expression & { kind: 'binary' }): string {
    const subject = test.left.kind === 'text' && test.left.parts.length === 1 ? test.left.parts[0]!.text : '';
    const number = textOf(test.right, this.#constants);
    if (subject !== '$SIZE' || number === null || !/^[0-9]{1,9}$/.test(number)) throw new Untranslatable('a comparison of values');
    const bytes = Number(number);
    if (test.operator === '<') return `size :under ${bytes}`;
    if (test.operator === '>') return `size :over ${bytes}`;
    if (test.operator === '<=') return `not size :over ${bytes}`;
    if (test.operator === '>=') return `not size :under ${bytes}`;
    throw new Untranslatable('a comparison of values');
  }

  #pattern(pattern: Pattern): string {
    const test: SieveTest | string = header(pattern);
    if (typeof test === 'string') throw new Untranslatable(test);
    for (const extension of test.requires) this.#required.add(extension);
    return test.text;
  }

  #text(expression: Expression): string {
    const text = textOf(expression, this.#constants);
    if (text === null) throw new Untranslatable('a text that is only known when the message is');
    return toUnicode(text);
  }

  // ── Actions ────────────────────────────────────────────────────────────────────────────────────────

  #deliver({ isFinal, target }: Statement & { kind: 'deliver' }, indent: string): string[] {
    const text = this.#text(target);
    const stop = isFinal ? [`${indent}stop;`] : [];
    const copy = isFinal ? '' : ' :copy';
    if (text.startsWith('|')) throw new Untranslatable('a program gets the message');
    if (text.startsWith('!')) {
      const addresses = text
        .slice(1)
        .split(/[\s,]+/)
        .filter((word) => word !== '');
      if (addresses.length === 0 || !addresses.every((address) => /^[^\s"'<>()@]+@[^\s"'<>()@]+$/.test(address)))
        throw new Untranslatable('a forward to something that is no address');
      if (!isFinal) this.#required.add('copy');
      return [...addresses.map((address) => `${indent}redirect${copy} ${sieveString(address)};`), ...stop];
    }
    if (text === '/dev/null') return isFinal ? [`${indent}discard;`, ...stop] : [];
    const folder = folderOf(text);
    if (folder === null) throw new Untranslatable(`"${text.slice(0, 100)}" is no folder of the mailbox`);
    if (folder === '' && isFinal) return [`${indent}keep;`, ...stop];
    this.#required.add('fileinto');
    if (!isFinal) this.#required.add('copy');
    return [`${indent}fileinto${copy} ${sieveString(folder === '' ? 'INBOX' : folder)};`, ...stop];
  }
}

/** "a && b && c" as a list. */
function flattened(kind: 'and' | 'or', test: Expression): Expression[] {
  const out: Expression[] = [];
  let left = test;
  while (left.kind === kind) {
    out.unshift(left.right);
    left = left.left;
  }
  out.unshift(left);
  return out;
}

function countAssignments(list: readonly Statement[], counts = new Map<string, number>()): Map<string, number> {
  for (const statement of list) {
    switch (statement.kind) {
      case 'evaluate':
        if (statement.value.kind === 'assign') counts.set(statement.value.name, (counts.get(statement.value.name) ?? 0) + 1);
        break;
      case 'if':
        countAssignments([statement.body, ...(statement.otherwise === null ? [] : [statement.otherwise])], counts);
        break;
      case 'while':
      case 'foreach':
        countAssignments([statement.body], counts);
        break;
      case 'block':
      case 'exception':
      case 'locked':
        countAssignments(statement.body, counts);
        break;
    }
  }
  return counts;
}
