import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkStore } from '../../store/check.ts';
import { storePaths } from '../../store/paths.ts';
import { ANNA, BERT, CARL, SharingServer, TEAM } from './acl-testing.ts';

const PROJECTS = '"Other Users/anna@example.org/INBOX/Projects"';
/** FLAG bits of all five system flags. */
const ALL = 31;

async function sound(made: SharingServer): Promise<void> {
  const { problems } = await checkStore(storePaths(made.dataDir), new AbortController().signal);
  assert.deepEqual(problems, []);
}

test('COPY into the mailbox of another user, and home again: the same bytes, an email of its own, flags as the rights let them', async (t) => {
  const made = await SharingServer.start(t);
  await made.share(ANNA, 'INBOX/Projects', BERT, 'lri');
  await made.put(BERT, 'INBOX', 'one', ALL, '$Forwarded todo');
  await made.put(BERT, 'INBOX', 'two');
  const bert = await made.client(BERT, 'INBOX');
  const target = made.mailbox(ANNA, 'INBOX/Projects');
  assert.equal(await bert.exchange(`a COPY 1:2 ${PROJECTS}\r\n`), `a OK [COPYUID ${target.uidValidity} 1:2 1:2] COPY completed\r\n`);
  assert.deepEqual(made.contents(ANNA, 'INBOX/Projects'), ['1 0 - one', '2 0 - two']);
  for (const [rights, kept] of [
    ['lris', '1 - one'],
    ['lrit', '8 - one'],
    ['lriw', `${ALL - 1 - 8} $Forwarded todo one`],
    ['lriswt', `${ALL} $Forwarded todo one`],
  ] as const) {
    await made.share(ANNA, 'INBOX/Projects', BERT, rights);
    await bert.exchange(`b UID COPY 1 ${PROJECTS}\r\n`);
    const last = made.contents(ANNA, 'INBOX/Projects').at(-1)!;
    assert.equal(last.slice(last.indexOf(' ') + 1), kept, rights);
  }
  const emails = made.store.reader.rows('SELECT DISTINCT account_id, blob_id FROM email ORDER BY blob_id, account_id');
  assert.equal(emails.length, 4, 'two blobs, each an email of two accounts');
  const home = await made.client(BERT, PROJECTS.slice(1, -1));
  const answer = await home.exchange('c COPY 6 INBOX\r\n');
  assert.match(answer, /^c OK \[COPYUID \d+ 6 3\] COPY completed\r\n$/);
  assert.deepEqual(made.contents(BERT, 'INBOX').at(-1), `3 ${ALL} $Forwarded todo one`);
  await sound(made);
});

test('a shared folder that already holds the message takes it again', async (t) => {
  const made = await SharingServer.start(t);
  await made.share(ANNA, 'INBOX/Projects', BERT, 'lriswt');
  await made.put(BERT, 'INBOX', 'one');
  const bert = await made.client(BERT, 'INBOX');
  for (const uid of [1, 2, 3]) assert.match(await bert.exchange(`a COPY 1 ${PROJECTS}\r\n`), new RegExp(`^a OK \\[COPYUID \\d+ 1 ${uid}\\]`));
  assert.deepEqual(made.contents(ANNA, 'INBOX/Projects'), ['1 0 - one', '2 0 - one', '3 0 - one']);
});

test('several copies of one message stay one email in the other account', async (t) => {
  const made = await SharingServer.start(t);
  await made.share(ANNA, 'INBOX/Projects', BERT, 'lriswt');
  await made.put(BERT, 'INBOX', 'one');
  const bert = await made.client(BERT, 'INBOX');
  await bert.exchange('a COPY 1 INBOX\r\n');
  await bert.exchange(`b COPY 1:2 ${PROJECTS}\r\n`);
  assert.deepEqual(made.store.reader.rows('SELECT refs FROM email WHERE account_id=?', made.id(ANNA)), [[2]]);
  await made.store.writer.expunge(made.id(ANNA), made.mailbox(ANNA, 'INBOX/Projects').id, null, false);
  assert.deepEqual(made.store.reader.rows('SELECT refs FROM blob'), [[1]]);
  await sound(made);
});

