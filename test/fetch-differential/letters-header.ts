/** Odd headers: addresses, texts and fields as they come, as bytes (one character each). */
import type { Letter } from './compare.ts';

const utf8 = (text: string): string => Buffer.from(text, 'utf8').toString('latin1');

const letters: Letter[] = [];
/** A message of these header lines, each ended by CRLF, and a short body. */
function head(name: string, ...lines: string[]): void {
  letters.push({ name, text: `${lines.map((line) => `${line}\r\n`).join('')}\r\nHello.\r\n` });
}
/** The same with the fields that nobody asks about in place. */
const usual = ['Date: Mon, 5 Jan 2026 10:00:00 +0000', 'Message-ID: <usual@friend.test>'];
function from(name: string, value: string): void {
  head(`from: ${name}`, `From: ${value}`, 'Subject: addresses', ...usual);
}
function subject(name: string, value: string): void {
  head(`subject: ${name}`, `Subject: ${value}`, 'From: a@b.test', ...usual);
}

from('plain address', 'rita@friend.test');
from('name and address', 'Rita Friend <rita@friend.test>');
from('quoted name', '"Friend, Rita" <rita@friend.test>');
from('quoted name with escapes', '"Rita \\"R\\" \\\\ Friend" <rita@friend.test>');
from('comment for a name', 'rita@friend.test (Rita Friend)');
from('nested comment', 'rita@friend.test (Rita (the (best)) Friend)');
from('comment before', '(Rita) rita@friend.test');
from('comments everywhere', '(a) Rita (b) Friend (c) <(d) rita (e) @ (f) friend.test (g)> (h)');
from('comment inside a phrase', 'Rita (middle) Friend <rita@friend.test>');
from('source route', 'Rita <@one.test,@two.test:rita@friend.test>');
from('route of one', '<@one.test:rita@friend.test>');
from('group', 'Friends: rita@friend.test, Bob <bob@friend.test>;');
from('empty group', 'undisclosed-recipients:;');
from('group with blanks', 'Undisclosed recipients : ;');
from('group and more', 'A: a@x.test;, b@x.test, C: c@x.test, d@x.test;');
from('group without end', 'Friends: rita@friend.test, bob@friend.test');
from('quoted group name', '"Best, Friends": rita@friend.test;');
from('quoted local part', '"rita friend"@friend.test');
from('quoted local part with specials', '"rita@home, (x) \\"y\\""@friend.test');
from('quoted local part in brackets', 'Rita <"ri ta"@friend.test>');
from('local part with dots and blanks', 'Rita <rita . friend @ friend . test>');
from('domain literal', 'Rita <rita@[192.0.2.1]>');
from('domain literal, IPv6', 'rita@[IPv6:2001:db8::1]');
from('no domain', 'root');
from('no domain in brackets', 'Root <root>');
from('several', 'a@x.test, B <b@x.test>, "C" <c@x.test>, (d) d@x.test');
from('commas in excess', ',a@x.test,, ,b@x.test,');
from('empty', '');
from('blanks only', '   ');
from('empty brackets', '<>');
from('name and empty brackets', 'Rita <>');
from('brackets not closed', 'Rita <rita@friend.test');
from('quote not closed', '"Rita <rita@friend.test>');
from('comment not closed', 'rita@friend.test (Rita');
from('only a comment', '(nobody)');
from('only a quoted string', '"nobody"');
from('at sign only', '@');
from('domain only', '@friend.test');
from('local part and at sign', 'rita@');
from('two at signs', 'rita@home@friend.test');
from('address as name', 'rita@friend.test <rita@friend.test>');
from('quoted address as name', '"rita@friend.test" <rita@friend.test>');
from('semicolons between', 'a@x.test; b@x.test');
from('name with dots', 'Rita F. Friend Jr. <rita@friend.test>');
from('name with apostrophes', "'Rita Friend' <rita@friend.test>");
from('name with colon', 'Re: Rita <rita@friend.test>');
from('name with brackets', 'Rita [Team] <rita@friend.test>');
from('encoded name', '=?utf-8?Q?Rita_M=C3=BCller?= <rita@friend.test>');
from('encoded name in quotes', '"=?utf-8?Q?Rita_M=C3=BCller?=" <rita@friend.test>');
from('two encoded words', '=?utf-8?B?UsOtdGE=?= =?iso-8859-1?Q?M=FCller?= <rita@friend.test>');
from('encoded word as address', '=?utf-8?Q?rita=40friend.test?=');
from('encoded comment', 'rita@friend.test (=?utf-8?Q?R=C3=ADta?=)');
from('UTF-8 name', utf8('Rita Müller <rita@friend.test>'));
from('UTF-8 quoted name', utf8('"Müller, Rita" <rita@friend.test>'));
from('Latin-1 name', 'Rita M\xfcller <rita@friend.test>');
from('words after the address', 'rita@friend.test Rita Friend');
from('words after the brackets', '<rita@friend.test> Rita Friend');
from('address without comma after it', '<a@x.test> <b@x.test>');
from('tabs', 'Rita\tFriend\t<rita@friend.test>');
from('semicolon in brackets', '<undisclosed-recipients:;@friend.test>');
from('quoted word against the local part', '"rita"friend@friend.test');
from('blank in a local part', '<Undisclosed Recipients@friend.test>');
from('empty quoted name', '"" <rita@friend.test>');
from('mailto', '<mailto:rita@friend.test>');
from('bang path', 'host!rita');
from('trailing dot in domain', 'rita@friend.test.');
from('dots at the ends', '.rita.@friend..test');
from('backslash outside quotes', 'Rita\\ Friend <rita@friend.test>');
from('folded in the middle', 'Rita\r\n Friend\r\n\t<rita@friend.test>');
from('folded inside quotes', '"Rita\r\n Friend" <rita@friend.test>');
from('folded before the comma', 'a@x.test\r\n , b@x.test\r\n ,\r\n c@x.test');
from('NIL', 'NIL <NIL@NIL>');
from('very long name', `${'Rita '.repeat(400)}<rita@friend.test>`);
from('many addresses', Array.from({ length: 120 }, (_, n) => `"Friend ${n}" <f${n}@friend.test>`).join(',\r\n '));

