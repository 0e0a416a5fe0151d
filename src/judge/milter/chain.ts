/** All configured milters of a thread. Made once for each configuration; without milters it costs nothing. */
import { type IdleSweeper, idle as threadIdle } from '../../net/idle.ts';
import type { Log, Metrics } from '../../ports.ts';
import type { MilterFacts } from './facts.ts';
import { CLIENT_LIMITS } from './limits.ts';
import { macroLists } from './macros.ts';
import { Milter } from './milter.ts';
import { PASSED } from './ruling.ts';
import { LiveSession, type MilterSession, type SessionContext } from './session.ts';
import type { MilterSettings } from './settings.ts';
import { parseMilter } from './specification.ts';

export interface MilterContext {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly hostname: string;
  /** For addresses without domain that milters give. */
  readonly domain: string;
  /** The program's version. */
  readonly version: string;
  /** Where replaced bodies of some size are held; on a disk. */
  readonly tempDir: string;
  /** The thread's, unless given. */
  readonly idle?: IdleSweeper | undefined;
}

export interface MilterChain {
  readonly isEmpty: boolean;
  /** One for each SMTP connection; call its connect() first and its close() at last. */
  begin(facts: MilterFacts): MilterSession;
  /** Connections at rest are closed; sessions that are open end by themselves. */
  close(): void;
}

const nothing = (): null => null;
const NO_MILTERS: MilterSession = {
  isActive: false,
  connect: nothing,
  helo: nothing,
  mail: nothing,
  rcpt: nothing,
  rejectedRcpt: () => undefined,
  data: nothing,
  unknown: nothing,
  endOfMessage: () => PASSED,
  abort: () => {},
  close: () => {},
};

/** Throws an Error with a sentence for an entry that is no milter; the settings' own check finds it before. */
export function createMilters(settings: MilterSettings, context: MilterContext): MilterChain {
  if (settings['milter.milters'].length === 0) return { isEmpty: true, begin: () => NO_MILTERS, close: () => {} };
  if (settings['milter.milters'].length > CLIENT_LIMITS.milters) throw new Error(`more than ${CLIENT_LIMITS.milters} milters`);
  const milters = settings['milter.milters'].map((entry) => {
    const spec = parseMilter(entry);
    if (typeof spec === 'string') throw new Error(`milter.milters: "${entry}": ${spec}`);
    return new Milter(spec, settings, context.idle ?? threadIdle);
  });
  const shared: SessionContext = {
    milters,
    lists: macroLists(settings),
    here: { hostname: context.hostname, daemonName: settings['milter.daemonName'] || context.hostname, version: context.version },
    log: context.log,
    metrics: context.metrics,
    domain: context.domain,
    bodyBytesMax: settings['milter.bodyBytesMax'],
    tempDir: context.tempDir,
  };
  return {
    isEmpty: false,
    begin: (facts) => new LiveSession(shared, facts),
    close: () => {
      for (const milter of milters) milter.close();
    },
  };
}
