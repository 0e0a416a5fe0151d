// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are variables of Sieve
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { defaultsOf } from '../../../system/declare.ts';
import { EXTENSION_NAMES } from './extension-names.ts';
import { SIEVE_SETTINGS, sieveExtensions, sieveLimits } from './settings.ts';
import { compileSieve, SIEVE_CAPABILITIES } from './sieve.ts';
import { EXTENSIONS_ON, inputOf, MESSAGE, problemsOf, runScripts } from './testing.ts';

const lines = (script: string, world = {}): readonly string[] => runScripts([script], MESSAGE, world).lines;

test('an empty script keeps the message', () => {
  assert.deepEqual(lines(''), ['implicit keep']);
});

test('actions come at the end, in order, equal ones once', () => {
  assert.deepEqual(lines('require "fileinto"; fileinto "A"; redirect "a@example.org"; fileinto "A"; keep; fileinto "inbox";'), [
    'fileinto A',
    'redirect a@example.org',
    'keep',
  ]);
});

test('each action tells the file and the line that it comes from', () => {
  const { actions } = runScripts(['require "fileinto";\n\nfileinto "A";\n/* two\nlines */ keep;']);
  assert.deepEqual(
    actions.map(({ origin }) => origin),
    [
      { file: 'sieve:main', line: 3 },
      { file: 'sieve:main', line: 5 },
    ],
  );
});

test('a script that fails has none of its actions done and says where', () => {
  const outcome = runScripts(['require ["fileinto", "ihave"];\nfileinto "A";\nerror "out of order";']);
  assert.deepEqual(outcome.lines, []);
  assert.deepEqual(outcome.end, { kind: 'failed', problem: { file: 'sieve:main', line: 3, text: 'the script says: out of order' } });
});

test('problems have the line of what is wrong, and the rest of the script is looked at', () => {
  assert.deepEqual(problemsOf('keep;\nfoo;\nif header "a" {\n}\nrequire "x";\nfileinto "A";\nelse {}\nredirect "x";'), [
    '2: there is no command "foo"',
    '3: header takes 2 positional arguments, not 1',
    '5: require must come before all other commands',
    '6: the command "fileinto" needs require "fileinto"',
    '7: else without an if before it',
    '8: "x" is no address',
  ]);
  assert.deepEqual(problemsOf('require ["fileinto",\n "nope"];'), ['2: the extension "nope" is not supported here']);
  assert.deepEqual(problemsOf('keep;\n"'), ['2: the text that starts here has no closing quote']);
  assert.deepEqual(problemsOf('require "fileinto"; fileinto text:\nx\ny\n'), ['1: the text that starts here has no line with a single dot at its end']);
  assert.deepEqual(problemsOf('if header ["a b"] "x" { }'), ['1: "a b" is no name of a header field']);
  assert.deepEqual(problemsOf('require "fileinto"; fileinto "a//b";'), ['1: "a//b" is no name of a mailbox']);
});

test('a failure within a test has the line of its command', () => {
  const { end } = runScripts(['require ["regex", "variables"];\nkeep;\nset "a" "(";\nif header :regex "subject" "${a}" { stop; }']);
  assert.ok(end.kind === 'failed');
  assert.equal(end.problem.line, 4);
});

// ── Several scripts ──────────────────────────────────────────────────────────────────────────────────

test('the next script runs when the one before kept the message, implicitly or explicitly', () => {
  assert.deepEqual(runScripts(['', 'discard;']).lines, ['discard']);
  assert.deepEqual(runScripts(['keep;', 'discard;']).lines, ['discard']);
  assert.deepEqual(runScripts(['discard;', 'keep;']).lines, ['discard']);
  assert.deepEqual(runScripts(['stop;', 'redirect "a@example.org"; keep;']).lines, ['redirect a@example.org', 'keep']);
  assert.deepEqual(runScripts(['require ["fileinto", "copy"]; fileinto :copy "A";', 'require "fileinto"; fileinto "A"; fileinto "B";']).lines, [
    'fileinto A',
    'fileinto B',
  ]);
});

