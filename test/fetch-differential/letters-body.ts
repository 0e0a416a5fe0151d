/** Odd bodies: MIME as it should be and as it comes, as bytes (one character each). */
import type { Letter } from './compare.ts';

const utf8 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
const base64 = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('base64');

const letters: Letter[] = [];
const HEAD = [
  'From: Rita Friend <rita@friend.test>',
  'To: anna@us.test',
  'Subject: parts',
  'Date: Mon, 5 Jan 2026 10:00:00 +0000',
  'Message-ID: <parts@friend.test>',
  'MIME-Version: 1.0',
];
const crlf = (lines: readonly string[]): string => lines.map((line) => `${line}\r\n`).join('');

function raw(name: string, text: string): void {
  letters.push({ name, text });
}
/** A message with these fields after the usual ones; the body as it is. */
function mail(name: string, fields: readonly string[], body: string): void {
  raw(name, `${crlf([...HEAD, ...fields])}\r\n${body}`);
}
/** A multipart of these lines, boundary "b". */
function multi(name: string, ...lines: string[]): void {
  mail(name, ['Content-Type: multipart/mixed; boundary=b'], crlf(lines));
}
function type(value: string): void {
  mail(`Content-Type: ${value}`, [`Content-Type: ${value}`], 'Hello.\r\n');
}
/** A part with this field, so that what is said of parts can be seen beside what is said of messages. */
function partField(...fields: string[]): void {
  multi(`part with ${fields.join(' | ')}`, '--b', ...fields, '', 'Hello.', '--b--');
}

// ── Without MIME ─────────────────────────────────────────────────────────────────────────────────────
raw('one line end', '\r\n');
raw('two line ends', '\r\n\r\n');
raw('body without header', '\r\nbody only\r\n');
raw('header without blank line', crlf(HEAD));
raw('header without line end', 'Subject: cut off');
raw('header, blank line, no body', `${crlf(HEAD)}\r\n`);
raw('text without a header', 'This is just text.\r\nOf two lines.\r\n');
raw('blank lines at the end', `${crlf(HEAD)}\r\n\r\n\r\n\r\n`);
raw('no line end at the end', `${crlf(HEAD)}\r\none\r\ntwo`);
raw('blank line of a blank', `${crlf(HEAD)} \r\nbody\r\n`);
raw('lone CR in the body', `${crlf(HEAD)}\r\none\rtwo\r\n\rthree\r\r\n`);
raw('lone CR in the header', `Subject: one\rtwo\r\nFrom: a@x.test\r\n\r\nbody\r\n`);
raw('8-bit body', `${crlf(HEAD)}\r\n${utf8('Grüße')}\r\nGr\xfc\xdfe\r\n`);
raw('line of 20000', `${crlf(HEAD)}\r\n${'x'.repeat(20_000)}\r\nend\r\n`);
raw('body of 150,000', `${crlf(HEAD)}\r\n${'All work and no play.\r\n'.repeat(6522)}`);
raw('dots and From lines', `${crlf(HEAD)}\r\n.\r\n..\r\nFrom me\r\n>From you\r\n`);

