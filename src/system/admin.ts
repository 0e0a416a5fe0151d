/** Administration of the program as a whole: status, reload, stop, trace. The parts that main knows are handed in. */
import type { AdminHandlers } from '../ports.ts';
import type { JourneyMessage, JourneyPage, JourneyPageRow, JourneyQuery } from './journey.ts';

export interface ServerStatus {
  readonly version: string;
  readonly pid: number;
  readonly startedAt: number;
  readonly configFile: string | null;
  readonly dataDir: string;
  /** Bound addresses by protocol. */
  readonly listen: Readonly<Record<string, readonly string[]>>;
  /** Open sessions by protocol. */
  readonly sessions: Readonly<Record<string, number>>;
  readonly threads: readonly { readonly name: string; readonly state: string; readonly restarts: number }[];
  /** Anything else worth a line: "queue" → 12. */
  readonly facts: Readonly<Record<string, string | number>>;
}

/** What main hands in. `reload` answers what changed and what waits for a restart; `stop` begins the stop and returns. */
export interface SystemAdminParts {
  status(): ServerStatus | Promise<ServerStatus>;
  reload(): Promise<{ changed: readonly string[]; needRestart: readonly string[]; warnings: readonly string[] }>;
  stop(): void;
  trace(query: JourneyQuery): Promise<JourneyMessage[]> | JourneyMessage[];
  page(query: JourneyPage): Promise<JourneyPageRow[]> | JourneyPageRow[];
}

/** The handlers 'server.status', 'server.reload', 'server.stop' and 'journey.trace'. */
export function systemAdmin(parts: SystemAdminParts): AdminHandlers {
  return {
    'server.status': async () => parts.status(),
    'server.reload': async () => parts.reload(),
    'server.stop': async () => {
      // After the answer is on its way: the stop closes this very socket.
      setImmediate(() => parts.stop());
      return { pid: process.pid };
    },
    'journey.trace': async (_context, args) => parts.trace(journeyQuery(args)),
    'journey.page': async (_context, args) => parts.page(journeyPage(args)),
  };
}

/** The same for a page. */
export function journeyPage(args: any): JourneyPage {
  const { after = 0, since = 0, events, limit = 500 } = args ?? {};
  for (const number of [after, since, limit]) if (!Number.isFinite(number)) throw new Error('after, since and limit must be numbers.');
  if (!Array.isArray(events) || events.length === 0 || events.length > 20 || events.some((event) => typeof event !== 'string'))
    throw new Error('events must be a list of names.');
  return { after, since, events, limit };
}

/** Checks what came over the socket. Throws with a sentence. */
export function journeyQuery(args: any): JourneyQuery {
  const { text, since, until, limit } = args ?? {};
  if (typeof text !== 'string' || text.trim() === '' || text.length > 2000)
    throw new Error('trace needs a message id, an address, a Message-ID or a client address.');
  for (const time of [since, until])
    if (time !== undefined && time !== null && !Number.isFinite(time)) throw new Error('since and until must be times in milliseconds.');
  if (limit !== undefined && limit !== null && !(Number.isInteger(limit) && limit > 0)) throw new Error('limit must be a whole number above 0.');
  return { text, ...(since == null ? {} : { since }), ...(until == null ? {} : { until }), ...(limit == null ? {} : { limit }) };
}
