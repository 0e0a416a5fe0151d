/** Messages of many kinds for searches in two servers, as bytes (one character each). */
const utf8 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');
const base64 = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('base64');

export interface Letter {
  readonly name: string;
  readonly text: string;
  readonly flags: string;
  /** Of January 2026, at noon UTC. */
  readonly day: number;
}

interface Over {
  readonly from?: string;
  readonly to?: string;
  readonly subject?: string;
  readonly date?: string;
  readonly more?: readonly string[];
  readonly body?: string;
  readonly flags?: string;
}

const letters: Letter[] = [];

function add(name: string, over: Over): void {
  const head = [
    `From: ${over.from ?? 'Rita Friend <rita@friend.test>'}`,
    `To: ${over.to ?? 'anna@us.test'}`,
    ...(over.subject === undefined ? [] : [`Subject: ${over.subject}`]),
    `Date: ${over.date ?? 'Mon, 5 Jan 2026 10:00:00 +0000'}`,
    `Message-ID: <${name.replaceAll(/\W/g, '.')}@friend.test>`,
    ...(over.more ?? []),
  ];
  const text = `${head.join('\r\n')}\r\n\r\n${over.body ?? 'Hello Anna,\r\nsee you on Monday.\r\n'}`;
  letters.push({ name, text, flags: over.flags ?? '', day: (letters.length % 28) + 1 });
}

const text = (charset: string, encoding = '7bit'): string[] => [
  'MIME-Version: 1.0',
  `Content-Type: text/plain; charset=${charset}`,
  `Content-Transfer-Encoding: ${encoding}`,
];
const html = ['MIME-Version: 1.0', 'Content-Type: text/html; charset=utf-8'];
const multipart = (kind: string): string[] => ['MIME-Version: 1.0', `Content-Type: multipart/${kind}; boundary="b1"`];
const parts = (...all: string[]): string => `preamble words\r\n${all.map((part) => `--b1\r\n${part}\r\n`).join('')}--b1--\r\nepilogue words\r\n`;

