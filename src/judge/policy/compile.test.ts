import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { RESTRICTIONS } from './catalogue.ts';
import { PolicyProblem } from './problem.ts';
import { testPolicy, type TestPolicyOptions } from './testing.ts';

function problemOf(options: TestPolicyOptions): PolicyProblem {
  try {
    testPolicy(options);
  } catch (error) {
    if (error instanceof PolicyProblem) return error;
    throw error;
  }
  throw new Error('nothing was wrong');
}

const WRONG: readonly [string, TestPolicyOptions, string, number | null, RegExp][] = [
  [
    'an unknown restriction',
    { lists: { client: ['permit_mynetworks', 'reject_nonsense'] } },
    'policy.clientRestrictions',
    1,
    /unknown restriction "reject_nonsense"/,
  ],
  ['a typing mistake', { lists: { sender: ['reject_unkown_sender_domain'] } }, 'policy.senderRestrictions', 0, /did you mean "reject_unknown_sender_domain"\?/],
  ['a missing argument', { lists: { helo: ['check_helo_access'] } }, 'policy.heloRestrictions', 0, /needs a table/],
  ['an argument that is no table', { lists: { helo: ['check_helo_access /etc/access'] } }, 'policy.heloRestrictions', 0, /not of the form type:table/],
  ['an unknown type of table', { lists: { recipient: ['check_sender_access nosuch:/x'] } }, 'policy.recipientRestrictions', 0, /no table type "nosuch"/],
  [
    'a table whose file is missing',
    { lists: { recipient: ['permit_mynetworks', 'hash:/no/such/file'] } },
    'policy.recipientRestrictions',
    1,
    /\/no\/such\/file/,
  ],
  ['sleep without a number', { lists: { client: ['sleep soon'] } }, 'policy.clientRestrictions', 0, /number of seconds/],
  ['a bad filter', { lists: { client: ['reject_rbl_client bl.test=127.0.0.[4..2]'] } }, 'policy.clientRestrictions', 0, /from 0 to 255/],
  ['a list that is no domain', { lists: { client: ['reject_rbl_client -bad'] } }, 'policy.clientRestrictions', 0, /no domain name/],
  ['a policy server that is none', { lists: { recipient: ['check_policy_service nowhere'] } }, 'policy.recipientRestrictions', 0, /no server/],
  [
    'an unknown macro',
    { lists: { client: ['reject_rbl_client bl.test'] }, config: { defaultRblReply: '554 $nonsense' } },
    'policy.clientRestrictions',
    0,
    /unknown macro "\$nonsense"/,
  ],
  ['ETRN checks elsewhere', { lists: { client: ['check_etrn_access static:OK'] } }, 'policy.clientRestrictions', 0, /no ETRN domain/],
  ['senders in the ETRN list', { lists: { etrn: ['reject_unknown_sender_domain'] } }, 'policy.etrnRestrictions', 0, /no sender/],
  [
    'recipients in the client list, at once',
    { lists: { client: ['reject_non_fqdn_recipient'] }, config: { delayReject: false } },
    'policy.clientRestrictions',
    0,
    /delayReject is off: there is no recipient/,
  ],
  ['a bare table where it is not clear', { lists: { data: ['hash:/etc/x'] } }, 'policy.dataRestrictions', 0, /not clear what is to be looked up/],
  ['braces that do not match', { lists: { data: ['check_sender_access inline:{a=b'] } }, 'policy.dataRestrictions', 0, /without its "}"/],
  [
    'a class that holds itself',
    { lists: { data: ['a'] }, config: { classes: ['a = b', 'b = permit_mynetworks, a'] } },
    'policy.restrictionClasses',
    1,
    /a → b → a/,
  ],
  ['a class with a mistake that nobody uses', { config: { classes: ['a = nonsense'] } }, 'policy.restrictionClasses', 0, /unknown restriction "nonsense"/],
  ['a class with the name of a restriction', { config: { classes: ['permit = reject'] } }, 'policy.restrictionClasses', 0, /is the name of a restriction/],
  ['a class twice', { config: { classes: ['a = permit', 'a = reject'] } }, 'policy.restrictionClasses', 1, /twice/],
  ['an open relay', { lists: { relay: ['permit_mynetworks'] } }, 'policy.relayRestrictions', null, /open relay/],
  ['an open relay behind a warning', { lists: { relay: ['warn_if_reject reject_unauth_destination'] } }, 'policy.relayRestrictions', null, /open relay/],
];
for (const [what, options, setting, entry, sentence] of WRONG) {
  test(`${what} is a problem with its setting and entry`, () => {
    const problem = problemOf(options);
    assert.equal(problem.setting, setting);
    assert.equal(problem.entry, entry);
    assert.match(problem.message, sentence);
  });
}

