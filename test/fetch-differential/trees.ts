/** Messages made at random: trees of parts with fields of all kinds, boundaries that begin alike, and bodies with and without line ends. */
import { lehmer } from '../order/letters.ts';
import type { Letter } from './compare.ts';

const base64 = (bytes: string): string => Buffer.from(bytes, 'latin1').toString('base64');
const utf8 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

const WORDS = [
  'one',
  'two three',
  'Grüße',
  '--',
  '- -',
  '--b',
  '>From me',
  '.',
  '',
  ' ',
  'x'.repeat(90),
  'Subject: not a field',
  'MISSING',
  '(',
  '"quoted"',
  'tab\there',
  'end ',
];
const NAMES = ['Rita Friend', '"Friend, Rita"', '=?utf-8?Q?R=C3=ADta?=', utf8('Ríta'), 'R. Friend', '"a \\"b\\" c"', ''];
const ADDRESSES = ['rita@friend.test', '"ri ta"@friend.test', 'r.f+tag@[192.0.2.1]', 'RITA@Friend.TEST'];
/** At most one of each kind is taken: what is said twice, or in two forms at once, has cases of its own. */
const PARAMETERS = [
  ['charset=utf-8', 'charset="iso-8859-1"', 'CHARSET=US-ASCII'],
  [
    'name="a b.txt"',
    "name*=utf-8''%C3%A9t%C3%A9",
    "name*0*=utf-8''%C3%A9; name*1=t; name*2*=%C3%A9",
    'name*0="first "; name*1=second',
    `name="${utf8('été')}"`,
    'name="quo\\"te;d"',
  ],
  ['format=flowed', 'x-empty=""', '(comment) x=y'],
] as const;
const TYPES = [
  'text/plain',
  'text/html',
  'TEXT/Enriched',
  'image/png',
  'application/pdf',
  'application/octet-stream',
  'audio/basic',
  'message/delivery-status',
  'text/x-odd',
  'model/vrml',
];
const EXTRA = [
  'Content-Disposition: attachment; filename="x.bin"',
  'Content-Disposition: inline',
  'Content-Disposition: attachment;\r\n filename*0*=utf-8\'\'%C3%A9;\r\n filename*1=".bin"',
  'Content-ID: <part@friend.test>',
  'Content-Description: some part',
  'Content-Description: =?utf-8?Q?R=C3=ADta?= folded\r\n\there',
  'Content-Language: en',
  'Content-Language: en, de-CH',
  'Content-Location: http://friend.test/a.html',
  'Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==',
  'X-Odd: yes',
  'x-odd:no',
  'Received: from there\r\n\tby here;\r\n\tMon, 5 Jan 2026 10:00:00 +0000',
];

class Maker {
  readonly #random: (below: number) => number;
  #boundaries = 0;
  /** Parts left; a letter is no larger than that. */
  #left = 25;
  constructor(random: (below: number) => number) {
    this.#random = random;
  }

