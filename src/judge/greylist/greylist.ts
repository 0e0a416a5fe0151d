/**
 * Greylisting (RFC 6647): a client that is not known is asked once to come back later; mail servers do, most senders of spam do not.
 * Nothing here waits: rows are read synchronously, notes are written behind. When the store cannot be read, mail passes.
 */
import type { Address, Log, Metrics, Reply, StoreReader, StoreWriter } from '../../ports.ts';
import { HOUR } from '../../system/declare.ts';
import { exemptClient, isExemptRecipient } from './exempt.ts';
import { GreylistMemory, type TripletRow } from './memory.ts';
import type { SweepOutput } from './operations.ts';
import type { GreylistSettings } from './settings.ts';
import { networkOf, senderKey, tripletKey } from './triplet.ts';

export interface GreylistContext {
  readonly reader: Pick<StoreReader, 'rows'>;
  readonly writer: Pick<StoreWriter, 'run'>;
  settings(): GreylistSettings;
  readonly log: Log;
  readonly metrics: Metrics;
}

export interface GreylistInput {
  /** Canonical text; null for mail that came from no network. */
  readonly clientIp: string | null;
  /** The client's name when it leads back to its address, else null. */
  readonly clientName: string | null;
  readonly sender: Address | null;
  /** One at RCPT, all after the last byte. */
  readonly recipients: readonly Address[];
  /** The domain whose SPF record names this client (SPF result pass), else null. */
  readonly spfPass: string | null;
  /** Milliseconds, Unix time. */
  readonly now: number;
  /** Looks and changes nothing: for explain and replay. */
  readonly isDry?: boolean;
}

export type GreylistReason =
  | 'notFromNetwork'
  | 'exemptClient'
  | 'exemptRecipient'
  /** Enough of this network's or domain's triplets came back. */
  | 'knownClient'
  /** This triplet came back before. */
  | 'knownTriplet'
  /** This triplet has just come back. */
  | 'returned'
  | 'unavailable';

export type GreylistAnswer =
  /** `text` says in a sentence why, for explain and the journey. */
  | { readonly kind: 'pass'; readonly reason: GreylistReason; readonly text: string }
  | {
      readonly kind: 'wait';
      readonly reply: Reply;
      readonly text: string;
      /** Until when it must wait at least. */
      readonly seconds: number;
      /** False when it came back too early. */
      readonly isNew: boolean;
    };

export interface Greylist {
  /** Whether to ask this client to come back. Does not look at `greylist.mode`: that says when to call it. Never throws. */
  check(input: GreylistInput): GreylistAnswer;
  /** Writes what is waiting to be written. */
  flush(): Promise<void>;
}

/** Recipients of one message that are looked at: enough to find one that was here before. */
const RECIPIENTS_MAX = 50;
/** A client is counted and a row refreshed at most this often: a busy known client costs one small write an hour. */
const REFRESH_MS = HOUR;

/** One for each thread. */
export function createGreylist(context: GreylistContext): Greylist {
  const memory = new GreylistMemory({ ...context, rowsMax: () => context.settings()['greylist.rowsMax'] });
  return {
    check(input) {
      let answer: GreylistAnswer;
      try {
        answer = decide(input, context.settings(), memory);
      } catch (cause) {
        // Mail is not held back because a table cannot be read.
        context.log.warn('greylist.unavailable', { client: input.clientIp, cause });
        answer = pass('unavailable', 'The greylist could not be read');
      }
      if (input.isDry !== true) context.metrics.count('greylist.checks', 1, answer.kind === 'wait' ? 'wait' : answer.reason);
      return answer;
    },
    flush: () => memory.flush(),
  };
}

function pass(reason: GreylistReason, text: string): GreylistAnswer {
  return { kind: 'pass', reason, text };
}