test('a bad pattern is a problem with file and line', (t) => {
  const dir = mkdtempSync(join(tmpdir(), 'policy-'));
  t.after(() => rmSync(dir, { recursive: true }));
  writeFileSync(join(dir, 'patterns'), '/good/ OK\n/bad(/ REJECT\n');
  writeFileSync(join(dir, 'access'), 'From:a@b.test OK\nConnect:x NONSENSE\n');
  writeFileSync(join(dir, 'badhelo'), 'fine\n[\n');
  for (const [words, line] of [
    [`check_sender_access regexp:${dir}/patterns`, 2],
    [`check_sendmail_access ${dir}/access`, 2],
    [`check_qmail_badhelo ${dir}/badhelo`, 2],
  ] as const) {
    const problem = problemOf({ lists: { sender: [words] } });
    assert.equal(problem.line, line, words);
    assert.ok(problem.file?.startsWith(dir), words);
  }
});

test('the barrier may stand in the recipient list or in a class', () => {
  testPolicy({ lists: { relay: [], recipient: ['permit_mynetworks, reject_unauth_destination'] } });
  testPolicy({ lists: { relay: ['closed'] }, config: { classes: ['closed = permit_mynetworks, defer_unauth_destination'] } });
});

test('what is never asked is noted', () => {
  assert.deepEqual(testPolicy({ lists: { client: ['permit', 'reject_unknown_client_hostname'] } }).notes, [
    'policy.clientRestrictions[1]: "reject_unknown_client_hostname" is never asked, as "permit" comes before it',
  ]);
  assert.deepEqual(testPolicy({ lists: { client: ['warn_if_reject reject', 'permit'] } }).notes, []);
});

test('every restriction of the manual is there', () => {
  const names = new Set(RESTRICTIONS.flatMap((row) => row.names));
  const sides = ['client', 'helo', 'sender', 'recipient'];
  const wanted = `permit reject defer defer_if_permit defer_if_reject sleep permit_mynetworks permit_sasl_authenticated permit_auth_destination permit_mx_backup
    permit_inet_interfaces permit_tls_clientcerts permit_tls_all_clientcerts reject_unauth_destination reject_unauth_pipelining reject_unknown_client_hostname
    reject_unknown_reverse_client_hostname reject_unknown_forward_client_hostname reject_invalid_helo_hostname reject_non_fqdn_helo_hostname
    reject_unknown_helo_hostname reject_non_fqdn_sender reject_non_fqdn_recipient reject_unknown_sender_domain reject_unknown_recipient_domain
    reject_unlisted_sender reject_unlisted_recipient reject_unverified_sender reject_unverified_recipient reject_sender_login_mismatch
    reject_authenticated_sender_login_mismatch reject_known_sender_login_mismatch reject_unauthenticated_sender_login_mismatch
    reject_multi_recipient_bounce reject_plaintext_session reject_rbl_client permit_dnswl_client reject_rhsbl_client reject_rhsbl_reverse_client
    reject_rhsbl_helo reject_rhsbl_sender reject_rhsbl_recipient permit_rhswl_client check_reverse_client_hostname_access check_etrn_access
    check_ccert_access check_sasl_access check_policy_service defer_unauth_destination
    check_sendmail_access check_qmail_badmailfrom check_qmail_badmailfrompatterns check_qmail_badrcptto check_qmail_badrcptpatterns check_qmail_badhelo`
    .split(/\s+/)
    .concat(sides.flatMap((side) => ['', '_a', '_mx', '_ns'].map((kind) => `check_${side}${kind}_access`)));
  assert.deepEqual(
    wanted.filter((name) => !names.has(name)),
    [],
  );
});
