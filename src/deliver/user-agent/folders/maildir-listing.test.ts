import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MaildirNames } from './maildir-listing.ts';

const file = fc.tuple(fc.constantFrom('1', '2', '3', '4', '.x', 'a\tb'), fc.constantFrom('', ':2,', ':2,S', ':2,FS')).map(([name, flags]) => name + flags);
const parts = fc.tuple(fc.uniqueArray(file, { maxLength: 4 }), fc.uniqueArray(file, { maxLength: 6 }));

test('whatever came and went, what is told is what differs, and what is known is what is there', () => {
  fc.assert(
    fc.property(parts, fc.array(parts, { maxLength: 5 }), fc.uniqueArray(fc.constantFrom('1', '2', '9')), (first, later, always) => {
      let names = new MaildirNames(first, 'here');
      for (const now of later) {
        const before = new Map(names.files);
        const advanced = names.advance(now, always, 'here');
        names = advanced.names;
        const { present, gone } = advanced.difference;
        assert.deepEqual(new Map([...names.files].sort()), new Map([...new MaildirNames(now, 'here').files].sort()));
        // A listing as the asker has it, with the difference made in it.
        const asked = before;
        for (const name of gone) asked.delete(name);
        for (const name of present) asked.set(name, names.files.get(name)!);
        assert.deepEqual(new Map([...asked].sort()), new Map([...names.files].sort()));
        for (const name of always) assert.ok(present.includes(name) !== gone.includes(name), name);
      }
    }),
    { seed: 7, numRuns: 500 },
  );
});
