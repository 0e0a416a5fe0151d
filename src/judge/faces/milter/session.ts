/** One connection of a mail server: it tells of its SMTP session step by step, we answer at the end of each message. */
import type { Socket } from 'node:net';
import { parsePath } from '../../../mail/address.ts';
import { textOfLatin1 } from '../../../mail/edit.ts';
import { ADDRESS_LIMITS } from '../../../mail/limits.ts';
import type { IdleSweeper, IdleWatched } from '../../../net/idle.ts';
import { parseIp } from '../../../net/networks.ts';
import type { Account, Address, Client, JudgeInput, Log, MessageId, Metrics, Milliseconds, Verdict } from '../../../ports.ts';
import { ACTION, type MacroStage, PROTOCOL_VERSION, PROTOCOL_VERSION_LEAST, STEP } from '../../../wire/milter/codes.ts';
import { type MilterCommand, type MilterPeer, parseCommand } from '../../../wire/milter/command.ts';
import { NO_MACRO_LISTS, type Options } from '../../../wire/milter/negotiate.ts';
import { PacketReader } from '../../../wire/milter/packet.ts';
import { type MilterResponse, writeResponse } from '../../../wire/milter/response.ts';
import { answerTo } from './answer.ts';
import { IncomingMessage } from './incoming.ts';
import { FACE_LIMITS } from './limits.ts';
import type { MilterFaceSettings } from './settings.ts';

export interface FaceService {
  judge(input: JudgeInput): Verdict | Promise<Verdict>;
  settings(): MilterFaceSettings;
  newId(): MessageId;
  now(): Milliseconds;
  /** Somebody the mail server let in by SASL; the judge must know that it is no stranger. Left out: an account of that name with id 0. */
  account?(login: string): Account | null;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly tempDir: string;
  readonly idle: IdleSweeper;
}

/** What we would change. */
const WANTED_ACTIONS = ACTION.addHeaders | ACTION.changeHeaders | ACTION.quarantine;
/** We answer at the end only, and never at DATA or unknown commands. */
const WANTED_STEPS =
  STEP.noData |
  STEP.noUnknown |
  STEP.noReplyConnect |
  STEP.noReplyHelo |
  STEP.noReplyMail |
  STEP.noReplyRcpt |
  STEP.noReplyHeader |
  STEP.noReplyEndOfHeaders |
  STEP.noReplyBody |
  STEP.leadingSpace;
const WANTED_MACROS: ReadonlyMap<MacroStage, readonly string[]> = new Map<MacroStage, readonly string[]>([
  ['connect', ['j', '{client_addr}', '{client_name}', '{client_port}', '{daemon_name}']],
  ['helo', ['{tls_version}', '{cipher}']],
  ['mail', ['i', '{auth_type}', '{auth_authen}', '{mail_addr}']],
  ['rcpt', ['i', '{rcpt_addr}']],
  ['endOfMessage', ['i']],
]);
const CONTINUE = writeResponse({ kind: 'continue' });
const PROGRESS = writeResponse({ kind: 'progress' });
const TEMPFAIL = writeResponse({ kind: 'tempfail' });

/** The step whose NOREPLY bit says that the mail server does not wait; 0 for commands that have no answer or need one. */
const NO_REPLY: Readonly<Partial<Record<MilterCommand['kind'], number>>> = {
  connect: STEP.noReplyConnect,
  helo: STEP.noReplyHelo,
  mail: STEP.noReplyMail,
  rcpt: STEP.noReplyRcpt,
  data: STEP.noReplyData,
  header: STEP.noReplyHeader,
  endOfHeaders: STEP.noReplyEndOfHeaders,
  body: STEP.noReplyBody,
  unknown: STEP.noReplyUnknown,
};

export class FaceSession implements IdleWatched {
  deadline: number;
  readonly #socket: Socket;
  readonly #service: FaceService;
  readonly #reader = new PacketReader();
  readonly #onEnd: () => void;
  #options: Options = { version: PROTOCOL_VERSION, actions: 0, steps: 0, macros: NO_MACRO_LISTS };
  #macros = new Map<string, string>();
  #client: Client | null = null;
  #helo: string | null = null;
  #sender: Address | null = null;
  #recipients: Address[] = [];
  #message: IncomingMessage | null = null;
  #state: 'reading' | 'working' | 'judging' | 'over' = 'reading';

