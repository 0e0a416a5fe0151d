/**
 * The grammar of a limit, as it stands in `rates.limits`:
 *
 *   [inbound|outbound] SUBJECT EVENT NUMBER/TIME [burst NUMBER]
 *   client messages 100/1h
 *   outbound account recipients 5000/1d burst 500
 *   network bytes 200MiB/1h
 */
import { bytes, duration, SettingError } from '../../system/declare.ts';

export type RateDirection = 'inbound' | 'outbound';
export type RateEvent = 'connections' | 'messages' | 'recipients' | 'bytes';
export const SUBJECTS = ['client', 'network', 'sender', 'senderDomain', 'recipient', 'recipientDomain', 'account'] as const;
export type RateSubject = (typeof SUBJECTS)[number];
const EVENTS: readonly RateEvent[] = ['connections', 'messages', 'recipients', 'bytes'];

export interface RateRule {
  /** Null: both, counted together. */
  readonly direction: RateDirection | null;
  readonly subject: RateSubject;
  readonly event: RateEvent;
  /** As many of `event` in `windowMs` refill; `burst` is what a full bucket holds. */
  readonly amount: number;
  readonly windowMs: number;
  readonly burst: number;
  /** The rule as written, words separated by one space. */
  readonly text: string;
}

const SIZE = bytes({ default: 0, doc: 'A size.' });
const TIME = duration({ default: 0, doc: 'A time.', least: 1000, most: 31 * 86_400_000 });
const EXAMPLE = 'such as "client messages 100/1h"';

/** The rule, or a sentence that says what is wrong with it. */
export function parseRule(line: string): RateRule | string {
  const words = line.trim().split(/\s+/);
  const text = words.join(' ');
  let direction: RateDirection | null = null;
  if (words[0] === 'inbound' || words[0] === 'outbound') direction = words.shift() as RateDirection;
  const [subject, event, rate, burstWord, burstText, ...more] = words as (string | undefined)[];
  if (!SUBJECTS.includes(subject as RateSubject)) return `"${subject ?? ''}" is not one of ${SUBJECTS.join(', ')}: a rule is ${EXAMPLE}`;
  if (!EVENTS.includes(event as RateEvent)) return `"${event ?? ''}" is not one of ${EVENTS.join(', ')}: a rule is ${EXAMPLE}`;
  if (event === 'connections' && subject !== 'client' && subject !== 'network') return 'only a client or a network has connections';
  const slash = rate === undefined ? -1 : rate.indexOf('/');
  if (rate === undefined || slash === -1) return `a number, "/" and a time must follow, ${EXAMPLE}`;
  if (more.length > 0 || (burstWord !== undefined && (burstWord !== 'burst' || burstText === undefined)))
    return 'after the rate only "burst" and a number may follow';
  const isBytes = event === 'bytes';
  const amount = parseAmount(rate.slice(0, slash), isBytes);
  const windowMs = parseWindow(rate.slice(slash + 1));
  const burst = burstText === undefined ? amount : parseAmount(burstText, isBytes);
  for (const value of [amount, windowMs, burst]) if (typeof value === 'string') return value;
  return {
    direction,
    subject: subject as RateSubject,
    event: event as RateEvent,
    amount: amount as number,
    windowMs: windowMs as number,
    burst: burst as number,
    text,
  };
}

/** For the declaration of the setting. */
export function wrongRule(line: string): string | undefined {
  const rule = parseRule(line);
  return typeof rule === 'string' ? rule : undefined;
}

function parseAmount(text: string, isBytes: boolean): number | string {
  let amount: number | string;
  if (isBytes) amount = /^\d+$/.test(text) ? Number(text) : read(() => SIZE.parse(text));
  else amount = /^\d{1,12}$/.test(text) ? Number(text) : `"${text}" is no whole number`;
  return typeof amount === 'number' && (amount < 1 || !Number.isSafeInteger(amount)) ? `"${text}" is too small or too large` : amount;
}

function parseWindow(text: string): number | string {
  return read(() => TIME.parse(/^[a-z]+$/.test(text) ? `1${text}` : text));
}

function read(parse: () => number): number | string {
  try {
    return parse();
  } catch (error) {
    if (error instanceof SettingError) return error.message;
    throw error;
  }
}
