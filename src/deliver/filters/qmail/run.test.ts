import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Driven, drive, type LittleWorld, littleInput } from '../forward/testing.ts';
import { type QmailContext, type QmailFile, runQmail } from './run.ts';

const CONTEXT: QmailContext = { local: 'ann', host: 'mail.example.org', extension: '', defaultDelivery: './Maildir/' };
interface Setting extends LittleWorld {
  readonly file?: Partial<QmailFile> | null;
  readonly context?: Partial<QmailContext>;
  readonly header?: string;
  readonly isBounce?: boolean;
}
function run(text: string, setting: Setting = {}): Driven {
  const file = setting.file === null ? null : { name: '.qmail', text, isForwardOnly: false, defaultPart: null, ...setting.file };
  const input = littleInput(setting.header ?? 'Subject: hello\n', setting.isBounce === true ? { sender: null } : {});
  return drive(runQmail(file, { ...CONTEXT, ...setting.context }, input), setting);
}

/** text, setting, what is done. */
const ROWS: readonly [text: string, setting: Setting, done: readonly string[]][] = [
  // Which file, and no file.
  ['', {}, ['1 maildir ./Maildir']],
  ['', { context: { defaultDelivery: null } }, ['0 keep by itself']],
  ['', { context: { defaultDelivery: '|procmail\n./Mailbox' } }, ['1 pipe procmail', '2 mbox ./Mailbox']],
  ['', { file: null }, ['1 maildir ./Maildir']],
  ['', { file: null, context: { extension: 'x', local: 'ann-x' } }, ['0 reject 5.1.1: there is no mailbox of that name here']],
  ['', { file: { isForwardOnly: true } }, ['1 maildir ./Maildir']],
  // Lines.
  ['# nothing\n', {}, ['0 discard']],
  ['#', {}, ['0 discard']],
  ['\n./Mailbox\n', {}, ['1 defer: the first line of the .qmail file is blank (#4.2.1)']],
  [' \t\n./Mailbox\n', {}, ['1 defer: the first line of the .qmail file is blank (#4.2.1)']],
  ['./Mailbox\n\n\n./Maildir/  \n', {}, ['1 mbox ./Mailbox', '4 maildir ./Maildir']],
  ['/var/mail/ann', {}, ['1 mbox /var/mail/ann']],
  ['./Mailbox\n', { broken: ['./Mailbox'] }, ['1 mbox ./Mailbox', '1 defer: it is broken']],
  ['&bob@far.test\ncat@far.test\n', {}, ['1 redirect bob@far.test', '2 redirect cat@far.test']],
  ['&bob\n', {}, ['1 redirect bob@mail.example.org']],
  ['&bob@\n', {}, ['1 defer: "bob@" is no address to forward to']],
  ['&\n', {}, ['1 defer: "" is no address to forward to']],
  // Forwards come last, and not at all when something fails.
  ['&bob@far.test\n./Mailbox\n', {}, ['2 mbox ./Mailbox', '1 redirect bob@far.test']],
  ['&bob@far.test\n|exit 111\n', { exits: { 'exit 111': 111 } }, ['2 pipe exit 111', '2 defer: the program ended with status 111']],
  ['|exit 100\n./Mailbox\n', { exits: { 'exit 100': 100 } }, ['1 pipe exit 100', '1 reject 5.3.0: the program ended with status 100']],
  ['|exit 99\n./Mailbox\n', { exits: { 'exit 99': 99 } }, ['1 pipe exit 99']],
  ['&bob@far.test\n|exit 99\n&cat@far.test\n', { exits: { 'exit 99': 99 } }, ['2 pipe exit 99', '1 redirect bob@far.test']],
  ['|exit 0\n./Mailbox\n', {}, ['1 pipe exit 0', '2 mbox ./Mailbox']],
  ['|exit 1\n', { exits: { 'exit 1': 1 } }, ['1 pipe exit 1', '1 defer: the program ended with status 1']],
  ['|exit 77\n', { exits: { 'exit 77': 77 } }, ['1 pipe exit 77', '1 reject 5.3.0: the program ended with status 77']],
  ['|crash\n', { exits: { crash: null } }, ['1 pipe crash', '1 defer: the program crashed']],
  // The x bit and +list.
  ['bob@far.test\n', { file: { isForwardOnly: true } }, ['1 redirect bob@far.test']],
  ['./Mailbox\n', { file: { isForwardOnly: true } }, ['1 defer: the .qmail file delivers to a file, but its x bit is set (#4.7.0)']],
  ['bob@far.test\n|true\n', { file: { isForwardOnly: true } }, ['2 defer: the .qmail file runs a program, but its x bit is set (#4.7.0)']],
  ['|true\n+list\n&bob@far.test\n|true\n', {}, ['1 pipe true', '4 defer: the .qmail file runs a program, but its x bit is set (#4.7.0)']],
  ['+other\n|true\n', {}, ['2 pipe true']],
  // Owners.
  [
    '&bob@far.test',
    { file: { name: '.qmail-list' }, context: { local: 'ann-list', extension: 'list' }, stats: { '.qmail-list-owner': 'file' } },
    ['1 redirect bob@far.test from ann-list-owner@mail.example.org'],
  ],
  [
    '&bob@far.test\n&cat@far.test',
    {
      file: { name: '.qmail-list' },
      context: { local: 'ann-list', extension: 'list' },
      stats: { '.qmail-list-owner': 'file', '.qmail-list-owner-default': 'file' },
    },
    ['1 redirect bob@far.test from ann-list-owner-bob=far.test@mail.example.org', '2 redirect cat@far.test from ann-list-owner-cat=far.test@mail.example.org'],
  ],
  ['&bob@far.test', { isBounce: true, stats: { '.qmail-owner': 'file' } }, ['1 redirect bob@far.test']],
  // Programs of qmail's own.
  ["|bouncesaying 'Go away'\n", {}, ['1 reject 5.7.1: Go away']],
  ['|bouncesaying "no $SENDER"\n', { outputs: { printf: 'no sender' } }, ['1 run printf %s "no $SENDER"', '1 reject 5.7.1: no sender']],
  ['|bouncesaying No [ "$SENDER" = x ]\n./Mailbox\n', { exits: { SENDER: 1 } }, ['1 run [ "$SENDER" = x ]', '2 mbox ./Mailbox']],
  ['|bouncesaying No [ "$SENDER" = x ]\n./Mailbox\n', {}, ['1 run [ "$SENDER" = x ]', '1 reject 5.7.1: No']],
  ['|bouncesaying No test\n', { exits: { test: 111 } }, ['1 run test', '1 defer: bouncesaying: the program cannot tell now']],
  ['|bouncesaying No test | x\n', { exits: { bouncesaying: 127 } }, ['1 pipe bouncesaying No test | x', '1 defer: the program ended with status 127']],
  [
    "|bouncesaying 'No'\n",
    { stats: { '/usr/bin/bouncesaying': 'file' }, exits: { bouncesaying: 100 } },
    ["1 pipe bouncesaying 'No'", '1 reject 5.3.0: the program ended with status 100'],
  ],
  ['|except grep -q x\n./Mailbox\n', { exits: { grep: 1 } }, ['1 run grep -q x', '2 mbox ./Mailbox']],
  ['|except grep -q x\n./Mailbox\n', {}, ['1 run grep -q x', '1 reject 5.3.0: except: the program succeeded']],
  ['|condredirect bob@far.test grep x\n./Mailbox\n', {}, ['1 run grep x', '1 redirect bob@far.test']],
  ['|condredirect bob@far.test grep x\n./Mailbox\n', { exits: { grep: 1 } }, ['1 run grep x', '2 mbox ./Mailbox']],
  ['|condredirect bob@far.test grep x\n./Mailbox\n', { exits: { grep: null } }, ['1 run grep x', '1 defer: condredirect: the program cannot tell now']],
  ['|forward bob@far.test cat@far.test\n./Mailbox\n', {}, ['2 mbox ./Mailbox', '1 redirect bob@far.test', '1 redirect cat@far.test']],
  ['|preline procmail -f-\n', {}, ['1 pipe procmail -f-']],
  ['|bouncesayings x\n', {}, ['1 pipe bouncesayings x']],
  // Loops.
  ['./Mailbox\n', { header: 'Delivered-To: ann@mail.example.org\n' }, ['0 reject 5.4.6: this message is looping: it has my Delivered-To line already']],
  ['./Mailbox\n', { header: 'Subject: Delivered-To: ann@mail.example.org\nDelivered-To: ann-x@mail.example.org\n' }, ['1 mbox ./Mailbox']],
];

