/** RFC 6134: external lists. The match type :list is in match.ts. */
import type { Extension } from '../registry.ts';

export const EXTLISTS: Extension = {
  name: 'extlists',
  tags: { '@match': [{ name: 'list', argument: null, group: 'match' }] },
  tests: [
    {
      name: 'valid_ext_list',
      positional: [{ name: 'lists', type: 'strings' }],
      compile(call) {
        const lists = call.needTexts('lists');
        const known = call.context.extensions.lists;
        return { now: (run) => lists.values(run).every((list) => known.has(list)) };
      },
    },
  ],
};
