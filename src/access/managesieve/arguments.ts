/** The arguments of a command, as its row in the table asks for them. */
import type { Word } from '../../wire/managesieve/line.ts';
import { decodeText, scriptName } from '../../wire/managesieve/name.ts';

/** 'name': of a script; 'nameOrNone': or empty. 'string?' may be missing. */
export type ArgumentKind = 'name' | 'nameOrNone' | 'string' | 'string?' | 'number';
export type Argument = string | Buffer | number | null;

export interface Refused {
  readonly refused: string;
}

/** `words` without the command's own; one value for each of `kinds`: text for names, octets for strings, null for what was left out. */
export function readArguments(words: readonly Word[], kinds: readonly ArgumentKind[]): Argument[] | Refused {
  if (words.length > kinds.length) return { refused: kinds.length === 0 ? 'Takes no arguments' : 'Too many arguments' };
  const values: Argument[] = [];
  for (const [n, kind] of kinds.entries()) {
    const word = words[n];
    if (word === undefined) {
      if (kind !== 'string?') return { refused: 'An argument is missing' };
      values.push(null);
      continue;
    }
    const value = readArgument(word, kind);
    if (typeof value === 'object' && value !== null && 'refused' in value) return value;
    values.push(value);
  }
  return values;
}

function readArgument(word: Word, kind: ArgumentKind): Argument | Refused {
  if (kind === 'number') return word.kind === 'number' ? word.value : { refused: 'A number is expected' };
  if (word.kind !== 'string') return { refused: 'A string is expected' };
  if (kind === 'string' || kind === 'string?') return word.bytes;
  if (kind === 'nameOrNone' && word.bytes.length === 0) return '';
  const text = decodeText(word.bytes);
  const name = text === null ? null : scriptName(text);
  return name ?? { refused: 'No script can have this name: up to 128 characters, no control characters' };
}
