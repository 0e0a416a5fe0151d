/** Options of stored filter scripts, `[scripts]` in posthorn.toml. How large one script may be is `sieve.scriptBytesMax`. */
import { bytes, count, KiB, MiB, type SettingsOf } from '../../system/declare.ts';

export const SCRIPTS_SETTINGS = {
  'scripts.countMax': count({ default: 100, least: 1, most: 10_000, doc: 'Most Sieve scripts of one account.', see: 'Pigeonhole sieve_quota_max_scripts' }),
  'scripts.totalBytesMax': bytes({
    default: 4 * MiB,
    least: 4 * KiB,
    doc: 'Most bytes of all Sieve scripts of one account together.',
    see: 'Pigeonhole sieve_quota_max_storage',
  }),
};
export type ScriptsSettings = SettingsOf<typeof SCRIPTS_SETTINGS>;
