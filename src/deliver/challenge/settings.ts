/** Options of challenge and response: table `[challenge]` in posthorn.toml. It works for accounts that switched it on. */
import { choice, count, DAY, duration, type SettingsOf, text } from '../../system/declare.ts';

export const CHALLENGE_SETTINGS = {
  'challenge.mailbox': text({
    default: 'Waiting',
    doc: 'Mailbox in which mail of unknown senders waits for their answer.',
    check: (value) =>
      /^[^\x00-\x1f\x7f/%*]{1,100}$/.test(value) && value.toUpperCase() !== 'INBOX' ? undefined : 'must be the name of a mailbox other than INBOX',
  }),
  'challenge.perDay': count({
    default: 50,
    most: 10_000,
    doc: 'Unknown senders that one account asks in a day (UTC); mail of further ones is treated as challenge.unasked says.',
  }),
  'challenge.wait': duration({
    default: 14 * DAY,
    least: DAY,
    most: 90 * DAY,
    doc: 'How long a challenge can be answered. A sender who writes again later is asked again; what waits stays in the mailbox.',
  }),
  'challenge.unasked': choice({
    of: ['deliver', 'hold'],
    default: 'deliver',
    doc: 'What becomes of mail of unknown senders who cannot be asked, because DMARC does not prove the sender, or the mail is bulk or automatic.',
  }),
  'challenge.known': duration({
    default: 400 * DAY,
    least: DAY,
    most: 3660 * DAY,
    doc: 'How long somebody whom the user of the account has written to stays known.',
  }),
  'challenge.baseUrl': text({
    default: '',
    accepts: 'an address such as "https://mail.example.org/c/" to which the token is added; \'\' for none',
    doc: 'Where a click releases a message, in front of the token. Without it a challenge is answered by mail alone.',
    check: (value) => (/^https:\/\/[!-~]{1,200}$/.test(value) ? undefined : 'must begin with https://'),
  }),
};
export type ChallengeSettings = SettingsOf<typeof CHALLENGE_SETTINGS>;
