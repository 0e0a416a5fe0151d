/** Options of the Sender Rewriting Scheme: table `[srs]` in posthorn.toml. */
import { count, flag, list, type SettingsOf, text } from '../system/declare.ts';

export const SRS_SETTINGS = {
  'srs.enabled': flag({
    default: true,
    doc: "Rewrite the sender of mail that is sent on to other hosts in a stranger's name, so that SPF passes there; reports come back through here.",
    see: 'PostSRSd',
  }),
  'srs.domain': text({
    default: '',
    accepts: "a domain of this server; '' for the primary domain",
    doc: 'Domain of rewritten senders.',
    see: 'PostSRSd SRS_DOMAIN',
    check: (value) => (/^[a-z0-9-]{1,63}(?:\.[a-z0-9-]{1,63})+$/.test(value) ? undefined : 'must be a domain in lower case'),
  }),
  'srs.days': count({ default: 21, least: 1, most: 366, doc: 'Days for which reports to a rewritten sender are taken.', see: 'PostSRSd SRS_HASHMAXAGE' }),
  'srs.secrets': list({
    default: [],
    accepts: 'a list of texts of at least 16 characters',
    doc: 'Secrets that several servers share, the newest first; without any, this server makes its own and keeps it in the data directory.',
    see: 'PostSRSd SRS_SECRET',
    check: (entry) => (entry.length >= 16 ? undefined : 'must have at least 16 characters'),
  }),
};
export type SrsSettings = SettingsOf<typeof SRS_SETTINGS>;
