/** What the judge needs done now and then, by one thread: the courier's. Forgets what has run out, and sends DMARC reports. */
import { createDns } from '../net/dns.ts';
import { greylistSweep } from '../judge/greylist/greylist.ts';
import { probeSettings } from '../judge/policy/from-settings.ts';
import { probeSweepInput } from '../judge/policy/probes.ts';
import { type DmarcReporter, type OutgoingReport, startDmarcReporter } from '../judge/reports/reporter.ts';
import { createKeyRing } from '../judge/signing/ring.ts';
import { signingDomain, signMessage, signOptions } from '../judge/signing/sign.ts';
import { formatAddress, needsUtf8 } from '../mail/address.ts';
import { fieldBytes } from '../mail/edit.ts';
import { viewOf } from '../mail/view.ts';
import type { Directory, Log, Metrics, Staging, StagedMessage, StoreReader, StoreWriter } from '../ports.ts';
import { expand } from '../queue/expand.ts';
import type { AllSettings } from '../settings.ts';
import type { AcceptInput } from '../store/operations/accept.types.ts';

export interface ChoresContext {
  settings(): AllSettings;
  readonly dataDir: string;
  readonly reader: StoreReader;
  readonly writer: StoreWriter;
  readonly staging: Staging;
  readonly directory: Directory;
  readonly log: Log;
  readonly metrics: Metrics;
  newId(): string;
  now(): number;
}

export interface JudgeChores {
  stop(): Promise<void>;
}

const SWEEP_EVERY_MS = 3_600_000;

export function startJudgeChores(context: ChoresContext): JudgeChores {
  const stopping = new AbortController();
  const dns = createDns(context.settings, context.now);
  const ring = createKeyRing(context);

  async function sweep(): Promise<void> {
    try {
      await greylistSweep(context, context.now(), stopping.signal);
      if (!stopping.signal.aborted) await context.writer.run('probe.sweep', probeSweepInput(probeSettings(context.settings()), context.now()));
    } catch (cause) {
      context.log.warn('judge.sweep.failed', { cause });
    }
  }

  /** Signed, staged and routed: what the operation 'accept' is given. */
  async function prepare(mail: OutgoingReport): Promise<AcceptInput | null> {
    const to = formatAddress(mail.recipient);
    const from = formatAddress(mail.sender);
    const recipient = { address: mail.recipient, resolution: context.directory.resolve(mail.recipient), notify: 'never', orcpt: null } as const;
    const target = expand([recipient], from, []);
    if (target.deliveries.length + target.remote.length === 0) return null;
    const message = await stage(mail.bytes);
    return {
      id: mail.id,
      at: mail.at,
      source: 'bounce',
      sender: from,
      accountId: null,
      message,
      deliveries: target.deliveries,
      remote: target.remote,
      envid: null,
      ret: null,
      smtputf8: needsUtf8(mail.recipient),
      whenFull: 'queue',
      journey: {
        id: mail.id,
        at: mail.at,
        stage: 'receive',
        event: 'accepted',
        keys: [to, from],
        fields: { source: 'bounce', from, to: [to], recipients: 1, size: message.size },
      },
    };
  }

  async function stage(bytes: Uint8Array): Promise<StagedMessage> {
    const settings = context.settings();
    const view = viewOf(bytes);
    const domain = settings['dkim.sign'] ? signingDomain(view.header, ring, settings['dkim.useParentDomain']) : null;
    const signatures = domain === null ? [] : await signMessage(view, domain, ring, signOptions(settings, context.now));
    const writer = context.staging.open();
    try {
      for (const value of signatures) await writer.write(fieldBytes('DKIM-Signature', value));
      await writer.write(bytes);
      return await writer.finish();
    } catch (error) {
      writer.abort();
      throw error;
    }
  }

  const reporter: DmarcReporter = startDmarcReporter({ ...context, dns, prepare });
  const sweeping = setInterval(() => void sweep(), SWEEP_EVERY_MS);
  sweeping.unref();
  return {
    async stop() {
      stopping.abort();
      clearInterval(sweeping);
      await reporter.stop();
      dns.close();
    },
  };
}
