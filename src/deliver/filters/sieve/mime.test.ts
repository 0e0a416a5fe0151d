// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are variables of Sieve
/** RFC 5703, RFC 6558 and RFC 9042. What Pigeonhole knows as well is compared with it in test/sieve. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MimeParser, type MimePart } from '../../../mail/mime.ts';
import { childrenOf } from './mime-parts.ts';
import { exchanged } from './replacing.ts';
import { MESSAGE, type Outcome, problemsOf, runScripts } from './testing.ts';

const REQUIRE =
  'require ["foreverypart", "mime", "extracttext", "replace", "enclose", "convert", "variables", "fileinto", "copy", "editheader", "include", "mailboxid", "special-use", "body"];\n';

/** Lines of a message; \u00e4 becomes the one octet of ISO 8859-1. */
const letter = (...lines: string[]): Buffer => Buffer.from(`${lines.join('\r\n')}\r\n`, 'latin1');

const PARTS = letter(
  'From: a@example.com',
  'To: ken@example.net',
  'Subject: parts',
  'Message-ID: <parts@example.com>',
  'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary=out',
  '',
  'preamble',
  '--out',
  'Content-Type: multipart/alternative; boundary=in',
  '',
  '--in',
  'Content-Type: text/plain; charset=iso-8859-1',
  '',
  'Gr\u00fc\u00dfe',
  '--in',
  'Content-Type: text/html; charset=iso-8859-1',
  'Content-ID: <html@example.com>',
  '',
  '<p>Gr\u00fc\u00dfe &amp; mehr</p>',
  '--in--',
  '--out',
  'Content-Type: application/x-msdownload; name=game.exe',
  'Content-Disposition: attachment; filename=game.exe',
  'Content-Transfer-Encoding: base64',
  '',
  'TVqQAAMAAAA=',
  '--out',
  'Content-Type: message/rfc822',
  '',
  'From: inner@example.org',
  'Subject: inner',
  'Content-Type: text/plain',
  '',
  'inner text',
  '--out--',
);

const run = (script: string, message: Buffer | string = PARTS): Outcome => runScripts([REQUIRE + script], message);

/** The message that the last action works on. */
function left(outcome: Outcome, message: Buffer | string = PARTS): string {
  assert.equal(outcome.end.kind, 'done', JSON.stringify(outcome.end));
  const version = outcome.actions.at(-1)!.message;
  if (version === null) return Buffer.from(message).toString('latin1');
  const original = Buffer.from(message);
  const body = version.body ?? original.subarray(original.indexOf('\r\n\r\n') + 4);
  return Buffer.concat([version.header, body]).toString('latin1');
}

function treeOf(message: string): MimePart {
  const parser = new MimeParser();
  parser.push(Buffer.from(message, 'latin1'));
  return parser.end();
}

/** "mixed(alternative(plain html) x-msdownload rfc822(plain))" */
function shape(part: MimePart): string {
  const inside = part.message === null ? part.children : [part.message.part];
  return inside.length === 0 ? part.subtype : `${part.subtype}(${inside.map(shape).join(' ')})`;
}

test('a part is replaced by text, and all around it stays as it was', () => {
  const after = left(run('foreverypart { if header :mime :param "filename" :matches "content-disposition" "*.exe" { replace "It was dangerous."; } }'));
  assert.equal(shape(treeOf(after)), 'mixed(alternative(plain html) plain rfc822(plain))');
  const before = PARTS.toString('latin1');
  const at = before.indexOf('Content-Type: application/x-msdownload');
  assert.equal(after.slice(0, at), before.slice(0, at));
  assert.equal(
    after.slice(at),
    `Content-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\nIt was dangerous.${before.slice(before.indexOf('\r\n--out\r\nContent-Type: message/rfc822'))}`,
  );
});

test('replacing a multipart takes its parts away, and the loop does not go into what came instead', () => {
  const script = `foreverypart { extracttext "t"; if header :mime :subtype "content-type" "alternative" { replace :mime text:
Content-Type: multipart/mixed; boundary=new

--new

first
--new

second
--new--
.
; } else { addheader "X-Saw" "\${t}"; } }`;
  const after = left(run(script));
  assert.equal(shape(treeOf(after)), 'mixed(mixed(plain plain) x-msdownload rfc822(plain))');
  assert.doesNotMatch(after, /X-Saw: (?:first|second)/);
  assert.match(after, /X-Saw: inner text/);
});

