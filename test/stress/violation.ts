/** A rule of IMAP that the server broke, in words; ends the run. */
export class Violation extends Error {
  readonly rule: string;
  /** The message it is about, in the client's selected mailbox; 0: none. */
  readonly uid: number;
  constructor(rule: string, detail: string, uid = 0) {
    super(`${rule}: ${detail}`);
    this.rule = rule;
    this.uid = uid;
  }
}

/** Throws when `holds` is false. `detail` is only asked for then. `uid`: the message that the rule is about. */
export function must(holds: boolean, rule: string, detail: () => string, uid = 0): asserts holds {
  if (!holds) throw new Violation(rule, detail(), uid);
}