// ── Content-Type ─────────────────────────────────────────────────────────────────────────────────────
for (const value of [
  'text/plain',
  'TEXT/PLAIN; CHARSET=UTF-8',
  'text/plain; charset="utf-8"; format=flowed; delsp=yes',
  'text/html; charset=iso-8859-1',
  'text / html ; charset = utf-8',
  'text/plain (a comment) ; (another) charset=(third)utf-8(fourth)',
  'text/plain;',
  'text/plain; ;charset=utf-8;',
  'text/plain; charset=utf-8;;',
  'text/plain; charset=',
  'text/plain; charset=""',
  'text/plain; charset',
  'text/plain; =utf-8',
  'text/plain; charset=utf-8 format=flowed',
  'text/plain charset=utf-8',
  'text/plain; charset=utf-8; charset=latin1',
  'text/plain; name=my file.txt',
  'text/plain; name="my file.txt',
  'text/plain; name="a\\"b\\\\c"',
  "text/plain; name='single'",
  'text/plain; name=a/b?c=d',
  'text/plain; name="a;b,c (d)"',
  'text/plain; name=caf\xe9.txt',
  `text/plain; name="${utf8('café.txt')}"`,
  'text/plain; name="=?utf-8?Q?caf=C3=A9.txt?="',
  'text/plain; name==?utf-8?Q?caf=C3=A9.txt?=',
  "text/plain; name*=utf-8''caf%C3%A9.txt",
  "text/plain; name*=iso-8859-1'fr'caf%E9.txt",
  'text/plain; name*0=one; name*1=two; name*2=" three"',
  "text/plain; name*0*=utf-8''caf%C3; name*1*=%A9; name*2=.txt",
  'text/plain; name*1=two; name*0=one',
  'text/plain; name*0=one; name*2=three',
  'text/plain; name*1=two; name*2=three',
  "text/plain; name=plain.txt; name*=utf-8''caf%C3%A9.txt",
  "text/plain; name*=utf-8''bad%zz%4",
  'text/plain; name*=no-quotes',
  "text/plain; name*0*=''%41; name*1=%42",
  'text/plain; name*x=odd',
  'text/plain; name*=; charset*0=us; charset*1=-ascii',
  'text/plain;\r\n\tcharset=utf-8;\r\n name="folded\r\n name"',
  'text',
  'text/',
  '/plain',
  '/',
  '',
  'plain',
  'audio',
  'multipart',
  'message',
  'text/plain/extra',
  'text/plain, text/html',
  'text/x-"quoted"',
  '"text/plain"',
  'text/pl ain',
  'charset=utf-8',
  'text/calendar; method=REQUEST; charset=utf-8',
  'image/png; name=x.png',
  'application/octet-stream; name=x.bin',
  'application/x-zip-compressed',
  'application/pgp-encrypted',
  'model/vrml',
  'x-my/type',
  'message/rfc822',
  'message/delivery-status',
  'message/disposition-notification',
  'message/partial; id=x; number=1; total=2',
  'message/external-body; access-type=local-file; name=x',
  'message/global',
  'multipart/mixed',
  'multipart/mixed; boundary=',
  'multipart/mixed; boundary=""',
  'multipart/mixed; boundary=never',
  'multipart/alternative; boundary="a b"',
  `text/plain; x="${'y'.repeat(1500)}"`,
  `text/plain; ${Array.from({ length: 40 }, (_, n) => `p${n}=${n}`).join('; ')}`,
])
  type(value);
mail('Content-Type twice', ['Content-Type: text/html', 'Content-Type: text/plain'], 'Hello.\r\n');
raw('MIME without MIME-Version', 'From: a@x.test\r\nContent-Type: text/html; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nPGI+\r\n');
raw('multipart without MIME-Version', 'From: a@x.test\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\none\r\n--b--\r\n');

for (const value of ['8bit', 'quoted-printable', 'base64', 'binary'])
  raw(`nothing but Content-Transfer-Encoding: ${value}`, `From: a@x.test\r\nContent-Transfer-Encoding: ${value}\r\n\r\nSGVsbG8u\r\n`);

// ── Other fields of parts ────────────────────────────────────────────────────────────────────────────
partField('Content-Disposition: attachment; filename="x.txt"; size=6');
partField('Content-Disposition: INLINE');
partField('Content-Disposition: inline;');
partField('Content-Disposition:');
partField('Content-Disposition: ; filename=x');
partField('Content-Disposition: filename=x.txt');
partField('Content-Disposition: attachment filename=x.txt');
partField('Content-Disposition: "attachment"; filename=x');
partField("Content-Disposition: attachment; filename*0*=utf-8''caf%C3; filename*1*=%A9; filename*2=.txt");
partField("Content-Disposition: attachment; filename=fallback; filename*=utf-8''caf%C3%A9");
partField('Content-Disposition: attachment; modification-date="Mon, 5 Jan 2026 10:00:00 +0000"; x-other=1');
partField('Content-Disposition: attachment (comment); filename=(c)x');
partField(`Content-Disposition: attachment; filename=${utf8('café.txt')}`);
partField('Content-Language: en');
partField('Content-Language: en, de-CH,fr');
partField('Content-Language: en (English), de (German)');
partField('Content-Language:');
partField('Content-Language: ,,');
partField('Content-Language: en de');
partField('Content-Location: http://x.test/a.png');
partField('Content-Location: "http://x.test/a b"');
partField('Content-Location: http://x.test/long/\r\n  path');
partField('Content-Location:');
partField('Content-Location: (comment) http://x.test/');
partField('Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==');
partField('Content-MD5:  (c) Q2hlY2sgSW50ZWdyaXR5IQ== ');
partField('Content-ID: <one@x.test>', 'Content-Description: a part of "it"');
partField('Content-ID: one two', `Content-Description: ${utf8('Grüße')}`);
partField('Content-ID:', 'Content-Description:');
partField('Content-Description: one\r\n two\r\n\tthree');
partField(
  'Content-ID: <a@x.test>',
  'Content-ID: <b@x.test>',
  'Content-Description: 1',
  'Content-Description: 2',
  'Content-Disposition: inline',
  'Content-Disposition: attachment',
);
for (const value of [
  '7BIT',
  '8bit',
  'BINARY',
  'Base64',
  'QUOTED-printable',
  'x-uuencode',
  'uuencode',
  'base64 (comment)',
  '(comment) base64',
  'base64;',
  '"base64"',
  'base 64',
  '',
  'quoted-printable, base64',
  '7-bit',
  'unknown',
])
  multi(`part with Content-Transfer-Encoding: ${value}`, '--b', `Content-Transfer-Encoding: ${value}`, '', 'SGVsbG8u', '--b--');