test('when a later script fails, what the earlier ones said is done', () => {
  const { lines: done, end } = runScripts(['redirect "a@example.org"; keep;', 'require "ihave"; discard; error "x";']);
  assert.deepEqual(done, ['redirect a@example.org']);
  assert.equal(end.kind, 'failed');
});

test('flags go on to the scripts after', () => {
  assert.deepEqual(runScripts(['require "imap4flags"; addflag "\\\\Flagged";', '']).lines, ['implicit keep [4 ]']);
});

// ── Extensions ───────────────────────────────────────────────────────────────────────────────────────

test('editheader: each action has the message as it was then', () => {
  const { actions } = runScripts([
    'require ["editheader", "fileinto", "copy"]; fileinto :copy "A"; addheader "X-New" "ä"; fileinto :copy "B"; deleteheader "subject";',
  ]);
  const [a, b, kept] = actions.map(({ message }) => message);
  assert.equal(a, null);
  assert.match(String(b!.header), /^X-New: =\?utf-8\?[QB]\?[^\r]*\?=\r\nFrom: /);
  assert.equal(b!.body, null);
  assert.doesNotMatch(String(kept!.header), /^Subject:/m);
  assert.match(String(kept!.header), /\r\n\r\n$/);
});

test('editheader: values cannot end their field, and a field is not larger than the limit', () => {
  const { actions } = runScripts(['require "editheader"; addheader "X-New" "a\r\nBcc: x@example.org\r\n\r\nbody";']);
  assert.match(String(actions[0]!.message!.header), /^X-New: a Bcc: x@example.org body\r\nFrom:/);
  assert.equal(runScripts([`require "editheader"; addheader "X-New" "${'a'.repeat(3000)}";`]).end.kind, 'failed');
});

test('vacation (RFC 5230): the handle follows from the text, the period is bounded', () => {
  const { actions } = runScripts(['require "vacation-seconds"; vacation :seconds 5 :subject "Gone" :addresses ["ken@example.net", "nonsense"] "Away";']);
  const [action] = actions;
  assert.ok(action?.kind === 'vacation');
  assert.deepEqual([action.periodSeconds, action.subject, action.addresses, action.text, action.isMime], [86_400, 'Gone', ['ken@example.net'], 'Away', false]);
  assert.match(action.handle, /^[0-9a-f]{32}$/);
});

test('vacation with fcc (RFC 8580)', () => {
  const { actions } = runScripts([
    'require ["vacation", "fcc", "mailbox", "imap4flags", "special-use"]; vacation :fcc "Sent" :create :flags ["\\\\Seen"] :specialuse "\\\\Sent" "Away";',
  ]);
  assert.ok(actions[0]?.kind === 'vacation');
  assert.deepEqual(actions[0].fcc, { mailbox: 'Sent', flags: { flags: 1, keywords: [] }, isCreated: true, specialUse: '\\Sent' });
  assert.deepEqual(problemsOf('require ["vacation", "fcc", "mailbox"]; vacation :create "Away";'), ['1: :create needs :fcc here']);
});

test('notify (RFC 5435)', () => {
  assert.deepEqual(
    lines(
      'require "enotify"; notify :importance "1" :message "hi" "mailto:a@example.org?subject=x"; notify :importance "1" :message "hi" "mailto:a@example.org?subject=x";',
    ),
    ['notify mailto:a@example.org?subject=x 1 hi', 'implicit keep'],
  );
  assert.equal(problemsOf('require "enotify"; notify "mailto:nobody";').length, 1);
});

test('redirect with delivery reports (RFC 6009)', () => {
  const { actions } = runScripts(['require "redirect-dsn"; redirect :notify "failure,delay" :ret "hdrs" "a@example.org";']);
  assert.ok(actions[0]?.kind === 'redirect');
  assert.deepEqual(actions[0].dsn, { notify: 'FAILURE,DELAY', ret: 'HDRS' });
  assert.equal(problemsOf('require "redirect-dsn"; redirect :notify "NEVER,DELAY" "a@example.org";').length, 1);
});

