/** The judge of one thread: what is compiled from the settings, what all sessions share, and the sessions. */
import type { Dns } from '../net/dns.ts';
import type {
  Account,
  Address,
  Client,
  Directory,
  Journey,
  Judge,
  Log,
  MessageView,
  Metrics,
  Router,
  SmtpView,
  StoreReader,
  StoreWriter,
  Tables,
} from '../ports.ts';
import type { AllJudgeSettings } from './all-settings.ts';
import { type Authenticity, type AuthenticityResult, createAuthenticity } from './authenticity/verify.ts';
import { authDns } from './authenticity/auth-dns.ts';
import { type CompileHost, compileParts, type JudgeParts } from './compile.ts';
import { createDoor } from './door/door.ts';
import { createPolicyClient } from './policy-client.ts';
import { createGreylist, type Greylist } from './greylist/greylist.ts';
import { createHabit, type Habit, HABIT_REASON, type UnusualSending } from './rates/habit.ts';
import { openRates, type Rates } from './rates/rates.ts';
import { createReportCollector, type ReportCollector } from './reports/collector.ts';
import { sealed } from './seal.ts';
import { SmtpJudge } from './session.ts';
import { createKeyRing } from './signing/ring.ts';
import { type SignOptions, signingDomain, signMessage, signOptions } from './signing/sign.ts';
import type { Soon } from './soon.ts';
import { SubmittedJudge } from './submitted.ts';

/** What the judge is given by the thread it works in. */
export interface JudgeHost {
  settings(): AllJudgeSettings;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly journey: Journey;
  readonly directory: Directory;
  /** Knows addresses that no list has: rewritten ones, senders of forwarded mail (SRS). Left out: there are none. */
  readonly router?: Pick<Router, 'resolve'>;
  readonly reader: StoreReader;
  readonly writer: StoreWriter;
  readonly dns: Dns;
  readonly tables: Tables;
  /** Asks the host responsible for an address (`deliver/callout.ts`). */
  callout(address: Address, sender: string | null, signal: AbortSignal): Promise<{ code: number; enhanced: string; text: string }>;
  /** Shared by all threads (`createRateMemory`). */
  readonly rateMemory: SharedArrayBuffer;
  readonly dataDir: string;
  /** An account sends far above its habit, for the first time: its owner and the administrator are to be told. */
  onUnusual(account: Account, unusual: UnusualSending, client: Client): void;
  /** Looks and changes nothing: explain and replay. */
  readonly isDry: boolean;
  now(): number;
}

/** What sessions work with. */
export interface JudgeContext extends Omit<JudgeHost, 'callout' | 'rateMemory' | 'onUnusual'> {
  readonly door: ReturnType<typeof createDoor> | null;
  readonly greylist: Greylist;
  readonly authenticity: Authenticity;
  readonly rates: Rates;
  readonly collector: ReportCollector;
  sign(view: MessageView): Soon<readonly string[]>;
  /** ARC fields for a message that came for `domain` and goes on elsewhere, topmost first. */
  seal(view: MessageView, authenticity: AuthenticityResult, domain: string): Soon<readonly Buffer[]>;
  /** Why mail of this account is to be held, or null. */
  holdForHabit(account: Account, recipients: number, client: Client): string | null;
  /** A message of an account was accepted. */
  sent(account: Account, recipients: number): void;
}

export interface ThreadJudge extends Judge {
  begin(view: SmtpView, replay?: { readonly dns: Dns; readonly authenticity: Authenticity }): SmtpJudge;
  readonly context: JudgeContext;
  parts(): JudgeParts;
  /** At reload: what is remembered of others' names and of our keys. */
  forget(): void;
  /** Waits for what is to be remembered. */
  close(): Promise<void>;
}

/** Compiles the settings at once: throws ConfigProblem-like errors of the tables and lists (see `check.ts`). */
export function createJudge(host: JudgeHost): ThreadJudge {
  const policyService = createPolicyClient({ log: host.log, metrics: host.metrics });
  const compileHost: CompileHost = {
    ...host,
    policyService,
    callout: (address, signal) => host.callout(address, null, signal),
    now: () => host.now(),
  };
  let parts = compileParts(host.settings(), compileHost);
  let failedFor: AllJudgeSettings | null = null;

  /** The parts for the settings in force; those that cannot be compiled leave the old ones at work (the check before a reload finds them first). */
  function current(): JudgeParts {
    const settings = host.settings();
    if (settings === parts.settings || settings === failedFor) return parts;
    try {
      const next = compileParts(settings, compileHost);
      parts.milters.close();
      parts = next;
    } catch (cause) {
      failedFor = settings;
      host.log.error('judge.compile.failed', { cause });
    }
    return parts;
  }

  const ring = createKeyRing(host);
  let signing: { settings: AllJudgeSettings; options: SignOptions } | null = null;
  function sign(view: MessageView): Soon<readonly string[]> {
    const settings = host.settings();
    if (!settings['dkim.sign']) return NO_SIGNATURES;
    const domain = signingDomain(view.header, ring, settings['dkim.useParentDomain']);
    if (domain === null) return NO_SIGNATURES;
    if (signing?.settings !== settings) signing = { settings, options: signOptions(settings, () => host.now()) };
    return signMessage(view, domain, ring, signing.options);
  }

  const habit: Habit | null = host.isDry ? null : createHabit({ ...host, settings: () => host.settings(), memory: host.rateMemory });
  const context: JudgeContext = {
    ...host,
    settings: () => host.settings(),
    now: () => host.now(),
    door: createDoor({
      ...host,
      settings: host.isDry ? () => ({ ...host.settings(), 'door.greetingDelay': 0 }) : () => host.settings(),
      now: () => host.now(),
    }),
    greylist: createGreylist({ ...host, settings: () => host.settings() }),
    authenticity: createAuthenticity({
      settings: () => host.settings(),
      hostname: () => host.settings().hostname,
      dns: authDns(host.dns),
      metrics: host.metrics,
      now: () => host.now(),
    }),
    rates: openRates(host.rateMemory, { ...host, settings: () => host.settings(), now: () => host.now() }),
    collector: createReportCollector({ ...host, isWanted: () => !host.isDry && host.settings()['dmarc.sendReports'], now: () => host.now() }),
    sign,
    seal: (view, authenticity, domain) => {
      const settings = host.settings();
      return settings['dkim.sign'] ? sealed(view, authenticity, [domain, settings.domain], ring, Math.floor(host.now() / 1000)) : [];
    },
    holdForHabit(account, recipients, client) {
      const answer = habit?.isUnusual(account.id, recipients, host.now());
      if (answer === undefined || answer.kind === 'usual') return null;
      if (answer.kind === 'unusual')
        habit!.beginIncident(account.id, host.now()).then(
          (isFirst) => {
            if (isFirst) host.onUnusual(account, answer, client);
          },
          (cause: unknown) => host.log.warn('habit.incident.failed', { account: account.login, cause }),
        );
      return HABIT_REASON;
    },
    sent: (account, recipients) => habit?.record(account.id, recipients, host.now()),
  };

  return {
    context,
    parts: current,
    begin: (view, replay) => new SmtpJudge(context, current(), view, replay ?? null),
    beginSubmitted: (envelope) => new SubmittedJudge(context, current(), envelope),
    forget() {
      context.authenticity.clear();
      ring.reload();
    },
    async close() {
      parts.milters.close();
      policyService.close();
      await Promise.all([context.door?.close(), context.greylist.flush(), habit?.flush(), context.collector.flush()]);
      context.collector.close();
    },
  };
}
const NO_SIGNATURES: readonly string[] = [];
