/** For tests only: a judge over a small internet and an empty store that keeps nothing, and sessions played to it. What rooms remember, they have in memory. */
import type { TestContext } from 'node:test';
import { createTables } from '../directory/tables/open.ts';
import { SERVER_TABLES } from '../directory/tables/servers/index.ts';
import { formatAddress, parseMailbox } from '../mail/address.ts';
import { viewOf } from '../mail/view.ts';
import { fakeDns, type FakeZone } from '../net/dns-testing.ts';
import { DNS_SETTINGS } from '../net/dns-settings.ts';
import { NET_SETTINGS } from '../net/settings.ts';
import type {
  Account,
  Address,
  Directory,
  EnvelopeView,
  JourneyEvent,
  MessageView,
  Recipient,
  Reply,
  Resolution,
  Ruling,
  SmtpView,
  StoreReader,
  StoreWriter,
} from '../ports.ts';
import { defaultsOf } from '../system/declare.ts';
import { type AllJudgeSettings, JUDGE_SETTINGS } from './all-settings.ts';
import { createJudge, type ThreadJudge } from './judge.ts';
import { createRateMemory } from './rates/rates.ts';
import type { SmtpJudge } from './session.ts';

export const STRANGER = '192.0.2.20';
export const OFFICE = '10.1.2.3';
export const ANNA: Account = { id: 1, login: 'anna@us.test', isDisabled: false, quotaBytes: 0, quotaMessages: 0 };

/** A sender of good manners (good.test), one that asks for its forgeries to be refused (strict.test), one for quarantine (wary.test). */
export const INTERNET: FakeZone = {
  'PTR 192.0.2.20': ['client.test'],
  'A client.test': ['192.0.2.20'],
  'MX good.test': [{ exchange: 'mx.good.test', preference: 10 }],
  'A mx.good.test': ['192.0.2.50'],
  'TXT good.test': [['v=spf1 ip4:192.0.2.20 -all']],
  'MX strict.test': [{ exchange: 'mx.good.test', preference: 10 }],
  'TXT _dmarc.strict.test': [['v=DMARC1; p=reject']],
  'MX wary.test': [{ exchange: 'mx.good.test', preference: 10 }],
  'TXT _dmarc.wary.test': [['v=DMARC1; p=quarantine']],
};

const USERS: ReadonlySet<string> = new Set(['anna', 'bert', 'archive', 'postmaster']);

/** us.test is ours with anna, bert, archive and postmaster; all else is foreign. */
export function resolve({ local, domain }: Address): Resolution {
  if (domain !== 'us.test') return { kind: 'foreign' };
  return USERS.has(local) ? { kind: 'deliver', local: [{ accountId: 1, address: { local, domain }, detail: null }], remote: [] } : { kind: 'unknown' };
}

const directory: Directory = {
  resolve,
  isLocalDomain: (domain) => domain === 'us.test',
  account: (id) => (id === ANNA.id ? ANNA : null),
  accountByLogin: (login) => (login === ANNA.login ? ANNA : null),
  maySendAs: (_, address) => formatAddress(address) === ANNA.login,
};

export interface JudgeHouse {
  readonly judge: ThreadJudge;
  /** Change a value to reload. */
  settings: AllJudgeSettings;
  readonly journey: JourneyEvent[];
  readonly logged: { readonly event: string; readonly fields: Readonly<Record<string, unknown>> }[];
  now: number;
}

