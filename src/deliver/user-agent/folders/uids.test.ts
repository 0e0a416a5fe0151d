import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseUids } from './uids.ts';

for (const [what, format, text, wanted] of [
  [
    "Dovecot's third version",
    'dovecot',
    '3 V1795189033 N9 Gb8b5a7172869006b9422000083ecc375\n1 :1.M1P1.vm,S=12,W=14\n4 S12 W14 :2.M1P1.vm:2,S\n',
    {
      uidValidity: 1795189033,
      uidNext: 9,
      messages: [
        [1, '1.M1P1.vm,S=12,W=14'],
        [4, '2.M1P1.vm'],
      ],
    },
  ],
  [
    "Dovecot's first version",
    'dovecot',
    '1 17 3\n1 1.M1P1.vm:2,S\n2 2.M1P1.vm\n',
    {
      uidValidity: 17,
      uidNext: 3,
      messages: [
        [1, '1.M1P1.vm'],
        [2, '2.M1P1.vm'],
      ],
    },
  ],
  ["Courier's", 'courier', '1 17 2\n1 1.M1P1.vm:2,S', { uidValidity: 17, uidNext: 2, messages: [[1, '1.M1P1.vm']] }],
  ['a next UID that is too low', 'dovecot', '3 V7 N1\n5 :a\n', { uidValidity: 7, uidNext: 6, messages: [[5, 'a']] }],
  ['lines that cannot be', 'dovecot', '3 V7 N9\n0 :a\n2 :a\n2 :b\n3 :a\nx :c\n4 :\n5 :d/e\n6\n', { uidValidity: 7, uidNext: 9, messages: [[2, 'a']] }],
  ['no validity', 'dovecot', '3 N9\n1 :a\n', null],
  ['a validity that is none', 'dovecot', '3 V0 N9\n', null],
  ['one beyond 32 bits', 'dovecot', '3 V4294967296 N9\n', null],
  ['another version', 'dovecot', '4 V7 N9\n', null],
  ['nothing', 'dovecot', '', null],
] as const)
  test(`UIDs of another server: ${what}`, () => assert.deepEqual(parseUids(text, format), wanted));