head('no header', ...[]);
head('no From', 'Subject: nobody', ...usual);
head('Sender and Reply-To', 'From: a@x.test', 'Sender: b@x.test', 'Reply-To: c@x.test, d@x.test', ...usual);
head('empty Sender and Reply-To', 'From: a@x.test', 'Sender:', 'Reply-To: ', ...usual);
head('Sender of nothing but a comment', 'From: a@x.test', 'Sender: (nobody)', 'Reply-To: <>', ...usual);
head('Sender without From', 'Sender: b@x.test', ...usual);
head('From twice', 'From: a@x.test', 'From: b@x.test', ...usual);
head('To, Cc and Bcc twice', 'From: a@x.test', 'To: b@x.test', 'To: c@x.test', 'Cc: d@x.test', 'Cc: e@x.test', 'Bcc: f@x.test', 'Bcc: g@x.test', ...usual);
head('Subject twice', 'Subject: one', 'From: a@x.test', 'Subject: two', ...usual);
head('Date twice', 'Date: Mon, 5 Jan 2026 10:00:00 +0000', 'Date: Tue, 6 Jan 2026 10:00:00 +0000', 'From: a@x.test');
head('Message-ID twice', 'Message-ID: <one@x.test>', 'Message-ID: <two@x.test>', 'From: a@x.test');
head('no Date', 'From: a@x.test', 'Subject: when');
head('empty Date', 'From: a@x.test', 'Date:', 'Subject:');
head('Date of another kind', 'From: a@x.test', 'Date: yesterday, at noon (our time)');
head('Date with comment and fold', 'From: a@x.test', 'Date: Mon,\r\n 5 Jan 2026 10:00:00 +0000 (GMT)');
head('Message-ID with blanks', 'From: a@x.test', 'Message-ID:   <one two@x.test>  ');
head('Message-ID without brackets', 'From: a@x.test', 'Message-ID: one@x.test');
head('In-Reply-To of several', 'From: a@x.test', 'In-Reply-To: <a@x.test> <b@x.test>\r\n\t<c@x.test>', 'Message-ID:\r\n <folded@x.test>');
head('In-Reply-To with words', 'From: a@x.test', 'In-Reply-To: Your message of "Mon" <a@x.test>');
head('In-Reply-To twice', 'From: a@x.test', 'In-Reply-To: <a@x.test>', 'In-Reply-To: <b@x.test>');
head('names in all cases', 'FROM: a@x.test', 'sUBJECT: odd', 'tO: b@x.test', 'MESSAGE-id: <x@x.test>');
head('blank before the colon', 'From : a@x.test', 'Subject\t: odd', 'To  :b@x.test', ...usual);
head('no blank after the colon', 'From:a@x.test', 'Subject:odd', 'To:b@x.test', ...usual);
head('a line that is no field', 'From: a@x.test', 'this is no field', 'Subject: after it', ...usual);
head('first line is no field', 'this is no field', 'From: a@x.test', 'Subject: after it', ...usual);
head('From line of mbox', 'From a@x.test Mon Jan  5 10:00:00 2026', 'From: a@x.test', 'Subject: after it', ...usual);
head('fold at the very start', ' folded', 'From: a@x.test', ...usual);
head('colon first', ': nothing', 'From: a@x.test', ...usual);
head('name with odd characters', 'X-Odd/(){}: one', 'From: a@x.test', 'X_Odd: two', ...usual);
head('name with 8-bit', `${utf8('Größe')}: one`, 'From: a@x.test', ...usual);
head('X-Odd many times', 'X-Odd: 1', 'From: a@x.test', 'x-odd: 2', 'X-ODD:3', 'X-Odd:\r\n 4\r\n 5', 'Received: here', 'X-Spaced : yes', ...usual);
head('X-Oddity is not X-Odd', 'X-Oddity: 1', 'X-Od: 2', 'From: a@x.test', ...usual);
head('fold of blanks only', 'From: a@x.test', 'Subject: one\r\n \r\n two', ...usual);
head('fold of a tab only at the end', 'From: a@x.test', 'Subject: one\r\n\t', ...usual);
head('NIL in all fields', 'Subject: NIL', 'From: NIL', 'To: NIL', 'Date: NIL', 'Message-ID: NIL', 'In-Reply-To: NIL');

