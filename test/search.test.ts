/** SEARCH of the running server beside Dovecot's: the same mailbox, the same searches, the same messages found. */
import { ownNetwork } from './harness/own-network.ts';

ownNetwork();

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Answer, ImapClient } from './harness/imap-client.ts';
import { startPosthorn } from './harness/posthorn.ts';
import { need } from './harness/run.ts';
import { eventually } from './harness/wait.ts';
import { startDovecot } from './peers/dovecot.ts';
import { DIFFERENCES } from './search/differences.ts';
import { LETTERS, type Letter } from './search/letters.ts';
import { combinedPrograms, SINGLE_PROGRAMS } from './search/programs.ts';

const PASSWORD = 'a-long-password';
const DOVECOT = '127.0.0.9';
const RANDOM_PROGRAMS = 400;

async function append(imap: ImapClient, letter: Letter): Promise<void> {
  const bytes = Buffer.from(letter.text, 'latin1');
  const date = `${String(letter.day).padStart(2)}-Jan-2026 12:00:00 +0000`;
  imap.wire.send(`ap APPEND INBOX (${letter.flags}) "${date}" {${bytes.length}}\r\n`);
  await imap.wire.expect(/^\+/);
  imap.wire.send(bytes);
  imap.wire.send('\r\n');
  const { status } = await imap.finish('ap');
  assert.match(status, /^OK/, letter.name);
}

/** Names of the messages found, or how the search was refused. */
function found({ status, untagged }: Answer): string {
  if (!status.startsWith('OK')) return status.slice(0, 3);
  const line = untagged.find((each) => each.startsWith('SEARCH')) ?? 'none';
  return line
    .replace(/ ?\(MODSEQ \d+\)/, '')
    .slice('SEARCH'.length)
    .trim()
    .split(' ')
    .filter((uid) => uid !== '')
    .map((uid) => LETTERS[Number(uid) - 1]!.name)
    .join(', ');
}

