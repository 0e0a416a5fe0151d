/**
 * Mozilla's Marionette protocol (version 3): the door through which a Mozilla program is driven from outside.
 * Length-prefixed JSON over TCP: `[0, id, command, parameters]` there, `[1, id, error, result]` back.
 */
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';

/** An answer larger than this is no answer: a screenshot of the whole window is below 8 MB. */
const ANSWER_BYTES_MAX = 64 * 1024 * 1024;
/** Digits before the colon. */
const LENGTH_DIGITS_MAX = 10;

/** What the other side said about a command that failed. */
export class MarionetteError extends Error {
  readonly code: string;
  constructor(code: string, message: string) {
    super(`${code}: ${message}`);
    this.code = code;
  }
}

interface Waiting {
  readonly resolve: (value: any) => void;
  readonly reject: (error: Error) => void;
}
export type Key = 'Enter' | 'Delete' | 'Escape' | 'Tab' | 'Backspace';
/** Code points of WebDriver's special keys (section 17.4.2). */
const KEYS: Readonly<Record<Key, string>> = { Enter: '\uE007', Delete: '\uE017', Escape: '\uE00C', Tab: '\uE004', Backspace: '\uE003' };
export const CONTROL = '\uE009';
export const SHIFT = '\uE008';

export class Marionette {
  readonly #socket: Socket;
  readonly #waiting = new Map<number, Waiting>();
  #input: Buffer = Buffer.alloc(0);
  #lastId = 0;
  #end: Error | null = null;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('close', () => this.#fail(new Error('Marionette closed the connection')));
    socket.on('error', (error) => this.#fail(error));
  }

  /** Connects and opens a session with the program's own windows in reach (not web content). Rejects while nothing listens there. */
  static async open(port: number): Promise<Marionette> {
    const socket = connect({ port, host: '127.0.0.1' });
    await new Promise<void>((resolve, reject) => {
      socket.once('connect', resolve);
      socket.once('error', reject);
    });
    const marionette = new Marionette(socket);
    await marionette.command('WebDriver:NewSession', { capabilities: { alwaysMatch: { 'moz:debuggerAddress': false } } });
    await marionette.command('Marionette:SetContext', { value: 'chrome' });
    await marionette.command('WebDriver:SetTimeouts', { script: 60_000 });
    return marionette;
  }

  command(name: string, parameters: object = {}): Promise<any> {
    if (this.#end !== null) return Promise.reject(this.#end);
    const id = ++this.#lastId;
    const text = Buffer.from(JSON.stringify([0, id, name, parameters]));
    this.#socket.write(`${text.length}:`);
    this.#socket.write(text);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  /** Runs the body of an async function in the program with `args` as its `arguments`; answers what it returns, by JSON. */
  async script(body: string, ...args: readonly unknown[]): Promise<any> {
    const script = `return (async (...args) => { ${body} })(...arguments);`;
    const { value } = await this.command('WebDriver:ExecuteScript', { script, args, newSandbox: false, sandbox: 'system' });
    return value;
  }

  /** A press of a button of the mouse at a place in the window, in CSS pixels. */
  async pointer(x: number, y: number, button = 0, count = 1): Promise<void> {
    const presses = Array.from({ length: count }, () => [
      { type: 'pointerDown', button },
      { type: 'pointerUp', button },
    ]).flat();
    const move = { type: 'pointerMove', x: Math.round(x), y: Math.round(y), origin: 'viewport' };
    await this.#actions([{ type: 'pointer', id: 'mouse', parameters: { pointerType: 'mouse' }, actions: [move, ...presses] }]);
  }

  /** Types text into what has the focus. */
  async type(text: string): Promise<void> {
    await this.#keys([...text].flatMap((value) => [keyDown(value), keyUp(value)]));
  }
  async press(key: Key): Promise<void> {
    await this.type(KEYS[key]);
  }
  /** The key while modifiers are held. */
  async chord(modifiers: readonly string[], key: string): Promise<void> {
    await this.#keys([...modifiers.map(keyDown), keyDown(key), keyUp(key), ...modifiers.toReversed().map(keyUp)]);
  }

  /** A PNG of the current window. */
  async screenshot(): Promise<Buffer> {
    const { value } = await this.command('WebDriver:TakeScreenshot', { full: true });
    return Buffer.from(value as string, 'base64');
  }

  async windows(): Promise<readonly string[]> {
    return (await this.command('WebDriver:GetWindowHandles')) as string[];
  }
  /** Later scripts, keys and pictures go to that window. */
  async switchTo(handle: string): Promise<void> {
    await this.command('WebDriver:SwitchToWindow', { handle, focus: true });
  }

  /** Asks the program to end as its menu does. */
  async quit(): Promise<void> {
    await this.command('Marionette:Quit', { flags: ['eForceQuit'] });
  }
  close(): void {
    this.#socket.destroy();
  }

  async #keys(actions: readonly object[]): Promise<void> {
    await this.#actions([{ type: 'key', id: 'keyboard', actions }]);
  }
  async #actions(actions: readonly object[]): Promise<void> {
    try {
      await this.command('WebDriver:PerformActions', { actions });
      await this.command('WebDriver:ReleaseActions');
    } catch (error) {
      // The window was closed by what was pressed: nothing is held down in it any more.
      if (!(error instanceof MarionetteError && error.code === 'no such window')) throw error;
    }
  }

  #take(chunk: Buffer): void {
    this.#input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk]);
    for (;;) {
      const colon = this.#input.subarray(0, LENGTH_DIGITS_MAX + 1).indexOf(0x3a);
      if (colon < 0) {
        if (this.#input.length > LENGTH_DIGITS_MAX) this.#socket.destroy(new Error('this is not Marionette'));
        return;
      }
      const length = Number(this.#input.toString('latin1', 0, colon));
      if (!Number.isSafeInteger(length) || length > ANSWER_BYTES_MAX) {
        this.#socket.destroy(new Error('this is not Marionette'));
        return;
      }
      const end = colon + 1 + length;
      if (this.#input.length < end) return;
      const packet = JSON.parse(this.#input.toString('utf8', colon + 1, end)) as unknown;
      this.#input = this.#input.subarray(end);
      if (Array.isArray(packet)) this.#answer(packet); // Else the greeting, which names the protocol's version.
    }
  }
  #answer([, id, error, result]: unknown[]): void {
    const waiting = this.#waiting.get(id as number);
    assert.ok(waiting !== undefined, `an answer to no question: ${String(id)}`);
    this.#waiting.delete(id as number);
    if (error === null) waiting.resolve(result);
    else waiting.reject(new MarionetteError((error as { error: string }).error, (error as { message: string }).message));
  }
  #fail(error: Error): void {
    this.#end ??= error;
    for (const { reject } of this.#waiting.values()) reject(this.#end);
    this.#waiting.clear();
  }
}

const keyDown = (value: string): object => ({ type: 'keyDown', value });
const keyUp = (value: string): object => ({ type: 'keyUp', value });
