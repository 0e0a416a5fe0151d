import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANNA, BERT, DORA, SharingServer, TEAM } from './acl-testing.ts';
import { talk } from './testing.ts';

test('GETQUOTAROOT and GETQUOTA: octets in units of 1024, messages, mailboxes, annotations; no limit is not shown', async (t) => {
  const made = await SharingServer.start(t);
  await made.put(ANNA, 'INBOX', 'one');
  const anna = await made.client(ANNA);
  await talk(
    anna,
    `C: a GETQUOTAROOT inbox
    S: * QUOTAROOT INBOX "User quota"
    S: * QUOTA "User quota" (MAILBOX 3 10000 ANNOTATION-STORAGE 0 64000)
    S: a OK GETQUOTAROOT completed`,
  );
  await made.store.writer.run('test.quota', { login: ANNA, bytes: 100_000, messages: 500 });
  await talk(
    anna,
    `C: a SETMETADATA Private (/private/comment "x")
    S: a OK SETMETADATA completed
    C: b GETQUOTA "User quota"
    S: * QUOTA "User quota" (STORAGE 1 98 MESSAGE 1 500 MAILBOX 3 10000 ANNOTATION-STORAGE 1 64000)
    S: b OK GETQUOTA completed
    C: c GETQUOTAROOT Not/There/Yet
    S: * QUOTAROOT Not/There/Yet "User quota"
    S: * QUOTA "User quota" (STORAGE 1 98 MESSAGE 1 500 MAILBOX 3 10000 ANNOTATION-STORAGE 1 64000)
    S: c OK GETQUOTAROOT completed
    C: d GETQUOTA nothing
    S: d NO [NONEXISTENT] No such quota root
    C: e SETQUOTA "User quota" (STORAGE 1000000)
    S: e NO [NOPERM] Only the administrator sets quotas
    C: f SETQUOTA "User quota" ()
    S: f NO [NOPERM] Only the administrator sets quotas
    C: g SETQUOTA "User quota" (STORAGE x)
    S: g BAD a number expected at byte 34`,
  );
});

test('how full another user is remains unknown; of a shared account those hear who may read there', async (t) => {
  const made = await SharingServer.start(t);
  await made.store.writer.run('test.quota', { login: TEAM, bytes: 4096, messages: 0 });
  await made.put(TEAM, 'News', 'one');
  await made.share(ANNA, 'INBOX/Projects', BERT, 'lrswite');
  await made.share(TEAM, 'News', 'anyone', 'lr');
  await talk(
    await made.client(BERT),
    `C: a GETQUOTAROOT "Other Users/anna@example.org/INBOX/Projects"
    S: * QUOTAROOT "Other Users/anna@example.org/INBOX/Projects"
    S: a OK GETQUOTAROOT completed
    C: b GETQUOTAROOT Shared/team@example.net/News
    S: * QUOTAROOT Shared/team@example.net/News "Shared/team@example.net"
    S: * QUOTA "Shared/team@example.net" (STORAGE 1 4 MAILBOX 2 10000 ANNOTATION-STORAGE 0 64000)
    S: b OK GETQUOTAROOT completed
    C: c GETQUOTA "Shared/team@example.net"
    S: * QUOTA "Shared/team@example.net" (STORAGE 1 4 MAILBOX 2 10000 ANNOTATION-STORAGE 0 64000)
    S: c OK GETQUOTA completed
    C: d GETQUOTA "Other Users/anna@example.org"
    S: d NO [NONEXISTENT] No such quota root
    C: e GETQUOTA "anna@example.org"
    S: e NO [NONEXISTENT] No such quota root
    C: f GETQUOTAROOT Shared/team@example.net/None
    S: f NO [NONEXISTENT] No such mailbox`,
  );
  await made.share(TEAM, 'News', 'anyone', 'li');
  assert.equal(await (await made.client(DORA)).exchange('a GETQUOTA "Shared/team@example.net"\r\n'), 'a NO [NONEXISTENT] No such quota root\r\n');
});

test('STATUS says what EXPUNGE would free, in octets', async (t) => {
  const made = await SharingServer.start(t);
  for (const [subject, flags] of [
    ['a', 8],
    ['bb', 0],
    ['ccc', 9],
  ] as const)
    await made.put(ANNA, 'INBOX', subject, flags);
  await talk(
    await made.client(ANNA),
    `C: a STATUS INBOX (SIZE DELETED DELETED-STORAGE)
    S: * STATUS INBOX (SIZE 66 DELETED 2 DELETED-STORAGE 44)
    S: a OK STATUS completed
    C: b STATUS Private (DELETED-STORAGE)
    S: * STATUS Private (DELETED-STORAGE 0)
    S: b OK STATUS completed
    C: c LIST "" INBOX RETURN (STATUS (DELETED-STORAGE))
    S: * LIST (\\HasChildren) "/" INBOX
    S: * STATUS INBOX (DELETED-STORAGE 44)
    S: c OK LIST completed`,
  );
});

test('COPY above the quota is refused with OVERQUOTA', async (t) => {
  const made = await SharingServer.start(t);
  await made.put(ANNA, 'INBOX', 'one');
  await made.store.writer.run('test.quota', { login: ANNA, bytes: 0, messages: 1 });
  assert.equal(await (await made.client(ANNA, 'INBOX')).exchange('a COPY 1 Private\r\n'), 'a NO [OVERQUOTA] Quota exceeded\r\n');
});