test('SEARCH beside Dovecot', async (t) => {
  need('dovecot');
  await startDovecot(t, { address: DOVECOT, imapPort: 143, lmtpPort: 2424, users: { anna: PASSWORD } });
  const server = await startPosthorn(t, { users: { 'anna@us.test': PASSWORD } });
  const ours = await ImapClient.login(server.port('imap'), 'anna@us.test', PASSWORD);
  const theirs = await ImapClient.login(143, 'anna', PASSWORD, { host: DOVECOT });
  for (const imap of [ours, theirs]) {
    for (const letter of LETTERS) await append(imap, letter);
    await imap.ok('SELECT INBOX');
  }

  /** Searches that found some of the messages: a comparison of nothing but refusals would be worth nothing. */
  let telling = 0;
  const compare = async (program: string): Promise<[ours: string, theirs: string]> => {
    const command = `UID SEARCH CHARSET UTF-8 ${program}`;
    const [here, there] = [found(await ours.command(command)), found(await theirs.command(command))];
    const count = here.split(', ').length;
    if (here !== '' && here !== 'NO ' && here !== 'BAD' && count < LETTERS.length) telling += 1;
    return [here, there];
  };

  await t.test(`each key alone (${SINGLE_PROGRAMS.length})`, async () => {
    const wrong: string[] = [];
    for (const program of SINGLE_PROGRAMS) {
      const [here, there] = await compare(program);
      const reason = DIFFERENCES.get(readable(program));
      if ((here === there) === (reason !== undefined)) wrong.push(`${readable(program)}\n  ours:   ${here}\n  theirs: ${there}\n  ${reason ?? ''}`);
    }
    assert.equal(wrong.length, 0, wrong.join('\n'));
  });

  await t.test(`keys together at random (${RANDOM_PROGRAMS})`, async () => {
    const different = new Set(SINGLE_PROGRAMS.filter((program) => DIFFERENCES.has(readable(program))));
    const wrong: string[] = [];
    for (const program of combinedPrograms(RANDOM_PROGRAMS, different)) {
      const [here, there] = await compare(program);
      if (here !== there) wrong.push(`${readable(program)}\n  ours:   ${here}\n  theirs: ${there}`);
    }
    assert.equal(wrong.length, 0, wrong.join('\n'));
    t.diagnostic(`${telling} searches found some messages and not others`);
    assert.ok(telling > 250);
  });

  await t.test('ESEARCH, PARTIAL and "$": the same answers', async () => {
    const plain = ({ status, untagged }: Answer): string =>
      `${untagged
        .filter((line) => line.startsWith('ESEARCH') || /FETCH/.test(line))
        .join('|')
        .replaceAll(/TAG "?[^")]+"?/g, 'TAG')} ${status.slice(0, 2)}`;
    for (const command of [
      'SEARCH RETURN (MIN MAX COUNT ALL) SEEN',
      'UID SEARCH RETURN () UNSEEN',
      'UID SEARCH RETURN (COUNT) KEYWORD none',
      'UID SEARCH RETURN (ALL) KEYWORD none',
      'SEARCH RETURN (SAVE) FLAGGED',
      'FETCH $ (UID)',
      'UID SEARCH RETURN (SAVE COUNT) SEEN',
      'SEARCH RETURN (ALL) UID $ ANSWERED',
      'SEARCH RETURN (SAVE MIN) ALL',
      'UID FETCH $ (UID)',
      'UID SEARCH RETURN (PARTIAL 2:4) ALL',
      'UID SEARCH RETURN (PARTIAL 1000:1001) ALL',
      'SEARCH RETURN (NONSENSE) ALL',
      'SEARCH CHARSET X-NONE ALL',
    ])
      assert.equal(plain(await ours.command(command)), plain(await theirs.command(command)), command);
  });

  await t.test('the same with the index caught up as while it is not', async () => {
    const programs = SINGLE_PROGRAMS.filter((program) => /^(BODY|TEXT|HEADER)/.test(program));
    const before: string[] = [];
    for (const program of programs) before.push(found(await ours.command(`UID SEARCH CHARSET UTF-8 ${program}`)));
    // More mail than is read without asking the index: that is asked from here on.
    for (let n = 0; n < 420; n += 1) await ours.append('INBOX', 'Subject: filler\r\n\r\nfiller\r\n');
    await eventually('the index to know the last of them', async () =>
      /COUNT 420/.test((await ours.ok('SEARCH RETURN (COUNT) BODY filler')).untagged.join(' ')),
    );
    for (const [i, program] of programs.entries())
      assert.equal(found(await ours.command(`UID SEARCH CHARSET UTF-8 1:${LETTERS.length} ${program}`)), before[i], readable(program));
    for (const [i, program] of programs.entries()) {
      const isOfAll = /""|\{0\+\}/.test(program);
      if (!isOfAll) assert.equal(found(await ours.command(`UID SEARCH CHARSET UTF-8 ${program} NOT SUBJECT filler`)), before[i], readable(program));
    }
  });
  await Promise.all([ours.logout(), theirs.logout()]);
});

/** A program as it is written in the table of differences. */
function readable(program: string): string {
  return Buffer.from(program, 'latin1')
    .toString('utf8')
    .replaceAll(/\{\d+\+\}\r\n/g, '~');
}

