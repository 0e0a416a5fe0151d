/** The milters of one SMTP session, asked in their order at each step. */
import { isIP } from 'node:net';
import { formatAddress } from '../../mail/address.ts';
import { latin1OfText } from '../../mail/edit.ts';
import { editedMessage } from '../../mail/edited-message.ts';
import type { Address, HeaderEdit, Log, MessageView, Metrics, Reply } from '../../ports.ts';
import { COMMAND, STEP } from '../../wire/milter/codes.ts';
import { type MilterPeer, writeCommand } from '../../wire/milter/command.ts';
import { textPacket } from '../../wire/milter/packet.ts';
import type { SpooledBody } from './body.ts';
import type { ChangesContext, MilterAddress } from './changes.ts';
import type { Trouble } from './connection.ts';
import type { MilterFacts } from './facts.ts';
import { type Decision, Link, STEPS, type Step } from './link.ts';
import type { Here, MacroLists, MacroSource } from './macros.ts';
import { showMessage } from './message.ts';
import type { Milter } from './milter.ts';
import { type MilterRuling, PASSED } from './ruling.ts';

/** Null: go on. A reply: say it instead of ours. A promise only when a milter must be waited for. */
export type StepResult = Reply | null | Promise<Reply | null>;

/**
 * Steps are asked in the order of the SMTP session; one begun while another is still waited for runs after it.
 * A refusal at connect or helo is given again at every later helo() and mail(), so the caller may let the greeting pass.
 * A reply with code 421 asks to close the connection after it. A discarded message goes on with null until endOfMessage() says so.
 */
export interface MilterSession {
  /** False: no milter is configured, and no step does anything. */
  readonly isActive: boolean;
  connect(): StepResult;
  helo(name: string): StepResult;
  /** `args` are the ESMTP parameters as given: "SIZE=100". Begins a message; one that was open is aborted. */
  mail(sender: Address | null, args?: readonly string[]): StepResult;
  /** A refusal is for this recipient alone. */
  rcpt(recipient: Address, args?: readonly string[]): StepResult;
  /** A recipient that was refused for another reason, for the milters that want to know. Their answer does not matter. */
  rejectedRcpt(recipient: Address, reply: Reply, args?: readonly string[]): undefined | Promise<unknown>;
  data(): StepResult;
  /** A command that SMTP does not know. */
  unknown(line: string): StepResult;
  /** Shows the message (without the Received field that we add) to each milter, with what those before it changed. */
  endOfMessage(message: MessageView): MilterRuling | Promise<MilterRuling>;
  /** RSET, or the message came to nothing. */
  abort(): void;
  /** The SMTP session is over. */
  close(): void;
}

export interface SessionContext extends ChangesContext {
  readonly milters: readonly Milter[];
  readonly lists: MacroLists;
  readonly here: Here;
  readonly log: Log;
  readonly metrics: Metrics;
}

export class LiveSession implements MilterSession {
  readonly isActive = true;
  readonly #context: SessionContext;
  readonly #links: readonly Link[];
  readonly #source: MacroSource;
  /** What is being waited for, last in the line. */
  #tail: Promise<unknown> | null = null;
  /** A refusal of the whole session. */
  #refusal: Reply | null = null;
  #discardedBy: string | null = null;
  #quarantine: { reason: string; milter: string } | null = null;
  #body: SpooledBody | null = null;

  constructor(context: SessionContext, facts: MilterFacts) {
    this.#context = context;
    this.#source = { here: context.here, facts, sender: null, isNullSender: false, recipient: null, refusal: null };
    this.#links = context.milters.map((milter) => new Link(milter, context.lists, this.#source, (link, cause) => this.#failed(link, cause)));
  }

