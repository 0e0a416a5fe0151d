/** One SMTP session as milters are told of it. */
import type { Client, SmtpView } from '../ports.ts';
import type { MilterAuth, MilterFacts, MilterTls } from './milter/facts.ts';
import type { SessionMemo } from './policy/memo.ts';

export class MilterView implements MilterFacts {
  readonly #view: SmtpView;
  readonly #memo: SessionMemo;

  constructor(view: SmtpView, memo: SessionMemo) {
    this.#view = view;
    this.#memo = memo;
  }

  get session(): string {
    return this.#view.id;
  }
  get client(): Client {
    const { client } = this.#view;
    const names = this.#memo.names;
    return client.name === null && names !== null && names.nameStatus === 'ok' ? { ...client, name: names.name } : client;
  }
  get clientPtr(): string | null {
    const names = this.#memo.names;
    return names !== null && names.reverseStatus === 'ok' ? names.reverseName : this.#view.client.name;
  }
  readonly clientConnections = 1;
  get localAddress(): string {
    return this.#view.localAddress;
  }
  get localPort(): number {
    return this.#view.localPort;
  }
  get helo(): string | null {
    return this.#view.helo;
  }
  get protocol(): string {
    const { isEsmtp, tls, account } = this.#view;
    return isEsmtp ? `ESMTP${tls === null ? '' : 'S'}${account === null ? '' : 'A'}` : 'SMTP';
  }
  get tls(): MilterTls | null {
    const { tls } = this.#view;
    if (tls === null) return null;
    const trusted = tls.certificate?.isTrusted === true ? tls.certificate : null;
    return { version: tls.version, cipher: tls.cipher, bits: tls.bits, certSubject: trusted?.subject ?? null, certIssuer: trusted?.issuer ?? null };
  }
  get auth(): MilterAuth | null {
    const { account, mechanism } = this.#view;
    return account === null ? null : { type: mechanism ?? 'PLAIN', authen: account.login };
  }
  get queueId(): string | null {
    return this.#view.envelope?.id ?? null;
  }
}