for (const [text, setting, done] of ROWS)
  test(`.qmail with ${JSON.stringify(text)} ${JSON.stringify(setting)}`, () => {
    const driven = run(text, setting);
    assert.deepEqual(driven.done, done);
    assert.deepEqual(driven.end, { kind: 'done', exitCode: null });
  });

test('programs find what qmail-local tells them', () => {
  const { actions } = run('|true', {
    file: { name: '.qmail-list-default', defaultPart: 'Sub-7' },
    context: { local: 'ann-list-Sub-7', extension: 'list-Sub-7', host: 'mail.example.co.uk' },
  });
  const pipe = actions[0]!;
  assert.deepEqual(pipe.kind === 'pipe' ? pipe.environment : null, {
    SENDER: 'sender@far.test',
    NEWSENDER: 'sender@far.test',
    RECIPIENT: 'ann-list-Sub-7@mail.example.co.uk',
    USER: 'ann',
    HOME: '/home/ann',
    HOST: 'mail.example.co.uk',
    HOST2: 'mail.example.co',
    HOST3: 'mail.example',
    HOST4: 'mail',
    LOCAL: 'ann-list-Sub-7',
    EXT: 'list-Sub-7',
    EXT2: 'Sub-7',
    EXT3: '7',
    EXT4: '',
    DEFAULT: 'Sub-7',
    DTLINE: 'Delivered-To: ann-list-Sub-7@mail.example.co.uk\n',
    RPLINE: 'Return-Path: <sender@far.test>\n',
    UFLINE: 'From sender@far.test Mon Jan  5 06:07:08 2026\n',
  });
  assert.ok(pipe.kind === 'pipe' && pipe.isRaw && pipe.message === null);
});

