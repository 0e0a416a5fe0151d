/** Every operation the writer knows. The rooms that keep their own tables bring theirs. */
import { acceptInto } from '../operations/accept.ts';
import { ANNOTATION_OPERATIONS } from '../operations/annotation.ts';
import { COPY_ACROSS_OPERATIONS } from '../operations/copy-across.ts';
import { IMPORT_OPERATIONS, IMPORT_PLACE_OPERATIONS } from '../operations/import.ts';
import { LIGHT_MAILBOX_OPERATIONS, MAILBOX_OPERATIONS } from '../operations/mailbox.ts';
import { MESSAGE_OPERATIONS } from '../operations/message.ts';
import { REPAIR_OPERATIONS } from '../operations/repair.ts';
import { REPLACE_OPERATIONS } from '../operations/replace.ts';
import type { Operations } from '../transaction.ts';

/** Those that keep to the counters in memory. */
export const OWN_OPERATIONS = {
  accept: acceptInto,
  ...MESSAGE_OPERATIONS,
  ...COPY_ACROSS_OPERATIONS,
  ...REPLACE_OPERATIONS,
  ...LIGHT_MAILBOX_OPERATIONS,
  ...IMPORT_OPERATIONS,
} as const;

/** Those that change mailbox rows by SQL. */
export const STORE_OPERATIONS: Operations = {
  ...MAILBOX_OPERATIONS,
  ...ANNOTATION_OPERATIONS,
  ...REPAIR_OPERATIONS,
  ...IMPORT_PLACE_OPERATIONS,
} as unknown as Operations;
