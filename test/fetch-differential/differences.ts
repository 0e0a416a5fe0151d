/** Where we answer otherwise than Dovecot on purpose: which letters, which items, and why. */

export interface OnPurpose {
  readonly why: string;
  readonly items: RegExp;
  /** Names of letters; with "*" at the end, what names begin with. */
  readonly letters: readonly string[];
}

const ENVELOPE = /^ENVELOPE$/;
const STRUCTURE = /^BODY(STRUCTURE)?$/;
const DECODED = /^BINARY/;
/** Another tree: all that has numbers is another part. */
const TREE = /^(BODY|BODYSTRUCTURE|(BODY|BINARY|BINARY\.SIZE|BINARY\.PEEK)\[\d.*)$/;

export const ON_PURPOSE: readonly OnPurpose[] = [
  // ── Addresses ────────────────────────────────────────────────────────────────────────────────────
  { why: 'the comment beside an address without a name is its name wherever it stands', items: ENVELOPE, letters: ['from: comment before', 'from: several'] },
  { why: 'blanks around dots are obs-local-part and obs-domain (RFC 5322 section 4.4)', items: ENVELOPE, letters: ['from: local part with dots and blanks'] },
  { why: 'nothing between two commas is no address (obs-mbox-list)', items: ENVELOPE, letters: ['from: commas in excess'] },
  {
    why: 'what can be understood of a damaged address is given',
    items: ENVELOPE,
    letters: [
      'from: brackets not closed',
      'from: quote not closed',
      'from: comment not closed',
      'from: only a quoted string',
      'from: two at signs',
      'from: mailto',
      'from: trailing dot in domain',
      'from: dots at the ends',
      'from: semicolon in brackets',
      'from: quoted word against the local part',
      'from: blank in a local part',
    ],
  },
  { why: 'an address before the same one in brackets is its name', items: ENVELOPE, letters: ['from: address as name'] },
  {
    why: 'semicolons and missing commas separate addresses too: people write them',
    items: ENVELOPE,
    letters: ['from: semicolons between', 'from: address without comma after it'],
  },
  {
    why: 'specials in a name that should have been quoted are part of it',
    items: ENVELOPE,
    letters: ['from: name with brackets', 'from: backslash outside quotes'],
  },

  // ── Header ───────────────────────────────────────────────────────────────────────────────────────
  {
    why: 'of a field that must not come twice the first counts (as for DMARC); Dovecot takes the last, of addresses all',
    items: ENVELOPE,
    letters: ['From twice', 'Subject twice', 'Date twice', 'Message-ID twice', 'In-Reply-To twice'],
  },
  {
    why: 'a message without body and blank line has none in its fields either (RFC 9051 section 6.4.5.1)',
    items: /^BODY\[[\d.]*HEADER\.FIELDS(\.NOT)? /,
    letters: [
      'header without blank line',
      'header without line end',
      'text without a header',
      'blank line of a blank',
      'message as a part, empty',
      'digest of parts without headers',
    ],
  },
  { why: 'two CR before LF are two; Dovecot loses one', items: /./, letters: ['lone CR in the body'] },

  // ── Content-Type and its like ────────────────────────────────────────────────────────────────────
  {
    why: 'unquoted values go up to the semicolon, because file names do; comments only after a blank',
    items: STRUCTURE,
    letters: [
      'Content-Type: text/plain (a comment) ; (another)*',
      'Content-Type: text/plain; name=my file.txt',
      'Content-Type: text/plain; name=a/b?c=d',
      'boundary unquoted with specials',
    ],
  },
  {
    why: 'what can be read of damaged parameters is given, and what has no name is none',
    items: STRUCTURE,
    letters: [
      'Content-Type: text/plain; ;charset=utf-8;',
      'Content-Type: text/plain; =utf-8',
      'Content-Type: text/plain; charset=utf-8 format=flowed',
      'Content-Type: text/plain charset=utf-8',
      'Content-Type: text/plain; name="my file.txt',
      'Content-Type: charset=utf-8',
      'part with Content-Disposition: filename=x.txt',
      'part with Content-Disposition: attachment filename=x.txt',
      'part with Content-Disposition: "attachment"; filename=x',
    ],
  },
  {
    why: 'pieces of RFC 2231 values are joined as far as they go; Dovecot shows the pieces',
    items: STRUCTURE,
    letters: [
      'Content-Type: text/plain; name*0=one; name*2=three',
      'Content-Type: text/plain; name*1=two; name*2=three',
      'Content-Type: text/plain; name*x=odd',
      'Content-Type: text/plain; name*=no-quotes',
      'Content-Type: text/plain; name*=; charset*0=us*',
    ],
  },
  {
    why: 'what is no type is text/plain or application/octet-stream (RFC 2045 section 5.2); Dovecot sends empty strings',
    items: STRUCTURE,
    letters: [
      'Content-Type: text',
      'Content-Type: text/',
      'Content-Type: /*',
      'Content-Type: ',
      'Content-Type: plain',
      'Content-Type: audio',
      'Content-Type: message',
      'Content-Type: text/plain/extra',
      'Content-Type: text/plain, text/html',
      'Content-Type: text/x-"quoted"',
      'Content-Type: "text/plain"',
      'Content-Type: text/pl ain',
      'digest with a broken type',
    ],
  },
  { why: 'multipart without a subtype is mixed', items: TREE, letters: ['Content-Type: multipart'] },
  { why: 'message/global is a message (RFC 9051 section 9, media-message)', items: TREE, letters: ['Content-Type: message/global', 'messages of other kinds'] },
  {
    why: 'a disposition without a word is an attachment (RFC 2183 section 2.8)',
    items: STRUCTURE,
    letters: ['part with Content-Disposition:', 'part with Content-Disposition: ; filename=x'],
  },
  { why: 'of two fields the first counts', items: STRUCTURE, letters: ['part with Content-ID: <a@x.test> | Content-ID: <b@x.test>*'] },
  { why: 'blanks do not separate languages', items: STRUCTURE, letters: ['part with Content-Language: en de'] },
  { why: 'blanks in a location were put there by folding (RFC 2557 section 4.4)', items: STRUCTURE, letters: ['part with Content-Location: *'] },
  {
    why: 'an encoding with quotes, blanks or a semicolon is meant',
    items: /^(BODY|BODYSTRUCTURE|BINARY.*)$/,
    letters: [
      'part with Content-Transfer-Encoding: base64;',
      'part with Content-Transfer-Encoding: "base64"',
      'part with Content-Transfer-Encoding: base 64',
      'part with Content-Transfer-Encoding: ',
      'part with Content-Transfer-Encoding: quoted-printable, base64',
    ],
  },

  {
    why: 'an encoding is one without Content-Type too (RFC 2045 section 6.1); Dovecot says 7bit',
    items: STRUCTURE,
    letters: ['nothing but Content-Transfer-Encoding: *'],
  },

  // ── Parts ────────────────────────────────────────────────────────────────────────────────────────
  {
    why: 'the body of a multipart in which no part begins is shown as its only part; Dovecot shows an empty one',
    items: TREE,
    letters: [
      'Content-Type: multipart/mixed*',
      'Content-Type: multipart/alternative; boundary="a b"',
      'no parts',
      'closing delimiter*',
      'nested, inner of no parts',
      'nested, no boundary in the inner one',
    ],
  },
  {
    why: 'a header that a delimiter ends keeps its last line end',
    items: /^(BODY|BODYSTRUCTURE|BODY\[[\d.]+(\.MIME|\.HEADER.*)?\](<\d+>)?)$/,
    letters: ['empty parts', 'part with a header only', 'nested, inner empty', 'message as a part, *', 'digest of parts without headers'],
  },
  { why: 'a part that does not begin with a field has no header: its text must be seen', items: TREE, letters: ['part without header*'] },
  {
    why: 'after a boundary nothing stands that could be more of it, so that a boundary may begin like another; Dovecot takes the longest beginning of the line',
    items: TREE,
    letters: ['words after delimiters', 'longer delimiters', 'message as a part, delimiter in its header'],
  },
  { why: 'a boundary has no blanks at its end (RFC 2046 section 5.1.1)', items: TREE, letters: ['boundary with blanks at the end'] },
  { why: 'delimiters longer than 80 characters are compared as a whole', items: TREE, letters: ['boundary of 150'] },
  { why: 'a boundary may be in extended form', items: TREE, letters: ['boundary percent encoded'] },
  { why: 'a boundary is ASCII (RFC 2046 section 5.1.1)', items: TREE, letters: ['boundary with 8-bit'] },
  { why: 'what is nested deeper than we look is one opaque part with all its octets', items: TREE, letters: ['nested 101 deep'] },

  // ── Encodings ────────────────────────────────────────────────────────────────────────────────────
  {
    why: 'damaged encodings are undone as far as they go (RFC 2045 section 6.8: ignore what is not in the alphabet); Dovecot refuses or hangs up',
    items: DECODED,
    letters: [
      ...['no padding', 'one character too many', 'padding in the middle', 'junk between', 'text after the end', 'of no meaning'].flatMap((what) => [
        `base64: ${what}`,
        `part in base64: ${what}`,
      ]),
      'quoted-printable: bad escapes',
      'part in quoted-printable: bad escapes',
    ],
  },
];