test('a bounce has an empty sender, and mbox calls it MAILER-DAEMON', () => {
  const pipe = run('|true', { isBounce: true }).actions[0]!;
  assert.ok(pipe.kind === 'pipe');
  assert.equal(pipe.environment['SENDER'], '');
  assert.equal(pipe.environment['RPLINE'], 'Return-Path: <>\n');
  assert.ok(pipe.environment['UFLINE']!.startsWith('From MAILER-DAEMON '));
  assert.equal(Object.hasOwn(pipe.environment, 'DEFAULT'), false);
});

test('preline puts its three lines on top of the message', () => {
  const pipe = run('|preline cat').actions[0]!;
  const header = pipe.message === null ? '' : Buffer.from(pipe.message.header).toString();
  assert.equal(header, 'From sender@far.test Mon Jan  5 06:07:08 2026\nReturn-Path: <sender@far.test>\nDelivered-To: ann@mail.example.org\nSubject: hello\n\n');
});

test('a condition reads the whole message', () => {
  const asked = run('|except grep x').requests.find((request) => request.kind === 'run');
  assert.equal(asked?.kind === 'run' ? Buffer.from(asked.input ?? []).toString() : '', 'Subject: hello\n\nbody\n');
});

test('line breaks in an address make no second line in the environment', () => {
  const pipe = run('|true', { context: { local: 'ann\nX-Evil: 1', extension: 'a\nb' }, file: {} }).actions[0]!;
  assert.ok(pipe.kind === 'pipe');
  assert.equal(pipe.environment['DTLINE'], 'Delivered-To: ann_X-Evil: 1@mail.example.org\n');
  assert.equal(pipe.environment['EXT'], 'a_b');
});

test('any text at all ends without an exception, with something done or put off', () => {
  const pieces = fc.constantFrom(
    '|',
    './x',
    '/y/',
    '&a@b.test',
    '\n',
    ' ',
    '#',
    '+list',
    '"',
    "'",
    '$',
    'bouncesaying ',
    'condredirect ',
    'except ',
    'forward ',
    '\\',
    '\0',
    '\ud800',
  );
  fc.assert(
    fc.property(fc.array(pieces, { maxLength: 30 }), (parts) => {
      assert.ok(run(parts.join('')).done.length > 0);
    }),
    { seed: 44, numRuns: 3000 },
  );
});