test('searches of the running server: by name, in many mailboxes, by what is like the words', async (t) => {
  const server = await startPosthorn(t, { users: { 'bert@us.test': PASSWORD } });
  const imap = await ImapClient.login(server.port('imap'), 'bert@us.test', PASSWORD);
  assert.match((await imap.ok('CAPABILITY')).untagged.join(' '), / PARTIAL .*SEARCH=FUZZY .*FILTERS .*MULTISEARCH .*INPROGRESS/);
  await imap.ok('CREATE Lists');
  for (const [mailbox, subject, body] of [
    ['INBOX', 'the meeting', 'We meet on Thursday to discuss the conference.'],
    ['INBOX', 'lunch', 'Nothing to see here.'],
    ['Lists', 'meetings', 'All conferences of the year.'],
  ] as const)
    await imap.append(mailbox, `From: rita@friend.test\r\nSubject: ${subject}\r\n\r\n${body}\r\n`);

  await t.test('a filter that was stored is used, also by SORT, until it is removed', async () => {
    await imap.ok('SETMETADATA "" (/private/filters/values/Meetings "OR SUBJECT meeting BODY thursday")');
    await imap.ok('SELECT INBOX');
    assert.deepEqual((await imap.ok('SEARCH FILTER meetings')).untagged, ['SEARCH 1']);
    assert.deepEqual((await imap.ok('SEARCH NOT FILTER MEETINGS')).untagged, ['SEARCH 2']);
    assert.deepEqual((await imap.ok('UID SORT (SUBJECT) UTF-8 FILTER meetings')).untagged, ['SORT 1']);
    await imap.ok('SETMETADATA "" (/private/filters/values/meetings NIL)');
    assert.match((await imap.command('SEARCH FILTER meetings')).status, /^NO \[UNDEFINED-FILTER meetings\]/);
  });

  await t.test('ESEARCH finds it in every mailbox, INBOX selected or not', async () => {
    const lines = async (text: string): Promise<string[]> =>
      (await imap.ok(text)).untagged.map((line) => line.replace(/TAG "\w+" /, '').replace(/UIDVALIDITY \d+/, '')).sort();
    const both = ['ESEARCH (MAILBOX INBOX ) UID COUNT 1', 'ESEARCH (MAILBOX Lists ) UID COUNT 1'];
    assert.deepEqual(await lines('ESEARCH IN (personal) RETURN (COUNT) SUBJECT meeting'), both);
    assert.deepEqual(await lines('ESEARCH IN (selected mailboxes Lists) RETURN (COUNT) TEXT conference'), both);
    await imap.ok('UNSELECT');
    assert.deepEqual(await lines('ESEARCH IN (personal) RETURN (COUNT) SUBJECT meeting'), both);
    assert.match((await imap.command('ESEARCH ALL')).status, /^BAD/);
  });

  await t.test('FUZZY finds the misspelt and the inflected, with their relevancies', async () => {
    await imap.ok('SELECT INBOX');
    await eventually('the index to know the mail', async () =>
      /ALL 1 RELEVANCY \(\d+\)/.test((await imap.ok('SEARCH RETURN (ALL RELEVANCY) FUZZY BODY "conferense thursdays"')).untagged.join(' ')),
    );
    assert.match((await imap.ok('SEARCH RETURN (ALL RELEVANCY) FUZZY SUBJECT "meating"')).untagged.join(' '), /ALL 1 RELEVANCY \(\d+\)/);
    assert.deepEqual((await imap.ok('SEARCH BODY conferense')).untagged, ['SEARCH']);
  });

  await t.test('EMAILID and THREADID find what FETCH says', async () => {
    const { untagged } = await imap.ok('FETCH 1:2 (EMAILID)');
    const id = /^2 FETCH \(EMAILID \((\S+)\)\)/m.exec(untagged.join('\n'))![1]!;
    assert.deepEqual((await imap.ok(`SEARCH EMAILID ${id}`)).untagged, ['SEARCH 2']);
    const threads = (await imap.ok('FETCH 1:2 (THREADID)')).untagged.join('\n');
    const thread = /^1 FETCH \(THREADID \((\S+)\)\)/m.exec(threads)![1]!;
    assert.deepEqual((await imap.ok(`SEARCH THREADID ${thread}`)).untagged, ['SEARCH 1']);
    assert.deepEqual((await imap.ok(`SEARCH THREADID ${thread}0`)).untagged, ['SEARCH']);
  });
  await imap.logout();
});
