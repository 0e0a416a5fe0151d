/** The writer operations of the rooms that keep their own tables. */
import { ACL_OPERATIONS } from '../access/acl/operations.ts';
import { URLAUTH_OPERATIONS } from '../access/imap/urlauth-operations.ts';
import { MIRROR_OPERATIONS } from '../access/mirror/operations.ts';
import { POP3_OPERATIONS } from '../access/pop3/operations.ts';
import { CHALLENGE_OPERATIONS } from '../deliver/challenge/operations.ts';
import { FORWARDING_OPERATIONS } from '../deliver/forwarding/operations.ts';
import { MAILROOM_OPERATIONS } from '../deliver/mailroom/operations.ts';
import { REPLY_OPERATIONS } from '../deliver/reply/operations.ts';
import { SCRIPT_OPERATIONS } from '../deliver/scripts/operations.ts';
import { SORTING_OPERATIONS } from '../deliver/sorting/operations.ts';
import { DIRECTORY_OPERATIONS } from '../directory/operations.ts';
import { DOOR_OPERATIONS } from '../judge/door/operations.ts';
import { GREYLIST_OPERATIONS } from '../judge/greylist/operations.ts';
import { POLICY_OPERATIONS } from '../judge/policy/operations.ts';
import { HABIT_OPERATIONS } from '../judge/rates/operations.ts';
import { REPORTS_OPERATIONS } from '../judge/reports/operations.ts';
import { QUEUE_OPERATIONS } from '../queue/operations.ts';
import type { Operations } from '../store/transaction.ts';

const { 'credential.used': credentialUsed, ...directoryOperations } = DIRECTORY_OPERATIONS;
const { 'queue.report': queueReport, ...queueOperations } = QUEUE_OPERATIONS;

/** Those that change nothing the writer counts in memory, or only through `acceptInto`: they run among deliveries without disturbing them. */
export const LIGHT_OPERATIONS: Operations = {
  ...ACL_OPERATIONS,
  ...URLAUTH_OPERATIONS,
  ...POP3_OPERATIONS,
  ...MIRROR_OPERATIONS,
  ...DOOR_OPERATIONS,
  ...GREYLIST_OPERATIONS,
  ...POLICY_OPERATIONS,
  ...HABIT_OPERATIONS,
  ...REPORTS_OPERATIONS,
  ...SCRIPT_OPERATIONS,
  ...MAILROOM_OPERATIONS,
  ...REPLY_OPERATIONS,
  ...FORWARDING_OPERATIONS,
  ...SORTING_OPERATIONS,
  ...CHALLENGE_OPERATIONS,
  'credential.used': credentialUsed!,
  'queue.report': queueReport!,
};

export const ROOM_OPERATIONS: Operations = { ...directoryOperations, ...queueOperations };
