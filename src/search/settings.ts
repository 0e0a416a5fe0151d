/** Options of the search index. */
import { bytes, flag, KiB, MiB, type SettingsOf } from '../system/declare.ts';

export const SEARCH_SETTINGS = {
  'search.enabled': flag({
    default: true,
    takes: 'restart',
    doc: 'Keep an index of the texts of all messages (search.db in the data folder), so that searches need not read them. It can be made again at any time.',
    see: 'Dovecot fts',
  }),
  'search.attachments': flag({
    default: true,
    doc: 'Read the text of attached PDF and office documents too, in a thread with limits on memory and time.',
    see: 'Dovecot fts_decoder',
  }),
  'search.textBytesMax': bytes({
    default: MiB,
    least: 64 * KiB,
    most: 16 * MiB,
    doc: 'Characters of the header, of the text and of the attachments of one message that the index keeps. A message with more text is read when it is searched.',
    see: 'Dovecot fts_message_max_size',
  }),
} as const;
export type SearchSettings = SettingsOf<typeof SEARCH_SETTINGS>;