test('include (RFC 6609): variables are apart but for global ones, return ends one script, stop all', () => {
  const scripts = {
    'personal sets': 'require ["include", "variables"]; global "a"; set "a" "in"; set "b" "hidden"; return; discard;',
    'global stops': 'stop;',
  };
  assert.deepEqual(
    lines('require ["include", "variables", "fileinto"]; global "a"; include "sets"; fileinto "${a}-${b}x"; include :global "stops"; discard;', { scripts }),
    ['fileinto in-x'],
  );
  assert.equal(runScripts(['require "include"; include "none";']).end.kind, 'failed');
  assert.deepEqual(lines('require "include"; include :optional "none";'), ['implicit keep']);
});

test('include: a script that includes itself, and one that is wrong, fail with their own lines', () => {
  const scripts = { 'personal loop': 'require "include";\ninclude "loop";', 'personal wrong': '\n\nnonsense;' };
  const loop = runScripts(['require "include"; include "loop";'], MESSAGE, { scripts }).end;
  assert.deepEqual(loop, { kind: 'failed', problem: { file: 'sieve:loop', line: 2, text: 'the script "loop" includes itself' } });
  const wrong = runScripts(['require "include"; include "wrong";'], MESSAGE, { scripts }).end;
  assert.deepEqual(wrong, { kind: 'failed', problem: { file: 'sieve:wrong', line: 3, text: 'there is no command "nonsense"' } });
});

test('mailbox, metadata and special-use ask about the account', () => {
  const world = { mailboxes: ['A', 'B'], metadata: { 'A/private/comment': 'yes', '/shared/admin': 'x' } };
  assert.deepEqual(lines('require ["mailbox"]; if mailboxexists ["A", "B"] { discard; }', world), ['discard']);
  assert.deepEqual(lines('require ["mailbox"]; if mailboxexists ["A", "C"] { discard; }', world), ['implicit keep']);
  assert.deepEqual(lines('require ["mboxmetadata"]; if metadata "A" "/private/comment" "yes" { discard; }', world), ['discard']);
  assert.deepEqual(lines('require ["mboxmetadata"]; if metadataexists "A" ["/private/comment", "/private/x"] { discard; }', world), ['implicit keep']);
  assert.deepEqual(lines('require ["servermetadata"]; if servermetadata :contains "/shared/admin" "X" { discard; }', world), ['discard']);
  assert.deepEqual(lines('require ["special-use", "fileinto"]; if specialuse_exists "\\\\Junk" { fileinto :specialuse "\\\\Junk" "Spam"; }', world), [
    'fileinto Spam \\Junk',
  ]);
});

test('duplicate (RFC 7352) asks with a hash of the id; without an id nothing is one', () => {
  const { requests } = runScripts(['require "duplicate"; if duplicate :handle "h" :seconds 60 :last { discard; }'], MESSAGE, { seen: ['h'] });
  assert.ok(requests[0]?.kind === 'duplicate');
  assert.deepEqual([requests[0].handle, requests[0].seconds, requests[0].isLast], ['h', 60, true]);
  assert.equal(runScripts(['require "duplicate"; if duplicate :header "x-none" { discard; }']).requests.length, 0);
});

test('spamtest, spamtestplus and virustest (RFC 5235)', () => {
  const spam = (score: number) => ({ input: { spam: { score, threshold: 10, isSpam: score >= 10, symbols: [] }, virus: 5 } });
  const script =
    'require ["spamtestplus", "relational", "comparator-i;ascii-numeric", "virustest", "variables", "fileinto"]; if spamtest :value "ge" :comparator "i;ascii-numeric" "5" { fileinto "S"; } if spamtest :percent :value "eq" :comparator "i;ascii-numeric" "100" { fileinto "P"; } if virustest "5" { fileinto "V"; }';
  assert.deepEqual(lines(script, spam(3)), ['fileinto V']);
  assert.deepEqual(lines(script, spam(6)), ['fileinto S', 'fileinto V']);
  assert.deepEqual(lines(script, spam(12)), ['fileinto S', 'fileinto P', 'fileinto V']);
  assert.deepEqual(lines('require "spamtest"; if spamtest "0" { discard; }'), ['discard']);
});