  connect(): StepResult {
    const { client } = this.#source.facts;
    const command = () => {
      const family = isIP(client.ip) === 6 ? 'inet6' : isIP(client.ip) === 4 ? 'inet' : 'unknown';
      const peer: MilterPeer = family === 'unknown' ? { family } : { family, port: client.port, address: client.ip };
      return writeCommand({ kind: 'connect', name: latin1OfText(client.name ?? `[${client.ip}]`), peer });
    };
    return this.#inOrder(() =>
      this.#walk('connect', 'session', (link) => {
        const opening = link.begin();
        const say = (): Decision | Promise<Decision> => link.step(STEPS.connect, command);
        return opening === undefined ? say() : opening.then(say);
      }),
    );
  }

  helo(name: string): StepResult {
    return this.#inOrder(() => this.#refusal ?? this.#say('helo', 'session', STEPS.helo, () => textPacket(COMMAND.helo, [latin1OfText(name)])));
  }

  mail(sender: Address | null, args: readonly string[] = []): StepResult {
    return this.#inOrder(() => {
      this.#endMessage();
      this.#source.sender = sender;
      this.#source.isNullSender = sender === null;
      if (this.#refusal !== null) return this.#refusal;
      const asked = this.#walk('mail', 'message', (link) => {
        link.isInMessage = true;
        return link.step(STEPS.mail, () => pathPacket(COMMAND.mail, sender, args));
      });
      const settled = (reply: Reply | null): Reply | null => {
        if (reply !== null) this.#endMessage();
        return reply;
      };
      return asked instanceof Promise ? asked.then(settled) : settled(asked);
    });
  }

  rcpt(recipient: Address, args: readonly string[] = []): StepResult {
    return this.#inOrder(() => {
      this.#source.recipient = recipient;
      return this.#say('rcpt', 'message', STEPS.rcpt, () => pathPacket(COMMAND.rcpt, recipient, args));
    });
  }

  rejectedRcpt(recipient: Address, reply: Reply, args: readonly string[] = []): undefined | Promise<unknown> {
    if (!this.#links.some((link) => link.has(STEP.rejectedRcpt))) return;
    const result = this.#inOrder(() => {
      this.#source.recipient = recipient;
      this.#source.refusal = reply;
      const asked = this.#walk('rcpt', 'nothing', (link) =>
        link.has(STEP.rejectedRcpt) ? link.step(STEPS.rcpt, () => pathPacket(COMMAND.rcpt, recipient, args)) : { kind: 'continue' },
      );
      const done = (): null => {
        this.#source.refusal = null;
        return null;
      };
      return asked instanceof Promise ? asked.then(done) : done();
    });
    return result instanceof Promise ? result : undefined;
  }

  data(): StepResult {
    return this.#inOrder(() => this.#say('data', 'message', STEPS.data, () => writeCommand({ kind: 'data' })));
  }

  unknown(line: string): StepResult {
    return this.#inOrder(() => this.#say('unknown', 'nothing', STEPS.unknown, () => textPacket(COMMAND.unknown, [latin1OfText(line)])));
  }

  endOfMessage(message: MessageView): MilterRuling | Promise<MilterRuling> {
    return this.#inOrder(() => {
      const asks = this.#links.some((link) => link.isInMessage && link.passes === 'nothing');
      return asks || this.#discardedBy !== null || this.#quarantine !== null ? this.#show(message) : PASSED;
    });
  }

  abort(): void {
    // Behind what is being waited for: an ABORT between a command and its answer would be one too many.
    void this.#inOrder(() => this.#endMessage());
  }

  close(): void {
    const isInOrder = this.#tail === null;
    for (const link of this.#links) link.close(isInOrder);
    this.#body?.release();
    this.#body = null;
  }

  async #show(message: MessageView): Promise<MilterRuling> {
    const edits: HeaderEdit[] = [];
    const added: MilterAddress[] = [];
    const removed: Address[] = [];
    let sender: MilterAddress<Address | null> | null = null;
    let view = message;
    let aboveReceived = 0;
    for (const link of this.#links) {
      if (this.#discardedBy !== null) break;
      if (link.passes !== 'nothing' || !link.isInMessage) continue;
      const { decision, changes } =
        link.broken !== null ? { decision: link.broken, changes: null } : await showMessage(link, view, this.#context, aboveReceived);
      link.isInMessage = decision.kind === 'accept' && changes === null;
      const reply = this.#settle(link, decision, 'message', 'endOfMessage');
      if (reply !== null) {
        this.#endMessage();
        return { ...PASSED, action: reply.code < 500 ? 'defer' : 'reject', reply, milter: link.milter.name };
      }
      if (changes === null) continue;
      for (const address of changes.badAddresses) this.#context.log.warn('milter.badAddress', { ...this.#names(link), address });
      if (changes.quarantine !== null) this.#quarantine = { reason: changes.quarantine, milter: link.milter.name };
      if (changes.body !== null) {
        this.#body?.release();
        this.#body = changes.body;
      }
      aboveReceived = changes.aboveReceived;
      view = editedMessage(view, changes.edits, changes.body);
      edits.push(...changes.edits);
      added.push(...changes.added);
      removed.push(...changes.removed);
      sender = changes.sender ?? sender;
    }
    if (this.#discardedBy !== null) {
      const milter = this.#discardedBy;
      this.#endMessage();
      return { ...PASSED, action: 'discard', milter };
    }
    const held = this.#quarantine;
    this.#quarantine = null;
    const action = held === null ? 'accept' : 'quarantine';
    return {
      action,
      reply: null,
      reason: held?.reason ?? null,
      milter: held?.milter ?? null,
      edits,
      body: this.#body,
      sender,
      addedRecipients: added,
      removedRecipients: removed,
    };
  }

  #say(what: string, scope: Scope, step: Step, command: () => Buffer): StepResult {
    return this.#walk(what, scope, (link) => link.step(step, command));
  }

  /** Asks the milters from `from` on; stops at the first that decides. Waits only where one is to be waited for. */
  #walk(what: string, scope: Scope, visit: (link: Link) => Decision | Promise<Decision>, from = 0): StepResult {
    for (let at = from; at < this.#links.length; at += 1) {
      if (this.#discardedBy !== null) return null;
      const link = this.#links[at]!;
      if (link.passes !== 'nothing' || (scope === 'message' && what !== 'mail' && !link.isInMessage)) continue;
      const decision = visit(link);
      if (decision instanceof Promise) return decision.then((decided) => this.#settle(link, decided, scope, what) ?? this.#walk(what, scope, visit, at + 1));
      const reply = this.#settle(link, decision, scope, what);
      if (reply !== null) return reply;
    }
    return null;
  }

  /** Does what a milter decided; the reply when that is one. */
  #settle(link: Link, decision: Decision, scope: Scope, step: string): Reply | null {
    if (decision.kind === 'continue' || decision.kind === 'skip') return null;
    if (scope === 'nothing') return decision.kind === 'reply' ? decision.reply : null;
    // A broken milter was reported when it broke.
    if (link.broken === null) {
      this.#context.metrics.count('milter.decisions', 1, decision.kind === 'reply' ? (decision.reply.code < 500 ? 'tempfail' : 'reject') : decision.kind);
      const reply = decision.kind === 'reply' ? { code: decision.reply.code, enhanced: decision.reply.enhanced, text: decision.reply.text } : {};
      this.#context.log.info('milter.decided', { ...this.#names(link), step, decision: decision.kind, ...reply });
    }
    switch (decision.kind) {
      case 'accept':
        link.passes = scope;
        return null;
      case 'discard':
        if (scope === 'message') this.#discardedBy = link.milter.name;
        return null;
      case 'quarantine':
        this.#quarantine = { reason: decision.reason, milter: link.milter.name };
        return null;
      case 'reply':
        // A broken milter answers for itself each time, by its default action.
        if (scope === 'session' && link.broken === null) this.#refusal = decision.reply;
        return decision.reply;
    }
  }

  #endMessage(): void {
    for (const link of this.#links) link.abort();
    this.#discardedBy = null;
    this.#quarantine = null;
    this.#body?.release();
    this.#body = null;
    this.#source.sender = null;
    this.#source.isNullSender = false;
    this.#source.recipient = null;
  }

  #inOrder<T>(run: () => T | Promise<T>): T | Promise<T> {
    const result = this.#tail === null ? run() : this.#tail.then(run);
    if (!(result instanceof Promise)) return result;
    const tail: Promise<void> = result.then(
      () => this.#done(tail),
      () => this.#done(tail), // Whoever asked hears of it; the next step goes on.
    );
    this.#tail = tail;
    return result;
  }

  #done(tail: Promise<unknown>): void {
    if (this.#tail === tail) this.#tail = null;
  }

  #failed(link: Link, cause: Trouble): void {
    this.#context.metrics.count('milter.failed', 1, link.milter.name);
    this.#context.log.warn('milter.failed', { ...this.#names(link), code: cause.code, cause: cause.text, action: link.milter.defaultAction });
  }

  #names(link: Link): { session: string; milter: string; id?: string } {
    const id = this.#source.facts.queueId;
    return { session: this.#source.facts.session, milter: link.milter.name, ...(id === null ? {} : { id }) };
  }
}

/** How far a decision reaches: the whole SMTP session, this message, or only the command itself. */
type Scope = 'session' | 'message' | 'nothing';

function pathPacket(command: number, address: Address | null, args: readonly string[]): Buffer {
  return textPacket(command, [`<${address === null ? '' : latin1OfText(formatAddress(address))}>`, ...args.map(latin1OfText)]);
}
