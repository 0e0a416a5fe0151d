/** Words into text: the variables of the run, its arguments, the output of programs. */
import type { FilterRequest } from '../filter.ts';
import type { Part, Word } from './word.ts';

type Steps<T> = Generator<FilterRequest, T, unknown>;

/** What expansion needs of a run. */
export interface Expansion {
  value(name: string): string | undefined;
  readonly arguments: readonly string[];
  /** Standard output of a program in backquotes, without the line ends it ends with. */
  output(line: string, words: readonly Word[]): Steps<string>;
  /** Longest result; what is over is cut and `overflow` told. */
  readonly lineBytesMax: number;
  overflow(): void;
}

/** All of it as one text: nothing is split. */
export function* expandText(word: Word, run: Expansion): Steps<string> {
  let text = '';
  for (const part of word) {
    if (part.kind === 'text') text += part.text;
    else if (part.kind === 'command') text += yield* run.output(part.line, part.words);
    else if (part.kind === 'variable') {
      const value = run.value(part.name);
      const chosen = choose(part, value);
      text += typeof chosen === 'string' ? chosen : yield* expandText(chosen, run);
    }
  }
  return limited(text, run);
}

/** As the arguments of a program: unquoted values are split on white space. */
/** `showsArguments` false: an empty word in the place of `"$@"`. */
export function* expandWords(words: readonly Word[], run: Expansion, showsArguments = true): Steps<string[]> {
  const list: string[] = [];
  let bytes = 0;
  for (const word of words) {
    const collector = new Collector();
    if (isAllArguments(word)) {
      if (showsArguments) collector.list.push(...run.arguments);
      else collector.add('');
    } else yield* collect(word, run, collector);
    if (collector.open !== null) collector.list.push(collector.open);
    for (const text of collector.list) {
      bytes += text.length + 1;
      if (bytes > run.lineBytesMax) {
        run.overflow();
        return list;
      }
      list.push(text);
    }
  }
  return list;
}

class Collector {
  readonly list: string[] = [];
  open: string | null = null;

  add(text: string): void {
    this.open = (this.open ?? '') + text;
  }

  split(text: string): void {
    let from = 0;
    for (let at = 0; at <= text.length; at += 1) {
      const c = text[at];
      if (c !== undefined && c !== ' ' && c !== '\t' && c !== '\n') continue;
      if (at > from) this.add(text.slice(from, at));
      if (c !== undefined && this.open !== null) {
        this.list.push(this.open);
        this.open = null;
      }
      from = at + 1;
    }
  }
}

function* collect(word: Word, run: Expansion, into: Collector): Steps<void> {
  for (const part of word) {
    if (part.kind === 'text') into.add(part.text);
    else if (part.kind === 'arguments') continue;
    else if (part.kind === 'command') {
      const output = yield* run.output(part.line, part.words);
      if (part.isQuoted) into.add(output);
      else into.split(output);
    } else {
      const chosen = choose(part, run.value(part.name));
      if (typeof chosen !== 'string') yield* collect(chosen, run, into);
      else if (part.isQuoted) into.add(chosen);
      else into.split(chosen);
    }
  }
}

/** `"$@"` counts only as a word of its own. */
function isAllArguments(word: Word): boolean {
  return word.some((part) => part.kind === 'arguments') && word.every((part) => part.kind === 'arguments' || (part.kind === 'text' && part.text === ''));
}

function choose(part: Part & { kind: 'variable' }, value: string | undefined): string | Word {
  switch (part.operator) {
    case '-':
      return value ?? part.alternative;
    case ':-':
      return value === undefined || value === '' ? part.alternative : value;
    case '+':
      return value === undefined ? '' : part.alternative;
    case ':+':
      return value === undefined || value === '' ? '' : part.alternative;
    default:
      // The empty group keeps a first character from being taken for what it means at the start of a condition.
      return part.isDisarmed ? `()${(value ?? '').replace(/[\\^$.*+?()[|]/g, '\\$&')}` : (value ?? '');
  }
}

function limited(text: string, run: Expansion): string {
  if (text.length <= run.lineBytesMax) return text;
  run.overflow();
  return text.slice(0, run.lineBytesMax);
}
