/** The answer to one SMTP command. */
import type { Reply } from '../../ports.ts';

export type Decision =
  /** Nothing against it. `by` is the restriction that permitted it, '' when none refused. */
  | { readonly kind: 'ok'; readonly by: string }
  /** Accept all that follows and throw the message away (DISCARD). */
  | { readonly kind: 'discard'; readonly by: string }
  /** 5xx and 4xx. `isHangUp`: close the connection after the reply (421 and 521). */
  | { readonly kind: 'reject' | 'defer'; readonly reply: Reply; readonly by: string; readonly isHangUp: boolean };

export const PERMITTED: Decision = { kind: 'ok', by: '' };
