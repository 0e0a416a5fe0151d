/** Options of Sieve at IMAP events (RFC 6785), in the table `[sieve]` of posthorn.toml. */
import { count, flag, list, type SettingsOf } from '../../system/declare.ts';
import { imapRule } from './imap-rules.ts';

export const IMAP_SIEVE_SETTINGS = {
  'sieve.imapScripts': flag({
    default: true,
    doc: 'Run the scripts that users name for IMAP events (the annotation /shared/imapsieve/script on a mailbox or on the server).',
    see: 'RFC 6785; Pigeonhole plugin imap_sieve',
  }),
  'sieve.imapRules': list({
    default: [],
    accepts: 'a list of "MAILBOX CAUSE[,CAUSE] SCRIPT [from MAILBOX]"',
    doc: 'Scripts of the administrator for IMAP events, such as "\\Junk COPY learn-spam" and "* COPY learn-ham from \\Junk": put with `posthorn sieve put global NAME FILE --place include`. A mailbox is a name, a pattern with "*", or a special use; causes are APPEND, COPY (and MOVE) and FLAG.',
    see: 'Pigeonhole imapsieve_mailboxXXX_name, _causes, _before, _from',
    check: (entry) => {
      const rule = imapRule(entry);
      return typeof rule === 'string' ? rule : undefined;
    },
  }),
  'sieve.imapWaitingMax': count({
    default: 2000,
    least: 1,
    most: 100_000,
    doc: 'Messages of one account that wait for their scripts after IMAP commands; what is more is left as it is, and logged.',
    see: 'RFC 6785 section 1.2',
  }),
  'sieve.imapExpunge': flag({
    default: false,
    doc: 'Expunge messages that a script at an IMAP event discards or files elsewhere, instead of marking them \\Deleted.',
    see: 'RFC 6785 section 2.2.4; Pigeonhole imapsieve_expunge_discarded',
  }),
};
export type ImapSieveSettings = SettingsOf<typeof IMAP_SIEVE_SETTINGS>;