test('environment (RFC 5183), imapsieve (RFC 6785) and the variables of vnd.dovecot.environment', () => {
  const cause = { kind: 'imap', cause: 'COPY', mailbox: 'Spam', flags: ['\\Seen'], changedFlags: ['$Junk'], email: 'ken@example.net' } as const;
  const script =
    'require ["environment", "imapsieve"]; if allof (environment "imap.mailbox" "Spam", environment "imap.cause" "COPY", environment "location" "MS", environment :contains "imap.changedflags" "$junk") { discard; }';
  assert.deepEqual(lines(script, { cause }), ['discard']);
  assert.deepEqual(lines(script), ['implicit keep']);
  assert.deepEqual(lines('', { cause }), ['implicit keep [1 ]']);
  assert.equal(runScripts(['require "vacation"; vacation "x";'], MESSAGE, { cause }).end.kind, 'failed');
  assert.deepEqual(lines('require ["vnd.dovecot.environment", "variables", "fileinto"]; fileinto "${env.vnd.dovecot.username}";'), ['fileinto ken']);
});

test('external lists (RFC 6134)', () => {
  const lists = { 'tag:friends': ['tim@example.com'] };
  assert.deepEqual(lines('require "extlists"; if address :list "from" "tag:friends" { discard; }', { lists }), ['discard']);
  assert.deepEqual(lines('require "extlists"; if address :list "to" "tag:friends" { discard; }', { lists }), ['implicit keep']);
  assert.deepEqual(lines('require "extlists"; if valid_ext_list ["tag:friends", "tag:foes"] { discard; }', { lists }), ['implicit keep']);
});

test('programs: pipe, filter and execute', () => {
  const programs = { good: 'Subject: changed\n\nnew\n', list: 'answer' };
  assert.deepEqual(lines('require "vnd.dovecot.pipe"; pipe "good" ["a", "b"];', { programs }), ['pipe good a b']);
  assert.deepEqual(lines('require ["vnd.dovecot.pipe", "copy"]; pipe :copy "good";', { programs }), ['pipe good', 'implicit keep']);
  assert.equal(runScripts(['require "vnd.dovecot.pipe"; pipe "bad";'], MESSAGE, { programs }).end.kind, 'failed');
  assert.deepEqual(lines('require "vnd.dovecot.pipe"; pipe :try "bad";', { programs }), ['pipe bad', 'implicit keep']);
  assert.deepEqual(lines('require ["vnd.dovecot.filter", "fileinto"]; if filter "good" { if header "subject" "changed" { fileinto "F"; } }', { programs }), [
    'fileinto F changed',
  ]);
  assert.deepEqual(lines('require ["vnd.dovecot.filter", "fileinto"]; if not filter "bad" { fileinto "F"; }', { programs }), ['fileinto F']);
  assert.deepEqual(lines('require ["vnd.dovecot.execute", "variables", "fileinto"]; execute :output "x" "list"; fileinto "${x}";', { programs }), [
    'fileinto answer',
  ]);
  assert.equal(problemsOf('require "vnd.dovecot.pipe"; pipe "../x";').length, 1);
  assert.equal(problemsOf('require "vnd.dovecot.execute"; execute :pipe :input "x" "list";').length, 1);
});

test('reports (vnd.dovecot.report) hold the message, keep the implicit keep and do not go to oneself', () => {
  const { actions, lines: told } = runScripts([
    'require "vnd.dovecot.report"; report "abuse" "spam!" "desk@example.org"; report "abuse" "again" "desk@example.org"; report "abuse" "x" "ken@example.net";',
  ]);
  assert.deepEqual(told, ['send desk@example.org', 'implicit keep']);
  assert.match(String(actions[0]!.message!.header), /Auto-Submitted: auto-generated/);
  assert.match(String(actions[0]!.message!.body), /Feedback-Type: abuse[\s\S]*make money fast/);
});

