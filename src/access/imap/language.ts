/** LANGUAGE (RFC 5255 section 3): the server's own words are English and nothing else, so choosing changes nothing. */
import { has } from './capability.ts';
import type { ImapSession } from './session.ts';

/** As RFC 5255 section 3.1 wants it, "i-default" is one of them: English that anybody may meet. */
const LANGUAGES: readonly string[] = ['en', 'i-default'];

export function language(session: ImapSession, ranges: readonly string[]): string {
  if (!has(session, 'LANGUAGE')) return 'BAD Unknown command';
  if (ranges.length === 0) {
    session.out.write(`* LANGUAGE (${LANGUAGES.join(' ')})\r\n`);
    return 'OK LANGUAGE completed';
  }
  for (const range of ranges) {
    const found = lookup(range);
    if (found === null) continue;
    session.out.write(`* LANGUAGE (${found})\r\n`);
    return 'OK LANGUAGE completed';
  }
  return 'NO No such language here';
}

/** RFC 4647 section 3.4: "en-gb" is looked up as it is, then as "en". */
function lookup(range: string): string | null {
  if (range === 'default' || range === '*') return LANGUAGES[0]!;
  for (let tag = range; tag !== ''; tag = tag.slice(0, Math.max(0, tag.lastIndexOf('-')))) if (LANGUAGES.includes(tag)) return tag;
  return null;
}
