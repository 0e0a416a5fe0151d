/**
 * One milter within one SMTP session. States: not begun; open; broken (its default action answers for it from then on); closed.
 * Says each step to the milter when the milter wants it, and waits when the milter wants to answer.
 */
import type { Reply } from '../../ports.ts';
import { COMMAND, MACRO_COMMAND, type MacroStage, STEP } from '../../wire/milter/codes.ts';
import { macroPacket } from '../../wire/milter/command.ts';
import { packet } from '../../wire/milter/packet.ts';
import { parseReplyText } from '../../wire/milter/reply-text.ts';
import type { MilterResponse } from '../../wire/milter/response.ts';
import { MilterConnection, type Trouble, trouble } from './connection.ts';
import { CLIENT_LIMITS } from './limits.ts';
import { type MacroLists, type MacroSource, macroPairs } from './macros.ts';
import type { Milter } from './milter.ts';

/** What a milter, or its default action, decided at one step. */
export type Decision =
  | { readonly kind: 'continue' | 'accept' | 'discard' | 'skip' }
  | { readonly kind: 'reply'; readonly reply: Reply }
  | { readonly kind: 'quarantine'; readonly reason: string };

export const CONTINUE: Decision = { kind: 'continue' };
const SKIP: Decision = { kind: 'skip' };
const ACCEPT: Decision = { kind: 'accept' };
const DISCARD: Decision = { kind: 'discard' };
const REJECTED: Decision = { kind: 'reply', reply: { code: 550, enhanced: '5.7.1', text: 'Command rejected' } };
const DEFERRED: Decision = { kind: 'reply', reply: { code: 451, enhanced: '4.7.1', text: 'Service unavailable, try again later' } };
const CLOSING: Decision = { kind: 'reply', reply: { code: 421, enhanced: '4.7.0', text: 'Service unavailable, closing the connection' } };
const UNAVAILABLE: Decision = { kind: 'reply', reply: { code: 550, enhanced: '5.5.0', text: 'Service unavailable' } };

/** One step: the bit for "do not send", the bit for "do not wait", and whose macros go before it. */
export interface Step {
  readonly command: number;
  readonly noSend: number;
  readonly noReply: number;
  readonly stage: MacroStage | null;
}
export const STEPS = {
  connect: { command: COMMAND.connect, noSend: STEP.noConnect, noReply: STEP.noReplyConnect, stage: 'connect' },
  helo: { command: COMMAND.helo, noSend: STEP.noHelo, noReply: STEP.noReplyHelo, stage: 'helo' },
  mail: { command: COMMAND.mail, noSend: STEP.noMail, noReply: STEP.noReplyMail, stage: 'mail' },
  rcpt: { command: COMMAND.rcpt, noSend: STEP.noRcpt, noReply: STEP.noReplyRcpt, stage: 'rcpt' },
  data: { command: COMMAND.data, noSend: STEP.noData, noReply: STEP.noReplyData, stage: 'data' },
  unknown: { command: COMMAND.unknown, noSend: STEP.noUnknown, noReply: STEP.noReplyUnknown, stage: null },
  header: { command: COMMAND.header, noSend: STEP.noHeaders, noReply: STEP.noReplyHeader, stage: null },
  endOfHeaders: { command: COMMAND.endOfHeaders, noSend: STEP.noEndOfHeaders, noReply: STEP.noReplyEndOfHeaders, stage: 'endOfHeaders' },
  body: { command: COMMAND.body, noSend: STEP.noBody, noReply: STEP.noReplyBody, stage: null },
  endOfMessage: { command: COMMAND.endOfMessage, noSend: 0, noReply: 0, stage: 'endOfMessage' },
} as const satisfies Record<string, Step>;

const ABORT = packet(COMMAND.abort);

export class Link {
  readonly milter: Milter;
  /** Accepted for good: asked nothing more about this message, or in this SMTP session. */
  passes: 'nothing' | 'message' | 'session' = 'nothing';
  isInMessage = false;
  readonly #lists: MacroLists;
  readonly #source: MacroSource;
  readonly #onTrouble: (link: Link, trouble: Trouble) => void;
  #connection: MilterConnection | null = null;
  #broken: Decision | null = null;
  #isClosed = false;
  /** Everything said on a connection that rested before, until its first answer: it may have been closed meanwhile. Null otherwise. */
  #replay: Buffer[] | null = null;
  #replayBytes = 0;

  constructor(milter: Milter, lists: MacroLists, source: MacroSource, onTrouble: (link: Link, trouble: Trouble) => void) {
    this.milter = milter;
    this.#lists = lists;
    this.#source = source;
    this.#onTrouble = onTrouble;
  }

  /** Bits of STEP that the milter wants; none once it is broken. */
  get steps(): number {
    return this.#connection?.options.steps ?? 0;
  }
  has(bit: number): boolean {
    return (this.steps & bit) !== 0;
  }
  /** The default action's answer, when the milter is broken. */
  get broken(): Decision | null {
    return this.#broken;
  }

  /** Takes or makes the connection. */
  begin(): void | Promise<void> {
    const rested = this.milter.take();
    if (rested === null) return this.#open();
    this.#connection = rested;
    this.#replay = [];
  }

  async #open(): Promise<void> {
    const opened = await this.milter.open();
    if (!(opened instanceof MilterConnection)) this.breakOff(opened);
    else if (this.#isClosed) this.milter.giveBack(opened);
    else this.#connection = opened;
  }

