import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Action, FilterEnd, FilterInput, FilterRequest } from '../filter.ts';
import { parseProcmail } from './parse.ts';
import { runProcmail } from './run.ts';

const address = { local: 'bob', domain: 'example.net' };
const input: FilterInput = {
  header: Buffer.from('From: Alice <alice@example.org>\nSubject: Hello\n\n'),
  size: 60,
  body: Buffer.from('body\n'),
  envelope: { sender: null, recipient: address, final: address, detail: null, orcpt: null, helo: null, clientIp: null, clientName: null },
  user: 'bob',
  home: '/home/bob',
  hostname: 'mx.example.net',
  domain: 'example.net',
  at: 0,
  zoneMinutes: 0,
  spam: null,
  virus: 0,
};

interface Told {
  readonly end: FilterEnd;
  readonly actions: readonly Action[];
  readonly log: string;
  readonly requests: readonly FilterRequest[];
}

/** Answers everything with success, but actions whose number is in `failing`. */
function run(rc: string, o: { inbox?: string; files?: Record<string, string>; failing?: readonly number[]; output?: string } = {}): Told {
  const actions: Action[] = [];
  const requests: FilterRequest[] = [];
  let log = '';
  const steps = runProcmail(
    {
      rcFiles: [parseProcmail(rc, '~/.procmailrc')],
      environment: { HOME: '/home/bob', LOGNAME: 'bob', ORGMAIL: '/var/mail/bob', DEFAULT: '/var/mail/bob', HOST: 'mx.example.net' },
      arguments: [],
      fromLine: 'From alice@example.org Mon Jan  1 00:00:00 2024',
      inbox: o.inbox ?? null,
    },
    input,
  );
  let step = steps.next();
  while (step.done !== true) {
    const request = step.value;
    requests.push(request);
    let answer: unknown = null;
    if (request.kind === 'act') {
      actions.push(request.action);
      answer = { isDone: !(o.failing ?? []).includes(actions.length - 1), problem: null };
    } else if (request.kind === 'log') log += request.text;
    else if (request.kind === 'chdir' || request.kind === 'lock') answer = true;
    else if (request.kind === 'file') answer = o.files?.[request.path] === undefined ? null : Buffer.from(o.files[request.path]!);
    else if (request.kind === 'run')
      answer = { exit: 0, signal: null, isTimedOut: false, output: Buffer.from(o.output ?? ''), isTruncated: false, isInputRefused: false };
    step = steps.next(answer);
  }
  return { end: step.value, actions, log, requests };
}

test('what no recipe takes goes to the inbox', () => {
  const { actions, end } = run('', { inbox: '/var/mail/bob' });
  assert.deepEqual(
    actions.map((action) => action.kind === 'keep' && action.isImplicit),
    [true],
  );
  assert.deepEqual(end, { kind: 'done', exitCode: 0 });
});

test('a recipe that fails is passed over', () => {
  const { actions } = run(':0\none\n:0\ntwo\n', { failing: [0] });
  assert.deepEqual(
    actions.map((action) => action.kind === 'store' && action.path),
    ['one', 'two'],
  );
});

test('an action names the line of the file that caused it', () => {
  const { actions } = run('# one\n:0\n* ^Subject: hello\n\nbox\n');
  assert.deepEqual(actions[0]!.origin, { file: '~/.procmailrc', line: 5 });
});

test('a forward is a redirect for each address', () => {
  const { actions } = run(':0\n! x@example.org root\n');
  assert.deepEqual(
    actions.map((action) => action.kind === 'redirect' && action.address),
    [
      { local: 'x', domain: 'example.org' },
      { local: 'root', domain: 'example.net' },
    ],
  );
});

test('the sender that -f names is kept', () => {
  const { actions } = run(':0\n! -oi -f y@example.org x@example.org\n');
  assert.ok(actions[0]!.kind === 'redirect');
  assert.deepEqual(actions[0]!.sender, { local: 'y', domain: 'example.org' });
});

test('options that only sendmail knows start it', () => {
  const { actions } = run(':0\n! -t -v\n');
  assert.ok(actions[0]!.kind === 'pipe');
  assert.deepEqual(actions[0]!.command, { kind: 'argv', argv: ['/usr/sbin/sendmail', '-oi', '-t', '-v'] });
});

test('a pipe gets the From_ line in its header', () => {
  const { actions } = run(':0\n| cat > /tmp/x\n');
  assert.ok(Buffer.from(actions[0]!.message!.header).toString().startsWith('From alice@example.org Mon'));
});

test('a file that includes itself comes to an end', () => {
  const { end, log } = run('INCLUDERC=loop\n', { files: { loop: 'INCLUDERC=loop\n' } });
  assert.equal(end.kind, 'done');
  assert.match(log, /Couldn't read "loop"/);
});

test('a file that switches to itself comes to an end', () => {
  const { end } = run('SWITCHRC=loop\n', { files: { loop: 'A=1\nSWITCHRC=loop\n' } });
  assert.equal(end.kind, 'done');
});

test('copies of copies come to an end', () => {
  const { end } = run(`${':0 c\n{ }\n'.repeat(30)}:0\nbox\n`);
  assert.equal(end.kind, 'failed');
});

test('locks are given back, in the order of the recipe', () => {
  const { requests } = run(':0:\nbox\n');
  assert.deepEqual(
    requests.filter((one) => one.kind === 'lock' || one.kind === 'act' || one.kind === 'unlock').map((one) => one.kind),
    ['lock', 'act', 'unlock'],
  );
});

test('UTF-8 goes through paths and conditions unharmed', () => {
  const { actions } = run('A=grüße\n:0\n* A ?? ^^gr....e$\n"$A-ö"\n', {});
  assert.equal(actions[0]!.kind === 'store' && actions[0]!.path, 'grüße-ö');
});

test('any text is a file that ends', () => {
  const token = fc.constantFrom(
    ':0',
    ':0 c',
    '\n',
    '{',
    '}',
    '* ',
    '$',
    '${',
    '`',
    '"',
    "'",
    '\\',
    'A=',
    '|',
    '!',
    '^',
    '(',
    ')',
    '[',
    '#',
    ' ',
    'box',
    '1^1 ',
    '?? ',
    'E',
    '\\/',
  );
  fc.assert(
    fc.property(fc.array(token, { maxLength: 40 }), (parts) => {
      assert.ok(['done', 'failed'].includes(run(parts.join('')).end.kind));
    }),
    { seed: 4, numRuns: 500 },
  );
});
