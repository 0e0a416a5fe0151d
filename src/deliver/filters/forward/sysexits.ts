/** What the exit code of a program says about a delivery, as sysexits.h has it and Postfix reads it. */

export interface ExitMeaning {
  readonly isTemporary: boolean;
  /** Enhanced status (RFC 3463). */
  readonly code: string;
  readonly text: string;
}

const MEANINGS: ReadonlyMap<number, ExitMeaning> = new Map([
  [64, { isTemporary: false, code: '5.3.0', text: 'command line usage error' }],
  [65, { isTemporary: false, code: '5.6.0', text: 'data format error' }],
  [66, { isTemporary: false, code: '5.3.0', text: 'cannot open input' }],
  [67, { isTemporary: false, code: '5.1.1', text: 'user unknown' }],
  [68, { isTemporary: false, code: '5.1.2', text: 'host name unknown' }],
  [69, { isTemporary: false, code: '5.3.0', text: 'service unavailable' }],
  [70, { isTemporary: false, code: '5.3.0', text: 'internal software error' }],
  [71, { isTemporary: true, code: '4.3.0', text: 'system resource problem' }],
  [72, { isTemporary: false, code: '5.3.0', text: 'critical system file missing' }],
  [73, { isTemporary: false, code: '5.2.0', text: "can't create user output file" }],
  [74, { isTemporary: false, code: '5.3.0', text: 'input/output error' }],
  [75, { isTemporary: true, code: '4.3.0', text: 'temporary failure' }],
  [76, { isTemporary: false, code: '5.5.0', text: 'remote error in protocol' }],
  [77, { isTemporary: false, code: '5.7.0', text: 'permission denied' }],
  [78, { isTemporary: false, code: '5.3.5', text: 'local configuration error' }],
]);

/** null: 0, success. */
export function exitMeaning(exit: number): ExitMeaning | null {
  if (exit === 0) return null;
  return MEANINGS.get(exit) ?? { isTemporary: false, code: '5.3.0', text: `the program ended with status ${exit}` };
}