partField('content-type: TEXT/Html; Charset="UTF-8"', 'CONTENT-TRANSFER-ENCODING: 8BIT');
partField('Content-Type: text/plain; charset=utf-8', 'X-Other: 1', 'Subject: of a part', 'From: nobody@x.test');

// ── Multiparts ───────────────────────────────────────────────────────────────────────────────────────
multi('two parts', '--b', 'Content-Type: text/plain', '', 'one', '--b', 'Content-Type: text/html', '', '<b>two</b>', '--b--');
multi('preamble and epilogue', 'This is a preamble.', '', '--b', '', 'one', '--b--', '', 'This is an epilogue.', '--b', '', 'not a part');
multi('no closing delimiter', '--b', '', 'one', '--b', '', 'two');
multi('no parts', 'Nothing here.');
multi('closing delimiter only', '--b--');
multi('closing delimiter, then parts', '--b--', '--b', '', 'late');
multi('empty parts', '--b', '--b', '', '--b', '', '', '--b', 'Content-Type: text/html', '--b--');
multi('one empty part', '--b', '--b--');
multi('part without header', '--b', 'This is no field', 'and more', '--b--');
multi('part without header, with colon', '--b', 'No field: it seems', '', 'and more', '--b--');
multi('part that begins with a blank line', '--b', '', '', 'one', '--b--');
multi('part with a header only', '--b', 'Content-Type: text/html', 'X-Odd: 1', '--b', '', 'two', '--b--');
multi('blanks after delimiters', '--b  ', '', 'one', '--b\t ', '', 'two', '--b-- ');
multi('blanks before delimiters', ' --b', '', 'one', '--b', '', 'two', '--b--');
multi('words after delimiters', '--b and so on', '', 'one', '--b', '', 'two', '--b--more');
multi('HTML after the last delimiter', '--b', '', 'one', '--b--</BODY></HTML>');
multi(
  'delivery report with a disposition',
  '--b',
  'Content-Type: message/delivery-status',
  'Content-Disposition: inline; filename=x',
  'Content-Language: en',
  '',
  'Reporting-MTA: dns; x.test',
  '--b--',
);
multi('longer delimiters', '--bb', '', 'one', '--b', '', 'two', '--b-', '', 'three', '--b---', '', 'four', '--b--');
multi('delimiter of dashes', '---b', '', 'one', '--b', '', 'two', '--', '', 'three', '--b--');
multi('delimiters in capitals', '--B', '', 'one', '--b', '', 'two', '--B--', 'three', '--b--');
multi('text that ends without line end of its own', '--b', '', 'one', '', '--b', '', '', '', '--b--');
mail('boundary with blanks at the end', ['Content-Type: multipart/mixed; boundary="b  "'], crlf(['--b', '', 'one', '--b  ', '', 'two', '--b--']));
mail('boundary with colon and the like', ['Content-Type: multipart/mixed; boundary="=_(b):,./?\'+"'], crlf(["--=_(b):,./?'+", '', 'one', "--=_(b):,./?'+--"]));
mail('boundary unquoted with specials', ['Content-Type: multipart/mixed; boundary=--=_b:1.2'], crlf(['----=_b:1.2', '', 'one', '----=_b:1.2--']));
mail('boundary of 70', [`Content-Type: multipart/mixed; boundary=${'b'.repeat(70)}`], crlf([`--${'b'.repeat(70)}`, '', 'one', `--${'b'.repeat(70)}--`]));
mail('boundary of 150', [`Content-Type: multipart/mixed; boundary=${'b'.repeat(150)}`], crlf([`--${'b'.repeat(150)}`, '', 'one', `--${'b'.repeat(150)}--`]));
mail('boundary in two pieces', ['Content-Type: multipart/mixed; boundary*0=b; boundary*1=c'], crlf(['--bc', '', 'one', '--bc--']));
mail('boundary percent encoded', ["Content-Type: multipart/mixed; boundary*=us-ascii''b%3Dc"], crlf(['--b=c', '', 'one', '--b=c--']));
mail('boundary with 8-bit', ['Content-Type: multipart/mixed; boundary="b\xfc"'], crlf(['--b\xfc', '', 'one', '--b\xfc--']));
mail('boundary given twice', ['Content-Type: multipart/mixed; boundary=b; boundary=c'], crlf(['--b', '', 'one', '--c', '', 'two', '--b--', '--c--']));
mail('boundary in the preamble of nothing', ['Content-Type: multipart/mixed; boundary=b'], '--b');
mail('delimiter as the very last bytes', ['Content-Type: multipart/mixed; boundary=b'], '--b\r\n\r\none\r\n--b--');
mail('part header as the very last bytes', ['Content-Type: multipart/mixed; boundary=b'], '--b\r\nContent-Type: text/html');
mail('no body at all', ['Content-Type: multipart/mixed; boundary=b'], '');
mail('encoded multipart', ['Content-Type: multipart/mixed; boundary=b', 'Content-Transfer-Encoding: base64'], crlf(['--b', '', 'one', '--b--']));
mail(
  'alternative with parameters and disposition',
  [
    'Content-Type: multipart/related; boundary=b; type="text/html"; start="<x>"',
    'Content-Disposition: inline; x=1',
    'Content-Language: en',
    'Content-Location: http://x.test/',
    'Content-ID: <root>',
    'Content-MD5: abc',
  ],
  crlf(['--b', 'Content-Type: text/html', '', 'one', '--b--']),
);
mail(
  'digest',
  ['Content-Type: multipart/digest; boundary=b'],
  crlf([
    '--b',
    '',
    'Subject: first',
    'From: a@x.test',
    '',
    'one',
    '--b',
    'Content-Type: text/plain',
    '',
    'two',
    '--b',
    'Content-Type: message/rfc822',
    '',
    'Subject: third',
    '',
    'three',
    '--b--',
  ]),
);
mail('digest of parts without headers', ['Content-Type: multipart/digest; boundary=b'], crlf(['--b', 'Subject: first', '', 'one', '--b', '', '--b--']));
mail(
  'digest with a broken type',
  ['Content-Type: multipart/digest; boundary=b'],
  crlf(['--b', 'Content-Type: nothing', '', 'Subject: first', '', 'one', '--b--']),
);
mail(
  'delivery report',
  ['Content-Type: multipart/report; report-type=delivery-status; boundary=b'],
  crlf([
    '--b',
    '',
    'It did not go.',
    '--b',
    'Content-Type: message/delivery-status',
    '',
    'Reporting-MTA: dns; x.test',
    '',
    'Final-Recipient: rfc822; y@x.test',
    'Action: failed',
    '--b',
    'Content-Type: text/rfc822-headers',
    '',
    'Subject: lost',
    '--b--',
  ]),
);
const inner = (outer: string, boundary: string, ...lines: string[]): string[] => [
  `--${outer}`,
  `Content-Type: multipart/alternative; boundary=${boundary}`,
  '',
  ...lines,
];
multi('nested', ...inner('b', 'c', '--c', '', 'one', '--c', 'Content-Type: text/html', '', 'two', '--c--'), '--b', '', 'three', '--b--');
multi('nested, inner begins like outer', ...inner('b', 'bb', '--bb', '', 'one', '--bb', '', 'two', '--bb--'), '--b', '', 'three', '--b--');
mail(
  'nested, outer begins like inner',
  ['Content-Type: multipart/mixed; boundary=bb'],
  crlf([...inner('bb', 'b', '--b', '', 'one', '--bb', '', 'two', '--bb--')]),
);
mail(
  'nested, inner is outer with dashes',
  ['Content-Type: multipart/mixed; boundary=b'],
  crlf([...inner('b', 'b--', '--b--', '', 'one', '--b----'), '--b', '', 'two', '--b--']),
);
multi('nested, same boundary', ...inner('b', 'b', '--b', '', 'one', '--b--', '--b', '', 'two', '--b--'));
multi('nested, inner not closed', ...inner('b', 'c', '--c', '', 'one'), '--b', '', 'two', '--b--');
multi('nested, outer closes all', ...inner('b', 'c', '--c', '', 'one'), '--b--', '--c', '', 'late');
multi('nested, inner of no parts', ...inner('b', 'c', 'nothing'), '--b', '', 'two', '--b--');
multi('nested, inner empty', ...inner('b', 'c'), '--b--');
multi('nested, no boundary in the inner one', '--b', 'Content-Type: multipart/mixed', '', '--c', '', 'one', '--c--', '--b--');
multi('nested, epilogues', 'pre', ...inner('b', 'c', 'pre', '--c', '', 'one', '--c--', 'post', ''), '--b--', 'post');
multi('many parts', ...Array.from({ length: 60 }, (_, n) => ['--b', `Content-Type: text/plain; name=${n}`, '', `part ${n}`]).flat(), '--b--');
const levels = (depth: number): string => {
  let text = '';
  for (let n = 0; n < depth; n += 1) text += `${n === 0 ? '' : `--b${n - 1}\r\n`}Content-Type: multipart/mixed; boundary=b${n}\r\n\r\n`;
  return `${text}--b${depth - 1}\r\n\r\ndeep\r\n--b${depth - 1}--\r\n`;
};
raw('nested 10 deep', levels(10));
raw('nested 90 deep', levels(90));
raw('nested 101 deep', levels(101));

