/** Every operation the writer knows. The rooms that keep their own tables bring theirs. */
import { acceptInto } from '../operations/accept.ts';
import { ANNOTATION_OPERATIONS } from '../operations/annotation.ts';
import { MAILBOX_OPERATIONS, RECENT_OPERATIONS } from '../operations/mailbox.ts';
import { MESSAGE_OPERATIONS } from '../operations/message.ts';
import { REPAIR_OPERATIONS } from '../operations/repair.ts';
import type { Operations } from '../transaction.ts';

/** Those that keep to the counters in memory. */
export const OWN_OPERATIONS = { accept: acceptInto, ...MESSAGE_OPERATIONS, ...RECENT_OPERATIONS } as const;

/** Those that change mailbox rows by SQL. */
export const STORE_OPERATIONS: Operations = { ...MAILBOX_OPERATIONS, ...ANNOTATION_OPERATIONS, ...REPAIR_OPERATIONS } as unknown as Operations;
