/** How functions of this room read a message that may be large: by slices, which answer at once when the bytes are at hand. */

/** Bytes [start, end) of the message. */
export type SliceReader = (start: number, end: number) => Uint8Array | Promise<Uint8Array>;

/** A reader of a message held in memory. */
export function readerOf(message: Uint8Array): SliceReader {
  return (start, end) => message.subarray(start, end);
}

/** A computation that asks for slices by yielding them. */
export type SliceSteps<T> = Generator<Uint8Array | Promise<Uint8Array>, T, Uint8Array>;

/** Runs the computation without a promise as long as slices come without one. */
export function runSlices<T>(steps: SliceSteps<T>): T | Promise<T> {
  let step = steps.next();
  while (step.done !== true) {
    if (step.value instanceof Promise) return finishLater(steps, step.value);
    step = steps.next(step.value);
  }
  return step.value;
}

async function finishLater<T>(steps: SliceSteps<T>, first: Promise<Uint8Array>): Promise<T> {
  let step = steps.next(await first);
  while (step.done !== true) step = steps.next(await step.value);
  return step.value;
}