  constructor(socket: Socket, service: FaceService, onEnd: () => void) {
    this.#socket = socket;
    this.#service = service;
    this.#onEnd = onEnd;
    this.deadline = service.idle.now + FACE_LIMITS.idleMs;
    service.idle.watch(this);
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.deadline = service.idle.now + FACE_LIMITS.idleMs;
      this.#reader.push(chunk);
      this.#pump();
    });
    socket.on('error', () => this.end()); // A mail server that is gone asks nothing more; 'close' follows.
    socket.on('close', () => this.end());
  }

  onIdle(now: number): void {
    if (this.#state !== 'judging') this.end();
    else {
      this.#socket.write(PROGRESS);
      this.deadline = now + FACE_LIMITS.progressMs;
    }
  }

  end(): void {
    if (this.#state === 'over') return;
    const wasBusy = this.#state !== 'reading';
    this.#state = 'over';
    this.#service.idle.unwatch(this);
    this.#socket.destroy();
    // While it is being judged or written, the message ends with that.
    if (!wasBusy) this.#resetMessage();
    this.#onEnd();
  }

  #pump(): void {
    while (this.#state === 'reading') {
      const packet = this.#reader.next();
      if (packet === null) break;
      const command = parseCommand(packet);
      if (command === null) {
        this.#protest(`a packet that makes no sense (code ${packet.code})`);
        return;
      }
      const work = this.#run(command);
      if (work instanceof Promise) void this.#wait(work);
    }
    if (this.#reader.failure !== null) this.#protest(this.#reader.failure);
  }

  async #wait(work: Promise<void>): Promise<void> {
    if (this.#state === 'reading') this.#state = 'working';
    this.#socket.pause();
    try {
      await work;
    } catch (error) {
      // A bug: this mail server's default action decides about the message.
      this.#service.log.error('face.milter.failed', { cause: error });
      this.end();
    }
    if (this.#isOver()) {
      this.#resetMessage();
      return;
    }
    this.#state = 'reading';
    this.#socket.resume();
    this.#pump();
  }

  /** Asked anew after waiting: the connection may have ended meanwhile. */
  #isOver(): boolean {
    return this.#state === 'over';
  }

  #run(command: MilterCommand): void | Promise<void> {
    switch (command.kind) {
      case 'negotiate':
        this.#negotiate(command.options);
        return;
      case 'macro':
        this.#defineMacros(command.macros);
        return;
      case 'abort':
        this.#resetMessage();
        return;
      case 'quit':
        this.#socket.end();
        this.end();
        return;
      case 'quitNewConnection':
        this.#resetConnection();
        return;
      case 'connect':
        this.#resetConnection();
        this.#client = clientOf(command.name, command.peer);
        break;
      case 'helo':
        this.#helo = textOfLatin1(command.name);
        break;
      case 'mail':
        this.#resetMessage();
        this.#sender = addressOf(command.address);
        break;
      case 'rcpt': {
        const recipient = addressOf(command.address);
        if (recipient !== null && this.#recipients.length < FACE_LIMITS.recipientsMax) this.#recipients.push(recipient);
        break;
      }
      case 'header':
        this.#incoming().addHeader(command.name, command.value, (this.#options.steps & STEP.leadingSpace) !== 0);
        break;
      case 'body': {
        // The chunk may be a part of a larger read that must not be held for its sake.
        const added = this.#incoming().addBody(Buffer.from(command.chunk));
        if (added === undefined) break;
        return added.then(() => this.#proceed('body'));
      }
      case 'endOfMessage':
        return this.#endOfMessage(command.chunk);
      case 'data':
      case 'endOfHeaders':
      case 'unknown':
        break;
    }
    this.#proceed(command.kind);
  }

  /** "Continue", unless the mail server does not wait for it. */
  #proceed(kind: MilterCommand['kind']): void {
    if ((this.#options.steps & (NO_REPLY[kind] ?? 0)) === 0) this.#socket.write(CONTINUE);
  }

  #negotiate(offer: Options): void {
    if (offer.version < PROTOCOL_VERSION_LEAST) {
      this.#protest(`version ${offer.version} of the protocol`);
      return;
    }
    this.#options = {
      version: Math.min(offer.version, PROTOCOL_VERSION),
      actions: offer.actions & WANTED_ACTIONS,
      steps: offer.steps & WANTED_STEPS,
      macros: (offer.actions & ACTION.setMacroList) === 0 ? NO_MACRO_LISTS : WANTED_MACROS,
    };
    const actions = this.#options.actions | (this.#options.macros.size === 0 ? 0 : ACTION.setMacroList);
    this.#socket.write(writeResponse({ kind: 'negotiate', options: { ...this.#options, actions } }));
  }

  #defineMacros(macros: readonly (readonly [name: string, value: string])[]): void {
    for (const [name, value] of macros) {
      if (this.#macros.size >= FACE_LIMITS.macrosMax && !this.#macros.has(name)) return;
      this.#macros.set(name.replace(/^\{(.*)\}$/, '$1'), value);
    }
  }

  async #endOfMessage(lastChunk: Buffer): Promise<void> {
    const message = this.#incoming();
    const added = message.addBody(Buffer.from(lastChunk));
    if (added !== undefined) await added;
    if (this.#isOver()) return;
    const id = this.#service.newId();
    const { log, metrics } = this.#service;
    const about = { id, queueId: this.#macros.get('i') ?? null, client: this.#client?.ip ?? null };
    let verdict: Verdict;
    try {
      if (message.problem !== null) throw new Error(message.problem);
      this.#state = 'judging';
      this.deadline = this.#service.idle.now + FACE_LIMITS.progressMs;
      verdict = await this.#service.judge(this.#input(id, message));
    } catch (error) {
      // Not judged: what then happens is the administrator's choice.
      const answer = this.#service.settings()['face.milterFailure'];
      metrics.count('face.milter.messages', 1, 'failed');
      log.error('face.milter.unjudged', { ...about, answer, cause: error });
      if (!this.#isOver()) this.#socket.write(answer === 'accept' ? CONTINUE : TEMPFAIL);
      this.#resetMessage();
      return;
    }
    if (this.#isOver()) return;
    this.deadline = this.#service.idle.now + FACE_LIMITS.idleMs;
    metrics.count('face.milter.messages', 1, verdict.action);
    log.info('face.milter.judged', { ...about, action: verdict.action, score: verdict.score });
    const terms = { actions: this.#options.actions, hasLeadingSpace: (this.#options.steps & STEP.leadingSpace) !== 0 };
    this.#socket.write(Buffer.concat(answerTo(verdict, message.names, terms).map((response: MilterResponse) => writeResponse(response))));
    this.#resetMessage();
  }

  #input(id: MessageId, message: IncomingMessage): JudgeInput {
    const login = this.#macros.get('auth_authen');
    const tls = this.#macros.get('tls_version');
    const auth = login === undefined || login === '' ? null : this.#account(textOfLatin1(login));
    return {
      id,
      source: auth === null ? 'smtp' : 'submission',
      client: this.#client,
      helo: this.#helo,
      sender: this.#sender,
      recipients: this.#recipients,
      auth,
      tls: tls === undefined || tls === '' ? null : `${tls} ${this.#macros.get('cipher') ?? ''}`.trim(),
      at: this.#service.now(),
      message: message.view(),
    };
  }

  #account(login: string): Account {
    return this.#service.account?.(login) ?? { id: 0, login, isDisabled: false, quotaBytes: 0, quotaMessages: 0 };
  }

  #incoming(): IncomingMessage {
    this.#message ??= new IncomingMessage(this.#service.settings()['face.milterMessageBytesMax'], this.#service.tempDir);
    return this.#message;
  }

  #resetMessage(): void {
    this.#message?.release();
    this.#message = null;
    this.#sender = null;
    this.#recipients = [];
  }

  #resetConnection(): void {
    this.#resetMessage();
    this.#client = null;
    this.#helo = null;
  }

  #protest(what: string): void {
    if (this.#state === 'over') return;
    this.#service.log.warn('face.milter.refused', { cause: `the mail server sent ${what}` });
    this.end();
  }
}

/** "[192.0.2.1]" and "unknown" are what mail servers call a client without name. */
function clientOf(name: string, peer: MilterPeer): Client | null {
  if (peer.family !== 'inet' && peer.family !== 'inet6') return null;
  const ip = parseIp(peer.address.replace(/^IPv6:/i, ''));
  return ip === null ? null : { ip, port: peer.port, name: name === '' || name === 'unknown' || name.startsWith('[') ? null : name.toLowerCase() };
}

/** Null for the null reverse-path, and for what is no address. */
function addressOf(raw: string): Address | null {
  const text = textOfLatin1(raw);
  const path = text.startsWith('<') ? text : `<${text}>`;
  return parsePath(path, 0, { utf8: true, localBytes: ADDRESS_LIMITS.mailboxBytes })?.address ?? null;
}
