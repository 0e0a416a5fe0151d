/** The end of a script that went wrong. */
import type { Origin } from '../filter.ts';

/** A script that cannot go on: the run ends with an implicit keep (RFC 5228 section 2.10.6). */
export class SieveFailure extends Error {
  readonly origin: Origin;
  constructor(origin: Origin, text: string) {
    super(text);
    this.origin = origin;
  }
}