subject('empty', '');
subject('blanks at the ends', '   plain   ');
subject('tab after the colon', '\tplain');
subject('two blanks inside', 'one  two   three');
subject('tabs inside', 'one\ttwo\t\tthree');
subject('folded by blank', 'one\r\n two');
subject('folded by tab', 'one\r\n\ttwo');
subject('folded by several', 'one\r\n   two\r\n\t\tthree');
subject('folded after the colon', '\r\n one');
subject('quotes and backslashes', 'say "yes\\no"');
subject('looks like a literal', '{5}');
subject('percent and braces', '100% {x} (y) [z] *');
subject('encoded', '=?utf-8?Q?gr=C3=BC=C3=9Fe?=');
subject('encoded, two words folded', '=?utf-8?Q?gr=C3=BC?=\r\n =?utf-8?Q?=C3=9Fe?=');
subject('encoded word not ended', '=?utf-8?Q?gr=C3=BC');
subject('UTF-8', utf8('Grüße aus Köln'));
subject('UTF-8, folded', utf8('Grüße\r\n aus Köln'));
subject('Latin-1', 'Gr\xfc\xdfe aus K\xf6ln');
subject('UTF-8 among encoded words', `=?utf-8?Q?gr=C3=BC?= ${utf8('Grüße')}`);
subject('UTF-8, two blanks between words', utf8('Grüße  aus  Köln und  Umgebung'));
subject('UTF-8 folded beside an encoded word', `${utf8('Grüße')}\r\n\t=?utf-8?Q?gr=C3=BC?=\r\n  ${utf8('Köln')}`);
subject('line of 900', 'x'.repeat(900));
subject('line of 2000', 'word '.repeat(400));
subject('folded 100 times', Array.from({ length: 100 }, (_, n) => `line ${n}`).join('\r\n '));
subject('control characters', 'bell \x07 escape \x1b delete \x7f end');

export const HEADER_LETTERS: readonly Letter[] = letters;
