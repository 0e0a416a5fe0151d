/** Options of DKIM signing: table `[dkim]` in posthorn.toml. */
import { count, DAY, duration, flag, HOUR, list, type SettingsOf } from '../../system/declare.ts';

const wrongFieldName = (entry: string): string | undefined => (/^[!-9;-~]{1,60}$/.test(entry) ? undefined : 'is not a header field name');

/** Signed once more than they occur, so that nobody can add one (RFC 6376 section 8.15). */
const OVERSIGNED = ['From', 'To', 'Cc', 'Subject', 'Date', 'Message-ID', 'Reply-To', 'MIME-Version', 'Content-Type', 'Content-Transfer-Encoding'];
/** Signed where they occur: mailing lists and forwarders rightly add them. */
const SIGNED = [
  'Sender',
  'In-Reply-To',
  'References',
  'List-Id',
  'List-Help',
  'List-Post',
  'List-Owner',
  'List-Archive',
  'List-Subscribe',
  'List-Unsubscribe',
  'List-Unsubscribe-Post',
  'Resent-From',
  'Resent-To',
  'Resent-Cc',
  'Resent-Date',
  'Resent-Message-ID',
  'Auto-Submitted',
  'Feedback-ID',
];

export const SIGNING_SETTINGS = {
  'dkim.sign': flag({ default: true, doc: 'Sign outgoing mail of domains that have keys (posthorn dkim create).', see: 'RFC 6376; OpenDKIM Mode s' }),
  'dkim.createKeys': flag({ default: true, doc: 'Make keys for a domain of this server that has none.' }),
  'dkim.rsaBits': count({ default: 2048, least: 1024, most: 4096, doc: 'Length of new RSA keys.', see: 'RFC 8301 section 3.2; OpenDKIM MinimumKeyBits' }),
  'dkim.useParentDomain': flag({
    default: true,
    doc: 'Sign mail from sub.example.org with the keys of example.org when sub.example.org has none; DMARC in its relaxed mode takes that.',
    see: 'RFC 7489 section 3.1.1',
  }),
  'dkim.oversign': list({
    default: OVERSIGNED,
    doc: 'Header fields signed once more than they occur, so that none can be added on the way.',
    see: 'RFC 6376 section 8.15; OpenDKIM OversignHeaders',
    accepts: 'a list of header field names',
    check: wrongFieldName,
  }),
  'dkim.signedFields': list({
    default: SIGNED,
    doc: 'Further header fields signed where they occur.',
    see: 'RFC 6376 section 5.4; OpenDKIM SignHeaders',
    accepts: 'a list of header field names',
    check: wrongFieldName,
  }),
  'dkim.expireAfter': duration({
    default: 0,
    most: 365 * DAY,
    doc: 'How long a signature counts (tag x=); 0s leaves it without end.',
    see: 'RFC 6376 section 3.5; OpenDKIM SignatureTTL',
  }),
  'dkim.activateAfter': duration({
    default: 48 * HOUR,
    most: 90 * DAY,
    doc: 'After posthorn dkim rotate, how long the new key is only published before it signs; longer than the TTL of the records.',
  }),
};
export type SigningSettings = SettingsOf<typeof SIGNING_SETTINGS>;
