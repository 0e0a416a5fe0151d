/** One connection of one client: commands go out, responses come in and are checked at once. What to do is decided in actions. */
import { Belief, type Memory, type Mode, type Slot } from './belief.ts';
import { parseValue, type Value } from './parse.ts';
import type { MailboxTruth, Reader, Truth } from './truth.ts';
import { must, Violation } from './violation.ts';
import { type Endpoint, Wire } from './wire.ts';

export interface Reply {
  readonly status: 'OK' | 'NO' | 'LOST';
  /** After the status. */
  readonly text: string;
}

/** What a command means for the truth. */
export interface Effect {
  answered(reply: Reply): void;
  /** The connection is gone: nobody knows whether it was carried out. */
  lost(): void;
}

export interface Command {
  /** Verb and arguments. */
  readonly text: string;
  /** It names messages by number: nothing may be removed from the list before it is answered. */
  readonly hasNumbers?: boolean;
  readonly effect?: Effect;
  /** A NO that is right. */
  readonly refusal?: RegExp;
  /** Untagged responses of its own (SEARCH, ESEARCH, SORT, THREAD, STATUS, LIST …), without "* ". */
  readonly hear?: (text: string, tag: string) => void;
  /** FETCH responses that come while it is being answered, whether they answer it or tell of a change. */
  readonly fetched?: (slot: Slot, items: ReadonlyMap<string, Value>) => void;
}

interface Running extends Command {
  readonly tag: string;
  readonly since: number;
  readonly resolve: (reply: Reply) => void;
}

/** How long a server may take for anything the run asks for, on a machine that does other things too. */
const ANSWER_MS = 60_000;
/** Rules of RFC 9051 section 7.5.1 for these. */
const NUMBERED = /^(FETCH|STORE|SEARCH|SORT|THREAD) /;
const ASKS_FETCH = /^(UID )?(FETCH|STORE) /;
const OWN_RESPONSES = /^(SEARCH|ESEARCH|SORT|THREAD|STATUS|LIST|LSUB|CAPABILITY|ENABLED|ACL|MYRIGHTS|NAMESPACE|ID|FLAGS|QUOTAROOT|QUOTA|METADATA)( |$)/;

export interface SessionEnd {
  /** The server may close connections now: it is being stopped, or the mailbox was taken away. */
  isExpected(): boolean;
  failed(error: unknown): void;
}

export class StressSession {
  readonly #truth: Truth;
  readonly #end: SessionEnd;
  wire!: Wire;
  readonly #running: Running[] = [];
  #tags = 0;
  #continuation: ((isThere: boolean) => void) | null = null;
  belief: Belief | null = null;
  #next: Belief | null = null;
  mode: Mode = { isCondstore: false, isQresync: false };
  /** NOTIFY is on: changes of the selected mailbox come at any time; 'delayed': not removals. */
  notify: 'none' | 'delayed' | 'immediate' = 'none';
  isIdle = false;
  #lastTagged = performance.now();
  #greeted: (() => void) | null = null;
  readonly greeting: Promise<void>;
  isClosed = false;
  #isLeaving = false;

  private constructor(truth: Truth, end: SessionEnd) {
    this.#truth = truth;
    this.#end = end;
    this.greeting = new Promise((resolve) => {
      this.#greeted = resolve;
    });
  }

  /** null: the server is not there. */
  static async open(endpoint: Endpoint, truth: Truth, end: SessionEnd): Promise<StressSession | null> {
    const session = new StressSession(truth, end);
    const wire = await Wire.open(endpoint, {
      response: (text) => session.#heard(text),
      broken: (error) => session.#fail(error),
      closed: () => session.#closed(),
    });
    if (wire === null) return null;
    session.wire = wire;
    return session;
  }

  /** Commands that were sent and are not answered; the one that is being answered is not among them. */
  get pending(): number {
    return this.#running.length;
  }