// ── Messages in messages ─────────────────────────────────────────────────────────────────────────────
const message = ['Content-Type: message/rfc822'];
mail('message of text', message, crlf(['Subject: inside', 'From: b@x.test', '', 'one']));
mail('message of nothing', message, '');
mail('message of one line end', message, '\r\n');
mail('message of a header only', message, crlf(['Subject: inside']));
mail('message of a header without line end', message, 'Subject: inside');
mail('message of text without header', message, crlf(['This is just text.', 'And more.']));
mail('message in base64', [...message, 'Content-Transfer-Encoding: base64'], `${base64(crlf(['Subject: inside', '', 'one']))}\r\n`);
mail('message in 8bit', [...message, 'Content-Transfer-Encoding: 8bit'], crlf(['Subject: inside', '', utf8('grüße')]));
mail(
  'message of a multipart',
  message,
  crlf(['Subject: inside', 'Content-Type: multipart/mixed; boundary=c', '', '--c', '', 'one', '--c', 'Content-Type: text/html', '', 'two', '--c--']),
);
mail(
  'messages three deep',
  message,
  crlf([...message, 'Subject: second', '', ...message, 'Subject: third', '', 'Subject: fourth', 'X-Odd: yes', '', 'deepest']),
);
mail(
  'multiparts and messages three deep',
  ['Content-Type: multipart/mixed; boundary=b'],
  crlf([
    '--b',
    ...message,
    '',
    'Subject: second',
    'Content-Type: multipart/mixed; boundary=c',
    '',
    '--c',
    ...message,
    '',
    'Subject: third',
    'Content-Type: multipart/mixed; boundary=d',
    '',
    '--d',
    ...message,
    'Content-Disposition: inline',
    '',
    'Subject: fourth',
    '',
    'deepest',
    '--d',
    '',
    'beside',
    '--d--',
    '--c--',
    '--b',
    '',
    'last',
    '--b--',
  ]),
);
multi('message as a part', '--b', ...message, '', 'Subject: inside', '', 'one', '', '--b--');
multi('message as a part, empty', '--b', ...message, '', '--b', ...message, '--b--');
multi('message as a part, header only', '--b', ...message, '', 'Subject: inside', '--b--');
multi('message as a part, header and blank line', '--b', ...message, '', 'Subject: inside', '', '--b--');
multi(
  'message as a part, delimiter in its header',
  '--b',
  ...message,
  '',
  'Subject: inside',
  'Content-Type: multipart/mixed; boundary=c',
  '--c',
  '',
  'one',
  '--c--',
  '--b--',
);
multi(
  'message cut off by the outer delimiter',
  '--b',
  ...message,
  '',
  'Content-Type: multipart/mixed; boundary=c',
  '',
  '--c',
  '',
  'one',
  '--b',
  '',
  'two',
  '--b--',
);
multi(
  'message with all fields',
  '--b',
  'Content-Type: message/rfc822; name="x.eml"',
  'Content-Disposition: attachment; filename=x.eml',
  'Content-Description: forwarded',
  'Content-ID: <f@x.test>',
  'Content-MD5: abc',
  'Content-Language: en',
  'Content-Location: x',
  '',
  'From: "A B" <a@x.test>',
  'Sender: s@x.test',
  'Reply-To: r@x.test',
  'To: G: t@x.test;',
  'Cc: c@x.test',
  'Bcc: d@x.test',
  'In-Reply-To: <i@x.test>',
  'Message-ID: <m@x.test>',
  'Date: Tue, 6 Jan 2026 10:00:00 +0000',
  'Subject: all',
  '',
  'one',
  '--b--',
);
multi(
  'messages of other kinds',
  '--b',
  'Content-Type: message/global',
  '',
  'Subject: inside',
  '',
  'one',
  '--b',
  'Content-Type: message/news',
  '',
  'Subject: inside',
  '',
  'two',
  '--b',
  'Content-Type: message/partial',
  '',
  'Subject: inside',
  '',
  'three',
  '--b',
  'Content-Type: message/external-body; access-type=x',
  '',
  'Content-Type: image/png',
  '',
  '--b--',
);

