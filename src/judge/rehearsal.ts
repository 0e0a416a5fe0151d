/** A whole SMTP session played to the judge without a client and without consequences: what explain and replay are made of. */
import { formatAddress } from '../mail/address.ts';
import type { Address, Directory, EnvelopeView, JudgeSymbol, MessageView, Recipient, Reply, SmtpView, TlsInfo, VerdictAction } from '../ports.ts';
import type { TraceEntry } from './policy/memo.ts';
import type { SmtpJudge } from './session.ts';

export interface Scene {
  readonly id: string;
  readonly ip: string;
  /** The client's name as it was known; null looks it up. */
  readonly name: string | null;
  readonly helo: string;
  readonly sender: Address | null;
  readonly recipients: readonly Address[];
  readonly tls: { readonly version: string; readonly cipher: string } | null;
  /** null plays the session up to RCPT only. */
  readonly message: MessageView | null;
}

export interface SceneStep {
  /** "connect", "EHLO", "MAIL", "RCPT ann@example.org", "DATA", "message". */
  readonly step: string;
  readonly reply: Reply | null;
  /** What decided, when it was refused. */
  readonly by: string | null;
  readonly trace: readonly TraceEntry[];
}

export interface Rehearsal {
  readonly steps: readonly SceneStep[];
  readonly symbols: readonly JudgeSymbol[];
  readonly score: number;
  readonly action: VerdictAction;
  readonly by: string;
  /** The refusal that ends it, or null. */
  readonly reply: Reply | null;
  /** Recipients that would get it. */
  readonly accepted: readonly string[];
  /** Header fields that would be added. */
  readonly added: readonly string[];
  readonly hold: string | null;
  readonly isJunk: boolean;
  readonly nexthop: string | null;
}

/** Plays `scene`; `begin` makes the judge's session (a dry one). */
export async function rehearse(scene: Scene, directory: Directory, begin: (view: SmtpView) => SmtpJudge): Promise<Rehearsal> {
  const accepted: Recipient[] = [];
  let envelope: EnvelopeView | null = null;
  let helo: string | null = null;
  const tls: TlsInfo | null = scene.tls === null ? null : { ...scene.tls, bits: 256, servername: null, exporter: () => null };
  const view: SmtpView = {
    id: scene.id,
    mode: 'smtp',
    isEsmtp: true,
    client: { ip: scene.ip, port: 0, name: scene.name },
    localAddress: '',
    localPort: 25,
    isLoopback: false,
    tls,
    get helo() {
      return helo;
    },
    account: null,
    mechanism: null,
    hasEarlyInput: false,
    get envelope() {
      return envelope;
    },
  };
  const session = begin(view);
  const steps: SceneStep[] = [];
  const play = async (step: string, run: () => Reply | null | Promise<Reply | null>): Promise<Reply | null> => {
    session.memo.trace = [];
    const reply = await run();
    steps.push({ step, reply, by: reply === null ? null : (session.lastDecision?.by ?? null), trace: session.memo.trace });
    return reply;
  };
  const end = (reply: Reply | null, more: Partial<Rehearsal> = {}): Rehearsal => ({
    steps,
    symbols: session.lastSymbols,
    score: session.lastSum.score,
    action: reply === null ? session.lastSum.action : session.lastSum.action === 'greylist' ? 'greylist' : reply.code >= 500 ? 'reject' : 'defer',
    by: reply === null ? session.lastSum.by : (session.lastDecision?.by ?? session.lastSum.by),
    reply,
    accepted: accepted.map(({ address }) => formatAddress(address)),
    added: [],
    hold: null,
    isJunk: false,
    nexthop: null,
    ...more,
  });
  try {
    let refusal = await play('connect', () => session.greet());
    if (refusal !== null) return end(refusal);
    helo = scene.helo;
    refusal = await play('EHLO', () => session.helo());
    if (refusal !== null) return end(refusal);
    const from = scene.sender === null ? '<>' : `<${formatAddress(scene.sender)}>`;
    envelope = {
      id: scene.id,
      sender: scene.sender,
      senderText: from,
      declaredBytes: scene.message?.size ?? 0,
      body: '7BIT',
      smtputf8: false,
      dsn: { envid: null, ret: null },
      recipients: accepted,
    };
    refusal = await play(`MAIL ${from}`, () => session.mail());
    if (refusal !== null) return end(refusal);
    for (const address of scene.recipients) {
      const recipient: Recipient = { address, resolution: directory.resolve(address), notify: null, orcpt: null };
      const text = `<${formatAddress(address)}>`;
      const reply = await play(`RCPT ${text}`, () => session.rcpt(recipient, text));
      if (reply === null) accepted.push(recipient);
      else refusal = reply;
    }
    if (accepted.length === 0) return end(refusal);
    if (scene.message === null) return end(null);
    refusal = await play('DATA', () => session.data());
    if (refusal !== null) return end(refusal);
    const message = await filtered(session, scene.message);
    if ('reply' in message) {
      steps.push({ step: 'message', reply: message.reply, by: 'content patterns', trace: [] });
      return { ...end(message.reply), by: 'content patterns' };
    }
    session.memo.trace = [];
    const ruling = await session.message(message.view);
    steps.push({ step: 'message', reply: ruling.reply, by: ruling.reply === null ? null : (session.lastDecision?.by ?? null), trace: session.memo.trace });
    if (ruling.discard !== null) return { ...end(null), action: 'discard', by: ruling.discard };
    return end(ruling.reply, {
      added:
        ruling.before === null
          ? []
          : Buffer.from(ruling.before)
              .toString('utf8')
              .trimEnd()
              .split(/\r\n(?![ \t])/),
      hold: ruling.orders.hold ?? null,
      isJunk: ruling.orders.isJunk === true,
      nexthop: ruling.orders.nexthop ?? null,
    });
  } finally {
    session.close();
  }
}

/** The message as the content patterns leave it, or their refusal. */
async function filtered(session: SmtpJudge, view: MessageView): Promise<{ view: MessageView } | { reply: Reply }> {
  const filter = session.content();
  if (filter === null) return { view };
  for await (const piece of view.stream()) {
    await filter.push(piece);
    if (filter.refusal !== null) return { reply: filter.refusal };
  }
  await filter.end();
  return filter.refusal === null ? { view } : { reply: filter.refusal };
}
