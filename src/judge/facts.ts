/** One SMTP session as the restrictions see it: the session's own object, with the moment added. */
import { formatAddress } from '../mail/address.ts';
import type { Address, Client, SmtpView } from '../ports.ts';
import { UNKNOWN_NAME } from './policy/client-name.ts';
import type { ClientNames, ProtocolState, SmtpFacts, SmtpTls } from './policy/facts.ts';

export class ViewFacts implements SmtpFacts {
  readonly #view: SmtpView;
  /** Set before each question. */
  state: ProtocolState = 'CONNECT';
  recipient: Address | null = null;
  recipientText: string | null = null;
  messageBytes = 0;
  etrnDomain: string | null = null;
  #tls: SmtpTls | null = null;
  #tlsOf: object | null = null;

  constructor(view: SmtpView) {
    this.#view = view;
  }

  /** What belonged to the message before: the same object serves the whole session. */
  forgetMessage(): void {
    this.recipient = null;
    this.recipientText = null;
    this.messageBytes = 0;
    this.etrnDomain = null;
  }

  get instance(): string {
    return this.#view.envelope?.id ?? this.#view.id;
  }
  get protocol(): 'SMTP' | 'ESMTP' {
    return this.#view.isEsmtp ? 'ESMTP' : 'SMTP';
  }
  get client(): Client {
    return this.#view.client;
  }
  /** A proxy that names the client vouches for the name. */
  get clientNames(): ClientNames | null {
    const { name, told } = this.#view.client;
    if (told === undefined) return name === null ? null : { name, nameStatus: 'ok', reverseName: name, reverseStatus: 'ok', forwardStatus: 'ok' };
    return {
      name: told.name ?? UNKNOWN_NAME,
      nameStatus: told.nameStatus,
      reverseName: told.reverseName ?? UNKNOWN_NAME,
      reverseStatus: told.reverseStatus,
      forwardStatus: told.nameStatus,
    };
  }
  get localAddress(): string {
    return this.#view.localAddress;
  }
  get localPort(): number {
    return this.#view.localPort;
  }
  get helo(): string | null {
    return this.#view.helo;
  }
  get tls(): SmtpTls | null {
    const { tls } = this.#view;
    if (tls === null) return null;
    if (this.#tlsOf !== tls) {
      this.#tlsOf = tls;
      this.#tls = { version: tls.version, cipher: tls.cipher, bits: tls.bits, certificate: tls.certificate ?? null };
    }
    return this.#tls;
  }
  get login(): string | null {
    return this.#view.account?.login ?? null;
  }
  get saslMechanism(): string | null {
    return this.#view.mechanism;
  }
  get sender(): Address | null {
    return this.#view.envelope?.sender ?? null;
  }
  get senderText(): string | null {
    const { envelope } = this.#view;
    if (envelope === null) return null;
    return envelope.sender === null ? '' : pathText(envelope.senderText, envelope.sender);
  }
  get recipientCount(): number {
    return this.#view.envelope?.recipients.length ?? 0;
  }
  get declaredBytes(): number {
    return this.#view.envelope?.declaredBytes ?? 0;
  }
  get queueId(): string {
    return this.#view.envelope?.id ?? '';
  }
  get isPipelining(): boolean {
    return this.#view.hasEarlyInput;
  }
  get smtputf8(): boolean {
    return this.#view.envelope?.smtputf8 ?? false;
  }
}

/** "a@example.org" of "<a@example.org> SIZE=1"; the address itself where the path is quoted or routed. */
export function pathText(text: string, address: Address): string {
  const end = text.indexOf('>');
  const inside = text.startsWith('<') && end > 0 ? text.slice(1, end) : '';
  return inside === '' || inside.includes('"') || inside.startsWith('@') ? formatAddress(address) : inside;
}
