/** Messages made to exhaust who takes them apart. */

const HEAD = 'From: mallory@remote.test\r\nTo: anna@us.test\r\nDate: Fri, 20 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n';

/** Multiparts inside each other. */
function deepMultipart(depth: number): string {
  const parts: string[] = [`${HEAD}Subject: deep\r\n`];
  for (let i = 0; i < depth; i += 1) parts.push(`Content-Type: multipart/mixed; boundary=b${i}\r\n\r\n--b${i}\r\n`);
  parts.push('Content-Type: text/plain\r\n\r\ninnermost\r\n');
  for (let i = depth - 1; i >= 0; i -= 1) parts.push(`--b${i}--\r\n`);
  return parts.join('');
}

/** Messages inside each other. */
function nestedMessages(depth: number): string {
  return `${HEAD}Subject: matryoshka\r\n${'Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n'.repeat(depth)}\r\ninnermost\r\n`;
}

/** One multipart of many parts. */
function manyParts(count: number): string {
  return `${HEAD}Subject: wide\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n${'--b\r\n\r\nx\r\n'.repeat(count)}--b--\r\n`;
}

/** One boundary inside all levels: each line may end any of them. */
function sameBoundary(depth: number): string {
  return `${HEAD}Subject: same\r\n${'Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n'.repeat(depth)}\r\nx\r\n`;
}

/** Many header fields, many addresses, many references. */
function longHeader(count: number): string {
  const fields = Array.from({ length: count }, (_, i) => `X-Field-${i}: value\r\n`).join('');
  const addresses = Array.from({ length: count }, (_, i) => `a${i}@b.test`).join(',\r\n ');
  const references = Array.from({ length: count }, (_, i) => `<${i}@b.test>`).join('\r\n ');
  return `${HEAD}Subject: ${'Re: '.repeat(count)}long\r\nCc: ${addresses}\r\nReferences: ${references}\r\n${fields}\r\nbody\r\n`;
}

/** Comments and groups inside each other in addresses, and encoded words without end. */
function nestedAddresses(depth: number): string {
  return (
    `From: ${'('.repeat(depth)}a${')'.repeat(depth)} <mallory@remote.test>\r\nTo: ${'g:'.repeat(depth)}a@b.test;\r\n` +
    `Cc: ${'<'.repeat(depth)}a@b.test\r\nBcc: ${'"'.repeat(depth)}\r\nSubject: ${'=?utf-8?q?=3D=3F?= '.repeat(depth)}\r\n\r\nbody\r\n`
  );
}

/** Parameters in pieces (RFC 2231) and without values. */
function manyParameters(count: number): string {
  const pieces = Array.from({ length: count }, (_, i) => ` name*${i}*=%41;`).join('\r\n');
  return `${HEAD}Subject: parameters\r\nContent-Type: text/plain;\r\n${pieces}\r\n ${';'.repeat(count)}\r\n\r\nbody\r\n`;
}

/** Text that no decoder likes. */
function brokenBase64(bytes: number): string {
  return `${HEAD}Subject: broken\r\nContent-Type: text/html; charset=x-unknown\r\nContent-Transfer-Encoding: base64\r\n\r\n${'=!<b'.repeat(bytes / 4)}\r\n`;
}

/** HTML that opens and never closes. */
function openHtml(count: number): string {
  return `${HEAD}Subject: html\r\nContent-Type: text/html\r\n\r\n${'<div><!-- &#'.repeat(count)}\r\n`;
}

export const BOMBS: readonly (readonly [name: string, message: string])[] = [
  ['10,000 multiparts inside each other', deepMultipart(10_000)],
  ['10,000 multiparts of one boundary', sameBoundary(10_000)],
  ['10,000 messages inside each other', nestedMessages(10_000)],
  ['100,000 parts', manyParts(100_000)],
  ['10,000 fields, addresses and references', longHeader(10_000)],
  ['100,000 comments and groups inside each other', nestedAddresses(100_000)],
  ['10,000 pieces of a parameter', manyParameters(10_000)],
  ['4 MB of broken base64', brokenBase64(4_000_000)],
  ['300,000 open elements of HTML', openHtml(300_000)],
  ['nothing', '\r\n'],
  ['one letter', 'x'],
  ['a header without an end', `X: ${'y'.repeat(2_000_000)}`],
  ['two million empty lines', '\r\n'.repeat(2_000_000)],
];
