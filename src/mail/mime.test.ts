import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { serializeBody } from './body-structure.ts';
import { MAIL_LIMITS } from './limits.ts';
import { MimeParser, type MimePart } from './mime.ts';

function parse(text: string, limits = MAIL_LIMITS as typeof MAIL_LIMITS | { [K in keyof typeof MAIL_LIMITS]: number }): { parser: MimeParser; root: MimePart } {
  const parser = new MimeParser(limits);
  parser.push(Buffer.from(text, 'latin1'));
  return { parser, root: parser.end() };
}
/** The tree as text: type and body of each leaf, children in brackets. */
function show(text: string, part: MimePart): string {
  const type = `${part.type}/${part.subtype}`;
  const body = JSON.stringify(text.slice(part.bodyStart, part.bodyEnd));
  if (part.message !== null) return `${type}<${show(text, part.message.part)}>`;
  return part.children.length > 0 ? `${type}[${part.children.map((child) => show(text, child)).join(' ')}]` : `${type}${body}`;
}
const crlf = (lines: string): string => lines.replace(/\n/g, '\r\n');
const mixed = (body: string, boundary = 'b'): string => crlf(`Content-Type: multipart/mixed; boundary=${boundary}\n\n${body}`);

describe('the tree of a message', () => {
  const rows: [name: string, text: string, tree: string][] = [
    ['nothing at all', '', 'text/plain""'],
    ['no header', '\r\nbody', 'text/plain"body"'],
    ['a header only', 'A: b\r\n', 'text/plain""'],
    ['two parts', mixed('pre\n--b\n\none\n--b\n\ntwo\n--b--\npost\n'), 'multipart/mixed[text/plain"one" text/plain"two"]'],
    ['no closing delimiter', mixed('--b\n\none\n--b\n\ntwo\n'), 'multipart/mixed[text/plain"one" text/plain"two\\r\\n"]'],
    ['an empty part', mixed('--b\n\n--b--\n'), 'multipart/mixed[text/plain""]'],
    ['a part that is only a delimiter', mixed('--b\n--b--\n'), 'multipart/mixed[text/plain""]'],
    ['a part cut off after its delimiter', mixed('--b'), 'multipart/mixed[text/plain""]'],
    ['blanks after the boundary', mixed('--b \t\n\none\n--b-- \n'), 'multipart/mixed[text/plain"one"]'],
    ['a line that only begins like a delimiter', mixed('--b\n\none\n--bc\n--b--x\n--b--\n'), 'multipart/mixed[text/plain"one\\r\\n--bc\\r\\n--b--x"]'],
    ['something after the last delimiter', mixed('--b\n\none\n--b--</BODY></HTML>\n--b\n\nlate\n'), 'multipart/mixed[text/plain"one"]'],
    ['words after a delimiter', mixed('--b and so on\n\none\n--b--\n'), 'multipart/mixed[text/plain"one"]'],
    ['words after a boundary with blanks', mixed('--a b; c\n\none\n--a, b\n--a b-- c\n', '"a b"'), 'multipart/mixed[text/plain"one\\r\\n--a, b"]'],
    [
      'words after a boundary that begins like the one around it',
      mixed('--b\nContent-Type: multipart/mixed; boundary="b@c"\n\n--b@c and so on\n\none\n--b@c-- end\n--b-- end\n'),
      'multipart/mixed[multipart/mixed[text/plain"one"]]',
    ],
    ['text after the end is no part', mixed('--b\n\none\n--b--\n--b\n\ntwo\n'), 'multipart/mixed[text/plain"one"]'],
    ['a quoted boundary', mixed('--a b?\n\none\n--a b?--', '"a b?"'), 'multipart/mixed[text/plain"one"]'],
    ['no boundary parameter', crlf('Content-Type: multipart/mixed\n\n--b\n\none\n'), 'multipart/mixed[text/plain"--b\\r\\n\\r\\none\\r\\n"]'],
    ['a boundary that never comes', mixed('text\n'), 'multipart/mixed[text/plain"text\\r\\n"]'],
    ['a part without header', mixed('--b\nHello there\nA: b\n--b--\n'), 'multipart/mixed[text/plain"Hello there\\r\\nA: b"]'],
    [
      'an inner boundary that begins with the outer one',
      mixed('--b\nContent-Type: multipart/alternative; boundary=bc\n\n--bc\n\none\n--bc--\n--b\n\ntwo\n--b--\n'),
      'multipart/mixed[multipart/alternative[text/plain"one"] text/plain"two"]',
    ],
    [
      'an outer boundary that begins with the inner one',
      mixed('--bc\nContent-Type: multipart/alternative; boundary=b\n\n--b\n\none\n--bc\n\ntwo\n--bc--\n', 'bc'),
      'multipart/mixed[multipart/alternative[text/plain"one"] text/plain"two"]',
    ],
    [
      'the parent closes its children',
      mixed('--b\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\none\n--b\n\ntwo\n--b--\n'),
      'multipart/mixed[multipart/mixed[text/plain"one"] text/plain"two"]',
    ],
    [
      'the same boundary twice belongs to the inner part first',
      mixed('--b\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b--\n--b\n\ntwo\n--b--\n'),
      'multipart/mixed[multipart/mixed[text/plain"one"] text/plain"two"]',
    ],
    ['a message in a message', crlf('Content-Type: message/rfc822\n\nSubject: x\n\nbody'), 'message/rfc822<text/plain"body">'],
    ['an empty message in a message', crlf('Content-Type: message/rfc822\n\n'), 'message/rfc822<text/plain"">'],
    [
      'a multipart in a message in a multipart',
      mixed('--b\nContent-Type: message/global\n\nContent-Type: multipart/mixed; boundary=c\n\n--c\n\none\n--c--\n--b\n\ntwo\n--b--'),
      'multipart/mixed[message/global<multipart/mixed[text/plain"one"]> text/plain"two"]',
    ],
    [
      'a digest',
      crlf('Content-Type: multipart/digest; boundary=b\n\n--b\n\nSubject: x\n\none\n--b\nContent-Type: text/plain\n\ntwo\n--b--\n'),
      'multipart/digest[message/rfc822<text/plain"one"> text/plain"two"]',
    ],
    ['lone LF', 'Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n--b\n\ntwo\n--b--\n', 'multipart/mixed[text/plain"one" text/plain"two"]'],
    ['a boundary beyond ASCII', mixed('--\xc3\xa9\n\none\n--\xc3\xa9--\n', '"\xc3\xa9"'), 'multipart/mixed[text/plain"one"]'],
    ['no media type', crlf('Content-Type: garbage\n\nx'), 'application/octet-stream"x"'],
    ['half a media type', crlf('Content-Type: text\n\nx'), 'text/plain"x"'],
    ['an empty Content-Type', crlf('Content-Type:\n\nx'), 'text/plain"x"'],
    ['two media types in one field', crlf('Content-Type: text/html, text/plain\n\nx'), 'text/html"x"'],
    ['a path for a media type', crlf('Content-Type: text/html/x\n\nx'), 'text/html"x"'],
    ['two Content-Types: the first', crlf('Content-Type: text/html\nContent-Type: text/css\n\nx'), 'text/html"x"'],
  ];
  for (const [name, text, tree] of rows) test(name, () => assert.equal(show(text, parse(text).root), tree));
});

