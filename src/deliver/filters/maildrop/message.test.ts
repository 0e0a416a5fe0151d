import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MaildropMessage } from './message.ts';

const messageOf = (text: string): MaildropMessage => MaildropMessage.parse(Buffer.from(text));
const header = (text: string): string[] => [...messageOf(text).searched(true, false)];
const body = (text: string): string[] => [...messageOf(text).searched(false, true)];

test('header fields are unfolded, decoded and have one blank behind the colon', () => {
  assert.deepEqual(header('Subject:   =?utf-8?Q?Gr=C3=BC=C3=9Fe?= from\n  Hell \nX-Foo:bar\nX-Empty:\n\n'), [
    'Subject: Grüße from   Hell',
    'X-Foo: bar',
    'X-Empty: ',
  ]);
});

test('address fields have one form', () => {
  assert.deepEqual(header('From: joe@x (Joe Brown)\nTo: "Ann" <a@x>,b@x,\n "Smith, J" <s@x>\nCc: G: a@b;, <c@d>\nReply-To: "Ann" <a@x>\n\n'), [
    'From: Joe Brown <joe@x>',
    'To: Ann <a@x>, b@x, "Smith, J" <s@x>',
    'Cc: G: a@b;c@d',
    'Reply-To: "Ann" <a@x>',
  ]);
});

const MULTIPART = `MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\npreamble\n--b\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\ncaf=E9 so=\nft\n--b\nContent-Type: image/png\n\nPNG\n--b\nContent-Type: message/rfc822\n\nSubject: inner\n\ninside\n--b--\n`;

test('parts and messages inside count, decoded; other types and the preamble do not', () => {
  assert.deepEqual(body(MULTIPART), ['café soft', 'inside']);
  assert.ok(header(MULTIPART).includes('Content-Type: image/png'));
  assert.ok(header(MULTIPART).includes('Subject: inner'));
});

test('without MIME-Version a multipart is one text', () => {
  assert.ok(body(MULTIPART.replace('MIME-Version: 1.0\n', '')).includes('preamble'));
});

test('a body without line ends is one line, an empty one none', () => {
  assert.deepEqual(body('Subject: x\n\nlast'), ['last']);
  assert.deepEqual(body('Subject: x\n\n'), []);
});

test('recipients are compared without case, in To, Cc and their Resent fields', () => {
  const message = messageOf('To: Ann <ANN@x>\nBcc: b@x\nResent-Cc: <c@x>\n\n');
  assert.deepEqual(
    ['ann@X', 'b@x', 'c@x', 'ann'].map((address) => message.hasRecipient(address)),
    [true, false, true, false],
  );
});

test('hostile bytes give lines', () => {
  const bytes = Buffer.concat([
    Buffer.from('From: \xff<\0>,,(((\nMIME-Version: 1\nContent-Type: multipart/x; boundary="\n\n', 'latin1'),
    Buffer.alloc(1000, 0x80),
  ]);
  assert.ok([...MaildropMessage.parse(bytes).searched(true, true)].length > 0);
});
