/** Options of the queue: how long mail waits, how often it is tried, how much of it is held in memory. */
import { count, DAY, duration, flag, HOUR, KiB, bytes, MINUTE, SECOND, type SettingsOf, text } from '../system/declare.ts';

export const QUEUE_SETTINGS = {
  'queue.memoryRecipientsMax': count({
    default: 20_000,
    least: 100,
    most: 1_000_000,
    doc: 'Recipients held in memory at once; the rest wait in the store.',
    see: 'Postfix qmgr_message_recipient_limit',
  }),
  'queue.retryMin': duration({
    default: 5 * MINUTE,
    least: SECOND,
    doc: 'First wait after a temporary failure; doubles each time.',
    see: 'Postfix minimal_backoff_time',
  }),
  'queue.retryMax': duration({ default: 4 * HOUR, least: SECOND, doc: 'Longest wait between two attempts.', see: 'Postfix maximal_backoff_time' }),
  'queue.lifetime': duration({
    default: 5 * DAY,
    doc: 'Age at which mail that cannot be delivered is returned.',
    see: 'RFC 5321 section 4.5.4.1; Postfix maximal_queue_lifetime',
  }),
  'queue.bounceLifetime': duration({ default: DAY, doc: 'The same for mail with the null sender.', see: 'Postfix bounce_queue_lifetime' }),
  'queue.delayWarning': duration({
    default: 4 * HOUR,
    doc: 'Age at which the sender is told, once, that mail is delayed; 0s for never.',
    see: 'Postfix delay_warning_time',
  }),
  'queue.returnFullMax': bytes({
    default: 256 * KiB,
    doc: 'Largest message returned whole to a sender who asked for that (RET=FULL); all others get its header back.',
    see: 'Postfix bounce_size_limit',
  }),
  'queue.postmaster': text({
    default: '',
    accepts: 'an address, or "" for postmaster at the own domain',
    doc: 'Who hears of reports that could not be delivered themselves.',
    see: 'Postfix 2bounce_notice_recipient',
  }),
  'queue.notifyPostmaster': flag({ default: true, doc: 'Tell the postmaster when a delivery report cannot be delivered.', see: 'Postfix notify_classes' }),
} as const;
export type QueueSettings = SettingsOf<typeof QUEUE_SETTINGS>;