  get reader(): Reader {
    // What comes now was read by the server since the oldest command that is under way was sent; with NOTIFY, since the last answer.
    const [first] = this.#running;
    return { connection: this, since: first === undefined || this.notify !== 'none' ? this.#lastTagged : first.since };
  }

  // ── Commands ──

  run(command: Command): Promise<Reply> {
    return this.bundle([command])[0]!;
  }

  /** Several commands in one packet. `before`: what stands in front of them (DONE). */
  bundle(commands: readonly Command[], before = ''): Promise<Reply>[] {
    const replies: Promise<Reply>[] = [];
    let text = before;
    for (const command of commands) {
      const tag = `c${++this.#tags}`;
      text += `${tag} ${command.text}\r\n`;
      replies.push(this.#begin(command, tag));
    }
    this.wire.send(text);
    return replies;
  }

  #begin(command: Command, tag: string): Promise<Reply> {
    return new Promise((resolve) => {
      if (this.isClosed) {
        command.effect?.lost();
        resolve({ status: 'LOST', text: '' });
        return;
      }
      const since = performance.now();
      const timer = setTimeout(
        () => this.#fail(new Violation('every command is answered', `nothing for ${ANSWER_MS / 1000} s: ${command.text.slice(0, 200)}`)),
        ANSWER_MS,
      );
      this.#running.push({
        ...command,
        tag,
        since,
        resolve: (reply) => {
          clearTimeout(timer);
          resolve(reply);
        },
      });
    });
  }

  /** Sends the head of a command and waits for "+": false when the connection was lost or the server refused. */
  async head(command: Command, head: string): Promise<{ readonly mayGoOn: boolean; readonly reply: Promise<Reply> }> {
    const tag = `c${++this.#tags}`;
    const reply = this.#begin(command, tag);
    const isThere = new Promise<boolean>((resolve) => {
      this.#continuation = resolve;
    });
    this.wire.send(`${tag} ${head}\r\n`);
    const mayGoOn = this.isClosed ? false : await Promise.race([isThere, reply.then(() => false)]);
    this.#continuation = null;
    return { mayGoOn, reply };
  }

  /** Sends the beginning of a command whose end will never come. */
  unfinished(command: Command, text: string): { readonly reply: Promise<Reply> } {
    const tag = `c${++this.#tags}`;
    const reply = this.#begin(command, tag);
    this.wire.send(`${tag} ${text}`);
    return { reply };
  }

  /** SELECT or EXAMINE: what is believed afterwards is in `belief`. */
  async select(text: string, mailbox: MailboxTruth, isReadOnly: boolean, memory: Memory | null, refusal?: RegExp): Promise<Reply> {
    const next = new Belief(this.#truth, mailbox, isReadOnly, memory);
    next.began = `[${Math.round(performance.now())}] ${text.slice(0, 300)}`;
    this.#next = next;
    // Without a mailbox there is no [CLOSED] to wait for.
    if (this.belief === null) this.#switch();
    const reply = await this.run({ text, refusal });
    return reply;
  }
  #switch(): void {
    this.belief = this.#next;
    this.#next = null;
  }

  /** After UNSELECT, CLOSE. */
  leave(): void {
    this.belief = null;
  }

  async logout(): Promise<void> {
    this.#isLeaving = true;
    await this.run({ text: 'LOGOUT' });
    this.wire.cut();
  }

  cut(): void {
    this.#isLeaving = true;
    this.wire.cut();
  }

  // ── Responses ──

  #heard(text: string): void {
    try {
      this.#truth.counts.responses += 1;
      this.#response(text);
    } catch (error) {
      this.#fail(error);
    }
  }

  #fail(error: unknown): void {
    this.#isLeaving = true;
    this.#end.failed(error);
    this.wire.cut();
  }

  #response(text: string): void {
    if (text.startsWith('* ')) this.#untagged(text.slice(2));
    else if (text.startsWith('+')) this.#goOn();
    else this.#taggedResponse(text);
  }

  #goOn(): void {
    must(this.#continuation !== null, '"+" comes where it is waited for', () => '');
    const go = this.#continuation!;
    this.#continuation = null;
    go(true);
  }

  #taggedResponse(text: string): void {
    const [command] = this.#running;
    must(
      command !== undefined && text.startsWith(`${command.tag} `),
      'commands are answered in their order',
      () => `${text.slice(0, 200)}; waiting for ${command?.tag}`,
    );
    this.#running.shift();
    const rest = text.slice(command.tag.length + 1);
    const status = rest.slice(0, rest.indexOf(' '));
    const said = rest.slice(status.length + 1);
    must(status === 'OK' || status === 'NO', 'a legal command is not BAD', () => `${command.text.slice(0, 300)} → ${rest}`);
    must(!said.includes('SERVERBUG'), 'the server has no bugs', () => `${command.text.slice(0, 300)} → ${rest}`);
    must(status === 'OK' || command.refusal?.test(said) === true, 'a command that can be done is done', () => `${command.text.slice(0, 300)} → ${rest}`);
    this.#code(said);
    const reply = { status: status as 'OK' | 'NO', text: said };
    if (/^(SELECT|EXAMINE) /.test(command.text)) this.#selected(status === 'OK');
    command.effect?.answered(reply);
    this.belief?.tagged(this.mode.isQresync);
    this.#lastTagged = performance.now();
    command.resolve(reply);
  }

  #selected(isOk: boolean): void {
    // Without [CLOSED] the next one never began: then the command was refused before anything was let go.
    if (this.#next !== null) {
      must(!isOk, 'SELECT closes the mailbox before with [CLOSED]', () => this.#next!.mailbox.key);
      this.#next = null;
    } else if (isOk) {
      this.belief!.opened(this.mode.isQresync);
      this.opened?.(this.belief!);
    } else this.belief = null;
  }

  #untagged(text: string): void {
    if (text.startsWith('OK ')) {
      this.#greeted?.();
      this.#greeted = null;
      this.#code(text.slice(3));
      return;
    }
    if (text.startsWith('BYE')) {
      must(this.#isLeaving || this.#end.isExpected(), 'the server does not hang up', () => text);
      this.#isLeaving = true;
      return;
    }
    if (text.startsWith('NO ')) throw new Violation('nothing goes wrong', text);
    const numbered = /^(\d+) (EXISTS|EXPUNGE|RECENT|FETCH \()/.exec(text);
    if (numbered !== null) {
      this.#numbered(Number(numbered[1]), numbered[2]!, text, numbered[0].length - 1);
      return;
    }
    if (text.startsWith('VANISHED ')) {
      const isEarlier = text.startsWith('VANISHED (EARLIER) ');
      this.#believes(text).vanished(text.slice(isEarlier ? 19 : 9), isEarlier, this.#moment());
      return;
    }
    if (/^ESEARCH \(TAG "[^"]+"\)(?: UID)? (ADDTO|REMOVEFROM) /.test(text)) {
      this.#believes(text).contextUpdated(text);
      return;
    }
    must(OWN_RESPONSES.test(text), 'responses are of a kind that is known', () => text.slice(0, 200));
    this.#running[0]?.hear?.(text, this.#running[0].tag);
    if (text.startsWith('STATUS ')) this.statusHeard?.(text);
  }

  /** SELECT or EXAMINE was answered with OK. */
  opened: ((belief: Belief) => void) | null = null;
  /** The last COPYUID; MOVE tells it before its end. */
  copyUid: readonly string[] | null = null;
  /** The last APPENDUID; REPLACE tells it before its end. */
  appendUid: readonly string[] | null = null;
  /** Mailboxes of which NOTIFY tells, and what was told last: null before the first time. The selected one is not among them. */
  readonly watching = new Map<MailboxTruth, { readonly messages: number; readonly uidNext: number } | null>();
  /** STATUS, asked for or by NOTIFY. */
  statusHeard: ((text: string) => void) | null = null;

  #numbered(number: number, kind: string, text: string, at: number): void {
    const belief = this.#believes(text);
    if (kind === 'EXISTS') belief.exists(number);
    else if (kind === 'EXPUNGE') belief.expunge(number, this.#moment());
    else if (kind === 'FETCH (') {
      const items = belief.fetch(number, text, at, this.#moment());
      this.#running[0]?.fetched?.(belief.slots[number - 1]!, items);
    }
  }

  #believes(text: string): Belief {
    must(this.belief !== null, 'nothing is told of a mailbox while none is selected', () => text.slice(0, 200));
    return this.belief!;
  }

  #moment(): Parameters<Belief['expunge']>[1] {
    const [first] = this.#running;
    const isNow = first === undefined ? this.notify === 'immediate' : this.notify === 'immediate' || !NUMBERED.test(first.text);
    const isAsked = this.notify !== 'none' || this.#running.some((command) => ASKS_FETCH.test(command.text) || /^(SELECT|EXAMINE) /.test(command.text));
    // A command that was sent with numbers and is not begun yet does not know of removals that are told before it.
    const mayExpunge = isNow && !this.#running.some((command) => command.hasNumbers === true);
    return { mode: this.mode, reader: this.reader, mayExpunge, isAsked };
  }

  /** Response codes: "[CODE …] text". */
  #code(text: string): void {
    const code = /^\[([A-Z-]+)(?: ([^\]]*))?\]/.exec(text);
    if (code === null) return;
    const { belief } = this;
    const value = Number(code[2]);
    switch (code[1]) {
      case 'CLOSED':
        must(this.#next !== null, '[CLOSED] comes with SELECT', () => text);
        this.#switch();
        return;
      case 'HIGHESTMODSEQ':
        must(/^\d+$/.test(code[2]!) && text.length > code[0].length + 1, 'HIGHESTMODSEQ has a number and a text', () => text);
        belief?.highest(value);
        if (this.#running.length === 0 || this.isIdle) belief?.levelNow(this.mode.isQresync);
        return;
      case 'COPYUID':
        this.copyUid = code[2]!.split(' ');
        return;
      case 'APPENDUID':
        this.appendUid = code[2]!.split(' ');
        return;
      case 'UIDVALIDITY':
        if (belief === null) return;
        must(
          belief.mailbox.uidValidity === 0 || belief.mailbox.uidValidity === value,
          'UIDVALIDITY stays',
          () => `${belief.mailbox.key}: ${belief.mailbox.uidValidity}, ${value}`,
        );
        belief.mailbox.uidValidity = value;
        belief.uidValidity = value;
        return;
      case 'NOTIFICATIONOVERFLOW':
        // As after NOTIFY NONE.
        this.watching.clear();
        return;
      case 'UIDNEXT':
        if (belief !== null) belief.uidNext = value;
        return;
      default:
    }
  }

  #closed(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    if (!this.#isLeaving && !this.#end.isExpected()) this.#end.failed(new Violation('the server does not hang up', 'the connection ended'));
    this.#continuation?.(false);
    this.#greeted?.();
    for (const command of this.#running.splice(0)) {
      command.effect?.lost();
      command.resolve({ status: 'LOST', text: '' });
    }
  }
}

/** Attributes of "STATUS name (…)". */
export function statusItems(text: string): Map<string, number> {
  const open = text.lastIndexOf('(');
  const [values] = parseValue(text, open);
  const items = new Map<string, number>();
  const list = values as readonly string[];
  for (let i = 0; i + 1 < list.length; i += 2) items.set(list[i]!, Number(list[i + 1]));
  return items;
}
