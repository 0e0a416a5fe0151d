/** `posthorn explain` and `posthorn replay` behind the control socket: a judge without consequences, made for one question. */
import { parseMailbox } from '../mail/address.ts';
import { viewOf } from '../mail/view.ts';
import { createDns } from '../net/dns.ts';
import { parseIp } from '../net/networks.ts';
import type { Address, AdminContext, AdminHandlers, MessageView } from '../ports.ts';
import { SILENT_LOG } from '../system/log.ts';
import { authDns } from './authenticity/auth-dns.ts';
import { createAuthenticity } from './authenticity/verify.ts';
import type { AllJudgeSettings } from './all-settings.ts';
import { createTables } from '../directory/tables/open.ts';
import { SERVER_TABLES } from '../directory/tables/servers/index.ts';
import { createJudge, type ThreadJudge } from './judge.ts';
import { createRateMemory } from './rates/rates.ts';
import type { ClientNames } from './policy/facts.ts';
import { type RecordedAnswers, ReplayDns } from './recorded-dns.ts';
import { rehearse, type Rehearsal, type Scene } from './rehearsal.ts';
import type { SmtpJudge } from './session.ts';

const NO_METRICS = { count: () => {}, gauge: () => {} };
const RECIPIENTS_MAX = 100;
const RATE_BYTES = 64 * 1024;

interface DryJudge {
  readonly judge: ThreadJudge;
  close(): Promise<void>;
}

/** A judge over the store's current state that writes nothing. Throws what is wrong with the settings. */
function openDryJudge(context: AdminContext, settings: AllJudgeSettings): DryJudge {
  const now = () => context.now();
  const dns = createDns(() => settings, now);
  const tables = createTables({ log: SILENT_LOG, settings: () => settings, now, servers: SERVER_TABLES });
  try {
    const judge = createJudge({
      settings: () => settings,
      log: SILENT_LOG,
      metrics: NO_METRICS,
      journey: { write: () => {} },
      directory: context.directory,
      reader: context.reader,
      writer: context.writer,
      dns,
      tables,
      callout: async () => ({ code: 450, enhanced: '4.0.0', text: 'addresses are not probed here' }),
      rateMemory: createRateMemory(RATE_BYTES),
      dataDir: context.dataDir,
      onUnusual: () => {},
      isDry: true,
      now,
    });
    return {
      judge,
      close: async () => {
        await judge.close();
        tables.close();
        dns.close();
      },
    };
  } catch (error) {
    tables.close();
    dns.close();
    throw error;
  }
}

function addressOf(text: unknown, what: string): Address {
  const address = typeof text === 'string' ? parseMailbox(text.replace(/^<(.*)>$/, '$1'), { utf8: true }) : null;
  if (address === null) throw new Error(`"${String(text).slice(0, 100)}" is no ${what} address.`);
  return address;
}

/** What is known of a client's name, for people. */
function nameWords(given: string | null, names: ClientNames | null): { name: string; status: string } {
  if (given !== null) return { name: given, status: 'as given' };
  if (names === null) return { name: '', status: 'not looked up' };
  if (names.reverseStatus === 'temporary') return { name: '', status: 'the name servers do not answer' };
  if (names.reverseStatus === 'none') return { name: '', status: 'none in DNS' };
  return { name: names.reverseName, status: names.nameStatus === 'ok' ? 'leads back to the address' : 'does not lead back to the address' };
}

export interface ReplayRow {
  readonly id: string;
  readonly at: number;
  readonly from: string;
  readonly to: readonly string[];
  readonly before: ReplayOutcome;
  readonly after: ReplayOutcome;
  /** Questions to the name servers that were not recorded. */
  readonly asked: number;
}
export interface ReplayOutcome {
  readonly action: string;
  readonly by: string;
  readonly score: number;
  readonly reply: string | null;
}
export interface ReplayAnswer {
  readonly judged: number;
  readonly changed: number;
  /** Neither in the store nor in the record any more. */
  readonly gone: number;
}

