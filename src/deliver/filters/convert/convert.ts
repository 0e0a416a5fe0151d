/** Turns filter files of other languages into Sieve where the meaning is equal. */
import type { FilterLanguage } from '../filter.ts';
import { convertMaildrop } from '../maildrop/convert.ts';
import { parseMaildropBytes } from '../maildrop/parse.ts';
import { parseProcmail } from '../procmail/parse.ts';
import type { Converted, ConvertOptions, Note } from './converted.ts';
import { convertForward } from './forward.ts';
import { convertProcmail } from './procmail.ts';
import { convertQmail } from './qmail.ts';

export type ConvertibleLanguage = Exclude<FilterLanguage, 'sieve'>;

/** `file` as its owner would name it. Only a `.mailfilter` that maildrop would not run has a `problem`; procmail passes over what is wrong. */
export function convertFilter(
  text: Uint8Array,
  file: string,
  language: ConvertibleLanguage,
  options: Omit<ConvertOptions, 'heading'>,
): { readonly converted: Converted } | { readonly problem: Note } {
  const bytes = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  const heading = [`Written from ${file} (${language}) by "posthorn filter convert".`];
  const given = { ...options, heading };
  switch (language) {
    case 'procmail':
      return { converted: convertProcmail(parseProcmail(bytes, file), given) };
    case 'forward':
      return { converted: convertForward(bytes.toString('utf8'), given) };
    case 'qmail':
      return { converted: convertQmail(bytes.toString('utf8'), given) };
    case 'maildrop': {
      const parsed = parseMaildropBytes(bytes.toString('latin1'), file);
      if ('problem' in parsed) return { problem: { line: parsed.problem.line, why: parsed.problem.text } };
      const { sieve, notes } = convertMaildrop(parsed.script);
      return { converted: { sieve: `# ${heading[0]!.replace(/[\0-\x1f\x7f\u2028\u2029]+/g, ' ')}\n\n${sieve}`, notes } };
    }
  }
}