// ── Encodings ────────────────────────────────────────────────────────────────────────────────────────
const encoded = (name: string, encoding: string, body: string, contentType = 'application/octet-stream'): void => {
  mail(`${encoding}: ${name}`, [`Content-Type: ${contentType}`, `Content-Transfer-Encoding: ${encoding}`], body);
  multi(`part in ${encoding}: ${name}`, '--b', `Content-Type: ${contentType}`, `Content-Transfer-Encoding: ${encoding}`, '', body, '--b--');
};
encoded('text', 'base64', `${base64('Hello, world. This is a text.\r\n')}\r\n`);
encoded('lines', 'base64', `${base64('Hello, world. This is a text.\r\n'.repeat(20)).replaceAll(/.{76}/g, '$&\r\n')}\r\n`);
encoded('NUL inside', 'base64', `${base64('one\0two\0')}\r\n`);
encoded('no padding', 'base64', 'SGVsbG8\r\n');
encoded('one character too many', 'base64', 'SGVsbG8hA\r\n');
encoded('padding in the middle', 'base64', 'SGVsbG8=IHdvcmxk\r\nSGVs\r\n');
encoded('junk between', 'base64', 'SG!Vs*bG8\r\n-- \r\nSGVs\r\n');
encoded('text after the end', 'base64', 'SGVsbG8=\r\n\r\nThis was added by a list.\r\n');
encoded('blanks and blank lines', 'base64', ' SGVs bG8g\r\n\r\n\tSGVs\r\n');
encoded('nothing', 'base64', '');
encoded('of no meaning', 'base64', '!!!!\r\n');
encoded('text', 'quoted-printable', 'Gr=C3=BC=C3=9Fe=\r\n and more\r\nlast=20\r\n');
encoded('small letters', 'quoted-printable', 'Gr=c3=bc\r\n');
encoded('bad escapes', 'quoted-printable', 'a=b =zz =4 =\r\nlast =');
encoded('blanks at line ends', 'quoted-printable', 'one  \r\ntwo\t\r\nthree=  \r\nfour');
encoded('NUL inside', 'quoted-printable', 'one=00two\r\n');
encoded('8-bit inside', 'quoted-printable', `${utf8('grüße')} =C3=BC\r\n`);
encoded('line ends encoded', 'quoted-printable', 'one=0D=0Atwo=0Athree=0D\r\n');
encoded('a soft line end last', 'quoted-printable', 'one=\r\n');
encoded('text', '8bit', `${utf8('grüße')}\r\n`);
encoded('text', 'binary', 'one\r\ntwo');
encoded('text', 'x-uuencode', 'begin 644 x\r\n#0V%T\r\n`\r\nend\r\n');
mail('text in base64', ['Content-Type: text/plain; charset=utf-8', 'Content-Transfer-Encoding: base64'], `${base64(utf8('grüße\r\nvon hier\r\n'))}\r\n`);
mail(
  'large attachment',
  ['Content-Type: application/pdf; name=x.pdf', 'Content-Transfer-Encoding: base64'],
  `${base64('\x01\x02abcdefgh\xff'.repeat(12_000)).replaceAll(/.{76}/g, '$&\r\n')}\r\n`,
);

export const BODY_LETTERS: readonly Letter[] = letters;
