/** Options of automatic replies: table `[reply]` in posthorn.toml. */
import { choice, count, list, type SettingsOf } from '../../system/declare.ts';

export const REPLY_SETTINGS = {
  'reply.perDay': count({
    default: 500,
    most: 100_000,
    doc: 'Automatic replies and notifications that one account sends in a day (UTC); 0 switches them off.',
  }),
  'reply.never': list({
    default: [],
    accepts: 'a list of addresses, "@domain" or "local@"',
    doc: 'Senders that never get an automatic reply, besides those that are programs by their name (MAILER-DAEMON, noreply, owner-list).',
    see: 'RFC 5230 section 4.6',
    check: (entry) => (/^(?:[^@\s]{1,64}@[^@\s]{0,255}|@[^@\s]{1,255})$/.test(entry) ? undefined : 'must be an address, "@domain" or "local@"'),
  }),
  'reply.rejectedReport': choice({
    of: ['header', 'none'],
    default: 'header',
    doc: 'What of a rejected message goes back with the report: its header, or nothing.',
    see: 'RFC 5429 section 2.2.1',
  }),
};
export type ReplySettings = SettingsOf<typeof REPLY_SETTINGS>;