test('lines are those of the body', () => {
  const { root } = parse(mixed('--b\n\none\ntwo\n--b\n\n\n--b--\n'));
  assert.deepEqual(
    root.children.map((part) => part.lines),
    [1, 0],
  );
  assert.equal(parse('A: b\r\n\r\n1\r\n2\r\n3').root.lines, 2);
});

test('a message whose header goes up to the delimiter is no shorter than its header', () => {
  const text = mixed('--b\nContent-Type: message/rfc822\n\nSubject: x\n--b\nContent-Type: message/rfc822\n\nSubject: y\n\n--b--\n');
  const shown = parse(text).root.children.map((part) => {
    const inner = part.message!.part;
    return [text.slice(part.bodyStart, part.bodyEnd), part.lines, text.slice(inner.headerStart, inner.bodyStart)];
  });
  assert.deepEqual(shown, [
    ['Subject: x\r\n', 1, 'Subject: x\r\n'],
    ['Subject: y\r\n\r\n', 2, 'Subject: y\r\n\r\n'],
  ]);
});

test('what a part says of itself is read through comments, quotes and blanks', () => {
  const read = (field: string): MimePart => parse(crlf(`${field}\n\nx`)).root;
  for (const value of ['base64;', '"Base64"', 'base 64', '(c) base64 (c)', 'BASE64'])
    assert.equal(read(`Content-Transfer-Encoding: ${value}`).encoding, 'base64', value);
  assert.deepEqual(read('Content-Language: en (English, mostly), (none) de').language, ['en', 'de']);
  assert.deepEqual(read('Content-Disposition: filename=x.txt').disposition, { value: 'attachment', params: [['filename', 'x.txt']] });
  assert.deepEqual(read('Content-Type: charset=utf-8').params, [['charset', 'utf-8']]);
});

