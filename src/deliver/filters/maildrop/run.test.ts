import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { FilterRequest } from '../filter.ts';
import { parseMaildrop } from './parse.ts';
import { runMaildrop } from './run.ts';
import type { MaildropScript } from './script.ts';
import { inputOf, MESSAGE, run, usual } from './testing.ts';

const stat =
  (kind: string) =>
  (request: FilterRequest): unknown =>
    request.kind === 'stat' ? kind : undefined;
const DONE = { kind: 'done', exitCode: 0 };
const TEMPFAIL = { kind: 'done', exitCode: 75 };

test('a file without delivery keeps the message where it belongs', () => {
  const { end, actions, requests } = run('# nothing');
  assert.deepEqual([end, actions], [DONE, ['keep']]);
  const [first] = requests;
  assert.ok(first?.kind === 'act' && first.action.kind === 'keep' && first.action.isImplicit && first.action.message === null);
});

test('to the DEFAULT that the driver gave is kept by wish', () => {
  const { requests } = run('to "$DEFAULT"');
  const [first] = requests;
  assert.ok(first?.kind === 'act' && first.action.kind === 'keep' && !first.action.isImplicit);
});

test('another DEFAULT is a file like others', () => {
  assert.deepEqual(run('DEFAULT="./inbox"').actions, ['store ./inbox as mbox']);
});

test('a maildir is a maildir, a directory is an error, everything else an mbox file', () => {
  assert.deepEqual(run('to "x"', { answering: stat('maildir') }).actions, ['store x as maildir']);
  assert.deepEqual(run('to "x"', { answering: stat('file') }).actions, ['store x as mbox']);
  assert.deepEqual(run('to "x"').actions, ['store x as mbox']);
  assert.deepEqual(run('to "x"', { answering: stat('directory') }).actions, ['defer 1: "x" is a directory and no maildir']);
});

test('FLAGS go with a message into a maildir', () => {
  const { requests } = run('FLAGS="SxF"; to "x"', { answering: stat('maildir') });
  const last = requests.at(-1);
  assert.ok(last?.kind === 'act' && last.action.kind === 'store' && last.action.maildirFlags === 'FS');
});

test('to ends the run, cc does not', () => {
  assert.deepEqual(run('cc "a"\nto "b"\nto "c"').actions, ['store a as mbox', 'store b as mbox']);
});

test('a forward is a redirect for each address; a word without domain is local', () => {
  assert.deepEqual(run('to "!a@example.net  b@example.net, <c@example.net> root"').actions, [
    'redirect a@example.net',
    'redirect b@example.net',
    'redirect c@example.net',
    'redirect root@example.org',
  ]);
});

test('what would be a shell command behind a forward is a bad address', () => {
  assert.deepEqual(run('to "!a@example.net ;ls@x"').actions, ['defer 1: ";ls@x" is no address']);
});

test('a SENDMAIL of the user is run, with its words quoted', () => {
  assert.deepEqual(run(`SENDMAIL="msmtp -t"; to "!a@example.net b'c@x"`).actions, [`pipe msmtp -t -f 'joe@example.com' 'a@example.net' 'b'\\''c@x'`]);
});

test('the exit code of a program is that of the run', () => {
  const failing = (request: FilterRequest): unknown => (request.kind === 'act' ? { isDone: false, problem: 'no', exit: 67 } : undefined);
  assert.deepEqual(run('to "|false"', { answering: failing }).end, { kind: 'done', exitCode: 67 });
  assert.equal(run('cc "|false"\necho "$EXITCODE"\nexit', { answering: failing }).echoed, '67\n');
});

test('a program that could not be run defers', () => {
  const broken = (request: FilterRequest): unknown =>
    request.kind === 'act' && request.action.kind === 'pipe' ? { isDone: false, problem: 'timed out', exit: null } : undefined;
  const { end, actions } = run('to "|sleep"', { answering: broken });
  assert.deepEqual([end, actions], [TEMPFAIL, ['pipe sleep', 'defer 1: timed out']]);
});

test('a mailbox that cannot be written defers, unless an exception block is around it', () => {
  const full = (request: FilterRequest): unknown =>
    request.kind === 'act' && request.action.kind === 'store' && request.action.path === 'full' ? { isDone: false, problem: 'quota' } : undefined;
  assert.deepEqual(run('to "full"', { answering: full }).actions, ['store full as mbox', 'defer 1: "full" cannot be written: quota']);
  const caught = run('exception {\n to "full"\n}\nto "other"', { answering: full });
  assert.deepEqual([caught.end, caught.actions], [DONE, ['store full as mbox', 'store other as mbox']]);
});

