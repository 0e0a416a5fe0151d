/** To the owner of a filter that failed: where it is and what is wrong. Told once for each state of the file. */
import { formatAddress } from '../../mail/address.ts';
import { formatMailbox, textField } from '../../mail/compose.ts';
import { formatDate } from '../../mail/date.ts';
import { foldHeader } from '../../mail/header.ts';
import type { Address } from '../../ports.ts';
import type { FilterProblem } from '../filters/filter.ts';
import { textEntity } from './compose-text.ts';
import { memoryKey } from './memory.ts';
import type { Memory, PlannedMail } from './plan.types.ts';

export interface ScriptReportInput {
  readonly id: string;
  readonly at: number;
  readonly hostname: string;
  readonly to: Address;
  /** When the script was last changed (Unix milliseconds), or a hash of its text: another state is told again. */
  readonly state: number | string;
  /** Where the message that met the problem is now: "INBOX". */
  readonly keptIn: string;
}

/** How long the same problem of an unchanged script is not told again. */
const SILENCE_MS = 30 * 86_400_000;

/** The memory to be asked for before anything is composed. */
export function scriptReportMemory(problem: FilterProblem, state: number | string, at: number): Memory {
  return { kind: 'scriptReport', key: memoryKey(problem.file, String(state)), until: at + SILENCE_MS };
}

/** Goes into the owner's INBOX as it is, past all filters: the one that would handle it is the one that failed. */
export function composeScriptReport(problem: FilterProblem, input: ScriptReportInput): PlannedMail {
  const where = problem.line > 0 ? `${problem.file}, line ${problem.line}` : problem.file;
  const sentence = problem.text.replace(/[\x00-\x1f\x7f]+/g, ' ').slice(0, 2000);
  const head =
    `Date: ${formatDate(input.at)}\r\n` +
    foldHeader('From', formatMailbox('Mail Filter', { local: 'MAILER-DAEMON', domain: input.hostname })) +
    foldHeader('To', formatAddress(input.to)) +
    textField('Subject', `Your mail filter fails: ${where}`.slice(0, 200)) +
    foldHeader('Message-ID', `<${input.id}@${input.hostname}>`) +
    'Auto-Submitted: auto-generated\r\n' +
    'X-Auto-Response-Suppress: All\r\n';
  const text =
    `A mail filter of ${formatAddress(input.to)} ${problem.isPassedOver === true ? 'has a mistake' : 'could not be run'}:\n\n` +
    `  ${where}: ${sentence}\n\n` +
    (problem.isPassedOver === true
      ? 'That line is passed over; the rest of the file is followed.\n'
      : `The message it was meant for is kept in ${input.keptIn}, and so will be others until the filter is mended.\n`) +
    'You will not be told again about this state of the filter.\n';
  return {
    kind: 'send',
    to: [input.to],
    sender: null,
    bytes: Buffer.concat([Buffer.from(head), textEntity(text)]),
    memories: [scriptReportMemory(problem, input.state, input.at)],
    fcc: null,
  };
}
