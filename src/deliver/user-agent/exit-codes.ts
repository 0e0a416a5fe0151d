/** What a program's end means for the message: sysexits.h as Postfix's pipe(8) and local(8) read it. */
import { simpleAnswer, type DeliveryAnswer } from './types.ts';

/** EX_USAGE (64) to EX_CONFIG (78): enhanced status and words. */
const SYSEXITS: ReadonlyMap<number, readonly [string, string]> = new Map([
  [64, ['5.3.0', 'command line usage error']],
  [65, ['5.6.0', 'data format error']],
  [66, ['5.3.0', 'cannot open input']],
  [67, ['5.1.1', 'user unknown']],
  [68, ['5.1.2', 'host name unknown']],
  [69, ['5.3.0', 'service unavailable']],
  [70, ['5.3.0', 'internal software error']],
  [71, ['4.3.0', 'system resource problem']],
  [72, ['5.3.0', 'critical OS file missing']],
  [73, ['5.2.0', "can't create user output file"]],
  [74, ['5.3.0', 'input/output error']],
  [75, ['4.3.0', 'temporary failure']],
  [76, ['5.5.0', 'remote error in protocol']],
  [77, ['5.7.0', 'permission denied']],
  [78, ['5.3.5', 'local configuration error']],
]);

export interface ProgramEnd {
  readonly exit: number | null;
  readonly signal: string | null;
  readonly isTimedOut: boolean;
  /** Standard output and error together, bounded. */
  readonly text: string;
  readonly command: string;
}

/** A signal defers, running out of time fails, a status code at the start of the output wins over the exit code (pipe(8), DIAGNOSTICS). */
export function answerOfExit(end: ProgramEnd): DeliveryAnswer {
  const output = printable(end.text);
  const suffix = output === '' ? '' : `. Command output: ${output}`;
  if (end.isTimedOut) return failed('5.3.0', `Command time limit exceeded: "${printable(end.command)}"${suffix}`);
  if (end.signal !== null) return failed('4.3.0', `Command died with signal ${end.signal}: "${printable(end.command)}"${suffix}`);
  if (end.exit === 0) return simpleAnswer('delivered', 250, '2.0.0', output === '' ? 'delivered to command' : `delivered to command (${output})`);
  const told = /^([245])\.(\d{1,3})\.(\d{1,3})(?=\s|$)\s*/.exec(output);
  // "2.…" with an exit code that says otherwise is a failure all the same.
  if (told !== null)
    return failed(`${told[1] === '2' ? '5' : told[1]}.${Number(told[2])}.${Number(told[3])}`, output.slice(told[0].length) || 'no reason given');
  const row = end.exit === null ? undefined : SYSEXITS.get(end.exit);
  if (row !== undefined) return failed(row[0], `${row[1]}${suffix}`);
  return failed('5.3.0', `Command died with status ${end.exit}: "${printable(end.command)}"${suffix}`);
}

/** The reply code that goes with an enhanced status. */
function failed(enhanced: string, text: string): DeliveryAnswer {
  const isTemporary = enhanced.startsWith('4');
  const full = enhanced.endsWith('.2.2');
  return simpleAnswer(isTemporary ? 'deferred' : 'failed', isTemporary ? (full ? 452 : 451) : full ? 552 : enhanced === '5.1.1' ? 550 : 554, enhanced, text);
}

/** One line of at most 500 characters without control characters: it goes into replies and reports. */
export function printable(text: string): string {
  return text
    .replace(/[\t-\r]+/g, ' ')
    .replace(/[\0-\x1f\x7f]/g, '_')
    .trim()
    .slice(0, 500);
}