test('the message inside a message/rfc822 keeps its own header when it is replaced', () => {
  const after = left(run('foreverypart { if header :mime "subject" "inner" { replace "gone"; } }'));
  assert.match(after, /From: inner@example\.org\r\nSubject: inner\r\nMIME-Version: 1\.0\r\nContent-Type: text\/plain; charset=us-ascii\r\n/);
  assert.equal(shape(treeOf(after)), 'mixed(alternative(plain html) x-msdownload rfc822(plain))');
});

test('outside of a loop the whole message is replaced; its header stays but for content, :subject and :from', () => {
  const after = left(run('replace :subject "Neu: \u00e4" :from "Ken <ken@example.net>" "short\u00e4";'));
  assert.equal(
    after,
    [
      'To: ken@example.net',
      'Message-ID: <parts@example.com>',
      'Subject: Neu: =?utf-8?B?w6Q=?=',
      'From: Ken <ken@example.net>',
      'MIME-Version: 1.0',
      'Content-Type: text/plain; charset=utf-8',
      'Content-Transfer-Encoding: quoted-printable',
      '',
      'short=C3=A4',
    ].join('\r\n'),
  );
});

test('without :subject and :from these fields stay; in a loop they are passed over', () => {
  assert.match(left(run('replace "x";')), /^From: a@example\.com\r\nTo: .*\r\nSubject: parts\r\n/);
  assert.match(left(run('foreverypart { if header :mime "subject" "inner" { replace :subject "other" "x"; } }')), /\r\nSubject: inner\r\n/);
});

test('tests after a replace see the new message', () => {
  assert.deepEqual(run('replace "needle"; if body :contains "needle" { discard; }').lines, ['discard']);
  assert.deepEqual(run('foreverypart { replace "needle"; extracttext "t"; fileinto "${t}"; }').lines, ['fileinto needle changed']);
});

test('a delimiter of the message in new text is encoded, in a new multipart it ends the script', () => {
  const text = left(run('foreverypart { if header :mime :type "content-type" "application" { replace "--out--\r\n--out"; } }'));
  assert.equal(shape(treeOf(text)), 'mixed(alternative(plain html) plain rfc822(plain))');
  assert.match(text, /Content-Transfer-Encoding: base64\r\n\r\nLS1vdXQtLQ0KLS1vdXQ=/);
  const { end } = run(
    'foreverypart { if header :mime :type "content-type" "application" { replace :mime "Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\n--out\r\n--x--"; } }',
  );
  assert.equal(end.kind, 'failed');
});

test('enclose makes the message an attachment; redirects send what was there before', () => {
  const outcome = run('addheader "X-Before" "1"; enclose :subject "See inside" :headers ["To", "Message-ID"] "A note."; redirect :copy "x@example.org"; keep;');
  assert.deepEqual(outcome.lines, ['redirect x@example.org changed', 'keep changed']);
  const after = left(outcome);
  assert.equal(shape(treeOf(after)), 'mixed(plain rfc822(mixed(alternative(plain html) x-msdownload rfc822(plain))))');
  assert.match(
    after,
    /^To: ken@example\.net\r\nFrom: <ken@example\.net>\r\nDate: Fri, 20 Nov 2026 13:00:00 \+0100\r\nSubject: See inside\r\nMessage-ID: <[0-9a-f]{24}@mx\.example\.net>\r\n/,
  );
  assert.ok(after.includes(`X-Before: 1\r\n${PARTS.toString('latin1')}`));
  const sent = outcome.actions[0]!.message!;
  assert.equal(sent.body, null);
  assert.ok(Buffer.from(sent.header).toString().startsWith('X-Before: 1\r\nFrom: a@example.com\r\n'));
});

test('enclosing twice nests; later tests see the new message', () => {
  const after = left(run('enclose "one"; enclose "two";', MESSAGE), MESSAGE);
  assert.equal(shape(treeOf(after)), 'mixed(plain rfc822(mixed(plain rfc822(plain))))');
  assert.deepEqual(run('enclose :subject "new" "x"; if header "subject" "new" { discard; }').lines, ['discard']);
  assert.deepEqual(run('enclose "x"; if header :mime :anychild :contenttype "content-type" "message/rfc822" { discard; }').lines, ['discard']);
});

