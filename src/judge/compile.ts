/** The settings made ready to work with. Throws PolicyProblem and TableProblem; `check.ts` turns them into lines of the configuration. */
import { join } from 'node:path';
import { domainToASCII } from 'node:url';
import type { Dns } from '../net/dns.ts';
import type { Address, Directory, Log, Metrics, Router, StoreReader, StoreWriter, Tables } from '../ports.ts';
import { version } from '../system/version.ts';
import type { AllJudgeSettings } from './all-settings.ts';
import { createMilters, type MilterChain } from './milter/chain.ts';
import { compilePatterns } from './patterns/compile.ts';
import type { PatternTables } from './patterns/filter.ts';
import { compilePolicy } from './policy/compile.ts';
import { policyConfig, probeSettings, recipientConfig } from './policy/from-settings.ts';
import { ownAddresses } from './policy/own-addresses.ts';
import { createSenderOwners } from './policy/owners.ts';
import type { Policy } from './policy/policy.ts';
import type { PolicyContext, PolicyService } from './policy/ports.ts';
import { type Callout, createProber } from './policy/probes.ts';
import { createRecipientClasses } from './policy/recipients.ts';
import { POLICY_SETTINGS } from './policy/settings.ts';
import { readWeights, ThresholdTable } from './thresholds.ts';

export interface JudgeParts {
  readonly settings: AllJudgeSettings;
  readonly policy: Policy;
  /** For clients of `judge.exempt`: lists that nobody has changed are empty, but for those about relaying and recipients. */
  readonly exemptPolicy: Policy;
  readonly patterns: PatternTables | null;
  readonly milters: MilterChain;
  readonly thresholds: ThresholdTable;
  readonly weights: ReadonlyMap<string, number>;
  /** A table of logins gives the address to this login; false without such tables. Rejects with TableError. */
  ownsSender(login: string, address: Address): boolean | Promise<boolean>;
  /** ETRN: mail for this domain is kept here for another host. */
  isEtrnDomain(domain: string): Promise<boolean>;
}

/** What is needed for it. */
export interface CompileHost {
  readonly log: Log;
  readonly metrics: Metrics;
  readonly directory: Directory;
  readonly router?: Pick<Router, 'resolve'>;
  readonly reader: StoreReader;
  readonly writer: StoreWriter;
  readonly dns: Dns;
  readonly tables: Tables;
  readonly policyService: PolicyService;
  readonly callout: Callout;
  readonly dataDir: string;
  now(): number;
}

/** Lists whose defaults are about strangers only. */
const ABOUT_STRANGERS = [
  ['helo', 'policy.heloRestrictions'],
  ['sender', 'policy.senderRestrictions'],
  ['data', 'policy.dataRestrictions'],
] as const;

/** Settings travel between threads: a default list is another object there. */
function isSame(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((entry, i) => entry === b[i]);
}

export function compileParts(settings: AllJudgeSettings, host: CompileHost): JudgeParts {
  const { hostname } = settings;
  const tablesSettings = () => settings;
  const shared = { tables: host.tables, tablesSettings, log: host.log, now: () => host.now() };
  const recipients = createRecipientClasses(recipientConfig(settings), shared, host.directory, host.router);
  const isOwnAddress = ownAddresses(settings['listen.smtp'], settings['policy.proxyInterfaces']);
  const names = new Set([hostname, settings.domain].map((name) => domainToASCII(name).toLowerCase()));
  const context: PolicyContext = {
    ...shared,
    hostname,
    dns: host.dns,
    metrics: host.metrics,
    recipients,
    owners: createSenderOwners(settings['policy.senderLoginMaps'], settings['directory.recipientDelimiters'], host.tables, host.directory),
    prober: createProber({
      callout: host.callout,
      recipients,
      reader: host.reader,
      writer: host.writer,
      log: host.log,
      settings: () => probeSettings(settings),
      now: () => host.now(),
    }),
    service: host.policyService,
    isOwnAddress,
    isOwnName: (name) => names.has(name.toLowerCase()),
  };
  const config = policyConfig(settings);
  const policy = compilePolicy(config, context);
  const lists = { ...config.lists };
  for (const [list, key] of ABOUT_STRANGERS) if (isSame(settings[key], POLICY_SETTINGS[key].default)) lists[list] = [];
  const usual = {
    greylist: Number(settings['judge.greylistScore']),
    addHeader: Number(settings['judge.addHeaderScore']),
    reject: Number(settings['judge.rejectScore']),
  };
  return {
    settings,
    policy,
    exemptPolicy: compilePolicy({ ...config, lists }, context),
    patterns: compilePatterns(settings, host.tables),
    milters: createMilters(settings, {
      log: host.log,
      metrics: host.metrics,
      hostname,
      domain: settings.domain,
      version: version(),
      tempDir: join(host.dataDir, 'tmp'),
    }),
    thresholds: new ThresholdTable(usual, settings['judge.overrides']),
    weights: readWeights(settings['judge.weights']),
    ownsSender(login, address) {
      if (settings['policy.senderLoginMaps'].length === 0) return false;
      const found = context.owners.ownership(login, address);
      return found instanceof Promise ? found.then((late) => late === 'owned') : found === 'owned';
    },
    isEtrnDomain: async (domain) => {
      const kind = await recipients.classify({ local: 'postmaster', domain });
      return kind !== 'foreign';
    },
  };
}