test('8-bit bytes and long lines are noticed anywhere', () => {
  assert.deepEqual([parse('A: \xe9\r\n\r\n').parser.has8bit, parse('A: b\r\n\r\n').parser.has8bit], [true, false]);
  assert.equal(parse(`\r\n${'x'.repeat(998)}\r\n`).parser.hasLongLine, false);
  assert.equal(parse(`\r\n${'x'.repeat(999)}\r\n`).parser.hasLongLine, true);
  assert.equal(parse(`\r\n${'x'.repeat(999)}`).parser.hasLongLine, true);
  assert.equal(parse(mixed(`--b\n\n${'x'.repeat(999)}\n--b--`)).parser.hasLongLine, true);
});

const NESTED = mixed(
  'pre\n--b\nContent-Type: text/plain;\n charset=utf-8\n\none\n\n--b\nContent-Type: multipart/alternative; boundary="b--"\n\n--b--\n\ninner\n--b----\n--b\nContent-Type: message/rfc822\n\nSubject: x\nContent-Type: multipart/mixed; boundary=c\n\n--c\nno header\n--c--\n--b--\npost',
);

describe('pieces', () => {
  const texts = [NESTED, NESTED.replace(/\r\n/g, '\n'), 'A: b', '', `A: b\r\n c\r\n\r\n${'x'.repeat(1001)}\r\n`, mixed(`--b\n\n${'--'.repeat(300)}\n--b--`)];
  for (const [n, text] of texts.entries()) {
    test(`message ${n} cut at every byte gives the same tree`, () => {
      const bytes = Buffer.from(text, 'latin1');
      const whole = parse(text);
      const seen = [whole.root, whole.parser.hasLongLine, whole.parser.header];
      for (let cut = 0; cut <= bytes.length; cut += 1) {
        const parser = new MimeParser();
        parser.push(bytes.subarray(0, cut));
        parser.push(bytes.subarray(cut));
        const root = parser.end();
        assert.deepEqual([root, parser.hasLongLine, parser.header], seen, `cut at ${cut}`);
      }
      const single = new MimeParser();
      for (const byte of bytes) single.push(Uint8Array.of(byte));
      assert.deepEqual(single.end(), whole.root);
    });
  }

  test('a body part without header whose first line is cut leaves nothing behind for the next header', () => {
    const text = 'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\r\n--b\r\nContent-Type: multipart/digest; boundary=c\r\n';
    const bytes = Buffer.from(text, 'latin1');
    for (let cut = 1; cut < bytes.length; cut += 1) {
      const parser = new MimeParser();
      parser.push(bytes.subarray(0, cut));
      parser.push(bytes.subarray(cut));
      assert.deepEqual(parser.end(), parse(text).root, `cut at ${cut}`);
    }
  });

  test('random messages in random pieces give the same tree, and parts lie within each other', () => {
    const line = fc.constantFrom(
      '',
      '--b',
      '--b--',
      '--c',
      '--c--',
      'text',
      'Content-Type: multipart/mixed; boundary=b',
      'Content-Type: multipart/digest; boundary=c',
      'Content-Type: message/rfc822',
      'Subject: x',
      ' fold',
      '\r',
      '-',
      '--',
      'é',
    );
    fc.assert(
      fc.property(
        fc.array(fc.tuple(line, fc.constantFrom('\r\n', '\r\n', '\n')), { maxLength: 40 }),
        fc.array(fc.nat(30), { minLength: 1, maxLength: 20 }),
        (lines, cuts) => {
          const bytes = Buffer.from(`Content-Type: multipart/mixed; boundary=b\r\n${lines.map((pair) => pair.join('')).join('')}`, 'latin1');
          const whole = parse(bytes.toString('latin1'));
          const parser = new MimeParser();
          for (let at = 0, n = 0; at < bytes.length; n += 1) {
            const size = 1 + cuts[n % cuts.length]!;
            parser.push(bytes.subarray(at, at + size));
            at += size;
          }
          assert.deepEqual(parser.end(), whole.root);
          const within = (part: MimePart, from: number, to: number): void => {
            assert.ok(from <= part.headerStart && part.headerStart <= part.bodyStart && part.bodyStart <= part.bodyEnd && part.bodyEnd <= to);
            const children = part.message === null ? part.children : [part.message.part];
            let last = part.bodyStart;
            for (const child of children) {
              within(child, last, part.bodyEnd);
              last = child.bodyEnd;
            }
          };
          within(whole.root, 0, bytes.length);
        },
      ),
      { seed: 71, numRuns: 2000 },
    );
  });
});

