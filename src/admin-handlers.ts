/** The administration handlers of all rooms that work on the store alone; those that need the running server are added by serve.ts. */
import { ACL_ADMIN } from './access/acl/admin.ts';
import { CHALLENGE_ADMIN } from './deliver/challenge/admin.ts';
import { SCRIPTS_ADMIN } from './deliver/scripts/admin.ts';
import { SORTING_ADMIN } from './deliver/sorting/admin.ts';
import { DIRECTORY_ADMIN } from './directory/admin.ts';
import { REPORTS_ADMIN } from './judge/reports/admin.ts';
import { ensureDkimKeys, SIGNING_ADMIN } from './judge/signing/admin.ts';
import { HABIT_REASON } from './judge/rates/habit.ts';
import type { AdminContext, AdminHandlers } from './ports.ts';
import { QUEUE_ADMIN } from './queue/admin.ts';
import { ROUTE_ADMIN } from './route/admin.ts';
import { STORE_ADMIN } from './store/admin.ts';

export const ADMIN_HANDLERS: AdminHandlers = {
  ...DIRECTORY_ADMIN,
  ...ACL_ADMIN,
  ...QUEUE_ADMIN,
  ...STORE_ADMIN,
  ...SCRIPTS_ADMIN,
  ...SORTING_ADMIN,
  ...CHALLENGE_ADMIN,
  ...ROUTE_ADMIN,
  ...SIGNING_ADMIN,
  ...REPORTS_ADMIN,
  'judge.explain': async (...question) => (await rehearsals())['judge.explain']!(...question),
  'judge.replay': async (...question) => (await rehearsals())['judge.replay']!(...question),
  /** Mail held because an account sent above its habit, let go by the administrator: the account's sending counts as usual from then on. */
  'queue.release': async (context, args, emit, signal) => {
    const held = heldForHabit(context);
    const answer = await QUEUE_ADMIN['queue.release']!(context, args, emit, signal);
    if (held.size === 0) return answer;
    const left = heldForHabit(context);
    const at = context.now();
    for (const [accountId, recipients] of held) {
      const released = recipients - (left.get(accountId) ?? 0);
      if (released > 0) await context.writer.run('habit.release', { accountId, at, allowedUntil: at + ALLOWED_AFTER_RELEASE_MS, recipients: released });
    }
    return answer;
  },
  /** A domain that is served signs its mail. */
  'domain.add': async (context, args, emit, signal) => {
    const answer = await DIRECTORY_ADMIN['domain.add']!(context, args, emit, signal);
    if (context.settings()['dkim.createKeys'] === true) await ensureDkimKeys(context, String(args.domain));
    return answer;
  },
  /** Mail that waited for room is tried at once. */
  'user.quota': async (context, args, emit, signal) => {
    const answer = await DIRECTORY_ADMIN['user.quota']!(context, args, emit, signal);
    await QUEUE_ADMIN['queue.retry']!(context, { recipient: args.login }, () => {}, signal);
    return answer;
  },
};

/** They make a whole judge: loaded when somebody asks. */
async function rehearsals(): Promise<AdminHandlers> {
  return (await import('./judge/admin.ts')).JUDGE_ADMIN;
}

const ALLOWED_AFTER_RELEASE_MS = 86_400_000;

/** Recipients of held mail, by account. */
function heldForHabit(context: AdminContext): Map<number, number> {
  const rows = context.reader.rows(
    'SELECT e.account_id, count(*) FROM queue_entry e JOIN queue_recipient r ON r.entry_id=e.id WHERE e.is_held=1 AND e.account_id IS NOT NULL AND e.hold_reason=? GROUP BY e.account_id',
    HABIT_REASON,
  );
  return new Map(rows.map(([accountId, recipients]) => [accountId as number, recipients as number]));
}