test('body asks for bytes when the body is not in memory', () => {
  const { lines: told, requests } = runScripts(['require "body"; if body :contains "hello there" { discard; }'], MESSAGE, { input: { body: null } });
  assert.deepEqual(told, ['discard']);
  assert.deepEqual(requests, [{ kind: 'bytes', from: inputOf(MESSAGE).header.length, to: MESSAGE.length }]);
});

test('comparators: i;unicode-casemap knows letters beyond ASCII', () => {
  const script = 'require ["comparator-i;unicode-casemap", "variables"]; if string :comparator "i;unicode-casemap" "ÄÖ" "äö" { discard; }';
  assert.deepEqual(lines(script), ['discard']);
  assert.deepEqual(lines('require "variables"; if string "ÄÖ" "äö" { discard; }'), ['implicit keep']);
});

test('envelope: the null sender is an empty text; reports as they were asked for (RFC 6009)', () => {
  assert.deepEqual(lines('require "envelope"; if envelope :domain "from" "" { discard; }', { envelope: { sender: null } }), ['discard']);
  const dsn = { notify: 'FAILURE,DELAY', ret: 'FULL', envid: 'e1' } as const;
  assert.deepEqual(
    lines('require ["envelope", "envelope-dsn"]; if allof (envelope "notify" "delay", envelope "envid" "e1") { discard; }', { envelope: { dsn } }),
    ['discard'],
  );
});

// ── Limits ───────────────────────────────────────────────────────────────────────────────────────────

test('nesting, size and numbers have bounds', () => {
  assert.match(problemsOf('if true {'.repeat(5000))[0]!, /nested more than 32/);
  assert.match(problemsOf(`if ${'not '.repeat(5000)}true {}`)[0]!, /nested more than 32/);
  assert.match(problemsOf(`#${'x'.repeat(2_000_000)}`)[0]!, /more than 262144 octets/);
  assert.match(problemsOf('if size :over 99999999999999999G {}')[0]!, /too large/);
});

test('redirects and actions have bounds', () => {
  assert.equal(runScripts([Array.from({ length: 5 }, (_, n) => `redirect "a${n}@example.org";`).join('')]).end.kind, 'failed');
  const many = Array.from({ length: 33 }, (_, n) => `fileinto "m${n}";`).join('');
  assert.equal(runScripts([`require "fileinto"; ${many}`]).end.kind, 'failed');
});

test('variables that double end at their limit, and texts made of many end the run', () => {
  const doubling = `require ["variables", "fileinto"]; set "a" "xxxxxxxx"; ${'set "a" "${a}${a}";'.repeat(60)} set :length "n" "\${a}"; fileinto "\${n}";`;
  assert.deepEqual(lines(doubling), ['fileinto 65536']);
  const bomb = `require ["variables"]; set "a" "xxxxxxxx"; ${'set "a" "${a}${a}";'.repeat(20)} set "b" "${'${a}'.repeat(1000)}";`;
  assert.equal(runScripts([bomb]).end.kind, 'failed');
});

test('work has a bound: patterns against long texts end the run', () => {
  const grow = `set "a" "aaaaaaaa"; ${'set "a" "${a}${a}";'.repeat(14)}`;
  const test = 'if string :matches "${a}" "*a*a*a*a*a*a*a*a?b" { discard; }';
  const outcome = runScripts([`require "variables"; ${grow} ${test.repeat(400)}`], MESSAGE, { limits: { steps: 1_000_000 } });
  assert.ok(outcome.end.kind === 'failed' && /processing time/.test(outcome.end.problem.text));
});