test('xfilter replaces the message for all that follows', () => {
  const filtering = (request: FilterRequest): unknown =>
    request.kind === 'run' ? { ...(usual(request) as object), output: Buffer.from('Subject: new\n\nbody\n') } : undefined;
  const { echoed, requests } = run('xfilter "f"\nif (/^Subject: new/)\n echo "$SIZE $LINES"\nto "x"', { answering: filtering });
  assert.equal(echoed, '19 3\n');
  const last = requests.at(-1);
  assert.ok(last?.kind === 'act');
  assert.equal(Buffer.from(last.action.message!.header).toString(), 'Subject: new\n\n');
  assert.equal(Buffer.from(last.action.message!.body!).toString(), 'body\n');
});

for (const [why, answer] of [
  ['fails', { exit: 1 }],
  ['is killed', { exit: null, signal: 'SIGKILL' }],
  ['does not read its input', { isInputRefused: true }],
  ['writes too much', { isTruncated: true }],
] as const)
  test(`a filter program that ${why} defers the message`, () => {
    const answering = (request: FilterRequest): unknown => (request.kind === 'run' ? { ...(usual(request) as object), ...answer } : undefined);
    assert.deepEqual(run('xfilter "f"', { answering }).end, TEMPFAIL);
  });

test('programs get the variables, and the shell is that of SHELL', () => {
  const { requests } = run('A="x y"\nSHELL="/bin/zsh"\nUMASK="027"\nsystem "go"');
  const [first] = requests;
  assert.ok(first?.kind === 'run' && first.command.kind === 'shell');
  assert.deepEqual([first.command, first.umask, first.input], [{ kind: 'shell', line: 'go', shell: '/bin/zsh' }, 0o27, null]);
  assert.deepEqual([first.environment['A'], first.environment['FROM'], first.environment['SIZE']], ['x y', 'joe@example.com', String(MESSAGE.length)]);
});

test('locks are let go of when the block ends, also by a delivery or an error', () => {
  const kinds = (script: string): string[] => run(script).requests.map(({ kind }) => kind);
  assert.deepEqual(kinds('flock "l" {\n A="1"\n}\nexit'), ['lock', 'unlock']);
  assert.deepEqual(kinds('dotlock "l" {\n to "x"\n}'), ['lock', 'stat', 'act', 'unlock']);
  assert.deepEqual(kinds('dotlock "l" {\n to ""\n}'), ['lock', 'unlock', 'act']);
});

test('a lock that was not to be had defers', () => {
  const { actions } = run('flock "l" {\n}', { answering: (request) => (request.kind === 'lock' ? false : undefined) });
  assert.deepEqual(actions, ['defer 1: the lock "l" was not to be had']);
});

const files =
  (table: Readonly<Record<string, string>>) =>
  (request: FilterRequest): unknown =>
    request.kind === 'file' && table[request.path] !== undefined ? Buffer.from(table[request.path]!) : undefined;

test('included files share the variables; their errors name them', () => {
  const { echoed, actions } = run('include "a"\necho "$A"\ninclude "b"', { answering: files({ a: 'A="1"', b: '\nto' }) });
  assert.equal(echoed, '1\n');
  assert.deepEqual(actions, ['defer 2: the end of the statement does not belong here']);
});

test('files that include themselves come to an end', () => {
  assert.match(run('include "a"', { answering: files({ a: 'include "a"' }) }).actions[0]!, /include one another/);
});

test('a file that others may write is not included', () => {
  const { actions } = run('include "a"', { answering: (request) => (request.kind === 'file' ? 'unsafe' : undefined) });
  assert.deepEqual(actions, ['defer 1: the include file "a" may be written by others']);
});

test('lookup matches the patterns of a file', () => {
  const answering = files({ words: '# no\n\n  ^friend\nB[a-c]t$\n' });
  assert.equal(run('echo lookup("friend@x", "words") + lookup("a bat", "words") + lookup("a bat", "words", "D")\nexit', { answering }).echoed, '2\n');
});

test('gdbm says that it is not there, and defaults hold', () => {
  const { echoed } = run('if (gdbmopen("x.dat") == 0)\n echo "open"\necho gdbmfetch("key", "D", "none")\nexit');
  assert.match(echoed, /GDBM files are not supported\n/);
  assert.match(echoed, /none\n$/);
});

