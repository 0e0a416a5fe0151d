import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import PostalMime from 'postal-mime';
import { bodyFromStructure, serializeBody } from './body-structure.ts';
import { DigestBuilder, digestMessage } from './digest.ts';
import { decodeWords } from './encoded-word.ts';
import { emptyHeader, envelopeOf } from './envelope.ts';
import { MimeParser } from './mime.ts';
import { decodeParts, findSection } from './part-index.ts';

const bytes = (text: string): Buffer => Buffer.from(text, 'latin1');
const crlf = (text: string): string => text.replace(/\n/g, '\r\n');

const PLAIN = crlf(`Received: from a by b; Tue, 1 Jul 2003 10:52:40 +0200
Received: from c by a; Tue, 1 Jul 2003 10:52:39 +0200
Delivered-To: Bob@Example.NET
Date: Tue, 1 Jul 2003 10:52:37 +0200
From: Alice <alice@example.org>
Sender: "The Secretary" <sec@example.org>
To: Friends: bob@example.net, Carol <carol@example.com>;
Cc: dave@example.com
cc: eve@example.com
Subject: Say "hi" \\o/
In-Reply-To: <0@example.org>
Message-ID:  <1@example.org>
Content-Type: text/plain; charset=utf-8

Hello
there
`);

test('the digest of a plain message', () => {
  assert.deepEqual(digestMessage(bytes(PLAIN)), {
    headerBytes: PLAIN.indexOf('\r\n\r\n') + 4,
    envelope:
      '("Tue, 1 Jul 2003 10:52:37 +0200" "Say \\"hi\\" \\\\o/" (("Alice" NIL "alice" "example.org")) (("The Secretary" NIL "sec" "example.org")) (("Alice" NIL "alice" "example.org")) ' +
      '((NIL NIL "Friends" NIL)(NIL NIL "bob" "example.net")("Carol" NIL "carol" "example.com")(NIL NIL NIL NIL)) ((NIL NIL "dave" "example.com")(NIL NIL "eve" "example.com")) NIL "<0@example.org>" "<1@example.org>")',
    bodyStructure: '("text" "plain" ("charset" "utf-8") NIL NIL "7bit" 14 2 NIL NIL NIL NIL)',
    parts: null,
    messageId: '<1@example.org>',
    sentAt: Date.UTC(2003, 6, 1, 8, 52, 37),
    has8bit: false,
    hasLongLine: false,
    receivedCount: 2,
    deliveredTo: ['Bob@example.net'],
    isTruncated: false,
  });
});

describe('an envelope', () => {
  test('text beyond ASCII reads as it did, whatever encoded words and blanks stand beside it', () => {
    const word = fc.constantFrom('\xc3\xa9', 'plain', '=?utf-8?Q?=C3=A4?=', '=?', '?=', '"x"');
    fc.assert(
      fc.property(fc.array(fc.tuple(word, fc.constantFrom(' ', '  ', '\r\n ')), { minLength: 1, maxLength: 8 }), (words) => {
        const subject = words.flat().join('').trim();
        const header = emptyHeader();
        header.subject = subject.replaceAll('\r\n', '');
        const sent = /^\(NIL (?:"((?:[^"\\]|\\.)*)")/.exec(envelopeOf(header))![1]!.replaceAll(/\\(.)/g, '$1');
        assert.equal(decodeWords(sent), decodeWords(header.subject));
      }),
      { seed: 2047, numRuns: 500 },
    );
  });

  const rows: [header: string, part: string][] = [
    ['Subject:', '(NIL "" NIL'],
    ['Subject: Gr\xc3\xbc\xc3\x9fe', '"=?utf-8?B?R3LDvMOfZQ==?="'],
    ['Subject: Gr\xfc\xdfe', '"=?utf-8?B?R3LDvMOfZQ==?="'],
    // Blanks between encoded words are not shown: what stood there goes into a word.
    ['Subject: =?utf-8?Q?a?= \xc3\xa9 b', '"=?utf-8?Q?a?= =?utf-8?B?IMOp?= b"'],
    ['Subject: \xc3\xa9 =?utf-8?Q?a?= b', '"=?utf-8?B?w6kg?= =?utf-8?Q?a?= b"'],
    ['Subject: \xc3\xa9  \xc3\xa9 b', '"=?utf-8?B?w6kgIMOp?= b"'],
    ['Subject: =?utf-8?Q?a?=\r\n\t\xc3\xa9  =?utf-8?Q?b?=', '"=?utf-8?Q?a?= =?utf-8?B?IMOpICA=?= =?utf-8?Q?b?="'],
    ['From: "" <a@b>', '((NIL NIL "a" "b"))'],
    ['Subject: a\0b', '"ab"'],
    ['Subject: a\rb', '{3}\r\na\rb'],
    ['Subject: one\r\n\ttwo', '"one two"'],
    [`Subject: ${'x'.repeat(1500)}`, `{1500}\r\n${'x'.repeat(1500)}`],
    ['From: root', '((NIL NIL "root" ""))'],
    ['From: <@a.test:b@c>', '((NIL "@a.test" "b" "c"))'],
    ['From: J\xc3\xb6rg <a@b\xc3\xbccher.example>', '(("=?utf-8?B?SsO2cmc=?=" NIL "a" "xn--bcher-kva.example"))'],
    ['To: undisclosed-recipients:;', '((NIL NIL "undisclosed-recipients" NIL)(NIL NIL NIL NIL))'],
    ['To: ', '(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)'],
  ];
  for (const [header, part] of rows) {
    test(JSON.stringify(header.slice(0, 60)), () => {
      const { envelope } = digestMessage(bytes(`${header}\r\n\r\n`));
      assert.ok(envelope.includes(part), envelope);
    });
  }
});