test('regular expressions: catastrophic ones are harmless, huge ones are refused', () => {
  const subject = `Subject: ${'a'.repeat(5000)}!\r\n\r\n`;
  assert.equal(runScripts(['require "regex"; if header :regex "subject" "^(a+)+$" { discard; }'], subject).lines[0], 'implicit keep');
  assert.match(problemsOf('require "regex"; if header :regex "subject" "((a{1000}){1000}){1000}" { discard; }')[0]!, /regular expression/);
});

// ── Settings and capabilities ────────────────────────────────────────────────────────────────────────

test('programs are off by default, and a script cannot require them', () => {
  const extensions = sieveExtensions(defaultsOf(SIEVE_SETTINGS));
  assert.equal(
    SIEVE_CAPABILITIES(extensions).sieve.some((name) => /pipe|execute|filter/.test(name)),
    false,
  );
  assert.ok(SIEVE_CAPABILITIES(extensions).sieve.includes('imap4flags'));
  assert.deepEqual(SIEVE_CAPABILITIES(extensions).notify, ['mailto']);
  const compiled = compileSieve('require "vnd.dovecot.pipe";', { file: 'x', extensions });
  assert.ok('problems' in compiled);
});

test('extensions are switched on and off by settings', () => {
  const of = (names: readonly string[], more = {}) => sieveExtensions({ ...defaultsOf(SIEVE_SETTINGS), 'sieve.extensions': names, ...more }).names;
  assert.equal(of(['-vacation']).has('vacation'), false);
  assert.deepEqual([...of(['fileinto', 'copy'])], ['fileinto', 'copy']);
  assert.ok(of([], { 'sieve.programs': true }).has('vnd.dovecot.pipe'));
  assert.equal(sieveLimits(defaultsOf(SIEVE_SETTINGS)).redirects, 4);
});

// ── Anything at all ──────────────────────────────────────────────────────────────────────────────────

const WORDS = [
  'if',
  'require',
  '"',
  ';',
  '{',
  '}',
  '(',
  ')',
  '[',
  ']',
  ',',
  ':is',
  ':matches',
  ':regex',
  'header',
  'text:\n',
  '\n.\n',
  '5K',
  '"a"',
  '"${a}"',
  '"*?\\\\"',
  'set',
  'true',
  'not',
  'allof',
  'anyof',
  'keep',
  'fileinto',
  'vacation',
  '#',
  '/*',
  '*/',
  '\0',
  ...EXTENSION_NAMES.map((name) => `"${name}"`),
];

test('no text makes the compiler throw', () => {
  const extensions = EXTENSIONS_ON;
  const compiles = (text: string): void => {
    const compiled = compileSieve(text, { file: 'x', extensions });
    if ('problems' in compiled) assert.ok(compiled.problems.length > 0 && compiled.problems.every(({ text: words }) => words !== ''));
  };
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 200 }), compiles), { seed: 5228, numRuns: 500 });
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...WORDS), { maxLength: 40 }), (words) => compiles(words.join(' '))),
    { seed: 5229, numRuns: 2000 },
  );
});

test('no message makes a run throw', () => {
  const script =
    'require ["date","body","editheader","variables","regex","relational","index","duplicate","envelope"]; if anyof(header :matches "subject" "*a*", address :domain ["from","to"] "x", date "date" "year" "2020", body :content "text" :contains "x", header :count "gt" "received" "3", body :text :regex "a+b", exists "x") { addheader :last "X" "${1}"; deleteheader :index 1 :last "to"; }';
  const run = (bytes: Uint8Array): void => {
    const { end } = runScripts([script], Buffer.from(bytes));
    assert.equal(end.kind, 'done');
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 500 }), run), { seed: 1, numRuns: 200 });
  const fields = [
    'Subject: a\r\n',
    'From: <',
    'To: a@b, (c',
    'Date: x 2020',
    'Received: ;',
    '\r\n',
    '=?utf-8?b?',
    'Content-Type: multipart/mixed; boundary=x\r\n',
    '--x\r\n',
    ' fold\r\n',
  ];
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...fields), { maxLength: 30 }), (parts) => run(Buffer.from(parts.join('')))),
    { seed: 2, numRuns: 500 },
  );
});
