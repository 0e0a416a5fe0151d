/** vnd.dovecot.debug: debug_log. */
import { ask } from '../../filter.ts';
import type { Extension } from '../registry.ts';

const TEXT_CHARS_MAX = 1000;
const LINES_MAX = 50;

export const DEBUG: Extension = {
  name: 'vnd.dovecot.debug',
  commands: [
    {
      name: 'debug_log',
      positional: [{ name: 'text', type: 'string' }],
      compile(call) {
        const text = call.needText('text');
        return {
          *ask(run) {
            const count = (run.memory.get('vnd.dovecot.debug') as number | undefined) ?? 0;
            run.memory.set('vnd.dovecot.debug', count + 1);
            // One message must not be able to fill a log.
            if (count >= LINES_MAX) return undefined;
            const line = text
              .value(run)
              .slice(0, TEXT_CHARS_MAX)
              .replace(/[\x00-\x1f\x7f]+/g, ' ');
            yield* ask({ kind: 'log', file: null, text: line });
            return undefined;
          },
        };
      },
    },
  ],
};