  #pick<T>(from: readonly T[]): T {
    return from[this.#random(from.length)]!;
  }
  #chance(percent: number): boolean {
    return this.#random(100) < percent;
  }
  #some(from: readonly string[], percent: number): string[] {
    return from.filter(() => this.#chance(percent));
  }

  /** Fields that a part may have, each at most once. */
  #extra(percent: number): string[] {
    const fields = this.#some(EXTRA, percent);
    const names = fields.map((field) => field.slice(0, field.indexOf(':')));
    return fields.filter((_, at) => names[at]!.startsWith('X-') || names.indexOf(names[at]!) === at);
  }

  /** A message: its own fields in any order, and what it holds. */
  message(depth: number): string {
    const fields = [
      ...this.#some([`From: ${this.#addresses()}`], 90),
      ...this.#some(
        [`To: ${this.#addresses()}`, `Cc: ${this.#addresses()}`, `Reply-To: ${this.#addresses()}`, `Sender: ${this.#address()}`, `Bcc: ${this.#addresses()}`],
        40,
      ),
      ...this.#some(
        [`Subject: ${this.#pick(['plain', '=?utf-8?B?w6k=?= and more', utf8('été'), '', ' blanks ', 'long '.repeat(30).trim(), 'folded\r\n here'])}`],
        85,
      ),
      ...this.#some(['Date: Mon, 5 Jan 2026 10:00:00 +0000', 'Message-ID: <tree@friend.test>', 'In-Reply-To: <a@friend.test>\r\n <b@friend.test>'], 60),
      ...this.#some(['MIME-Version: 1.0'], 90),
    ];
    return this.#entity(depth, fields, true);
  }

  #address(): string {
    const name = this.#pick(NAMES);
    const address = this.#pick(ADDRESSES);
    return name === '' ? address : `${name} <${address}>`;
  }
  #addresses(): string {
    const list = Array.from({ length: 1 + this.#random(4) }, () => this.#address());
    if (this.#chance(15)) list.splice(this.#random(list.length), 0, `Team: ${this.#address()}, ${this.#address()};`);
    if (this.#chance(5)) list.push('undisclosed-recipients:;');
    return list.join(this.#pick([', ', ',', ',\r\n ', ' ,\t']));
  }

  #entity(depth: number, fields: string[], isMessage: boolean, isInDigest = false): string {
    const kind = this.#random(100);
    if (depth > 0 && this.#left > 3 && kind < 40) return this.#multipart(depth, fields, isMessage);
    if (depth > 0 && this.#left > 1 && kind < 55 && !isMessage) return this.#inMessage(depth, fields);
    return this.#leaf(fields, isMessage, isInDigest);
  }

  #header(fields: readonly string[]): string {
    const left = [...fields];
    let text = '';
    while (left.length > 0) text += `${left.splice(this.#random(left.length), 1)[0]!}\r\n`;
    return `${text}\r\n`;
  }

  #leaf(fields: readonly string[], isMessage: boolean, isInDigest: boolean): string {
    this.#left -= 1;
    // A part of a digest without a type is a message, and Dovecot forgets what else is said of a part that has no type.
    const isTyped = isInDigest || this.#chance(85);
    const all = [...fields, ...(isTyped ? this.#extra(isMessage ? 4 : 12) : [])];
    if (isTyped)
      all.push(
        `Content-Type: ${this.#pick(TYPES)}${PARAMETERS.filter(() => this.#chance(30))
          .map((kind) => `${this.#pick(['; ', ';', ';\r\n\t'])}${this.#pick(kind)}`)
          .join('')}`,
      );
    const encoding = !isTyped ? '' : this.#pick(['', '', '7bit', '8bit', 'base64', 'Quoted-Printable', 'BINARY', 'x-unknown']);
    if (encoding !== '') all.push(`Content-Transfer-Encoding: ${encoding}`);
    return `${this.#header(all)}${this.#body(encoding)}`;
  }

  #body(encoding: string): string {
    const lines = Array.from({ length: this.#random(8) }, () => utf8(this.#pick(WORDS)));
    const text = `${lines.join('\r\n')}${this.#chance(60) ? '\r\n' : ''}`;
    if (encoding === 'base64') return `${base64(text).replaceAll(/.{60}/g, '$&\r\n')}${this.#chance(50) ? '\r\n' : ''}`;
    if (encoding === 'Quoted-Printable')
      return text.replaceAll(/[=\x80-\xff]/g, (c) => `=${c.charCodeAt(0).toString(16).toUpperCase()}`).replaceAll(/x{70}/g, '$&=\r\n');
    return text;
  }

  #inMessage(depth: number, fields: readonly string[]): string {
    this.#left -= 1;
    return `${this.#header([...fields, ...this.#extra(8), `Content-Type: message/rfc822${this.#chance(20) ? '; name="fwd.eml"' : ''}`])}${this.message(depth - 1)}`;
  }

  #multipart(depth: number, fields: readonly string[], isMessage: boolean): string {
    this.#left -= 1;
    this.#boundaries += 1;
    // Unlike each other, but begun alike.
    const boundary = `${this.#pick(['', '=_', "a b'()+_,-./:=?"])}b${this.#boundaries}${this.#pick(['', '--', '-x'])}.`;
    const subtype = this.#pick(['mixed', 'alternative', 'related', 'digest', 'REPORT', 'x-odd']);
    const more = this.#some(['type="text/html"', 'report-type=delivery-status'], 15).map((parameter) => `; ${parameter}`);
    let text = this.#header([...fields, ...this.#extra(isMessage ? 3 : 10), `Content-Type: multipart/${subtype}; boundary="${boundary}"${more.join('')}`]);
    if (this.#chance(40)) text += 'This is a message in MIME format.\r\n';
    const count = 1 + this.#random(4);
    for (let n = 0; n < count; n += 1) {
      const part = subtype === 'digest' && this.#chance(70) ? `\r\n${this.message(depth - 1)}` : this.#entity(depth - 1, [], false, subtype === 'digest');
      text += `--${boundary}${this.#pick(['', '', '', ' ', '\t'])}\r\n${part}\r\n`;
    }
    // Some end with what they are in.
    if (this.#chance(90)) text += `--${boundary}--${this.#pick(['', '', '\r\n', '\r\n\r\n', '\r\nThe end.\r\n'])}`;
    return text;
  }
}

/** Some `count` letters, the same for the same seed. */
export function makeTrees(count: number, seed: number): readonly Letter[] {
  const random = lehmer(seed);
  return Array.from({ length: count }, (_, n) => ({ name: `tree ${n} of seed ${seed}`, text: new Maker(random).message(1 + random(5)) }));
}
