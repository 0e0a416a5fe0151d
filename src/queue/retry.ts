/** When a recipient is tried again, and when it is given up (RFC 5321 section 4.5.4.1). Pure. */

export interface RetrySettings {
  readonly 'queue.retryMin': number;
  readonly 'queue.retryMax': number;
  readonly 'queue.lifetime': number;
  readonly 'queue.bounceLifetime': number;
  readonly 'queue.delayWarning': number;
}

/** Part of a wait by which it is spread, so that a crowd does not come back at once. */
const SPREAD = 0.24;

/**
 * Wait after the `attempts`-th attempt (1, 2 …), in ms: doubles from the least to the most, ± 12 %. Never below the least nor above the
 * most: at these two ends it is spread to one side only.
 */
export function waitAfter(attempts: number, settings: RetrySettings, random: () => number): number {
  const doublings = Math.min(Math.max(attempts, 1) - 1, 30);
  const least = settings['queue.retryMin'];
  const most = Math.max(least, settings['queue.retryMax']);
  const base = Math.min(least * 2 ** doublings, most);
  const from = Math.max(least, Math.min(base * (1 - SPREAD / 2), most - base * SPREAD));
  return Math.round(Math.min(most, from + base * SPREAD * random()));
}

export type AfterFailure =
  | { readonly kind: 'retry'; readonly at: number }
  /** Too old: to be returned. */
  | { readonly kind: 'expired' };

/** What follows a temporary failure at `now`. The last attempt is made when the lifetime ends, not before. */
export function afterFailure(
  now: number,
  createdAt: number,
  attempts: number,
  isBounce: boolean,
  notBefore: number,
  settings: RetrySettings,
  random: () => number,
): AfterFailure {
  const end = createdAt + (isBounce ? settings['queue.bounceLifetime'] : settings['queue.lifetime']);
  if (now >= end) return { kind: 'expired' };
  return { kind: 'retry', at: Math.min(Math.max(now + waitAfter(attempts, settings, random), notBefore), Math.max(end, now + 1000)) };
}

/** Should the sender now be told that mail for this recipient is delayed (RFC 3461 section 4.1)? */
export function isDelayWarningDue(
  now: number,
  createdAt: number,
  isWarned: boolean,
  sender: string | null,
  notify: string | null,
  settings: RetrySettings,
): boolean {
  const after = settings['queue.delayWarning'];
  return after > 0 && !isWarned && sender !== null && now - createdAt >= after && wants(notify, 'delay');
}

/**
 * `next` brought forward to the time at which the sender is to be warned, when that comes before it: the warning goes out with an attempt,
 * and the schedule alone would make it an hour late. Never nearer than the shortest wait.
 */
export function beforeWarning(
  next: number,
  now: number,
  createdAt: number,
  isWarned: boolean,
  sender: string | null,
  notify: string | null,
  settings: RetrySettings,
): number {
  const warningAt = createdAt + settings['queue.delayWarning'];
  if (warningAt <= now || !isDelayWarningDue(warningAt, createdAt, isWarned, sender, notify, settings)) return next;
  return Math.min(next, Math.max(warningAt, now + settings['queue.retryMin']));
}

/** NOTIFY as stored; null asks for failure, and for delay at our choice (RFC 3461 section 4.1). */
export function wants(notify: string | null, word: 'success' | 'failure' | 'delay'): boolean {
  if (notify === null || notify === '') return word !== 'success';
  return notify.toLowerCase().includes(word);
}