const RICH = crlf(`Subject: outer
MIME-Version: 1.0
Content-Type: multipart/mixed; boundary=b
Content-Language: en, de

preamble
--b
Content-Type: text/plain

one
--b
Content-Type: application/pdf; name="r\xc3\xa9sum\xc3\xa9.pdf"
Content-ID: <id@x>
Content-Description: a (nice) file
Content-Transfer-Encoding: BASE64
Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==
Content-Disposition: attachment; filename*0*=utf-8''r%C3%A9; filename*1*=sum.pdf
Content-Location: http://x/
 y

AAAA
--b
Content-Type: message/rfc822

Subject: inner
From: a@b
Content-Type: multipart/alternative; boundary=c

--c

two
--c
Content-Type: text/html

<p>
--c--
--b
Content-Type: multipart/mixed; boundary=d

--d
Content-Type: image/gif

GIF
--d--
--b--
`);

describe('a body structure', () => {
  const { bodyStructure } = digestMessage(bytes(RICH));
  test('has all extension data', () => {
    assert.equal(
      bodyStructure,
      '(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL)' +
        '("application" "pdf" ("name*" "utf-8\'\'r%C3%A9sum%C3%A9.pdf") "<id@x>" "a (nice) file" "base64" 4 "Q2hlY2sgSW50ZWdyaXR5IQ==" ("attachment" ("filename*" "utf-8\'\'r%C3%A9sum.pdf")) NIL "http://x/y")' +
        '("message" "rfc822" NIL NIL NIL "7bit" 132 (NIL "inner" ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) ((NIL NIL "a" "b")) NIL NIL NIL NIL NIL) ' +
        '(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL)("text" "html" ("charset" "us-ascii") NIL NIL "7bit" 3 0 NIL NIL NIL NIL) "alternative" ("boundary" "c") NIL NIL NIL) 11 NIL NIL NIL NIL)' +
        '(("image" "gif" NIL NIL NIL "7bit" 3 NIL NIL NIL NIL) "mixed" ("boundary" "d") NIL NIL NIL) "mixed" ("boundary" "b") NIL ("en" "de") NIL)',
    );
  });

  test('loses its extension data for BODY, from the text as from the tree', () => {
    for (const text of [
      RICH,
      PLAIN,
      '',
      'Content-Type: message/rfc822\r\nContent-Description: a\rb\r\n\r\nSubject: c\rd) "\r\n\r\n',
      'Content-Type: message/external-body; access-type=x\r\n\r\nA: b',
      'Content-Type: message/delivery-status\r\nContent-Disposition: inline\r\nContent-Language: en\r\n\r\nA: b',
    ]) {
      const parser = new MimeParser();
      parser.push(bytes(text));
      const root = parser.end();
      assert.equal(bodyFromStructure(serializeBody(root, true)), serializeBody(root, false));
    }
    assert.throws(() => bodyFromStructure('("text"'));
  });
});

