/** Options of forwarding to other hosts: table `[forwarding]` in posthorn.toml. */
import { count, flag, type SettingsOf } from '../../system/declare.ts';

export const FORWARDING_SETTINGS = {
  'forwarding.spam': flag({
    default: false,
    doc: 'Send on what is spam too. Off, it stays here in the junk folder: hosts that get spam from us soon refuse the rest.',
  }),
  'forwarding.perDay': count({
    default: 2000,
    most: 10_000_000,
    doc: 'Messages that one account sends on to other hosts in a day (UTC), counted for each address; what comes after stays here. 0 for no limit.',
  }),
  'forwarding.seal': flag({
    default: true,
    doc: 'Seal what is sent on (ARC), so that the next host can see what SPF, DKIM and DMARC said here.',
    see: 'RFC 8617',
  }),
};
export type ForwardingSettings = SettingsOf<typeof FORWARDING_SETTINGS>;
