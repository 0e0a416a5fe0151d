/** Works through a list of restrictions until one decides. Runs at once for as long as nothing must be waited for. */
import type { Run } from './run.ts';
import { DUNNO, PERMIT, REFUSE, type Soon, type Status } from './status.ts';
import type { Subject, SubjectName } from './words.ts';

/** `subject` and `name`: what a refusal of a restriction without a subject of its own (reject, defer) is about. */
export type Check = (run: Run, name: SubjectName, subject: Subject) => Soon<Status>;

export interface Step {
  /** As written. */
  readonly text: string;
  /** The list or class it stands in, for the trace. */
  readonly list: string;
  /** Null for warn_if_reject, which concerns what follows. */
  readonly check: Check | null;
  /** Its answer differs between recipients of one message, or must be had for each. */
  readonly isPerRecipient: boolean;
}

export function runSteps(steps: readonly Step[], run: Run, name: SubjectName, subject: Subject): Soon<Status> {
  run.depth += 1;
  return continueAt(0, steps, run, name, subject);
}

function continueAt(start: number, steps: readonly Step[], run: Run, name: SubjectName, subject: Subject): Soon<Status> {
  let status: Status = DUNNO;
  for (let at = start; at < steps.length; at += 1) {
    if (run.effects.isDiscarded) break;
    const step = steps[at]!;
    if (step.check === null) {
      if (run.warnDepth === 0) run.warnDepth = run.depth;
      continue;
    }
    run.asking = step.text;
    if (step.isPerRecipient) run.isPerRecipient = true;
    const answer = step.check(run, name, subject);
    if (answer instanceof Promise) {
      return answer.then((late) => {
        settle(run, step, late);
        return isDecided(run, late) ? finish(run, late) : continueAt(at + 1, steps, run, name, subject);
      });
    }
    status = answer;
    settle(run, step, status);
    if (isDecided(run, status)) break;
  }
  return finish(run, status);
}

function settle(run: Run, step: Step, status: Status): void {
  if (run.warnDepth >= run.depth) run.warnDepth = 0;
  const trace = run.memo.trace;
  if (trace !== null) {
    const says = status === PERMIT ? 'permit' : status === REFUSE ? 'refuse' : run.said.startsWith('would refuse') ? 'warning' : 'nothing';
    trace.push({ list: step.list, restriction: step.text, says, text: run.said });
  }
  run.said = '';
  // A list within this step left its own last word there.
  if (status !== REFUSE) run.asking = step.text;
}

/** With both deferrals raised, whatever follows comes to the same. */
function isDecided(run: Run, status: Status): boolean {
  return status !== DUNNO || (run.deferIfPermit !== null && run.deferIfReject !== null);
}

function finish(run: Run, status: Status): Status {
  run.depth -= 1;
  // The list may have ended with warn_if_reject.
  if (run.warnDepth > run.depth) run.warnDepth = 0;
  return status;
}
