/** What one account sees by POP3, and what deleting does: its own options over those of the server. */
import type { AccountId, StoreReader } from '../../ports.ts';
import { accountOptions } from '../../directory/options.ts';
import type { Pop3Settings } from './settings.ts';

export interface Pop3Choice {
  /** 'all' and 'unseen' are of the inbox; 'everywhere' is that and the other mailboxes (mailboxes.ts). */
  readonly shows: 'all' | 'unseen' | 'everywhere' | 'none';
  /** Messages that arrived before are not shown (Unix milliseconds). */
  readonly since: number;
  readonly deletes: 'expunge' | 'trash' | 'keep';
}

/** The values were checked when they were set (`ACCOUNT_OPTIONS`); what is none of ours counts as not set. */
export function choiceOf(reader: StoreReader, accountId: AccountId, settings: Pop3Settings): Pop3Choice {
  const own = accountOptions(reader, accountId);
  const shows = own.get('pop3.shows');
  const deletes = own.get('pop3.deletes');
  const since = Date.parse(own.get('pop3.since') ?? '');
  return {
    shows: shows === 'all' || shows === 'unseen' || shows === 'everywhere' || shows === 'none' ? shows : settings['pop3.shows'],
    since: Number.isNaN(since) ? Number.NEGATIVE_INFINITY : since,
    deletes: deletes === 'expunge' || deletes === 'trash' || deletes === 'keep' ? deletes : settings['pop3.deletes'],
  };
}