test('a drop box: who may put messages in but not read is not told their UIDs; nothing goes in without "i"', async (t) => {
  const made = await SharingServer.start(t);
  await made.share(ANNA, 'INBOX/Projects', BERT, 'li');
  await made.share(ANNA, 'Private', BERT, 'lr');
  await made.put(BERT, 'INBOX', 'one');
  const bert = await made.client(BERT, 'INBOX');
  assert.equal(await bert.exchange(`a COPY 1 ${PROJECTS}\r\n`), 'a OK COPY completed\r\n');
  assert.equal(await bert.exchange('b COPY 1 "Other Users/anna@example.org/Private"\r\n'), 'b NO [NOPERM] You have no right to do this\r\n');
  assert.equal(await bert.exchange('c COPY 1 "Other Users/anna@example.org/Private/None"\r\n'), 'c NO [NONEXISTENT] No such mailbox\r\n');
  assert.equal(await bert.exchange('d COPY 1 None\r\n'), 'd NO [TRYCREATE] No such mailbox\r\n');
  await made.share(ANNA, 'INBOX/Projects', BERT, 'lik');
  assert.equal(await bert.exchange(`e COPY 1 ${PROJECTS.slice(0, -1)}/New"\r\n`), 'e NO [TRYCREATE] No such mailbox\r\n');
});

test('MOVE between accounts takes "t" and "e" where it takes from, and both sides hear of it', async (t) => {
  const made = await SharingServer.start(t);
  await made.share(ANNA, 'INBOX/Projects', BERT, 'lri');
  await made.put(ANNA, 'INBOX/Projects', 'one', 1);
  await made.put(ANNA, 'INBOX/Projects', 'two');
  const bert = await made.client(BERT, PROJECTS.slice(1, -1));
  assert.equal(await bert.exchange('a MOVE 1 INBOX\r\n'), 'a NO [NOPERM] You have no right to do this\r\n');
  await made.share(ANNA, 'INBOX/Projects', BERT, 'lrite');
  const anna = await made.client(ANNA, 'INBOX/Projects');
  const home = made.mailbox(BERT, 'INBOX');
  assert.equal(
    await bert.exchange('b MOVE 1 INBOX\r\n'),
    `* OK [COPYUID ${home.uidValidity} 1 1] Moved\r\n* 1 EXPUNGE\r\n* 1 RECENT\r\nb OK MOVE completed\r\n`,
  );
  assert.equal(await anna.exchange('a NOOP\r\n'), '* 1 EXPUNGE\r\na OK NOOP completed\r\n');
  assert.deepEqual(made.contents(BERT, 'INBOX'), ['1 1 - one']);
  assert.deepEqual(made.contents(ANNA, 'INBOX/Projects'), ['2 0 - two']);
  await made.share(ANNA, 'INBOX/Projects', BERT, '');
  assert.equal(await bert.exchange('c COPY 1 INBOX\r\n'), 'c NO [NOPERM] You have no right to do this\r\n', 'rights that were taken back are gone at once');
  await sound(made);
});

test('the quota is that of the account that owns the target, and nothing is copied when not all of it fits', async (t) => {
  const made = await SharingServer.start(t);
  await made.share(ANNA, 'INBOX/Projects', BERT, 'lrite');
  await made.put(BERT, 'INBOX', 'one');
  await made.put(BERT, 'INBOX', 'two');
  await made.store.writer.run('test.quota', { login: ANNA, bytes: 0, messages: 1 });
  const bert = await made.client(BERT, 'INBOX');
  assert.equal(await bert.exchange(`a COPY 1:2 ${PROJECTS}\r\n`), 'a NO [OVERQUOTA] Quota exceeded\r\n');
  assert.equal(await bert.exchange(`b MOVE 1:2 ${PROJECTS}\r\n`), 'b NO [OVERQUOTA] Quota exceeded\r\n');
  assert.deepEqual([made.contents(ANNA, 'INBOX/Projects').length, made.contents(BERT, 'INBOX').length], [0, 2]);
  await made.store.writer.run('test.quota', { login: BERT, bytes: 1, messages: 1 });
  assert.match(await bert.exchange(`c COPY 2 ${PROJECTS}\r\n`), /^c OK /);
});