function outcomeOf(rehearsal: Rehearsal): ReplayOutcome {
  const { action, by, score, reply, isJunk, hold, nexthop } = rehearsal;
  const more = [isJunk ? 'junk' : '', hold === null ? '' : 'held', nexthop ?? ''].filter((word) => word !== '').join(' ');
  return { action: more === '' ? action : `${action} (${more})`, by, score, reply: reply === null ? null : `${reply.code} ${reply.enhanced} ${reply.text}` };
}

/** The same to the sender and the reader: scores may differ. */
function isSame(a: ReplayOutcome, b: ReplayOutcome): boolean {
  return a.action === b.action && (a.reply?.slice(0, 9) ?? '') === (b.reply?.slice(0, 9) ?? '');
}

/** Emails by the journey that brought them, for a time range: one walk, as the store has no index for it. */
function emailsSince(context: AdminContext, since: number): Map<string, readonly [accountId: number, emailId: number]> {
  const found = new Map<string, readonly [number, number]>();
  for (const [id, accountId, journeyId] of context.reader.rows(
    'SELECT id, account_id, journey_id FROM email WHERE saved_at>=? AND journey_id IS NOT NULL',
    since - 60_000,
  ))
    if (!found.has(journeyId as string)) found.set(journeyId as string, [accountId as number, id as number]);
  return found;
}

/** As it arrived: without the copy's prefix and the Received field of ours. */
async function storedMessage(context: AdminContext, where: readonly [number, number], id: string): Promise<MessageView | null> {
  const email = context.reader.email(where[0], where[1]);
  if (email === null) return null;
  const reader = context.reader.open(email);
  try {
    const bytes = Buffer.from(await reader.slice(reader.prefixBytes, Math.min(reader.size, reader.prefixBytes + MESSAGE_BYTES_MAX)));
    return viewOf(withoutOurs(bytes, id));
  } finally {
    reader.close();
  }
}
const MESSAGE_BYTES_MAX = 4 * 1024 * 1024;

/** What this server put on top ends with the Received field that names the id. */
function withoutOurs(bytes: Buffer, id: string): Buffer {
  const at = bytes.subarray(0, 64 * 1024).indexOf(` id ${id}`);
  if (at === -1) return bytes;
  let end = bytes.indexOf('\r\n', at);
  while (end !== -1 && (bytes[end + 2] === 32 || bytes[end + 2] === 9)) end = bytes.indexOf('\r\n', end + 2);
  return end === -1 ? bytes : bytes.subarray(end + 2);
}

