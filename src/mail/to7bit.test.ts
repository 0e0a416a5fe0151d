import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { digestMessage } from './digest.ts';
import { decodeParts, type PartIndex } from './part-index.ts';
import { readerOf } from './slices.ts';
import { extractText, headerText } from './text.ts';
import { convertTo7bit } from './to7bit.ts';

const crlf = (text: string): string => text.replace(/\n/g, '\r\n');
function treeOf(message: Uint8Array): PartIndex {
  const digest = digestMessage(message);
  return decodeParts(digest.parts, digest.headerBytes, message.length);
}
async function convert(text: string): Promise<string> {
  const message = Buffer.from(text);
  const out: Uint8Array[] = [];
  for await (const piece of convertTo7bit(treeOf(message), readerOf(message))) out.push(piece);
  return Buffer.concat(out).toString('latin1');
}
const textOf = (text: string): string | Promise<string> => {
  const message = Buffer.from(text, 'latin1');
  return extractText(readerOf(message), treeOf(message));
};

describe('to 7 bits', () => {
  test('a message that needs nothing stays as it is', async () => {
    const text = crlf('Subject: x\nContent-Type: multipart/mixed; boundary=b\n\npre\n--b\n\none\n--b--\npost\n');
    assert.equal(await convert(text), text);
  });

  test('text becomes quoted-printable, other parts base64, containers 7bit', async () => {
    const text = crlf(
      'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 8bit\n\nprä\n--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\nGrüße\n--b\nContent-Type: application/x\n\né\n--b\n\nplain\n--b--\n',
    );
    assert.equal(
      await convert(text),
      crlf(
        'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 7bit\n\npr??\n--b\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nGr=C3=BC=C3=9Fe\n--b\nContent-Type: application/x\nContent-Transfer-Encoding: base64\n\nw6k=\n\n--b\n\nplain\n--b--\n',
      ),
    );
  });

  test('a message without MIME fields gets them', async () => {
    assert.equal(
      await convert('Subject: x\r\n\r\né\r\n'),
      'Subject: x\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\nContent-Type: text/plain; charset=unknown-8bit\r\n\r\n=C3=A9\r\n',
    );
  });

  test('messages inside messages are converted too', async () => {
    const out = await convert(crlf('Content-Type: message/rfc822\n\nContent-Type: text/plain; charset=utf-8\n\né\n'));
    assert.ok(out.endsWith('\r\n=C3=A9\r\n'), out);
  });

  test('lines longer than 998 octets are broken', async () => {
    const out = await convert(`Content-Type: text/plain\r\n\r\n${'x'.repeat(2000)}\r\n`);
    assert.ok(out.split('\r\n').every((line) => line.length <= 76));
  });

  test('whatever the message, bodies come out in 7 bits with the same text', async () => {
    const line = fc.constantFrom(
      '',
      '--b',
      '--b--',
      'é',
      'text',
      ' ',
      'Content-Type: text/html; charset=utf-8',
      'Content-Transfer-Encoding: 8bit',
      'Content-Type: message/rfc822',
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line, { maxLength: 20 }), async (lines) => {
        const text = crlf(`MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\n${lines.join('\n')}`);
        const out = await convert(text);
        for (const body of bodies(Buffer.from(out, 'latin1'))) assert.match(body, /^[\0-\x7f]*$/);
        if (!text.includes('message/rfc822')) assert.equal((await textOf(out)).trimEnd(), (await textOf(Buffer.from(text).toString('latin1'))).trimEnd());
      }),
      { seed: 101, numRuns: 500 },
    );
  });
  function bodies(message: Buffer): string[] {
    const out: string[] = [];
    const walk = (part: PartIndex): void => {
      if (part.kind === 'leaf') out.push(message.toString('latin1', part.bodyStart, part.bodyEnd));
      part.children.forEach(walk);
    };
    walk(treeOf(message));
    return out;
  }
});

describe('text for searching', () => {
  const MESSAGE = crlf(
    'Subject: outer\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/plain; charset=iso-8859-1\nContent-Transfer-Encoding: quoted-printable\n\nGr=FC=DFe\n--b\nContent-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: base64\n\nPGI+w6k8L2I+\n--b\nContent-Type: image/png\n\nPNG\n--b\nContent-Type: message/rfc822\n\nSubject: =?utf-8?Q?inn=C3=A9r?=\n\nbody\n--b--\n',
  );
  test('is decoded, part after part, with the headers of messages inside', () => {
    assert.equal(textOf(MESSAGE), 'Grüße\r\n<b>é</b>\r\nSubject: innér\r\n\r\nbody');
  });
  test('comes through promises as well', async () => {
    const message = Buffer.from(MESSAGE, 'latin1');
    assert.equal(await extractText(async (start, end) => message.subarray(start, end), treeOf(message)), textOf(MESSAGE));
  });
  test('is bounded', () => {
    const message = Buffer.from(`\r\n${'x'.repeat(1000)}`);
    assert.equal((extractText(readerOf(message), treeOf(message), 100) as string).length, 98);
  });
  test('headers are text, one line for each field', () => {
    assert.equal(headerText(Buffer.from('A: b\r\n c\r\nSubject: =?utf-8?Q?=C3=A9?=\r\n\r\n')), 'A: b c\r\nSubject: é\r\n');
  });
});
