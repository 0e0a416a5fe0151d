/** Options of DMARC reports: keys of the table `[dmarc]` in posthorn.toml. */
import { bytes, DAY, duration, flag, KiB, MiB, type SettingsOf, text } from '../../system/declare.ts';

const wrongAddress = (value: string): string | undefined => (/^[^@\s]+@[^@\s]+$/.test(value) ? undefined : 'must be an address such as "dmarc@example.org"');

export const REPORTS_SETTINGS = {
  'dmarc.sendReports': flag({
    default: false,
    doc: 'Send each day, to the domains that ask for it (rua=), what mail in their name arrived here and how it fared.',
    see: 'RFC 7489 section 7.2; OpenDMARC HistoryFile, opendmarc-reports',
  }),
  'dmarc.reportFrom': text({
    default: '',
    accepts: 'an address, or ""',
    doc: 'Sender of these reports, also named in them for questions; empty is postmaster@ the first mail domain.',
    check: wrongAddress,
  }),
  'dmarc.organization': text({
    default: '',
    doc: 'Who reports, as named in the reports; empty is the first mail domain.',
    see: 'RFC 7489 appendix C org_name',
  }),
  'dmarc.reportBytesMax': bytes({ default: 10 * MiB, least: 16 * KiB, most: 50 * MiB, doc: 'Largest report sent, packed.' }),
  'dmarc.reportAddress': text({
    default: '',
    accepts: 'an address, or ""',
    doc: 'Address of this server that reports of others about its domains are sent to (rua= in their DMARC records); they are read and kept for posthorn dmarc.',
    check: wrongAddress,
  }),
  'dmarc.keepReports': duration({ default: 365 * DAY, least: DAY, doc: 'How long reports of others are kept.' }),
};
export type ReportsSettings = SettingsOf<typeof REPORTS_SETTINGS>;