test('a loop that encloses the message goes on in what is inside', () => {
  const script = 'foreverypart { if header :mime :subtype "content-type" "plain" { enclose "x"; break; } }';
  assert.equal(run(script).end.kind, 'done');
  const all = run(
    'foreverypart { if header :mime :matches "content-type" "*;*" { fileinto :copy "${1}"; } if header :mime :subtype "content-type" "alternative" { enclose "x"; } }',
  );
  assert.deepEqual(
    all.lines.map((line) => line.replace(' changed', '')),
    [
      'fileinto multipart/mixed',
      'fileinto multipart/alternative',
      'fileinto text/plain',
      'fileinto text/html',
      'fileinto application/x-msdownload',
      'implicit keep',
    ],
  );
});

test('convert makes HTML plain text in UTF-8 and keeps what else the part says of itself', () => {
  const after = left(run('if convert "text/html" "text/plain" ["charset=utf-8"] { addheader "X-Done" "yes"; }'));
  assert.equal(shape(treeOf(after)), 'mixed(alternative(plain plain) x-msdownload rfc822(plain))');
  assert.match(after, /^X-Done: yes\r\n/);
  assert.match(
    after,
    /Content-ID: <html@example\.com>\r\nContent-Type: text\/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n\r\nGr=C3=BC=C3=9Fe & mehr/,
  );
});

test('convert is false when a part was there that could not be converted', () => {
  const is = (test: string, message: Buffer | string = PARTS): boolean => run(`if convert ${test} { discard; }`, message).lines[0] === 'discard';
  assert.equal(is('"application/x-msdownload" "image/png" ""'), false);
  assert.equal(is('"image/tiff" "image/jpeg" "pix-x=320"'), true);
  assert.equal(is('"text/plain" "text/plain" "charset=utf-8"'), true);
  assert.equal(is('"text/plain" "text/plain" "charset=koi8-r"'), false);
  assert.equal(is('"text/plain" "text/plain" ""', letter('Content-Type: text/plain; charset=unheard-of', '', 'x')), false);
});

test('in a loop convert works on the current part alone', () => {
  const after = left(run('foreverypart { if header :mime "subject" "inner" { convert "text/plain" "text/plain" ""; } }'));
  assert.ok(after.includes('Content-Type: text/plain; charset=iso-8859-1\r\n\r\n'));
  assert.match(after, /Subject: inner\r\nMIME-Version: 1\.0\r\nContent-Type: text\/plain; charset=us-ascii\r\n/);
});

test('a whole message of HTML keeps its header when it is converted', () => {
  const html = letter('Subject: hi', 'Content-Type: text/html', '', '<b>bold</b>');
  assert.equal(
    left(run('convert "text/html" "text/plain" "";', html), html),
    'Subject: hi\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\nContent-Transfer-Encoding: 7bit\r\n\r\nbold\r\n',
  );
});

for (const [name, script, problem] of [
  ['a :from that is none', 'replace :from "nobody at all" "x";', /is no list of addresses/],
  ['an entity without a header', 'replace :mime "just text";', /header fields and a blank line/],
  ['an entity with other fields', 'replace :mime "Subject: x\r\n\r\ny";', /Content- fields only, not "subject"/],
  ['a replace without text', 'replace;', /takes 1 positional argument/],
  ['an enclose without text', 'enclose :subject "x";', /takes 1 positional argument/],
  ['a field name that is none', 'enclose :headers "a b" "x";', /is no name of a header field/],
  ['a media type that is none', 'convert "html" "text/plain" "";', /is no media type/],
  ['an id and a use at once', 'fileinto :mailboxid "F1" :specialuse "\\\\Junk" "A";', /exclude each other/],
  ['break outside of a loop', 'break;', /only be used in a foreverypart loop/],
  ['too many loops within each other', 'foreverypart { foreverypart { foreverypart { foreverypart { foreverypart { keep; } } } } }', /more than 4 deep/],
] as const) {
  test(`${name}: an error of the script`, () => assert.match(problemsOf(REQUIRE + script)[0] ?? '', problem));
}

test('every word needs its extension', () => {
  for (const script of ['replace "x";', 'enclose "x";', 'convert "a/b" "c/d" "";', 'foreverypart { }', 'if mailboxidexists "F1" { }', 'extracttext "a";']) {
    assert.match(problemsOf(script)[0] ?? '', /needs require/, script);
  }
});