describe('limits', () => {
  const limits = { ...MAIL_LIMITS, depth: 5, parts: 10, headerFields: 20, structureBytes: 2000 };

  test('nesting deeper than allowed ends in an opaque part', () => {
    let text = '';
    for (let n = 0; n < 50; n += 1) text += `Content-Type: multipart/mixed; boundary=b${n}\r\n\r\n--b${n}\r\n`;
    const { parser, root } = parse(text, limits);
    assert.equal(parser.isTruncated, true);
    let depth = 0;
    for (let part: MimePart | undefined = root; part !== undefined; part = part.children[0]) depth += 1;
    assert.equal(depth, 5);
    parse('Content-Type: message/rfc822\r\n\r\n'.repeat(10_000));
  });

  test('more parts than allowed stay in the last one', () => {
    const text = mixed('--b\n\nx\n'.repeat(50));
    const { parser, root } = parse(text, limits);
    assert.deepEqual([parser.isTruncated, root.children.length, root.children.at(-1)!.bodyEnd], [true, 9, text.length]);
  });

  test('too much structure is cut', () => {
    const { parser } = parse(mixed(`--b\nContent-Description: ${'x'.repeat(500)}\n\nx\n`.repeat(8)), limits);
    assert.equal(parser.isTruncated, true);
  });

  test('a header past its limit is truncated, its end still found', () => {
    const text = `${'A: b\r\n'.repeat(30)}\r\nbody`;
    const { parser, root } = parse(text, limits);
    assert.deepEqual([parser.isTruncated, text.slice(root.bodyStart)], [true, 'body']);
  });

  test('ten megabytes of trouble pass in linear time and give a structure', () => {
    let nested = '';
    for (let n = 0; n < 90; n += 1) nested += `Content-Type: multipart/mixed; boundary=${'x'.repeat(60)}${n}\r\n\r\n--${'x'.repeat(60)}${n}\r\n`;
    for (const text of [
      '--\r\n'.repeat(2_500_000),
      nested + `--${'x'.repeat(62)}\r\n`.repeat(150_000),
      mixed('--b\n'.repeat(1_000_000)),
      mixed('--b\nContent-Type: message/rfc822\n\n'.repeat(100_000)),
      `${nested}${'\n'.repeat(5_000_000)}`,
      'A:\r\n'.repeat(1_000_000),
      'x'.repeat(10_000_000),
    ]) {
      const { root } = parse(text);
      assert.ok(serializeBody(root, true).length < 20_000_000);
    }
  });
});