describe('sections', () => {
  const digest = digestMessage(bytes(RICH));
  const root = decodeParts(digest.parts, digest.headerBytes, RICH.length);
  const cut = (path: number[]): string | null => {
    const part = findSection(root, path);
    return part === null ? null : RICH.slice(part.bodyStart, part.bodyEnd);
  };
  const rows: [path: number[], body: string | null][] = [
    [[1], 'one'],
    [[1, 1], null],
    [[2], 'AAAA'],
    [[3, 1], 'two'],
    [[3, 2], '<p>'],
    [[3, 3], null],
    [[3, 1, 1], null],
    [[4, 1], 'GIF'],
    [[4, 1, 1], null],
    [[5], null],
    [[0], null],
  ];
  for (const [path, body] of rows) test(`BODY[${path.join('.')}]`, () => assert.equal(cut(path), body));

  test('a message part has the message inside as its child', () => {
    const part = findSection(root, [3])!;
    assert.equal(part.kind, 'message');
    assert.ok(RICH.slice(part.children[0]!.headerStart).startsWith('Subject: inner'));
    assert.equal(part.children[0]!.headerStart, part.bodyStart);
  });

  test('part 1 of a message of one part is its body', () => {
    const plain = digestMessage(bytes(PLAIN));
    const part = findSection(decodeParts(plain.parts, plain.headerBytes, PLAIN.length), [1])!;
    assert.equal(PLAIN.slice(part.bodyStart, part.bodyEnd), 'Hello\r\nthere\r\n');
    assert.equal(findSection(decodeParts(null, 2, 10), [2]), null);
    assert.equal(findSection(decodeParts(null, 2, 10), [1, 1]), null);
  });

  test('a message that is itself a message/rfc822 has it as part 1', () => {
    const text = crlf('Content-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nx\n--b--\n');
    const { parts, headerBytes } = digestMessage(bytes(text));
    const tree = decodeParts(parts, headerBytes, text.length);
    assert.equal(findSection(tree, [1])!.kind, 'message');
    assert.equal(text.slice(findSection(tree, [1, 1])!.bodyStart, findSection(tree, [1, 1])!.bodyEnd), 'x');
  });

  test('a prefix moves all offsets but the start', () => {
    const moved = decodeParts(digest.parts, digest.headerBytes, RICH.length, 100);
    assert.equal(moved.headerStart, 0);
    assert.equal(moved.bodyStart, root.bodyStart + 100);
    assert.equal(findSection(moved, [4, 1])!.bodyEnd, findSection(root, [4, 1])!.bodyEnd + 100);
    assert.deepEqual(decodeParts(null, 5, 10, 7), { kind: 'leaf', headerStart: 0, bodyStart: 12, bodyEnd: 17, children: [] });
  });

  test('a damaged index throws', () => {
    assert.throws(() => decodeParts(Uint8Array.of(9), 0, 0));
    assert.throws(() => decodeParts(digest.parts!.subarray(0, 10), 0, 0));
  });
});

test('digests of any bytes are ASCII, parse as IMAP, and do not depend on the pieces', () => {
  const unit = fc.constantFrom(
    'From: ',
    'To: ',
    'Subject: ',
    'Content-Type: ',
    'multipart/mixed; boundary=b',
    'message/rfc822',
    '--b',
    '\r\n',
    '\n',
    '\r\n\r\n',
    '"',
    '\\',
    '(',
    '<a@b>',
    ',',
    ':',
    ';',
    '\xe9',
    '\0',
    '\r',
    'x',
    '=?utf-8?Q?',
    '?=',
    "f*0*=u''%",
  );
  fc.assert(
    fc.property(fc.string({ unit, maxLength: 40 }), fc.integer({ min: 1, max: 9 }), (text, size) => {
      const input = bytes(text);
      const digest = digestMessage(input);
      assert.match(digest.envelope + digest.bodyStructure, /^[\x01-\x7f]*$/);
      bodyFromStructure(digest.bodyStructure);
      decodeParts(digest.parts, digest.headerBytes, input.length);
      const builder = new DigestBuilder();
      for (let at = 0; at < input.length; at += size) builder.push(input.subarray(at, at + size));
      assert.deepEqual(builder.end(), digest);
    }),
    { seed: 81, numRuns: 2000 },
  );
});

test('another parser finds the same attachments in mail like ours', async () => {
  for (const text of [RICH, RICH.replace(/\r\n/g, '\n')]) {
    const email = await PostalMime.parse(bytes(text));
    const { parts, headerBytes } = digestMessage(bytes(text));
    const root = decodeParts(parts, headerBytes, text.length);
    assert.equal(email.subject, 'outer');
    const pdf = email.attachments.find((attachment) => attachment.mimeType === 'application/pdf')!;
    const part = findSection(root, [2])!;
    assert.deepEqual(Buffer.from(pdf.content as ArrayBuffer), Buffer.from(text.slice(part.bodyStart, part.bodyEnd), 'base64'));
    const gif = email.attachments.find((attachment) => attachment.mimeType === 'image/gif')!;
    const image = findSection(root, [4, 1])!;
    assert.equal(
      Buffer.from(gif.content as ArrayBuffer)
        .toString()
        .trim(),
      text.slice(image.bodyStart, image.bodyEnd),
    );
  }
});
