/** Options of the lookup tables, TOML table [tables]. */
import { bytes, count, duration, KiB, MiB, SECOND, type SettingsOf } from '../../system/declare.ts';

export const TABLES_SETTINGS = {
  'tables.patternDeadline': duration({
    default: 100,
    least: 10,
    most: 10 * SECOND,
    doc: 'How long one pattern that only backtracking can match (look-around, back-references) may take for one key; then the lookup fails for now.',
  }),
  'tables.keyBytesMax': bytes({
    default: 128 * KiB,
    least: 320,
    most: MiB,
    doc: 'A longer key is cut to this length before it is compared with a pattern.',
  }),
  'tables.fileBytesMax': bytes({
    default: 64 * MiB,
    least: KiB,
    most: 1024 * MiB,
    doc: 'Largest file that is read as a lookup table; each thread that uses it keeps its own copy in memory.',
  }),
  'tables.patternsMax': count({
    default: 20_000,
    least: 1,
    most: 1_000_000,
    doc: 'Most rules in one regexp, pcre or cidr table.',
  }),
};
export type TablesSettings = SettingsOf<typeof TABLES_SETTINGS>;
