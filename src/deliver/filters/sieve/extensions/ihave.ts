/** RFC 5463: ihave and error. */
import type { Extension } from '../registry.ts';
import { constantTest } from '../steps.ts';

export const IHAVE: Extension = {
  name: 'ihave',
  tests: [
    {
      name: 'ihave',
      positional: [{ name: 'extensions', type: 'strings', isConstant: true }],
      compile(call) {
        const names = call.needTexts('extensions').constants!;
        const isThere = names.every((name) => call.context.isAvailable(name));
        if (isThere) for (const name of names) call.context.require(name);
        return constantTest(isThere);
      },
    },
  ],
  commands: [
    {
      name: 'error',
      positional: [{ name: 'text', type: 'string' }],
      compile(call) {
        const text = call.needText('text');
        return { now: (run) => run.fail(`the script says: ${text.value(run).slice(0, 500)}`) };
      },
    },
  ],
};
