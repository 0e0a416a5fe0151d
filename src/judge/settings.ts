/** Options of the verdict: `[judge]` in posthorn.toml. */
import { wrongNetwork } from '../net/networks.ts';
import { bytes, choice, count, DAY, duration, flag, HOUR, KiB, list, MiB, MINUTE, type SettingsOf, text } from '../system/declare.ts';
import { wrongOverride, wrongWeight } from './thresholds.ts';

const score = (value: string): string | undefined => (/^-?\d{1,4}(\.\d{1,3})?$/.test(value) ? undefined : 'must be a number such as "4" or "6.5"');

export const VERDICT_SETTINGS = {
  'judge.exempt': list({
    default: ['127.0.0.0/8', '::1/128'],
    accepts: 'a list of addresses and networks: ["192.0.2.1", "2001:db8::/32"]',
    check: wrongNetwork,
    doc: 'Clients that the checks of strangers pass over: greeting delay, DNS lists, the default restrictions, greylisting, SPF and DMARC. They may not relay for that.',
  }),
  'judge.onSubmission': flag({
    default: false,
    doc: 'Apply the restriction lists of [policy] to submission too, as Postfix does unless master.cf says otherwise.',
  }),
  'judge.greylistScore': text({ default: '4', accepts: 'a number in quotes', check: score, doc: 'From this score on a message is asked to come back later.' }),
  'judge.addHeaderScore': text({
    default: '6',
    accepts: 'a number in quotes',
    check: score,
    doc: 'From this score on a message is marked as spam (X-Spam-Flag).',
    see: 'Rspamd add_header',
  }),
  'judge.rejectScore': text({
    default: '15',
    accepts: 'a number in quotes',
    check: score,
    doc: 'From this score on a message is refused.',
    see: 'Rspamd reject',
  }),
  'judge.overrides': list({
    default: [],
    accepts: 'a list such as ["example.org reject=20", "ann@example.org addHeader=4 greylist=off"]',
    check: wrongOverride,
    doc: 'Thresholds of single domains and addresses; "off" never does it. A message to several takes the mildest.',
  }),
  'judge.weights': list({
    default: [],
    accepts: 'a list such as ["SPF_SOFTFAIL=2", "RDNS_NONE=0"]',
    check: wrongWeight,
    doc: 'Scores of single symbols instead of their own.',
  }),
  'judge.spamToJunk': flag({ default: true, doc: 'Deliver what is marked as spam into the mailbox for junk.' }),
  'judge.quarantine': choice({
    default: 'junk',
    of: ['junk', 'hold'],
    doc: 'What is quarantined (DMARC p=quarantine, a milter): into the mailbox for junk, or held in the queue for the administrator.',
  }),
  'judge.spamHeaders': flag({ default: true, doc: 'Write X-Spam-Status with the score and the symbols into messages that strangers send.' }),
  'judge.headerBytesMax': bytes({
    default: 256 * KiB,
    least: 16 * KiB,
    most: MiB,
    doc: 'Largest header that is judged; a message with a larger one is refused.',
    see: 'Postfix header_size_limit',
  }),
  'judge.timeout': duration({
    default: 5 * MINUTE,
    least: 1000,
    most: HOUR,
    doc: 'Time for all checks of one message, milters included; after it the client is asked to come back.',
  }),
  'judge.record': flag({ default: true, doc: 'Keep with each message what the name servers answered, for posthorn replay.' }),
  'judge.replayMax': count({ default: 100_000, least: 1, most: 10_000_000, doc: 'Messages that one posthorn replay judges at most.' }),
  'judge.replaySince': duration({ default: 7 * DAY, doc: 'How far back posthorn replay goes without --since.' }),
};
export type VerdictSettings = SettingsOf<typeof VERDICT_SETTINGS>;
