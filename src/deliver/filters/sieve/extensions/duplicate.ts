/** RFC 7352: has a message with this id been seen before? */
import { createHash } from 'node:crypto';
import { ask } from '../../filter.ts';
import type { Call } from '../call.ts';
import { isFieldName } from '../field-name.ts';
import type { Extension, Step } from '../registry.ts';

function duplicate(call: Call): Step<boolean> {
  const handle = call.text(':handle');
  const header = call.text(':header');
  if (header !== null && header.constant !== null && !isFieldName(header.constant)) {
    call.problem(`"${header.constant.slice(0, 60)}" is no name of a header field`, header.line);
  }
  const uniqueId = call.text(':uniqueid');
  const most = call.context.limits.duplicateSecondsMost;
  const seconds = Math.min(call.number(':seconds') ?? most, most);
  const isLast = call.has(':last');
  return {
    *ask(run) {
      const id = uniqueId !== null ? uniqueId.value(run) : run.message.header.text((header?.value(run) ?? 'message-id').toLowerCase());
      // Section 3.1: without the field, and so without an id, it is no duplicate.
      if (id === null || id === '') return false;
      run.charge(100);
      // The kind of id is part of what is remembered: a header's text must not meet another's :uniqueid.
      const kind = uniqueId !== null ? 'id' : `header ${(header?.value(run) ?? 'message-id').toLowerCase()}`;
      const hash = createHash('sha256').update(`${kind}\n${id}`).digest('hex');
      return yield* ask({ kind: 'duplicate', handle: handle?.value(run) ?? '', id: hash, seconds, isLast });
    },
  };
}

export const DUPLICATE: Extension = {
  name: 'duplicate',
  tests: [
    {
      name: 'duplicate',
      tags: [
        { name: 'handle', argument: 'string' },
        { name: 'header', argument: 'string', group: 'id' },
        { name: 'uniqueid', argument: 'string', group: 'id' },
        { name: 'seconds', argument: 'number' },
        { name: 'last', argument: null },
      ],
      compile: duplicate,
    },
  ],
};