test('a long chain of elsif and a long expression are carried out', () => {
  const arms = Array.from({ length: 900 }, (_, i) => `elsif (/^X-Num: ${i + 100}$/)\n exit\n`).join('');
  assert.equal(run(`if (0)\n exit\n${arms}else\n echo 0${' + 1'.repeat(900)}\nexit`).echoed, '900\n');
});

test('a bad pattern is told and matches nothing', () => {
  const { echoed, end } = run('if (/[/)\n echo "x"\nexit');
  assert.match(echoed, /^~\/\.mailfilter\(1\): the pattern cannot be used/);
  assert.deepEqual(end, DONE);
});

test('loops and growing values end at their limits, whatever catches errors', () => {
  assert.match(run('while (1)\n{\n exception {\n  A="1"\n }\n}').actions[0]!, /does not come to an end/);
  assert.match(run('A="xxxxxxxx"\nexception {\n while (1)\n  A="$A$A"\n}').actions[0]!, /longer than/);
});

test('a pattern that only a worker could try counts as not found', () => {
  const line = `${'a'.repeat(30_000)}!`;
  const { echoed, end } = run('if (/^(?=(a+)+b)/:b)\n echo "found"\nexit', { message: `Subject: x\n\n${line}\n` });
  assert.deepEqual([echoed, end], ['', DONE]);
});

function scriptOf(text: string, file: string): MaildropScript {
  const parsed = parseMaildrop(text, file);
  assert.ok('script' in parsed);
  return parsed.script;
}

test('files that come first share variables and message with the own one, and may end the run', () => {
  const before = [scriptOf('A="1"', '/etc/maildroprc')];
  assert.equal(run('echo "$A"\nexit', { context: { before } }).echoed, '1\n');
  assert.deepEqual(run('to "mine"', { context: { before: [scriptOf('to "theirs"', '/etc/maildroprc')] } }).actions, ['store theirs as mbox']);
});

test('a failure deep in an expression has its line', () => {
  assert.deepEqual(run('\n\nA=length(lookup("x", "missing"))').actions, ['defer 3: "missing" for lookup cannot be read']);
});

test('deliveries are logged with date, sender, subject, name and size', () => {
  const { requests } = run('logfile "log"\nlog "hi\\c"\nto "x"');
  const text = requests.flatMap((request) => (request.kind === 'log' && request.file === 'log' ? [request.text] : [])).join('');
  assert.equal(text, `hiDate: Tue Jan  2 03:04:05 2024\nFrom: "Joe" <joe@example.com>\nSubj: hello world\nFile: x${' '.repeat(66)}(${MESSAGE.length})\n\n`);
});

test('scripts made at random end, with an answer that a driver understands', () => {
  const statement = fc.constantFrom(
    'A="$A$B x"',
    'B=$B + 1',
    'if (/hello/ && $B < 5)\n{\n cc "box"\n}',
    'while ($B < 5)\n B=$B + 1',
    'foreach /^.*:/\n{\n A="$MATCH"\n}',
    'exception {\n to ""\n}',
    'xfilter "x"',
    'cc "|x"',
    'A=substr($A, 3)',
    '/$A/',
    'A=escape($A)',
    'C=`x`',
    'include "i"',
    'flock "l" {\n cc "!a@b.example"\n}',
    'to "box"',
    'exit',
  );
  const answer = fc.constantFrom<unknown>(undefined, undefined, false, 'odd');
  fc.assert(
    fc.property(fc.array(statement, { maxLength: 12 }), fc.array(answer, { maxLength: 20 }), (statements, answers) => {
      const parsed = parseMaildrop(statements.join('\n'), 'x');
      assert.ok('script' in parsed);
      const walk = runMaildrop({ script: parsed.script, environment: {} }, inputOf(MESSAGE));
      let at = 0;
      let step = walk.next();
      while (step.done !== true) {
        const request = step.value;
        const odd = answers[at];
        at += 1;
        let given = usual(request);
        if (odd === false && request.kind === 'act') given = { isDone: false, problem: null };
        if (odd === false && request.kind === 'run') given = { ...(given as object), exit: 1 };
        if (odd === 'odd' && request.kind === 'run') given = { ...(given as object), exit: null, signal: 'SIGTERM', output: Buffer.from([0, 255, 10, 200]) };
        if (odd === 'odd' && request.kind === 'file') given = Buffer.from('A="(["\n');
        step = walk.next(given);
      }
      assert.equal(step.value.kind, 'done');
    }),
    { seed: 77, numRuns: 400 },
  );
});
