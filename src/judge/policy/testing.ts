/** For tests only: a policy over a small world in memory. */
import { createTables } from '../../directory/tables/open.ts';
import { TABLES_SETTINGS } from '../../directory/tables/settings.ts';
import type { DnsAnswer, Mx } from '../../net/dns.ts';
import type { Address } from '../../ports.ts';
import { defaultsOf } from '../../system/declare.ts';
import { parseMailbox } from '../../mail/address.ts';
import { compilePolicy } from './compile.ts';
import { POLICY_DEFAULTS, type PolicyConfig } from './config.ts';
import type { Decision } from './decision.ts';
import { newEffects, type PolicyEffects, type SmtpFacts } from './facts.ts';
import { SessionMemo } from './memo.ts';
import type { Policy } from './policy.ts';
import type { AddressProber, PolicyContext, PolicyDns, PolicyService, RecipientClass } from './ports.ts';
import type { List, Stage } from './stages.ts';

/** "MX name": records; a missing key is NXDOMAIN, null a server that does not answer. */
export type TestZone = Readonly<Record<string, readonly unknown[] | null>>;

/** `isCached`: answers come at once, as from a warm resolver. `asked` gets every question. */
export function testDns(zone: TestZone, isCached = true, asked: string[] = []): PolicyDns {
  const answer = <T>(type: string, name: string): DnsAnswer<T> => {
    asked.push(`${type} ${name}`);
    const records = zone[`${type} ${name}`];
    if (records === null) return { kind: 'failed', reason: 'name server did not answer in time' };
    return records === undefined ? { kind: 'none', exists: false } : { kind: 'found', records: records as readonly T[] };
  };
  return {
    mx: async (name) => answer<Mx>('MX', name),
    addresses4: async (name) => answer<string>('A', name),
    addresses6: async (name) => answer<string>('AAAA', name),
    txt: async (name) => answer<string>('TXT', name),
    ptr: async (ip) => answer<string>('PTR', ip),
    ns: async (name) => answer<string>('NS', name),
    ...(isCached ? { cached: (type: string, name: string) => answer(type, name) } : {}),
  };
}

export const ZONE: TestZone = {
  'PTR 192.0.2.20': ['client.test'],
  'A client.test': ['192.0.2.20'],
  'MX good.test': [{ exchange: 'mx.good.test', preference: 10 }],
  'A mx.good.test': ['192.0.2.50'],
  'MX slow.test': null,
  'A slow.test': null,
  'AAAA slow.test': null,
  'MX null.test': [{ exchange: '', preference: 0 }],
};

export interface TestPolicyOptions {
  readonly lists?: Partial<Record<List, readonly string[]>>;
  readonly config?: Partial<PolicyConfig>;
  readonly dns?: PolicyDns;
  readonly service?: PolicyService;
  readonly prober?: AddressProber;
  readonly isOwnAddress?: (ip: string) => boolean;
  /** What is logged, as "event {fields}". */
  readonly log?: string[];
}

/** us.test is ours with anna and bert; relay.test is relayed; all else is foreign. The relay barrier stands unless `lists` says otherwise. */
export function testPolicy(options: TestPolicyOptions = {}): Policy {
  const settings = defaultsOf(TABLES_SETTINGS);
  const line = (event: string, fields: object = {}): void => void options.log?.push(`${event} ${JSON.stringify(fields)}`);
  const log = { debug: line, info: line, warn: line, error: line };
  const context: PolicyContext = {
    hostname: 'mx.us.test',
    dns: options.dns ?? testDns(ZONE),
    tables: createTables({ log, settings: () => settings, now: Date.now }),
    tablesSettings: () => settings,
    recipients: {
      classify: ({ local, domain }): RecipientClass =>
        domain === 'us.test' ? (/[@%!]/.test(local) ? 'routed' : 'virtualMailbox') : domain === 'relay.test' ? 'relay' : 'foreign',
      isListed: ({ local, domain }) => domain !== 'us.test' || ['anna', 'bert', 'postmaster'].includes(local),
    },
    owners: { ownership: (login, address) => (address.domain !== 'us.test' ? 'nobody' : login === `${address.local}@us.test` ? 'owned' : 'other') },
    prober: options.prober ?? { probe: () => ({ status: 'unknown', text: '' }) },
    service: options.service ?? { ask: async () => 'DUNNO' },
    log,
    metrics: { count: () => {}, gauge: () => {} },
    isOwnAddress: options.isOwnAddress ?? ((ip) => ip === '192.0.2.1'),
    isOwnName: (name) => name === 'mx.us.test',
    now: Date.now,
  };
  const lists = { ...POLICY_DEFAULTS.lists, relay: ['permit_mynetworks, permit_sasl_authenticated, reject_unauth_destination'], ...options.lists };
  return compilePolicy({ ...POLICY_DEFAULTS, mynetworks: ['10.0.0.0/8'], ...options.config, lists }, context);
}

export function mailbox(text: string): Address {
  const address = parseMailbox(text);
  if (address === null) throw new Error(`"${text}" is no address`);
  return address;
}

/** A session of client.test at RCPT TO:<anna@us.test>, or what is said instead. */
export function facts(changed: Partial<Omit<SmtpFacts, 'sender' | 'recipient'>> & { ip?: string } = {}): SmtpFacts {
  const { ip = '192.0.2.20', ...rest } = changed;
  const all = {
    instance: '1',
    state: 'RCPT' as const,
    protocol: 'ESMTP' as const,
    client: { ip, port: 40_000, name: null },
    clientNames: null,
    localAddress: '192.0.2.1',
    localPort: 25,
    helo: 'client.test',
    tls: null,
    login: null,
    saslMechanism: null,
    senderText: 'rita@good.test' as string | null,
    recipientText: 'anna@us.test' as string | null,
    recipientCount: 0,
    declaredBytes: 0,
    messageBytes: 0,
    queueId: '',
    etrnDomain: null,
    isPipelining: false,
    smtputf8: false,
    ...rest,
  };
  return {
    ...all,
    sender: all.senderText === null || all.senderText === '' ? null : mailbox(all.senderText),
    recipient: all.recipientText === null ? null : mailbox(all.recipientText),
  };
}

/** The decision as text: "ok", "discard", or the whole reply. Throws when it does not come at once. */
export function decide(policy: Policy, about: SmtpFacts, stage: Stage = 'recipient', memo = new SessionMemo(), effects: PolicyEffects = newEffects()): string {
  const decision = policy.evaluate(stage, about, memo, effects);
  if (decision instanceof Promise) throw new Error('the policy waits for something');
  return textOf(decision);
}

export function textOf(decision: Decision): string {
  return decision.kind === 'ok' || decision.kind === 'discard' ? decision.kind : `${decision.reply.code} ${decision.reply.enhanced} ${decision.reply.text}`;
}