  /** Says one step. `command` makes its packet, and is not called when the milter does not want it. */
  step(step: Step, command: () => Buffer, timeoutMs: number = this.milter.commandTimeoutMs): Decision | Promise<Decision> {
    const connection = this.#connection;
    if (this.#broken !== null || connection === null) return this.#broken ?? CONTINUE;
    const steps = connection.options.steps;
    if ((steps & step.noSend) !== 0) return CONTINUE;
    const bytes = this.withMacros(step.stage, command());
    if ((steps & step.noReply) === 0) return this.ask(bytes, timeoutMs);
    void this.say(bytes, timeoutMs);
    return CONTINUE;
  }

  /** The packet with the macros of its stage before it. */
  withMacros(stage: MacroStage | null, command: Buffer): Buffer {
    if (stage === null) return command;
    const pairs = macroPairs(this.#connection?.options.macros.get(stage) ?? this.#lists[stage], this.#source);
    return pairs.length === 0 ? command : Buffer.concat([macroPacket(MACRO_COMMAND[stage], pairs), command]);
  }

  /** Writes without waiting for an answer; a promise when the milter is slow to take it. */
  say(bytes: Buffer, timeoutMs: number): void | Promise<void> {
    this.#remember(bytes);
    return this.#connection?.write(bytes, timeoutMs);
  }

  /** Writes and waits for the decision. */
  async ask(bytes: Buffer, timeoutMs: number): Promise<Decision> {
    const wait = this.say(bytes, timeoutMs);
    if (wait !== undefined) await wait;
    const answer = await this.answer(timeoutMs);
    return answer.kind === 'trouble' ? this.breakOff(answer) : this.decide(answer);
  }

  /** The next answer that is more than a sign of life. Says everything again on a fresh connection where a rested one was dead. */
  async answer(timeoutMs: number): Promise<MilterResponse | Trouble> {
    for (;;) {
      const connection = this.#connection;
      if (connection === null) return trouble('closed', 'the session has ended');
      const answer = await connection.answer(timeoutMs);
      if (answer.kind === 'progress') continue;
      if (answer.kind !== 'trouble') {
        this.#replay = null;
        return answer;
      }
      const replay = this.#replay;
      this.#replay = null;
      if (replay === null || answer.code !== 'closed' || this.#isClosed) return answer;
      const fresh = await this.milter.open();
      if (!(fresh instanceof MilterConnection)) return fresh;
      if (this.#isClosed) {
        this.milter.giveBack(fresh);
        return answer;
      }
      // What was said was for these very options.
      if (fresh.options.steps !== connection.options.steps) {
        fresh.fail('protocol', 'it negotiates otherwise than before');
        return fresh.trouble!;
      }
      this.#connection = fresh;
      const wait = fresh.write(Buffer.concat(replay), timeoutMs);
      if (wait !== undefined) await wait;
    }
  }

  /** What an answer means outside the end of the message. */
  decide(answer: MilterResponse): Decision {
    switch (answer.kind) {
      case 'continue':
        return CONTINUE;
      case 'skip':
        return SKIP;
      case 'accept':
        return ACCEPT;
      case 'discard':
        return DISCARD;
      case 'reject':
        return REJECTED;
      case 'tempfail':
        return DEFERRED;
      case 'shutdown':
      case 'connectionFail':
        return CLOSING;
      case 'reply': {
        const reply = parseReplyText(answer.text);
        return reply === null ? this.protest(`it sent the reply "${answer.text.slice(0, 80)}"`) : { kind: 'reply', reply };
      }
      default:
        return this.protest(`it sent "${answer.kind}" where that has no place`);
    }
  }

  /** The milter does not keep to the protocol. */
  protest(text: string): Decision {
    this.#connection?.fail('protocol', text);
    return this.breakOff(trouble('protocol', text));
  }

  /** From here on the default action decides. */
  breakOff(cause: Trouble): Decision {
    if (this.#broken !== null) return this.#broken;
    this.#connection?.fail(cause.code, cause.text);
    this.#connection = null;
    this.#replay = null;
    this.#broken = this.#isClosed ? CONTINUE : defaultDecision(this.milter);
    if (!this.#isClosed) this.#onTrouble(this, cause);
    return this.#broken;
  }

  /** The message ends without a decision, or had one elsewhere. */
  abort(): void {
    if (this.isInMessage && this.#connection !== null) void this.say(ABORT, this.milter.commandTimeoutMs);
    this.isInMessage = false;
    if (this.passes === 'message') this.passes = 'nothing';
  }

  /** `isInOrder`: nothing is being waited for, so that the connection may serve others. */
  close(isInOrder: boolean): void {
    this.#isClosed = true;
    this.abort();
    const connection = this.#connection;
    this.#connection = null;
    if (connection === null) return;
    if (isInOrder) this.milter.giveBack(connection);
    else connection.end(packet(COMMAND.quit));
  }

  #remember(bytes: Buffer): void {
    if (this.#replay === null) return;
    this.#replayBytes += bytes.length;
    if (this.#replayBytes > CLIENT_LIMITS.replayBytesMax) this.#replay = null;
    else this.#replay.push(bytes);
  }
}

function defaultDecision(milter: Milter): Decision {
  switch (milter.defaultAction) {
    case 'accept':
      return CONTINUE;
    case 'reject':
      return UNAVAILABLE;
    case 'tempfail':
      return DEFERRED;
    case 'shutdown':
      return CLOSING;
    case 'quarantine':
      return { kind: 'quarantine', reason: `the milter ${milter.name} could not be asked` };
  }
}
