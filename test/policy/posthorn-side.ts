/**
 * Our side of a conversation: the policy itself under a session of a few lines, in this process. It stands behind the same interface as
 * the real Postfix, so that the whole server can take its place.
 */
import { formatAddress, parsePath } from '../../src/mail/address.ts';
import type { Address, Directory, Tables } from '../../src/ports.ts';
import { compilePolicy } from '../../src/judge/policy/compile.ts';
import type { Decision } from '../../src/judge/policy/decision.ts';
import { newEffects, type PolicyEffects, type ProtocolState, type SmtpFacts, type SmtpTls } from '../../src/judge/policy/facts.ts';
import { SessionMemo } from '../../src/judge/policy/memo.ts';
import type { Policy } from '../../src/judge/policy/policy.ts';
import type { AddressProber, PolicyContext, PolicyDns, PolicyService } from '../../src/judge/policy/ports.ts';
import { createRecipientClasses } from '../../src/judge/policy/recipients.ts';
import { createSenderOwners } from '../../src/judge/policy/owners.ts';
import type { Stage } from '../../src/judge/policy/stages.ts';
import { policyConfigOf, recipientConfigOf } from './parameters.ts';
import type { Conversation, Heard, Setup, Side } from './types.ts';
import { BASE } from './types.ts';
import { SERVER, SERVER6, WORLD } from './small-world.ts';

/** No domains of its own: in these tests all addresses are in tables, as Postfix has them. */
const NO_DIRECTORY: Directory = {
  resolve: () => ({ kind: 'foreign' }),
  isLocalDomain: () => false,
  account: () => null,
  accountByLogin: () => null,
  maySendAs: () => false,
};

export interface PosthornSideOptions {
  readonly dns: PolicyDns;
  readonly tables: Tables;
  readonly tablesSettings: PolicyContext['tablesSettings'];
  readonly service: PolicyService;
  readonly prober: AddressProber;
  /** A parameter with the words that stand for paths and such replaced. */
  fill(setup: Setup, value: string): string;
  /** What `STARTTLS` makes of a session. */
  tls(setup: Setup): SmtpTls;
  /** Lines for the one who looks for a difference. */
  log(text: string): void;
}

export class PosthornSide implements Side {
  readonly #options: PosthornSideOptions;
  readonly #policies = new Map<string, Policy>();

  constructor(options: PosthornSideOptions) {
    this.#options = options;
  }

  async talk(setup: Setup, conversation: Conversation): Promise<Heard[]> {
    const session = new Session(this.#policy(setup), conversation.from, this.#options.tls(setup));
    const heard = [await session.greeting()];
    for (const line of [...conversation.says, 'QUIT']) {
      if (line === '.' && heard.at(-1) !== '354') continue;
      if (session.isClosed) {
        heard.push('closed');
        break;
      }
      const commands = line.split('|');
      for (const [index, command] of commands.entries()) heard.push(await session.say(command, index + 1 < commands.length));
    }
    return heard;
  }

  policy(setup: Setup): Policy {
    return this.#policy(setup);
  }

  #policy(setup: Setup): Policy {
    const known = this.#policies.get(setup.name);
    if (known !== undefined) return known;
    const { dns, tables, tablesSettings, service, prober, fill, log } = this.#options;
    const main = Object.fromEntries(Object.entries({ ...WORLD, ...BASE, ...setup.main }).map(([name, value]) => [name, fill(setup, value)]));
    const line = (event: string, fields: object = {}): void => log(`${setup.name}: ${event} ${JSON.stringify(fields)}`);
    const logger = { debug: line, info: line, warn: line, error: line };
    const common = { tables, tablesSettings, log: logger, now: Date.now };
    const policy = compilePolicy(policyConfigOf(main), {
      ...common,
      hostname: 'mx.us.test',
      dns,
      service,
      prober,
      recipients: createRecipientClasses(recipientConfigOf(main), common, NO_DIRECTORY),
      owners: createSenderOwners(
        (main['smtpd_sender_login_maps'] ?? '').split(/[\s,]+/).filter((word) => word !== ''),
        main['recipient_delimiter'] ?? '',
        tables,
        { ...NO_DIRECTORY, isLocalDomain: (domain) => domain === 'us.test' },
      ),
      metrics: { count: () => {}, gauge: () => {} },
      isOwnAddress: (ip) => ip === SERVER || ip === SERVER6,
      isOwnName: (name) => name === 'mx.us.test' || name === 'us.test',
    });
    this.#policies.set(setup.name, policy);
    return policy;
  }
}

/** As much SMTP as the conversations speak. */
class Session {
  isClosed = false;
  readonly #policy: Policy;
  readonly #ip: string;
  readonly #tls: SmtpTls;
  #memo = new SessionMemo();
  #effects: PolicyEffects = newEffects();
  #isDenied = false;
  #hasTls = false;
  #login: string | null = null;
  #isEsmtp = false;
  #helo: string | null = null;
  #sender: Address | null = null;
  #senderText: string | null = null;
  #declaredBytes = 0;
  #recipients: string[] = [];
  #messages = 0;
  #isMessage = false;

  constructor(policy: Policy, ip: string, tls: SmtpTls) {
    this.#policy = policy;
    this.#ip = ip;
    this.#tls = tls;
  }

  async greeting(): Promise<Heard> {
    const refused = await this.#ask('client', this.#facts('CONNECT'));
    this.#isDenied = refused !== null;
    return refused ?? '220';
  }

