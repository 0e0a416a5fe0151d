/** Flags of messages (RFC 5232): lists of names as scripts write them, and as the store keeps them. */
import { FLAG } from '../../../ports.ts';
import type { FlagSet } from '../filter.ts';
import type { Call } from './call.ts';
import type { Run } from './run.ts';
import type { Texts } from './text.ts';

const SYSTEM: ReadonlyMap<string, number> = new Map([
  ['\\seen', FLAG.seen],
  ['\\answered', FLAG.answered],
  ['\\flagged', FLAG.flagged],
  ['\\deleted', FLAG.deleted],
  ['\\draft', FLAG.draft],
]);
/** flag-keyword (RFC 9051 section 9): an atom. */
const KEYWORD = /^[!#$&'+,\-./0-9:;<=>?@A-Z[^_`a-z|}~]+$/;
const FLAGS_MAX = 100;
const FLAG_CHARS_MAX = 200;

/** The flags in these texts, each of which may hold several with spaces between; wrong ones and repeats are left out (section 2). */
export function flagList(texts: readonly string[]): string[] {
  const out: string[] = [];
  const seen = new Set<string>();
  for (const text of texts) {
    for (const flag of text.split(/[ \t\r\n]+/)) {
      const key = flag.toLowerCase();
      if (flag === '' || seen.has(key) || !isFlag(flag)) continue;
      if (out.length >= FLAGS_MAX) return out;
      seen.add(key);
      out.push(SYSTEM.has(key) ? key : flag);
    }
  }
  return out;
}

function isFlag(flag: string): boolean {
  return flag.startsWith('\\') ? SYSTEM.has(flag.toLowerCase()) : flag.length <= FLAG_CHARS_MAX && KEYWORD.test(flag);
}

/** null: none. */
export function flagSet(list: readonly string[]): FlagSet | null {
  if (list.length === 0) return null;
  let flags = 0;
  const keywords: string[] = [];
  for (const flag of list) {
    const bit = SYSTEM.get(flag.toLowerCase());
    if (bit === undefined) keywords.push(flag);
    else flags |= bit;
  }
  return { flags, keywords };
}

/** The flags an action stores with: of its `:flags`, else of the internal variable (section 3.2). */
export function actionFlags(call: Call): (run: Run) => FlagSet | null {
  const texts: Texts | null = call.texts(':flags');
  if (texts !== null) return (run) => flagSet(flagList(texts.values(run)));
  return (run) => flagSet(run.flags);
}