function decide(input: GreylistInput, settings: GreylistSettings, memory: GreylistMemory): GreylistAnswer {
  const { clientIp, now } = input;
  if (clientIp === null) return pass('notFromNetwork', 'The message came from this machine');
  const exempt = exemptClient(clientIp, input.clientName, settings);
  if (exempt !== null) return pass('exemptClient', `${exempt} never waits (greylist.exemptNetworks, greylist.exemptClients)`);
  const recipients = input.recipients.slice(0, RECIPIENTS_MAX).filter((recipient) => !isExemptRecipient(recipient, settings));
  if (recipients.length === 0) return pass('exemptRecipient', 'Mail to this recipient never waits (greylist.exemptRecipients)');
  const origin =
    input.spfPass === null ? networkOf(clientIp, settings['greylist.network4'], settings['greylist.network6']) : `spf ${input.spfPass.toLowerCase()}`;
  if (origin === null) return pass('notFromNetwork', 'The client has no network address');

  const client = memory.client(origin, now);
  const knownAfter = settings['greylist.knownAfter'];
  if (knownAfter > 0 && client !== null && client.good >= knownAfter) {
    if (input.isDry !== true && now - client.seenAt >= REFRESH_MS) memory.noteClient(origin, client, 0, now + settings['greylist.lifetime'], now);
    return pass('knownClient', `${origin} is known: ${client.good} of its messages came back after waiting`);
  }

  const sender = senderKey(input.sender);
  const delay = settings['greylist.delay'];
  const triplets = recipients.map((recipient) => tripletKey(origin, sender, recipient));
  const rows = triplets.map((key) => memory.triplet(key, now));
  const known = rows.find((row) => row !== null && row.passedAt !== null);
  const ripe = rows.find((row) => row !== null && row.passedAt === null && isRipe(row, delay, now));
  if (known === undefined && ripe === undefined) {
    if (input.isDry !== true) noteNew(triplets, rows, settings, memory, now);
    return wait(rows, delay, now, origin);
  }
  if (input.isDry !== true) {
    // A client that came back for one recipient is no stranger to the others it waited for with it.
    for (let i = 0; i < rows.length; i += 1) notePassed(triplets[i]!, rows[i]!, settings, memory, now);
    if (known === undefined && (client === null || now - client.seenAt >= REFRESH_MS))
      memory.noteClient(origin, client, 1, now + settings['greylist.lifetime'], now);
  }
  return known === undefined
    ? pass('returned', `${origin} came back after ${seconds(now - ripe!.firstAt)} s, as asked`)
    : pass('knownTriplet', `${origin} with this sender and recipient came back before`);
}

/** A clock that was set back must not make anyone wait for longer than the delay. */
function isRipe(row: TripletRow, delay: number, now: number): boolean {
  return now - row.firstAt >= delay || row.firstAt > now + delay;
}

function wait(rows: readonly (TripletRow | null)[], delay: number, now: number, origin: string): GreylistAnswer {
  let left = delay;
  let isNew = true;
  for (const row of rows) {
    if (row === null) continue;
    isNew = false;
    left = Math.min(left, row.firstAt + delay - now);
  }
  const most = Math.max(1, seconds(left));
  return {
    kind: 'wait',
    seconds: most,
    isNew,
    text: isNew
      ? `${origin} is not known with this sender and recipient: asked to come back in ${most} s`
      : `${origin} came back too early, ${most} s are left`,
    reply: { code: 451, enhanced: '4.7.1', text: `Greylisted: this server does not know you yet, please try again in ${most} seconds` },
  };
}

function noteNew(keys: readonly string[], rows: readonly (TripletRow | null)[], settings: GreylistSettings, memory: GreylistMemory, now: number): void {
  for (let i = 0; i < keys.length; i += 1)
    if (rows[i] === null) memory.noteTriplet(keys[i]!, { firstAt: now, passedAt: null, expiresAt: now + settings['greylist.retryWindow'] }, now);
}

function notePassed(key: string, row: TripletRow | null, settings: GreylistSettings, memory: GreylistMemory, now: number): void {
  if (row === null) return;
  const expiresAt = now + settings['greylist.lifetime'];
  if (row.passedAt !== null && expiresAt - row.expiresAt < REFRESH_MS) return;
  memory.noteTriplet(key, { firstAt: row.firstAt, passedAt: row.passedAt ?? now, expiresAt }, now);
}

const seconds = (ms: number): number => Math.ceil(ms / 1000);

/** Rows in one operation: other operations have their turn between. */
const SWEEP_BATCH = 2000;

/** Removes rows that have run out, oldest first, and those above `greylist.rowsMax`; to be called about once an hour by one thread. Answers how many. */
export async function greylistSweep(context: Pick<GreylistContext, 'writer' | 'settings'>, now: number, signal: AbortSignal): Promise<number> {
  let removed = 0;
  while (!signal.aborted) {
    const input = { rowsMax: context.settings()['greylist.rowsMax'], batch: SWEEP_BATCH, at: now };
    const output: SweepOutput = await context.writer.run('greylist.sweep', input);
    removed += output.removed;
    if (output.isDone) break;
  }
  return removed;
}