test('mailboxid: the id goes beside the name, and is asked of the driver', () => {
  assert.deepEqual(run('fileinto :mailboxid "F6352ae03-b7f5" "Old name";').lines, ['fileinto Old name id F6352ae03-b7f5']);
  const known = { mailboxIds: ['F1', 'F2'] };
  const exists = (ids: string): string => runScripts([`${REQUIRE}if mailboxidexists ${ids} { discard; }`], MESSAGE, known).lines[0]!;
  assert.equal(exists('["F1", "F2"]'), 'discard');
  assert.equal(exists('["F1", "F3"]'), 'implicit keep');
  assert.equal(exists('"not an id"'), 'implicit keep');
});

test('a script of a chain knows no variables of those before it', () => {
  const { lines } = runScripts(
    ['require ["include", "variables"]; global "a"; set "a" "b";', 'require ["include", "variables", "fileinto"]; global "a"; fileinto "x${a}";'],
    MESSAGE,
  );
  assert.deepEqual(lines, ['fileinto x']);
});

test('a script cannot blow a message up', () => {
  const grow = 'set "a" "xxxxxxxxxxxxxxxx"; '.concat('set "a" "${a}${a}";'.repeat(12));
  const many = letter('Content-Type: multipart/mixed; boundary=b', '', ...Array.from({ length: 2000 }, () => ['--b', '', 'x']).flat(), '--b--');
  const { end } = run(`${grow} foreverypart { if not header :mime :type "content-type" "multipart" { replace "\${a}"; } }`, many);
  assert.equal(end.kind, 'failed');
});

const LINES = fc.constantFrom(
  ...['--a', '--a--', '--b', '--b--', '', 'text', 'Content-Type: multipart/mixed; boundary=b', 'Content-Type: message/rfc822', 'Content-Type: text/html'],
  ...['Subject: x', 'Content-Transfer-Encoding: base64', ' folded'],
);

test('whatever the message, scripts that change parts come to an end', () => {
  const scripts = [
    'foreverypart { if header :mime :type "content-type" "text" { replace "--a"; } }',
    'foreverypart { if not header :mime :type "content-type" "multipart" { replace :mime "Content-Type: text/html\r\n\r\n<b>"; } }',
    'foreverypart { enclose "x"; break; } foreverypart { extracttext "t"; addheader "X" "${t}"; }',
    'foreverypart { enclose "x"; }',
    'convert "text/html" "text/plain" ""; foreverypart { if exists :mime :anychild "subject" { replace "y"; } }',
  ];
  fc.assert(
    fc.property(fc.array(LINES, { maxLength: 30 }), fc.constantFrom(...scripts), (body, script) => {
      const message = letter('Content-Type: multipart/mixed; boundary=a', '', ...body);
      left(run(script, message), message);
    }),
    { seed: 5703, numRuns: 300 },
  );
});

test('the tree with an exchanged part is that of the new message', () => {
  const entities = ['Content-Type: text/plain\r\n\r\ntext', '\r\n', 'Content-Type: multipart/mixed; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c--\r\n'].map((text) =>
    Buffer.from(text),
  );
  fc.assert(
    fc.property(fc.array(LINES, { maxLength: 30 }), fc.nat(), fc.constantFrom(...entities), (body, number, entity) => {
      const bytes = letter('Content-Type: multipart/mixed; boundary=a', '', ...body);
      const root = treeOf(bytes.toString('latin1'));
      const paths = pathsIn(root, []);
      if (paths.length === 0) return;
      const after = exchanged({ root, bytes }, paths[number % paths.length]!, entity);
      assert.deepEqual(
        places(after.root),
        places(treeOf(after.bytes.toString('latin1'))),
        `${JSON.stringify(bytes.toString())}\n${JSON.stringify(after.bytes.toString())}`,
      );
    }),
    { seed: 5703, numRuns: 500 },
  );
});

/** Paths of all parts but the message. */
function pathsIn(part: MimePart, path: readonly number[]): readonly (readonly number[])[] {
  return childrenOf(part).flatMap((child, index) => [[...path, index], ...pathsIn(child, [...path, index])]);
}

function places(part: MimePart): readonly unknown[] {
  return [part.type, part.subtype, part.headerStart, part.bodyStart, part.bodyEnd, ...childrenOf(part).map(places)];
}
