/** What the milters together say about one message. */
import type { NewBody } from '../../mail/edited-message.ts';
import type { Address, HeaderEdit, Reply } from '../../ports.ts';
import type { MilterAddress } from './changes.ts';

export interface MilterRuling {
  readonly action: 'accept' | 'reject' | 'defer' | 'discard' | 'quarantine';
  /** With 'reject' and 'defer'; code 421 asks to close the connection after it. */
  readonly reply: Reply | null;
  /** Why it is quarantined. */
  readonly reason: string | null;
  /** The milter that decided, when one did. */
  readonly milter: string | null;
  /** Header changes of all milters, to be applied in order to the header that was shown. */
  readonly edits: readonly HeaderEdit[];
  /** The body to keep instead; null = as it came. Valid until the session's next MAIL, abort() or close(). */
  readonly body: NewBody | null;
  readonly sender: MilterAddress<Address | null> | null;
  readonly addedRecipients: readonly MilterAddress[];
  readonly removedRecipients: readonly Address[];
}

export const PASSED: MilterRuling = {
  action: 'accept',
  reply: null,
  reason: null,
  milter: null,
  edits: [],
  body: null,
  sender: null,
  addedRecipients: [],
  removedRecipients: [],
};
