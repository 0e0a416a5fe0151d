/** Options of sorting by score: table `[sorting]` in posthorn.toml. Accounts may have their own (`posthorn spam set`). */
import { choice, flag, type SettingsOf, text } from '../../system/declare.ts';
import { parseThreshold } from './preferences.ts';

const check = (value: string): string | undefined => (parseThreshold(value) === null ? 'must be a number such as "6" or "4.5", or "off"' : undefined);
const accepts = 'a number of points in quotes, or "off"';

export const SORTING_SETTINGS = {
  'sorting.junk': text({
    default: 'judge',
    accepts: `${accepts}, or "judge"`,
    check: (value) => (value === 'judge' ? undefined : check(value)),
    doc: 'Points from which on mail goes to the junk folder, for accounts that have not chosen; "judge": from the threshold of the judge.',
    see: 'SpamAssassin required_score',
  }),
  'sorting.discard': text({
    default: 'off',
    accepts,
    check,
    doc: 'Points from which on mail is thrown away without a word, for accounts that have not chosen.',
  }),
  'sorting.blocked': choice({ of: ['junk', 'discard'], default: 'junk', doc: 'What becomes of mail from addresses on the block list of an account.' }),
  'sorting.allowUnproven': flag({
    default: false,
    doc: 'Let the allow list of an account count for senders that neither DMARC nor SPF proves. Spammers like to write in the name of acquaintances.',
  }),
};
export type SortingSettings = SettingsOf<typeof SORTING_SETTINGS>;
