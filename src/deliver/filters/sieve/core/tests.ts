/** The tests of RFC 5228 section 5, with envelope. */
import { type AddressPart, addressPart, fieldAddresses } from '../addresses.ts';
import type { Call } from '../call.ts';
import { fieldNames, fieldSource, selectFields } from '../fields.ts';
import { matchTest } from '../match.ts';
import type { Step, TestSpec } from '../registry.ts';
import { constantTest, firstOf, mapStep, negated } from '../steps.ts';

const NAMES = { name: 'names', type: 'strings' } as const;
const KEYS = { name: 'keys', type: 'strings' } as const;

export const CORE_TESTS: readonly TestSpec[] = [
  { name: 'true', compile: () => constantTest(true) },
  { name: 'false', compile: () => constantTest(false) },
  { name: 'not', tests: 'one', compile: (call) => negated(call.tests[0]!) },
  { name: 'allof', tests: 'list', compile: (call) => firstOf(call.tests, false) },
  { name: 'anyof', tests: 'list', compile: (call) => firstOf(call.tests, true) },
  { name: 'header', tagSets: ['match', 'index', 'mime', 'mimeOptions'], positional: [NAMES, KEYS], compile: header },
  { name: 'address', tagSets: ['match', 'addressPart', 'index', 'mime'], positional: [NAMES, KEYS], compile: address },
  { name: 'exists', tagSets: ['mime'], positional: [NAMES], compile: exists },
  {
    name: 'size',
    tags: [
      { name: 'over', argument: null, group: 'size' },
      { name: 'under', argument: null, group: 'size' },
    ],
    positional: [{ name: 'limit', type: 'number' }],
    compile: size,
  },
];

/** Section 5.7. */
function header(call: Call): Step<boolean> {
  const names = fieldNames(call, 'names');
  const { texts } = fieldSource(call);
  const values = mapStep(selectFields(call, names), (run, fields) => {
    if (texts !== null) return fields.flatMap((field) => texts(run, field));
    return fields.map((field) => field.text);
  });
  return matchTest(call, values, call.needTexts('keys'));
}

/** Fields that hold addresses (section 5.1 asks to restrict the test to such). */
const ADDRESS_FIELDS: ReadonlySet<string> = new Set([
  ...['from', 'to', 'cc', 'bcc', 'sender', 'reply-to', 'return-path', 'resent-from', 'resent-to', 'resent-cc', 'resent-bcc', 'resent-sender'],
  ...['resent-reply-to', 'delivered-to', 'x-original-to', 'envelope-to', 'x-envelope-to', 'x-envelope-from', 'errors-to', 'return-receipt-to'],
  ...['disposition-notification-to', 'original-recipient', 'approved', 'mail-followup-to', 'mail-reply-to', 'abuse-reports-to', 'x-complaints-to'],
  ...['x-report-abuse-to', 'for-approval', 'for-comment', 'for-handling', 'list-post', 'list-owner', 'x-forwarded-to', 'x-forwarded-for', 'apparently-to'],
]);

function address(call: Call): Step<boolean> {
  const names = fieldNames(call, 'names');
  for (const name of names.items) {
    if (name.constant !== null && !ADDRESS_FIELDS.has(name.constant.toLowerCase())) {
      call.problem(`the header field "${name.constant}" holds no addresses: use the test header`, name.line);
    }
  }
  const part: AddressPart = addressPart(call);
  const values = mapStep(selectFields(call, names), (run, fields) => {
    const out: string[] = [];
    for (const { raw } of fields) {
      run.charge(raw.length);
      for (const found of fieldAddresses(raw, part)) out.push(found);
    }
    return out;
  });
  return matchTest(call, values, call.needTexts('keys'));
}

/** Section 5.5: all of them. */
function exists(call: Call): Step<boolean> {
  const names = fieldNames(call, 'names');
  const { sections } = fieldSource(call);
  return mapStep(sections, (run, views) =>
    names.values(run).every((name) => {
      run.charge(views.length);
      return views.some((view) => view.named(name.toLowerCase()).length > 0);
    }),
  );
}

/** Section 5.9. */
function size(call: Call): Step<boolean> {
  const limit = call.number('limit')!;
  if (call.has(':over')) return { now: (run) => run.message.size > limit };
  if (call.has(':under')) return { now: (run) => run.message.size < limit };
  return call.problem('size needs :over or :under');
}