  async say(line: string, isPipelining: boolean): Promise<Heard> {
    const verb = line.split(' ', 1)[0]!.toUpperCase();
    if (line === '.' && this.#isMessage) return this.#endOfData();
    if (verb === 'QUIT') {
      this.isClosed = true;
      return '221 2.0.0';
    }
    if (this.#isDenied) return '503 5.7.0';
    switch (verb) {
      case 'HELO':
      case 'EHLO':
        return this.#hello(line.slice(5).trim(), verb === 'EHLO');
      case 'MAIL':
        return this.#mail(line);
      case 'RCPT':
        return this.#rcpt(line);
      case 'DATA':
        return this.#data(isPipelining);
      case 'RSET':
        this.#reset();
        return '250 2.0.0';
      case 'ETRN':
        return (await this.#ask('etrn', this.#facts('ETRN', { etrnDomain: line.slice(5).trim() }))) ?? '459';
      case 'STARTTLS':
        this.#hasTls = true;
        this.#memo = new SessionMemo();
        this.#helo = null;
        return '220 2.0.0';
      case 'XCLIENT':
        this.#login = /LOGIN=(\S+)/.exec(line)?.[1] ?? null;
        this.#memo = new SessionMemo();
        this.#helo = null;
        return this.greeting();
      default:
        return '500 5.5.2';
    }
  }

  async #hello(name: string, isEsmtp: boolean): Promise<Heard> {
    const refused = await this.#ask('helo', this.#facts(isEsmtp ? 'EHLO' : 'HELO', { helo: name, protocol: isEsmtp ? 'ESMTP' : 'SMTP' }));
    if (refused !== null) return refused;
    this.#reset();
    this.#helo = name;
    this.#isEsmtp = isEsmtp;
    return '250';
  }

  async #mail(line: string): Promise<Heard> {
    const path = parsePath(line, line.indexOf('<'));
    if (path === null) return '501 5.1.7';
    const text = path.address === null ? '' : formatAddress(path.address);
    const refused = await this.#ask('sender', this.#facts('MAIL', { sender: path.address, senderText: text }));
    if (refused !== null) return refused;
    this.#declaredBytes = Number(/ SIZE=(\d+)/.exec(line)?.[1] ?? 0);
    this.#sender = path.address;
    this.#senderText = text;
    return '250 2.1.0';
  }

  async #rcpt(line: string): Promise<Heard> {
    if (this.#senderText === null) return '503 5.5.1';
    const path = parsePath(line, line.indexOf('<'));
    if (path === null || path.address === null) return '501 5.1.3';
    const text = formatAddress(path.address);
    const address = path.address.domain === '' ? { local: path.address.local, domain: 'us.test' } : path.address;
    const refused = await this.#ask('recipient', this.#facts('RCPT', { recipient: address, recipientText: text }));
    if (refused !== null) return refused;
    this.#recipients.push(text);
    return '250 2.1.5';
  }

  async #data(isPipelining: boolean): Promise<Heard> {
    if (this.#recipients.length === 0) return this.#senderText === null ? '503 5.5.1' : '554 5.5.1';
    const refused = await this.#ask('data', this.#facts('DATA', { ...this.#only(), isPipelining }));
    if (refused !== null) return refused;
    this.#isMessage = true;
    return '354';
  }

  async #endOfData(): Promise<Heard> {
    this.#isMessage = false;
    const refused = await this.#ask('endOfData', this.#facts('END-OF-MESSAGE', { ...this.#only(), messageBytes: MESSAGE_BYTES }));
    this.#messages += 1;
    this.#reset();
    return refused ?? '250 2.0.0';
  }

  /** After DATA the only recipient is known as such. */
  #only(): Partial<SmtpFacts> {
    const [text] = this.#recipients;
    return this.#recipients.length === 1 ? { recipientText: text!, recipient: parsePath(`<${text}>`)!.address } : {};
  }

  #reset(): void {
    this.#sender = null;
    this.#senderText = null;
    this.#recipients = [];
    this.#effects = newEffects();
  }

  async #ask(stage: Stage, facts: SmtpFacts): Promise<Heard | null> {
    const decision: Decision = await this.#policy.evaluate(stage, facts, this.#memo, this.#effects);
    if (decision.kind !== 'reject' && decision.kind !== 'defer') return null;
    if (decision.isHangUp) this.isClosed = true;
    return `${decision.reply.code} ${decision.reply.enhanced}`;
  }

  #facts(state: ProtocolState, changed: Partial<SmtpFacts> = {}): SmtpFacts {
    return {
      instance: `1.${this.#messages}`,
      state,
      protocol: this.#isEsmtp ? 'ESMTP' : 'SMTP',
      client: { ip: this.#ip, port: 40_000, name: null },
      clientNames: null,
      localAddress: SERVER,
      localPort: 25,
      helo: this.#helo,
      tls: this.#hasTls ? this.#tls : null,
      login: this.#login,
      saslMechanism: null,
      sender: this.#sender,
      senderText: this.#senderText,
      recipient: null,
      recipientText: null,
      recipientCount: this.#recipients.length,
      declaredBytes: this.#declaredBytes,
      messageBytes: 0,
      queueId: '',
      etrnDomain: null,
      isPipelining: false,
      smtputf8: false,
      ...changed,
    };
  }
}

const MESSAGE_BYTES = 40;