export function judgeHouse(t: TestContext, settings: Partial<AllJudgeSettings> = {}, zone: FakeZone = INTERNET): JudgeHouse {
  const logged: JudgeHouse['logged'] = [];
  const write = (event: string, fields: Readonly<Record<string, unknown>> = {}): void => void logged.push({ event, fields });
  const log = { debug: write, info: write, warn: write, error: write };
  const journey: JourneyEvent[] = [];
  const house: { -readonly [K in keyof JudgeHouse]: JudgeHouse[K] } = {
    judge: null as never,
    settings: {
      ...defaultsOf(NET_SETTINGS),
      ...defaultsOf(DNS_SETTINGS),
      ...defaultsOf(JUDGE_SETTINGS),
      hostname: 'mx.us.test',
      domain: 'us.test',
      dataDir: '/nonexistent',
      'listen.smtp': ['192.0.2.1:25'],
      'smtp.relayFrom': ['10.0.0.0/8'],
      'directory.recipientDelimiters': '+',
      'submission.messagesPerHourMax': 0,
      'submission.recipientsPerHourMax': 0,
      'door.greetingDelay': 0,
      'door.dnsbl': [],
      'dkim.sign': false,
      ...settings,
    } as AllJudgeSettings,
    journey,
    logged,
    now: 1_700_000_000_000,
  };
  const now = (): number => house.now;
  const dns = fakeDns(zone, now);
  const tables = createTables({ log, settings: () => house.settings, now, servers: SERVER_TABLES });
  house.judge = createJudge({
    settings: () => house.settings,
    log,
    metrics: { count() {}, gauge() {} },
    journey: { write: (event) => void journey.push(event) },
    directory,
    reader: { rows: () => [] } as unknown as StoreReader,
    writer: { run: async () => ({ dropped: 0, removed: 0, isDone: true }) } as unknown as StoreWriter,
    dns,
    tables,
    callout: async () => ({ code: 450, enhanced: '4.0.0', text: 'nobody is asked here' }),
    rateMemory: createRateMemory(64 * 1024),
    dataDir: '/nonexistent',
    onUnusual: () => {},
    isDry: false,
    now,
  });
  t.after(async () => {
    await house.judge.close();
    tables.close();
    dns.close();
  });
  return house;
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** A client at the other end of a session: what it says is judged, and the receiving room's part is played. */
export class Client {
  readonly view: Mutable<SmtpView>;
  readonly session: SmtpJudge;
  #next = 1;

  constructor(house: JudgeHouse, given: Partial<SmtpView> & { ip?: string } = {}) {
    const { ip = STRANGER, ...view } = given;
    this.view = {
      id: 's1',
      mode: 'smtp',
      isEsmtp: true,
      client: { ip, port: 1024, name: null },
      localAddress: '192.0.2.1',
      localPort: 25,
      isLoopback: false,
      tls: null,
      helo: null,
      account: null,
      mechanism: null,
      hasEarlyInput: false,
      envelope: null,
      ...view,
    };
    this.session = house.judge.begin(this.view);
  }

  async open(helo = 'client.test'): Promise<Reply | null> {
    const refusal = await this.session.greet();
    if (refusal !== null) return refusal;
    this.view.helo = helo;
    return this.session.helo();
  }

  async mail(from: string): Promise<Reply | null> {
    this.view.envelope = {
      id: `message${this.#next++}`,
      sender: from === '' ? null : address(from),
      senderText: `<${from}>`,
      declaredBytes: 0,
      body: '7BIT',
      smtputf8: false,
      dsn: { envid: null, ret: null },
      recipients: [],
    };
    return this.session.mail();
  }

  async rcpt(to: string): Promise<Reply | null> {
    const recipient: Recipient = { address: address(to), resolution: resolve(address(to)), notify: null, orcpt: null };
    const refusal = await this.session.rcpt(recipient, `<${to}>`);
    if (refusal === null) (this.view.envelope as { recipients: Recipient[] } & EnvelopeView).recipients.push(recipient);
    return refusal;
  }

  /** From DATA to the decision; a refusal of DATA or of the content filter is a decision too. */
  async data(message: string | MessageView): Promise<Ruling> {
    const refused = (reply: Reply): Ruling => ({ reply, discard: null, orders: {}, before: null, message: null });
    const refusal = await this.session.data();
    if (refusal !== null) return refused(refusal);
    const view = typeof message === 'string' ? viewOf(Buffer.from(message.replaceAll('\n', '\r\n'))) : message;
    const filter = this.session.content();
    if (filter !== null) {
      for await (const piece of view.stream()) await filter.push(piece);
      await filter.end();
      if (filter.refusal !== null) return refused(filter.refusal);
    }
    return this.session.message(view);
  }

  /** The transaction is over. */
  done(): void {
    this.session.reset();
    this.view.envelope = null;
  }

  /** A whole transaction; the first refusal ends it. */
  async send(from: string, to: readonly string[], message: string | MessageView): Promise<Ruling> {
    const refused = (reply: Reply): Ruling => ({ reply, discard: null, orders: {}, before: null, message: null });
    const refusal = await this.mail(from);
    if (refusal !== null) return refused(refusal);
    let last: Reply | null = null;
    let accepted = 0;
    for (const one of to) {
      const answer = await this.rcpt(one);
      if (answer === null) accepted += 1;
      else last = answer;
    }
    if (accepted === 0) return refused(last!);
    return this.data(message);
  }
}

function address(text: string): Address {
  const parsed = parseMailbox(text);
  if (parsed === null) throw new Error(`"${text}" is no address`);
  return parsed;
}

export function replyText(reply: Reply | null): string {
  return reply === null ? 'ok' : `${reply.code} ${reply.enhanced} ${reply.text}`;
}

/** What is put above the message. */
export function above(ruling: Ruling): string {
  return ruling.before === null ? '' : Buffer.from(ruling.before).toString('latin1');
}

/** The message as it would be kept, below our Received field. */
export function kept(ruling: Ruling, given: string): string {
  return ruling.message === null
    ? given
    : Buffer.from(ruling.message.bytes ?? ruling.message.header)
        .toString('latin1')
        .replaceAll('\r\n', '\n');
}