add('plain', { subject: 'plain words' });
add('seen', { subject: 'Re: plain words', flags: '\\Seen' });
add('answered', { subject: 'answered mail', flags: '\\Seen \\Answered' });
add('flagged', { subject: 'flagged mail', flags: '\\Flagged' });
add('deleted', { subject: 'deleted mail', flags: '\\Deleted' });
add('draft', { subject: 'draft mail', flags: '\\Draft \\Seen' });
add('keywords', { subject: 'keyword mail', flags: 'work $Forwarded' });
add('other keyword', { subject: 'keyword mail', flags: 'worker' });
add('no subject', {});
add('empty subject', { subject: '' });
add('latin1 body', { subject: 'latin one', more: text('iso-8859-1', '8bit'), body: 'Gr\xfc\xdfe aus K\xf6ln\r\n' });
add('windows-1252 body', { subject: 'windows', more: text('windows-1252', '8bit'), body: 'costs 5 \x80 today\r\n' });
add('utf-8 body', { subject: 'unicode', more: text('utf-8', '8bit'), body: utf8('Grüße aus Köln, Ελλάδα, Россия, 日本語\r\n') });
add('utf-8 base64', { subject: 'encoded', more: text('utf-8', 'base64'), body: `${base64(utf8('Grüße aus Zürich: hidden treasure\r\n'))}\r\n` });
add('quoted-printable', {
  subject: 'printable',
  more: text('utf-8', 'quoted-printable'),
  body: 'Gr=C3=BC=C3=9Fe, a long li=\r\nne that is split=20\r\nand treas=75re\r\n',
});
add('koi8-r', { subject: 'koi', more: text('koi8-r', '8bit'), body: '\xf2\xcf\xd3\xd3\xc9\xd1\r\n' });
add('iso-2022-jp', { subject: 'japan', more: text('iso-2022-jp'), body: '\x1b$BF|K\\8l\x1b(B\r\n' });
add('encoded subject', { subject: '=?utf-8?q?Gr=C3=BC=C3=9Fe?= from Zurich' });
add('encoded subject in two words', { subject: '=?utf-8?b?R3LDvMOf?= =?utf-8?q?e_und_K=C3=BCsse?=' });
add('latin1 subject', { subject: '=?iso-8859-1?Q?=C4rger?=' });
add('folded subject', { subject: 'a subject that goes on\r\n and on and\r\n\ton' });
add('raw utf-8 subject', { subject: utf8('ünencoded') });
add('quoted name', { from: '"Friend, Rita (work)" <rita.work@friend.test>', subject: 'quoted' });
add('encoded name', { from: '=?utf-8?q?J=C3=BCrgen_M=C3=BCller?= <jm@friend.test>', subject: 'name' });
add('bare address', { from: 'bare@elsewhere.test', subject: 'bare' });
add('many recipients', { to: 'Anna <anna@us.test>, bert@us.test, "C. D." <cd@other.test>', more: ['Cc: copy@us.test', 'Bcc: blind@us.test'], subject: 'many' });
add('group', { to: 'friends: anna@us.test, bert@us.test;', subject: 'group' });
add('no recipients', { to: 'undisclosed-recipients:;', subject: 'nobody' });
add('html', { subject: 'html', more: html, body: '<html><body><p>Visible <b>bold</b> words</p><a href="http://link.test/path">here</a></body></html>\r\n' });
add('alternative', {
  subject: 'alternative',
  more: multipart('alternative'),
  body: parts('Content-Type: text/plain\r\n\r\nplain side of it', 'Content-Type: text/html\r\n\r\n<p>markup side of it</p>'),
});
add('mixed', {
  subject: 'mixed',
  more: multipart('mixed'),
  body: parts(
    'Content-Type: text/plain\r\n\r\nfirst part',
    `Content-Type: application/octet-stream; name="secret.bin"\r\nContent-Transfer-Encoding: base64\r\n\r\n${base64('binary treasure')}`,
    'Content-Type: text/x-log; charset=us-ascii\r\nContent-Disposition: attachment; filename=log.txt\r\n\r\nlast logged line',
  ),
});
add('message in a message', {
  subject: 'outer',
  more: multipart('mixed'),
  body: parts(
    'Content-Type: text/plain\r\n\r\nforwarded below',
    'Content-Type: message/rfc822\r\n\r\nFrom: inner@inside.test\r\nSubject: inner subject\r\n\r\ninner body text',
  ),
});
add('long header', {
  subject: 'long',
  more: [`X-Long: ${'word '.repeat(400)}end-of-long`, `References: ${Array.from({ length: 60 }, (_, i) => `<${i}@refs.test>`).join('\r\n ')}`],
});
add('list', { subject: '[list] of things', more: ['List-Id: <list.friend.test>', 'X-Spam-Flag: YES', 'X-Empty:'] });
add('two of a field', { subject: 'twice', more: ['X-Twice: first value', 'X-Twice: second value'] });
add('old date', { subject: 'old', date: 'Tue, 31 Dec 2024 23:59:59 -0800' });
add('zone', { subject: 'zone', date: 'Wed, 1 Jan 2025 00:30:00 +1300' });
add('two-digit year', { subject: 'short year', date: '1 Jan 99 10:00:00 GMT' });
add('no date', { subject: 'dateless', date: 'nonsense' });
add('large', { subject: 'large', body: 'The quick brown fox.\r\n'.repeat(500) });
add('small', { subject: 's', body: 'x\r\n' });
add('empty body', { subject: 'empty', body: '' });
add('long line', { subject: 'line', body: `${'a'.repeat(3000)}needle-in-a-line${'b'.repeat(3000)}\r\n` });
add('across lines', { subject: 'lines', body: 'the end\r\nthe beginning\r\n' });
add('upper case', { subject: 'SHOUTING', body: 'STRASSE AND \xc4RGER\r\n', more: text('iso-8859-1', '8bit') });
add('sharp s', { subject: 'street', body: utf8('Straße\r\n'), more: text('utf-8', '8bit') });
add('combining', { subject: 'accents', body: utf8('re\u0301sume\u0301 and résumé\r\n'), more: text('utf-8', '8bit') });
add('reply', { subject: 'Re: plain words', more: ['In-Reply-To: <plain@friend.test>', 'References: <plain@friend.test>'] });

export const LETTERS: readonly Letter[] = letters;
