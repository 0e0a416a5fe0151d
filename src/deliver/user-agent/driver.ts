/** Drives the run of a filter: every request goes to a host, which answers it, at once where it can. */
import type { FilterEnd, FilterRequest, FilterRun } from '../filters/filter.ts';
import { REQUESTS_MAX } from './limits.ts';

export interface FilterHost {
  /** Answers as `Answers` in filter.ts says for the request's kind. Must not throw for what a user's files or programs do. */
  answer(request: FilterRequest): unknown;
}

/**
 * Resolves when the run has ended. A run that asks without end, or is cancelled, ends as a failure: what it did stands, and the driver's owner
 * keeps the message.
 */
export async function driveFilter(run: FilterRun, host: FilterHost, signal: AbortSignal): Promise<FilterEnd> {
  let step = run.next();
  for (let requests = 0; step.done !== true; requests += 1) {
    if (requests >= REQUESTS_MAX || signal.aborted) {
      run.return({ kind: 'done', exitCode: null });
      const text = signal.aborted ? 'it took too long and was ended' : `it asked for more than ${REQUESTS_MAX} things and was ended`;
      return { kind: 'failed', problem: { file: '', line: 0, text } };
    }
    const answer = host.answer(step.value);
    step = run.next(answer instanceof Promise ? await answer : answer);
  }
  return step.value;
}
