/**
 * Commands of one session that were begun and are not answered: only such as may run side by side (RFC 9051 section 5.5). They reach
 * the writer in the order in which they came, and many of them share a commit.
 */

/** Commands that wait for the writer at the same time; then all are awaited, and what else changed is told. */
const IN_FLIGHT_MAX = 64;

const LANDED = Promise.resolve();

export class Flight {
  #count = 0;
  #landing: Promise<void> = LANDED;

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** Must the next one wait until all have `landed`? */
  get isFull(): boolean {
    return this.#count >= IN_FLIGHT_MAX;
  }

  /** Resolves when none is under way. */
  get landed(): Promise<void> {
    return this.#landing;
  }

  /**
   * `land` is called when the promise has settled and every command before has landed: some clients take the first tagged response
   * for that of their first command. It must not throw; `refusal` makes a response of an error.
   */
  begin(result: Promise<string | null>, land: (text: string | null) => void, refusal: (error: unknown) => string): void {
    this.#count += 1;
    const before = this.#landing;
    const down = (text: string | null): void => {
      this.#count -= 1;
      if (this.#count === 0) this.#landing = LANDED;
      land(text);
    };
    this.#landing = result.then(
      (text) => before.then(() => down(text)),
      (error) => before.then(() => down(refusal(error))),
    );
  }
}
