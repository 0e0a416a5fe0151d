/** Where a report of ours goes: to a mailbox of ours at once, to everybody else by way of the queue. */
import type { Mailroom } from '../deliver/mailroom/types.ts';
import type { Address, Directory, Resolution } from '../ports.ts';
import { expand } from './expand.ts';

export interface ReachContext {
  readonly directory: Directory;
  /** The router, for senders that the directory does not know: system users, owners of lists, rewritten senders of forwarded mail (SRS). */
  resolve?(address: Address, sender: Address | null): Resolution | Promise<Resolution>;
  /** The accounts' own rules: a report for one that has some goes by way of the queue, where they are followed. */
  readonly mailroom?: Pick<Mailroom, 'hasRules'>;
}

/** Null when the address leads nowhere. Never rejects: with a table that is down the report waits in the queue. */
export async function reach(to: Address, context: ReachContext): Promise<ReturnType<typeof expand> | null> {
  let resolution = context.directory.resolve(to);
  if (resolution.kind === 'unknown' && context.resolve !== undefined) resolution = await routed(to, context.resolve);
  const { mailroom } = context;
  if (resolution.kind === 'deliver' && mailroom?.hasRules !== undefined && resolution.local.some(({ accountId }) => mailroom.hasRules!(accountId)))
    resolution = { kind: 'foreign' };
  const expansion = expand([{ address: to, resolution, notify: 'never', orcpt: null }], null, []);
  return expansion.deliveries.length + expansion.remote.length > 0 ? expansion : null;
}

/** What routing knows goes into the queue under its own address and is resolved there, with all that belongs to it (tasks, owners). */
async function routed(to: Address, resolve: NonNullable<ReachContext['resolve']>): Promise<Resolution> {
  try {
    const found = await resolve(to, null);
    return found.kind === 'deliver' ? { kind: 'foreign' } : found;
  } catch {
    return { kind: 'foreign' };
  }
}
