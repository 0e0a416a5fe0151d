/** The language itself: what needs no `require` (RFC 5228). */
import { ADDRESS_PART_TAGS } from '../addresses.ts';
import { MATCH_TAGS } from '../match.ts';
import type { Extension } from '../registry.ts';
import { DISCARD, KEEP, REDIRECT, STOP } from './actions.ts';
import { CORE_TESTS } from './tests.ts';

export const CORE: Extension = {
  name: '',
  commands: [STOP, KEEP, DISCARD, REDIRECT],
  tests: CORE_TESTS,
  tags: { '@match': MATCH_TAGS, '@addressPart': ADDRESS_PART_TAGS },
};
