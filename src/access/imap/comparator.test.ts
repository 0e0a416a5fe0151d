/** COMPARATOR and I18NLEVEL (RFC 5255 section 4), as conversations. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { talk, TestServer } from './testing.ts';

function server(): TestServer {
  const made = new TestServer();
  for (const subject of ['b', 'A', 'a', '=?utf-8?q?=C3=A9?=', 'B', 'Re: a'])
    made.store.deliver(made.inbox, `Subject: ${subject}\r\nDate: 1 Jan 2024 00:00 +0000\r\n\r\n`);
  return made;
}

test('the active comparator is told, chosen and put back', async () => {
  await talk(
    await server().client('INBOX'),
    `C: A1 COMPARATOR
     S: * COMPARATOR "i;unicode-casemap"
     S: A1 OK COMPARATOR completed
     C: A2 COMPARATOR "cz;*" i;basic
     S: A2 NO [BADCOMPARATOR] No such comparator here
     C: A3 COMPARATOR "cz;*" i;octet
     S: * COMPARATOR "i;octet"
     S: A3 OK Will use i;octet
     C: A4 COMPARATOR
     S: * COMPARATOR "i;octet"
     S: A4 OK COMPARATOR completed
     C: A5 COMPARATOR "i;*casemap"
     S: * COMPARATOR "i;unicode-casemap" ("i;unicode-casemap" "i;ascii-casemap")
     S: A5 OK Will use i;unicode-casemap
     C: A6 COMPARATOR i;ascii-casemap
     S: * COMPARATOR "i;ascii-casemap"
     S: A6 OK Will use i;ascii-casemap
     C: A7 COMPARATOR default
     S: * COMPARATOR "i;unicode-casemap"
     S: A7 OK Will use i;unicode-casemap
     C: A8 COMPARATOR (
     S: A8 BAD a string or atom expected at byte 15`,
  );
});

test('SORT and THREAD go by the active comparator', async () => {
  await talk(
    await server().client('INBOX'),
    `C: 1 SORT (SUBJECT) UTF-8 ALL
     S: * SORT 2 3 6 1 5 4
     S: 1 OK SORT completed
     C: 2 COMPARATOR i;octet
     S: * COMPARATOR "i;octet"
     S: 2 OK Will use i;octet
     C: 3 SORT (SUBJECT) UTF-8 ALL
     S: * SORT 2 5 3 6 1 4
     S: 3 OK SORT completed
     C: 4 THREAD ORDEREDSUBJECT UTF-8 ALL
     S: * THREAD (1)(2)(3 6)(4)(5)
     S: 4 OK THREAD completed
     C: 5 COMPARATOR i;ascii-casemap
     S: * COMPARATOR "i;ascii-casemap"
     S: 5 OK Will use i;ascii-casemap
     C: 6 THREAD ORDEREDSUBJECT UTF-8 ALL
     S: * THREAD (1 5)(2 (3)(6))(4)
     S: 6 OK THREAD completed`,
  );
});

test('SEARCH goes by the active comparator', async () => {
  await talk(
    await server().client('INBOX'),
    `C: 1 SEARCH SUBJECT B
     S: * SEARCH 1 5
     S: 1 OK SEARCH completed
     C: 2 COMPARATOR i;octet
     S: * COMPARATOR "i;octet"
     S: 2 OK Will use i;octet
     C: 3 SEARCH SUBJECT B
     S: * SEARCH 5
     S: 3 OK SEARCH completed
     C: 4 SEARCH CHARSET UTF-8 HEADER Subject "É"
     S: * SEARCH
     S: 4 OK SEARCH completed
     C: 5 SEARCH CHARSET UTF-8 HEADER Subject "é"
     S: * SEARCH 4
     S: 5 OK SEARCH completed`,
  );
});

test("COMPARATOR is one session's own", async () => {
  const made = server();
  const one = await made.client('INBOX');
  const other = await made.client('INBOX');
  await one.exchange('a COMPARATOR i;octet\r\n');
  assert.match(await other.exchange('b COMPARATOR\r\n'), /"i;unicode-casemap"/);
});

test('one level is announced, the lower where the higher is hidden', async () => {
  const made = server();
  assert.match(await (await made.client()).exchange('a CAPABILITY\r\n'), / I18NLEVEL=2 (?!.*I18NLEVEL=1)/);
  made.settings = { ...made.settings, 'imap.capabilitiesHidden': ['I18NLEVEL=2'] };
  assert.match(await (await made.client()).exchange('a CAPABILITY\r\n'), / I18NLEVEL=1 (?!.*I18NLEVEL=2)/);
});
