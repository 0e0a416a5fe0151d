/** The administration handlers of all rooms that work on the store alone; those that need the running server are added by serve.ts. */
import { DIRECTORY_ADMIN } from './directory/admin.ts';
import type { AdminHandlers } from './ports.ts';
import { QUEUE_ADMIN } from './queue/admin.ts';
import { STORE_ADMIN } from './store/admin.ts';

export const ADMIN_HANDLERS: AdminHandlers = {
  ...DIRECTORY_ADMIN,
  ...QUEUE_ADMIN,
  ...STORE_ADMIN,
  /** Mail that waited for room is tried at once. */
  'user.quota': async (context, args, emit, signal) => {
    const answer = await DIRECTORY_ADMIN['user.quota']!(context, args, emit, signal);
    await QUEUE_ADMIN['queue.retry']!(context, { recipient: args.login }, () => {}, signal);
    return answer;
  },
};
