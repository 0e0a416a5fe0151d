/** Messages for the comparison with maildrop, with LF line ends. */
export const MESSAGES = {
  plain: `Return-Path: <bounce@example.net>
Received: from a by b;
\tMon, 1 Jan 2024 00:00:00 +0000
From: joe@example.com (Joe Brown)
To: Alice Smith <alice@example.org>,bob@example.org,
\t"Smith, John" <j@s>
Cc: carol@example.org
Resent-To: <Only@Angle>
Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= from
  Hell
X-Foo:bar
X-Empty:
X-Spam-Level: *****
List-Id: "A list" <list.example.com>
Message-Id: <1@example.com>

First line of body
second line foo foo
From me to you
foo again

last
`,
  mime: `Return-Path: <q@x.org>
Sender: "Q. \\"x\\" Public" <q@x.org>
From: =?utf-8?Q?J=C3=BC?= <j@x>
Reply-To: "Joe Brown" <joe@example.com>
To: undisclosed-recipients:;
Subject:   =?iso-8859-1?Q?Caf=E9?= =?utf-8?B?w7w=?=   x
Mime-Version: 1.0
Content-Type: multipart/mixed; boundary="b1"

preamble
--b1
Content-Type: text/plain; charset=iso-8859-1
Content-Transfer-Encoding: quoted-printable

caf=E9 long=
 line
two
--b1
Content-Type: text/html; charset=utf-8
Content-Transfer-Encoding: base64

PGI+aGVsbG88L2I+CnggeQ==
--b1
Content-Type: application/octet-stream
Content-Transfer-Encoding: base64

aGVsbG8gd29ybGQ=
--b1
Content-Type: message/rfc822

Subject: inner =?utf-8?Q?=C3=BC?=
From: "A B" <c@d>

inner body
--b1--
epilogue
`,
  bare: `Return-Path: <a@b.example>
Subject: short
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: base64

aGVsbG8=`,
  unversioned: `Return-Path: <a@b.example>
Subject: no MIME-Version
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: base64

aGVsbG8=
`,
  addresses: `Return-Path: <a@b.example>
Sender: "Joe Brown" <j@x>
From: Jane Roe <jane@x> (work), d@e
Reply-To: "Joe Brown" <j@x>
To: Group: a@b, c@d (hi there);, e@f
Cc: "a b"@c, x@[1.2.3.4], Joe Q. Public <e@f>
Bcc: =?utf-8?Q?a=2Cb?= <c@d>
Resent-To: undisclosed-recipients:;
Resent-Cc: <only@angle>,
  a . b @ c . d
Delivered-To: "bob"@example.org
Subject: addresses

body
`,
  quoted: `Return-Path: <a@b.example>
Mime-Version: 1.0
Subject: one part
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: base64

w6RwZmVsIHVuZApiaXJuZW4K
`,
  bodyless: 'Return-Path: <a@b.example>\nSubject: nothing\n\n',
} as const;

export type MessageName = keyof typeof MESSAGES;
