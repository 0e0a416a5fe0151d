/** Options of the store. */
import { bytes, count, duration, GiB, KiB, MiB, type SettingsOf } from '../system/declare.ts';

export const STORE_SETTINGS = {
  'store.inlineBytesMax': bytes({
    default: 64 * KiB,
    least: 4 * KiB,
    most: MiB,
    takes: 'restart',
    doc: 'Largest compressed message kept inside the database; larger ones become files.',
  }),
  'store.walBytesMax': bytes({
    default: 32 * MiB,
    least: 4 * MiB,
    takes: 'restart',
    doc: 'Size of the write-ahead log above which the writer itself restarts it.',
  }),
  'store.walBytesShed': bytes({
    default: 2 * GiB,
    least: 64 * MiB,
    takes: 'restart',
    doc: 'Size of the write-ahead log above which new mail is refused for now (451) until readers let go of it.',
  }),
  'store.freeBytesMin': bytes({
    default: 64 * MiB,
    doc: 'Free disk space below which new mail is refused for now (452 4.3.1).',
    see: 'Postfix queue_minfree',
  }),
  'store.batchOperationsMax': count({
    default: 256,
    least: 1,
    most: 10_000,
    takes: 'restart',
    doc: 'Most operations in one group commit.',
  }),
  'store.expungedKeep': duration({
    default: 90 * 24 * 3_600_000,
    doc: 'How long the history of removed messages is kept for clients that resynchronise.',
  }),
} as const;
export type StoreSettings = SettingsOf<typeof STORE_SETTINGS>;
