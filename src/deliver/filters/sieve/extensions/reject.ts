/** RFC 5429: reject and ereject. */
import type { Call } from '../call.ts';
import type { Extension, Step } from '../registry.ts';
import type { Flow } from '../run.ts';

function reject(variant: 'reject' | 'ereject') {
  return (call: Call): Step<Flow> => {
    const reason = call.needText('reason');
    const { line } = call;
    return {
      now(run) {
        if (run.cause.kind === 'imap') run.fail(`${variant} can only be used when a message is delivered`);
        run.result.add({ kind: 'reject', origin: run.origin(line), message: null, text: reason.value(run), variant });
        return undefined;
      },
    };
  };
}

const POSITIONAL = [{ name: 'reason', type: 'string' }] as const;

export const REJECT: readonly Extension[] = [
  { name: 'reject', commands: [{ name: 'reject', positional: POSITIONAL, compile: reject('reject') }] },
  { name: 'ereject', commands: [{ name: 'ereject', positional: POSITIONAL, compile: reject('ereject') }] },
];
