/** Options of the patterns at the door: `[patterns]` in posthorn.toml. */
import { bytes, flag, KiB, list, MiB, type SettingsOf } from '../../system/declare.ts';

const TABLES = 'a list of tables: ["regexp:/etc/postfix/header_checks"]';

export const PATTERNS_SETTINGS = {
  'patterns.headerChecks': list({
    default: [],
    accepts: TABLES,
    doc: 'Tables asked with each field of the header, folded lines joined by newlines; the answer is an action.',
    see: 'Postfix header_checks',
  }),
  'patterns.mimeHeaderChecks': list({
    default: ['$headerChecks'],
    accepts: TABLES,
    doc: 'The same for MIME fields (MIME-Version, Content-…) anywhere and for the headers of parts; "$headerChecks" stands for that list.',
    see: 'Postfix mime_header_checks',
  }),
  'patterns.nestedHeaderChecks': list({
    default: ['$headerChecks'],
    accepts: TABLES,
    doc: 'The same for the headers of attached messages.',
    see: 'Postfix nested_header_checks',
  }),
  'patterns.bodyChecks': list({
    default: [],
    accepts: TABLES,
    doc: 'Tables asked with each line of the body as it came, boundaries included; empty lines are not asked.',
    see: 'Postfix body_checks',
  }),
  'patterns.bodyBytesMax': bytes({
    default: 50 * KiB,
    least: 0,
    most: 64 * MiB,
    doc: 'How much of each part of the body is asked for.',
    see: 'Postfix body_checks_size_limit',
  }),
  'patterns.headerBytesMax': bytes({
    default: 100 * KiB,
    least: KiB,
    most: MiB,
    doc: 'How much of a header field is asked for.',
    see: 'Postfix header_size_limit',
  }),
  'patterns.submission': flag({ default: true, doc: 'Apply the tables to submitted mail and to the sendmail command too, as Postfix does.' }),
};
export type PatternsSettings = SettingsOf<typeof PATTERNS_SETTINGS>;