test('MESSAGELIMIT: COPY of too many messages is refused, MOVE takes the newest and says from where', async (t) => {
  const made = await SharingServer.start(t, { 'imap.messageLimit': 2 });
  for (const subject of ['a', 'b', 'c']) await made.put(ANNA, 'INBOX', subject);
  const anna = await made.client(ANNA, 'INBOX');
  const { uidValidity } = made.mailbox(ANNA, 'Private');
  assert.equal(await anna.exchange('a COPY 1:3 Private\r\n'), 'a NO [MESSAGELIMIT 2 2] Too many messages for one COPY\r\n');
  assert.equal(
    await anna.exchange('b MOVE 1:3 Private\r\n'),
    `* OK [COPYUID ${uidValidity} 2:3 1:2] Moved\r\n* 2 EXPUNGE\r\n* 2 EXPUNGE\r\n* 1 RECENT\r\nb OK [MESSAGELIMIT 2 2] MOVE completed for some\r\n`,
  );
  assert.deepEqual(made.contents(ANNA, 'INBOX'), ['1 0 - a']);
});

/** Numbers that look random and are the same at every run (mulberry32). */
function randomFrom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let x = Math.imul(state ^ (state >>> 15), 1 | state);
    x = (x + Math.imul(x ^ (x >>> 7), 61 | x)) ^ x;
    return ((x ^ (x >>> 14)) >>> 0) % below;
  };
}

test('random copies and moves between four accounts: every message is where a model says, counts and references are right', async (t) => {
  const random = randomFrom(4314);
  const made = await SharingServer.start(t);
  const places = [
    [ANNA, 'INBOX'],
    [ANNA, 'INBOX/Projects'],
    [BERT, 'INBOX'],
    [CARL, 'INBOX'],
    [TEAM, 'News'],
  ] as const;
  const model = places.map(() => new Map<number, string>());
  const next = places.map(() => 1);
  const put = (at: number, text: string): void => void model[at]!.set(next[at]!++, text);
  for (let i = 0; i < 12; i += 1) {
    const at = random(places.length);
    const flags = random(32);
    const keywords = random(3) === 0 ? '$A' : null;
    const [login, name] = places[at]!;
    await made.put(login, name, `m${i}`, flags, keywords);
    put(at, `${flags} ${keywords ?? '-'} m${i}`);
  }
  for (let step = 0; step < 150; step += 1) {
    const [from, to] = [random(places.length), random(places.length)];
    const chosen = [...model[from]!.keys()].filter(() => random(3) === 0).slice(0, 4);
    const uids = [...chosen, 999].sort((a, b) => b - a);
    const [flags, keywords, move] = [random(32), random(2) === 0, random(2) === 0];
    const place = ([login, name]: readonly [string, string]) => ({ accountId: made.id(login), mailboxId: made.mailbox(login, name).id });
    const { pairs } = await made.store.writer.run<{ pairs: [number, number][] }>('message.copyAcross', {
      from: place(places[from]!),
      to: place(places[to]!),
      uids,
      move,
      flags,
      keywords,
    });
    assert.deepEqual(
      pairs.map(([uid]) => uid),
      chosen,
    );
    for (const [uid, made_] of pairs) {
      assert.equal(made_, next[to]);
      const [had, words, subject] = model[from]!.get(uid)!.split(' ');
      put(to, `${Number(had) & flags} ${keywords ? words : '-'} ${subject}`);
      if (move) model[from]!.delete(uid);
    }
    // Not without end: what grew too much is emptied.
    if (model[to]!.size > 30) {
      await made.store.writer.expunge(place(places[to]!).accountId, place(places[to]!).mailboxId, null, false);
      model[to]!.clear();
    }
  }
  for (const [i, [login, name]] of places.entries())
    assert.deepEqual(
      made.contents(login, name),
      [...model[i]!].map(([uid, text]) => `${uid} ${text}`),
    );
  const misplaced = made.store.reader.rows(
    'SELECT count(*) FROM message m JOIN mailbox b ON b.id=m.mailbox_id JOIN email e ON e.id=m.email_id WHERE m.account_id<>b.account_id OR e.account_id<>b.account_id',
  );
  assert.deepEqual(misplaced, [[0]]);
  const references = made.store.reader.rows(
    'SELECT (SELECT count(*) FROM email e WHERE refs<>(SELECT count(*) FROM message m WHERE m.email_id=e.id)), (SELECT count(*) FROM blob b WHERE refs<>(SELECT count(*) FROM email e WHERE e.blob_id=b.id))',
  );
  assert.deepEqual(references, [[0, 0]]);
  await sound(made);
});
