/** Passes the body of a frame from one socket to another as it comes; the source waits while the target is full or not yet known. */
import type { Socket } from 'node:net';

export class Relay {
  readonly #source: Socket;
  #target: Socket | null = null;
  #early: Uint8Array[] = [];
  #isWaiting = false;
  /** All of the body has come. */
  isComplete = false;

  constructor(source: Socket) {
    this.#source = source;
    source.pause();
  }

  /** The head goes first, then what has come already. */
  attach(target: Socket, head: Uint8Array): void {
    this.#target = target;
    target.cork();
    target.write(head);
    for (const chunk of this.#early) target.write(chunk);
    target.uncork();
    this.#early = [];
    if (target.writableNeedDrain) this.#wait(target);
    else this.#source.resume();
  }

  /** Nobody takes it: the rest is read and forgotten. */
  discard(): void {
    this.#early = [];
    this.#target = null;
    this.#isDiscarding = true;
    this.#source.resume();
  }
  #isDiscarding = false;

  body(chunk: Uint8Array): void {
    if (this.#isDiscarding) return;
    if (this.#target === null) this.#early.push(chunk);
    else if (!this.#target.destroyed && !this.#target.write(chunk)) this.#wait(this.#target);
  }

  end(): void {
    this.isComplete = true;
  }

  #wait(target: Socket): void {
    if (this.#isWaiting) return;
    this.#isWaiting = true;
    this.#source.pause();
    const go = (): void => {
      target.off('drain', go);
      target.off('close', go);
      this.#isWaiting = false;
      this.#source.resume();
    };
    target.on('drain', go);
    target.on('close', go);
  }
}