export const JUDGE_ADMIN: AdminHandlers = {
  'judge.explain': async (context, args) => {
    const ip = typeof args?.ip === 'string' ? parseIp(args.ip) : null;
    if (ip === null) throw new Error(`"${String(args?.ip)}" is no IP address.`);
    const to: unknown[] = Array.isArray(args.to) ? args.to.slice(0, RECIPIENTS_MAX) : [];
    if (to.length === 0) throw new Error('Give at least one recipient.');
    const from = String(args.from ?? '');
    const scene: Scene = {
      id: context.newId(),
      ip,
      name: typeof args.name === 'string' ? args.name : null,
      helo: String(args.helo ?? 'unknown').slice(0, 255),
      sender: from === '' || from === '<>' ? null : addressOf(from, 'sender'),
      recipients: to.map((text) => addressOf(text, 'recipient')),
      tls: null,
      message: viewOf(Buffer.from(String(args.message ?? ''), 'base64')),
    };
    const settings = context.settings() as AllJudgeSettings;
    const dry = openDryJudge(context, { ...settings, 'judge.exempt': [] });
    try {
      let session: SmtpJudge | null = null;
      const rehearsal = await rehearse(scene, context.directory, (view) => (session = dry.judge.begin(view)));
      const thresholds = dry.judge.parts().thresholds.for(scene.recipients);
      const finite = (value: number): number | null => (Number.isFinite(value) ? value : null);
      return {
        ...rehearsal,
        client: { ip, ...nameWords(scene.name, session!.memo.names) },
        thresholds: { greylist: finite(thresholds.greylist), addHeader: finite(thresholds.addHeader), reject: finite(thresholds.reject) },
      };
    } finally {
      await dry.close();
    }
  },

  /**
   * Judges a page of journey rows twice, by the settings in force and by `settings`, and answers those whose outcome differs.
   * The caller pages: it has the journey, which this handler has not.
   */
  'judge.replay': async (context, args, emit, signal) => {
    const rows: readonly { id: string; at: number; event: string; fields: Record<string, any> }[] = args.rows;
    const settings = context.settings() as AllJudgeSettings;
    const old = openDryJudge(context, settings);
    let next: DryJudge;
    try {
      next = openDryJudge(context, { ...settings, ...(args.settings as Partial<AllJudgeSettings>) });
    } catch (error) {
      await old.close();
      throw error;
    }
    const fallback = createDns(
      () => settings,
      () => context.now(),
    );
    let judged = 0;
    let changed = 0;
    let gone = 0;
    try {
      const emails = emailsSince(context, Math.min(...rows.map(({ at }) => at)));
      for (const row of rows) {
        if (signal.aborted) break;
        const { fields } = row;
        const ip = typeof fields.ip === 'string' ? fields.ip : null;
        if (ip === null || fields.login !== undefined || (row.event === 'accepted' && fields.source !== 'smtp')) continue;
        let message: MessageView | null = null;
        if (row.event === 'accepted') {
          const where = emails.get(row.id);
          message = where === undefined ? null : await storedMessage(context, where, row.id);
          if (message === null) {
            gone += 1;
            continue;
          }
        } else if (typeof fields.judged?.header === 'string') message = viewOf(Buffer.from(fields.judged.header, 'latin1'));
        const recipients: Address[] = [];
        for (const text of (fields.to ?? []) as string[]) {
          const address = parseMailbox(text, { utf8: true });
          if (address !== null) recipients.push(address);
        }
        if (recipients.length === 0) continue;
        const scene: Scene = {
          id: row.id,
          ip,
          name: typeof fields.name === 'string' ? fields.name : null,
          helo: String(fields.helo ?? 'unknown'),
          sender: fields.from === '<>' || typeof fields.from !== 'string' ? null : parseMailbox(fields.from, { utf8: true }),
          recipients,
          tls: typeof fields.tls === 'string' ? { version: fields.tls.split(' ')[0]!, cipher: fields.tls.split(' ')[1] ?? '' } : null,
          message,
        };
        const recorded: RecordedAnswers = fields.judged?.dns ?? {};
        const [before] = await replayed(old, scene, context, recorded, fallback, settings);
        const [after, asked] = await replayed(next, scene, context, recorded, fallback, { ...settings, ...args.settings });
        judged += 1;
        if (isSame(before, after)) continue;
        changed += 1;
        const found: ReplayRow = { id: row.id, at: row.at, from: String(fields.from), to: fields.to, before, after, asked };
        emit(found);
      }
      return { judged, changed, gone } satisfies ReplayAnswer;
    } finally {
      fallback.close();
      await Promise.all([old.close(), next.close()]);
    }
  },
};

async function replayed(
  dry: DryJudge,
  scene: Scene,
  context: AdminContext,
  recorded: RecordedAnswers,
  fallback: ReturnType<typeof createDns>,
  settings: AllJudgeSettings,
): Promise<[ReplayOutcome, asked: number]> {
  const dns = new ReplayDns(recorded, fallback);
  const authenticity = createAuthenticity({ settings: () => settings, hostname: () => settings.hostname, dns: authDns(dns), now: () => context.now() });
  const rehearsal = await rehearse(scene, context.directory, (view) => dry.judge.begin(view, { dns, authenticity }));
  return [outcomeOf(rehearsal), dns.asked];
}
