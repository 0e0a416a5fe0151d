/** Messages that the Sieve cases run over; lines are joined with CRLF. */

const letter = (...lines: string[]): string => `${lines.join('\r\n')}\r\n`;

export const MESSAGES = {
  plain: letter(
    'Return-Path: <tim@example.com>',
    'Received: from mail.example.com (mail.example.com [192.0.2.1])',
    '\tby mx.example.net with ESMTP; Fri, 20 Nov 2026 10:21:00 +0100',
    'From: Tim Smith <tim@Example.COM>',
    'To: ken@example.net, "Third, Tom" <third+list@example.net>',
    'Cc: ann@example.org (Ann)',
    'Subject: [dev] make money fast!!!',
    'Date: Fri, 20 Nov 2026 10:20:30 +0100',
    'Message-ID: <one@example.com>',
    'X-Priority: 3',
    'X-Multi: first',
    'X-Multi: second',
    'X-Multi: third',
    'X-Empty:',
    'List-Id: Developers <dev.lists.example.org>',
    '',
    'Hello there, this is text.',
    '',
    'Project schedule attached.',
  ),
  encoded: letter(
    'From: =?utf-8?q?Andr=C3=A9?= <andre@example.org>',
    'To: undisclosed-recipients:;',
    'Subject: =?utf-8?b?w4TDpCBmdW4gw7ZsZA==?= =?iso-8859-1?q?caf=E9?=',
    'Date: Tue, 1 Jul 2003 10:52:37 -0700',
    'X-Folded: one',
    ' two',
    '\tthree',
    '',
    'Gr\u00fc\u00dfe',
  ),
  mime: letter(
    'From: <a@b.example>',
    'To: ken@example.net',
    'Subject: parts',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary="xx"',
    '',
    'This is the preamble.',
    '--xx',
    'Content-Type: text/plain; charset=utf-8',
    'Content-Transfer-Encoding: base64',
    '',
    'U2VjcmV0IHBsYW4gZm9yIGFsbA==',
    '--xx',
    'Content-Type: text/html',
    '',
    '<html><body><p>Some <b>bold</b> words</p></body></html>',
    '--xx',
    'Content-Type: application/octet-stream',
    'Content-Transfer-Encoding: base64',
    '',
    'YmluYXJ5IGRhdGE=',
    '--xx--',
  ),
} as const;
export type MessageName = keyof typeof MESSAGES;

/** Personal scripts that others include. */
export const INCLUDED: Readonly<Record<string, string>> = {
  files: 'require ["fileinto"]; fileinto "Included";',
  stops: 'stop;',
  returns: 'require ["include", "fileinto"]; return; fileinto "Never";',
  sets: 'require ["include", "variables"]; global "a"; set "a" "from inside"; set "b" "hidden";',
  deep: 'require "include"; include "files";',
  recursive: 'require "include"; include "recursive";',
};
