/** Extensions of a row or two: they only bring tags, words from core/, or a way to write texts. */
import { FILEINTO } from '../core/actions.ts';
import type { Extension } from '../registry.ts';

export const SIMPLE: readonly Extension[] = [
  /** RFC 5228 section 4.1. */
  { name: 'fileinto', commands: [FILEINTO] },
  /** RFC 5228 section 2.4.2.4; text.ts decodes. */
  { name: 'encoded-character' },
  /** RFC 3894. */
  { name: 'copy', tags: { fileinto: [{ name: 'copy', argument: null }], redirect: [{ name: 'copy', argument: null }] } },
  /** RFC 5231. */
  {
    name: 'relational',
    tags: {
      '@match': [
        { name: 'value', argument: 'string', group: 'match', isConstant: true },
        { name: 'count', argument: 'string', group: 'match', isConstant: true },
      ],
    },
  },
  /** RFC 5233. */
  {
    name: 'subaddress',
    tags: {
      '@addressPart': [
        { name: 'user', argument: null, group: 'addressPart' },
        { name: 'detail', argument: null, group: 'addressPart' },
      ],
    },
  },
  /** draft-murchison-sieve-regex. */
  { name: 'regex', tags: { '@match': [{ name: 'regex', argument: null, group: 'match' }] } },
  /** RFC 5260 section 6. */
  {
    name: 'index',
    tags: {
      '@index': [
        { name: 'index', argument: 'number' },
        { name: 'last', argument: null },
      ],
    },
  },
  /** RFC 6009. */
  {
    name: 'redirect-dsn',
    tags: {
      redirect: [
        { name: 'notify', argument: 'string', isConstant: true },
        { name: 'ret', argument: 'string', isConstant: true },
      ],
    },
  },
  /** RFC 5228 section 2.7.3: these two are always there, requiring them changes nothing. */
  { name: 'comparator-i;octet', isHidden: true },
  { name: 'comparator-i;ascii-casemap', isHidden: true },
  { name: 'comparator-i;ascii-numeric' },
  { name: 'comparator-i;unicode-casemap' },
];
