import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ANNA, BERT, CARL, DORA, SharingServer, TEAM } from './acl-testing.ts';
import { talk } from './testing.ts';

test('SETACL gives, adds and takes rights; GETACL shows them with the rights of RFC 2086; the owner stands first', async (t) => {
  const made = await SharingServer.start(t);
  await talk(
    await made.client(ANNA),
    `C: a GETACL INBOX/Projects
    S: * ACL INBOX/Projects anna@example.org lrswipkxteacd
    S: a OK GETACL completed
    C: b SETACL INBOX/Projects Bert@Example.ORG lrs
    S: b OK SETACL completed
    C: c SETACL INBOX/Projects bert@example.org +wc
    S: c OK SETACL completed
    C: d SETACL INBOX/Projects bert@example.org -s
    S: d OK SETACL completed
    C: e SETACL INBOX/Projects anyone d
    S: e OK SETACL completed
    C: f SETACL INBOX/Projects -carl@example.org t
    S: f OK SETACL completed
    C: g GETACL INBOX/Projects
    S: * ACL INBOX/Projects anna@example.org lrswipkxteacd -carl@example.org td anyone ted bert@example.org lrwkxc
    S: g OK GETACL completed
    C: h DELETEACL INBOX/Projects anyone
    S: h OK DELETEACL completed
    C: i SETACL INBOX/Projects -carl@example.org ""
    S: i OK SETACL completed
    C: j DELETEACL INBOX/Projects nobody@example.org
    S: j OK DELETEACL completed
    C: k GETACL INBOX/Projects
    S: * ACL INBOX/Projects anna@example.org lrswipkxteacd bert@example.org lrwkxc
    S: k OK GETACL completed`,
  );
});

test('SETACL refuses unknown rights, unknown users, users of other domains, and to take rights from the owner', async (t) => {
  const made = await SharingServer.start(t);
  await talk(
    await made.client(ANNA),
    `C: a SETACL INBOX bert@example.org lrQs
    S: a BAD Uppercase rights are not allowed
    C: b SETACL INBOX bert@example.org lrq
    S: b BAD The q right is not supported
    C: c SETACL INBOX bert@example.org lr0
    S: c BAD The 0 right is not supported
    C: d SETACL INBOX nobody@example.org lr
    S: d NO [CANNOT] Mailboxes cannot be shared with this identifier
    C: e SETACL INBOX dora@example.net lr
    S: e NO [CANNOT] Mailboxes cannot be shared with this identifier
    C: f SETACL INBOX "" lr
    S: f BAD Identifier is not allowed
    C: g SETACL INBOX anna@example.org l
    S: g NO [CANNOT] The owner of a mailbox keeps all rights
    C: h SETACL INBOX -anna@example.org l
    S: h NO [CANNOT] The owner of a mailbox keeps all rights
    C: i SETACL INBOX anna@example.org +l
    S: i OK SETACL completed
    C: j DELETEACL INBOX anna@example.org
    S: j NO [CANNOT] The owner of a mailbox keeps all rights
    C: k SETACL Nowhere bert@example.org lr
    S: k NO [NONEXISTENT] No such mailbox`,
  );
});

test('LISTRIGHTS and MYRIGHTS', async (t) => {
  const made = await SharingServer.start(t);
  await made.share(ANNA, 'INBOX/Projects', BERT, 'lrs');
  await made.share(ANNA, 'INBOX/Projects', 'anyone', 'li');
  await made.share(ANNA, 'INBOX/Projects', `-${BERT}`, 's');
  await talk(
    await made.client(ANNA),
    `C: a LISTRIGHTS INBOX/Projects anna@example.org
    S: * LISTRIGHTS INBOX/Projects anna@example.org lrswipkxteacd
    S: a OK LISTRIGHTS completed
    C: b LISTRIGHTS INBOX/Projects Anyone
    S: * LISTRIGHTS INBOX/Projects Anyone ""
    S: b OK LISTRIGHTS completed
    C: c LISTRIGHTS INBOX/Projects bert@example.org
    S: * LISTRIGHTS INBOX/Projects bert@example.org "" l r s w i p k x t e a c d
    S: c OK LISTRIGHTS completed
    C: d MYRIGHTS INBOX
    S: * MYRIGHTS INBOX lrswipkxteacd
    S: d OK MYRIGHTS completed`,
  );
  await talk(
    await made.client(BERT),
    `C: a MYRIGHTS "Other Users/anna@example.org/INBOX/Projects"
    S: * MYRIGHTS "Other Users/anna@example.org/INBOX/Projects" lri
    S: a OK MYRIGHTS completed`,
  );
});

test('a mailbox that one may not see looks as if there were none, whatever is asked', async (t) => {
  const made = await SharingServer.start(t);
  await made.share(ANNA, 'INBOX/Projects', BERT, 'ip');
  const client = await made.client(BERT);
  const none = 'NO [NONEXISTENT] No such mailbox';
  for (const name of ['INBOX/Projects', 'Private', 'Nowhere']) {
    const path = `"Other Users/anna@example.org/${name}"`;
    for (const command of [
      `GETACL ${path}`,
      `SETACL ${path} carl@example.org lr`,
      `DELETEACL ${path} carl@example.org`,
      `LISTRIGHTS ${path} carl@example.org`,
      `STATUS ${path} (MESSAGES)`,
      `DELETE ${path}`,
      `RENAME ${path} "Other Users/anna@example.org/INBOX/Projects/x"`,
      `GETMETADATA ${path} /shared/comment`,
      `SETMETADATA ${path} (/shared/comment "x")`,
      `GETQUOTAROOT ${path}`,
    ])
      assert.equal(await client.exchange(`a ${command}\r\n`), `a ${none}\r\n`, command);
    assert.equal(await client.exchange(`a CREATE "Other Users/anna@example.org/${name}/New"\r\n`), 'a NO [NOPERM] You may not create a mailbox here\r\n');
  }
  for (const other of ['dora@example.net', 'nobody@example.org'])
    assert.equal(await client.exchange(`a CREATE "Other Users/${other}/INBOX/New"\r\n`), 'a NO [NOPERM] You may not create a mailbox here\r\n');
  assert.equal(await client.exchange('a MYRIGHTS "Other Users/anna@example.org/Private"\r\n'), `a ${none}\r\n`);
});

test('NAMESPACE and LIST: those of others below their login, parents as names only, uses of own mailboxes alone', async (t) => {
  const made = await SharingServer.start(t);
  const sent = await made.store.writer.createMailbox(made.id(ANNA), 'Sent', 'sent');
  assert.equal(sent.role, 'sent');
  await made.store.writer.createMailbox(made.id(BERT), 'Sent', 'sent');
  await made.share(ANNA, 'INBOX/Projects', BERT, 'lr');
  await made.share(ANNA, 'Sent', BERT, 'lr');
  await made.share(ANNA, 'Private', BERT, 'r');
  await made.share(TEAM, 'News', 'anyone', 'lrs');
  await talk(
    await made.client(BERT),
    `C: a NAMESPACE
    S: * NAMESPACE (("" "/")) (("Other Users/" "/")) (("Shared/" "/"))
    S: a OK NAMESPACE completed
    C: b LIST "" "*"
    S: * LIST (\\HasNoChildren) "/" INBOX
    S: * LIST (\\Noselect \\HasChildren) "/" "Other Users"
    S: * LIST (\\Noselect \\HasChildren) "/" "Other Users/anna@example.org"
    S: * LIST (\\Noselect \\HasChildren) "/" "Other Users/anna@example.org/INBOX"
    S: * LIST (\\HasNoChildren) "/" "Other Users/anna@example.org/INBOX/Projects"
    S: * LIST (\\HasNoChildren) "/" "Other Users/anna@example.org/Sent"
    S: * LIST (\\HasNoChildren \\Sent) "/" Sent
    S: * LIST (\\Noselect \\HasChildren) "/" Shared
    S: * LIST (\\Noselect \\HasChildren) "/" Shared/team@example.net
    S: * LIST (\\HasNoChildren) "/" Shared/team@example.net/News
    S: b OK LIST completed
    C: c LIST "" "%"
    S: * LIST (\\HasNoChildren) "/" INBOX
    S: * LIST (\\Noselect \\HasChildren) "/" "Other Users"
    S: * LIST (\\HasNoChildren \\Sent) "/" Sent
    S: * LIST (\\Noselect \\HasChildren) "/" Shared
    S: c OK LIST completed
    C: d LIST "Other Users/" "%"
    S: * LIST (\\Noselect \\HasChildren) "/" "Other Users/anna@example.org"
    S: d OK LIST completed
    C: e LIST "" "Other Users/anna@example.org/%" RETURN (MYRIGHTS STATUS (MESSAGES))
    S: * LIST (\\NonExistent \\HasChildren) "/" "Other Users/anna@example.org/INBOX"
    S: * LIST (\\HasNoChildren) "/" "Other Users/anna@example.org/Sent"
    S: * MYRIGHTS "Other Users/anna@example.org/Sent" lr
    S: * STATUS "Other Users/anna@example.org/Sent" (MESSAGES 0)
    S: e OK LIST completed
    C: f LIST (SPECIAL-USE) "" "*"
    S: * LIST (\\HasNoChildren \\Sent) "/" Sent
    S: f OK LIST completed`,
  );
  await talk(
    await made.client(DORA),
    `C: a LIST "" "*"
    S: * LIST (\\HasNoChildren) "/" INBOX
    S: * LIST (\\Noselect \\HasChildren) "/" Shared
    S: * LIST (\\Noselect \\HasChildren) "/" Shared/team@example.net
    S: * LIST (\\HasNoChildren) "/" Shared/team@example.net/News
    S: a OK LIST completed`,
  );
});

test('subscriptions to mailboxes of others: LSUB, LIST SUBSCRIBED and RECURSIVEMATCH', async (t) => {
  const made = await SharingServer.start(t);
  await made.share(ANNA, 'INBOX/Projects', BERT, 'lr');
  await talk(
    await made.client(BERT),
    `C: a SUBSCRIBE "Other Users/anna@example.org/INBOX/Projects/"
    S: a OK SUBSCRIBE completed
    C: b LSUB "" "*"
    S: * LSUB () "/" INBOX
    S: * LSUB () "/" "Other Users/anna@example.org/INBOX/Projects"
    S: b OK LSUB completed
    C: c LSUB "" "%"
    S: * LSUB () "/" INBOX
    S: * LSUB (\\Noselect) "/" "Other Users"
    S: c OK LSUB completed
    C: d LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"
    S: * LIST (\\HasNoChildren \\Subscribed) "/" INBOX
    S: * LIST (\\NonExistent \\HasChildren) "/" "Other Users" ("CHILDINFO" ("SUBSCRIBED"))
    S: d OK LIST completed`,
  );
  await made.share(ANNA, 'INBOX/Projects', BERT, '');
  await talk(
    await made.client(BERT),
    `C: a LIST (SUBSCRIBED) "" "Other*"
    S: * LIST (\\NonExistent \\HasNoChildren \\Subscribed) "/" "Other Users/anna@example.org/INBOX/Projects"
    S: a OK LIST completed
    C: b UNSUBSCRIBE "Other Users/anna@example.org/INBOX/Projects"
    S: b OK UNSUBSCRIBE completed
    C: c LSUB "" "O*"
    S: c OK LSUB completed`,
  );
});

test('rights may be given by who has "a"; sharing can be switched off', async (t) => {
  const made = await SharingServer.start(t);
  await made.share(ANNA, 'INBOX/Projects', BERT, 'la');
  await talk(
    await made.client(BERT),
    `C: a SETACL "Other Users/anna@example.org/INBOX/Projects" carl@example.org lr
    S: a OK SETACL completed
    C: b GETACL "Other Users/anna@example.org/INBOX/Projects"
    S: * ACL "Other Users/anna@example.org/INBOX/Projects" anna@example.org lrswipkxteacd bert@example.org la carl@example.org lr
    S: b OK GETACL completed
    C: c STATUS "Other Users/anna@example.org/INBOX/Projects" (MESSAGES)
    S: c NO [NOPERM] You have no right to do this`,
  );
  made.server.settings = { ...made.server.settings, 'imap.sharing': 'none' };
  await talk(
    await made.client(CARL),
    `C: a LIST "" "*"
    S: * LIST (\\HasNoChildren) "/" INBOX
    S: a OK LIST completed
    C: b STATUS "Other Users/anna@example.org/INBOX/Projects" (MESSAGES)
    S: b NO [NONEXISTENT] No such mailbox
    C: c NAMESPACE
    S: * NAMESPACE (("" "/")) NIL NIL
    S: c OK NAMESPACE completed`,
  );
});

test('CREATE takes "k" of the parent, whose rights the new mailbox has; DELETE and RENAME take "x"', async (t) => {
  const made = await SharingServer.start(t);
  await made.share(ANNA, 'INBOX/Projects', BERT, 'lrk');
  await made.share(ANNA, 'INBOX/Projects', CARL, 'lr');
  const bert = await made.client(BERT);
  const at = (name: string): string => `"Other Users/anna@example.org/INBOX/Projects${name}"`;
  assert.match(await bert.exchange(`a CREATE ${at('/2026/Q1')}\r\n`), /^a OK \[MAILBOXID \(F\d+-\d+\)\] CREATE completed\r\n$/);
  assert.equal(await bert.exchange(`b MYRIGHTS ${at('/2026/Q1')}\r\n`), `* MYRIGHTS ${at('/2026/Q1')} lrkc\r\nb OK MYRIGHTS completed\r\n`);
  assert.equal(await bert.exchange(`c CREATE ${at('/2026/Q1')}\r\n`), 'c NO [ALREADYEXISTS] Mailbox exists\r\n');
  assert.equal(await bert.exchange(`d DELETE ${at('/2026/Q1')}\r\n`), 'd NO [NOPERM] You have no right to do this\r\n');
  assert.equal(await bert.exchange(`e RENAME ${at('/2026/Q1')} ${at('/Q1')}\r\n`), 'e NO [NOPERM] You have no right to do this\r\n');
  const carl = await made.client(CARL);
  assert.equal(await carl.exchange(`a CREATE ${at('/mine')}\r\n`), 'a NO [NOPERM] You may not create a mailbox here\r\n');
  assert.equal(await carl.exchange(`b CREATE ${at('/2026/Q1/mine')}\r\n`), 'b NO [NOPERM] You may not create a mailbox here\r\n');
  await made.share(ANNA, 'INBOX/Projects/2026/Q1', BERT, 'lrkx');
  assert.equal(await bert.exchange(`f RENAME ${at('/2026/Q1')} ${at('/Q1')}\r\n`), 'f OK RENAME completed\r\n');
  assert.equal(await bert.exchange(`g MYRIGHTS ${at('/Q1')}\r\n`), `* MYRIGHTS ${at('/Q1')} lrkxc\r\ng OK MYRIGHTS completed\r\n`);
  assert.equal(await bert.exchange(`h RENAME ${at('/Q1')} Q1\r\n`), 'h NO [CANNOT] A mailbox stays in its account\r\n');
  assert.equal(await bert.exchange(`i RENAME ${at('/Q1')} "Other Users/anna@example.org/Q1"\r\n`), 'i NO [NOPERM] You may not create a mailbox here\r\n');
  assert.equal(await bert.exchange(`j DELETE ${at('/Q1')}\r\n`), 'j OK DELETE completed\r\n');
  // The name comes back, not the rights.
  await made.create(ANNA, 'Q1');
  assert.deepEqual(made.store.reader.rows('SELECT * FROM acl WHERE mailbox_id=?', made.mailbox(ANNA, 'Q1').id), []);
  assert.equal(await bert.exchange(`k CREATE ${at('/x')} (USE (\\Archive))\r\n`), 'k NO [USEATTR] Only your own mailboxes have special uses\r\n');
});

test('DELETE of a mailbox with children, and of its name: the rights are gone with it, those of the children stay', async (t) => {
  const made = await SharingServer.start(t);
  await made.share(ANNA, 'Private', BERT, 'lr');
  await made.create(ANNA, 'Private/Deep');
  const anna = await made.client(ANNA);
  assert.equal(await anna.exchange('a DELETE Private\r\n'), 'a OK DELETE completed\r\n');
  assert.deepEqual(made.store.reader.rows('SELECT b.name, a.identifier, a.rights FROM acl a JOIN mailbox b ON b.id=a.mailbox_id'), [
    ['Private/Deep', BERT, 'lr'],
  ]);
  assert.match(await anna.exchange('b CREATE Private\r\n'), /^b OK /);
  assert.equal(made.store.reader.rows('SELECT * FROM acl WHERE mailbox_id=?', made.mailbox(ANNA, 'Private').id).length, 0);
});

test('RENAME of INBOX: both it and the new mailbox are shared as before', async (t) => {
  const made = await SharingServer.start(t);
  await made.share(ANNA, 'INBOX', BERT, 'lr');
  const anna = await made.client(ANNA);
  assert.equal(await anna.exchange('a RENAME INBOX Old\r\n'), 'a OK RENAME completed\r\n');
  for (const name of ['INBOX', 'Old'])
    assert.deepEqual(made.store.reader.rows('SELECT identifier, rights FROM acl WHERE mailbox_id=?', made.mailbox(ANNA, name).id), [[BERT, 'lr']]);
});

test('whoever gains, loses or shares a mailbox hears that the list has changed', async (t) => {
  const made = await SharingServer.start(t);
  const heard: string[] = [];
  for (const login of [ANNA, BERT, CARL, DORA]) made.store.announcements.watchAccount(made.id(login), (a) => heard.push(`${login.slice(0, 4)} ${a.kind}`));
  const take = (): string[] => heard.splice(0).sort();
  await made.share(ANNA, 'INBOX/Projects', BERT, 'lr');
  assert.deepEqual(take(), ['anna mailboxes', 'bert mailboxes']);
  await made.create(ANNA, 'INBOX/Projects/New');
  assert.deepEqual(take(), ['anna mailboxes', 'bert mailboxes']);
  await made.store.writer.renameMailbox(made.id(ANNA), made.mailbox(ANNA, 'INBOX/Projects').id, 'Work');
  assert.deepEqual(take(), ['anna mailboxes', 'bert mailboxes']);
  await made.store.writer.deleteMailbox(made.id(ANNA), made.mailbox(ANNA, 'Work/New').id);
  assert.deepEqual(take(), ['anna mailboxGone', 'anna mailboxes', 'bert mailboxes']);
  await made.share(ANNA, 'Work', 'anyone', 'l');
  assert.deepEqual(take(), ['anna mailboxes', 'bert mailboxes', 'carl mailboxes']);
  await made.share(ANNA, 'Work', BERT, '');
  assert.deepEqual(take(), ['anna mailboxes', 'bert mailboxes']);
});

test('the list of one mailbox has an end', async (t) => {
  const made = await SharingServer.start(t);
  const { id } = made.mailbox(ANNA, 'Private');
  for (let i = 0; i < 1000; i += 1)
    await made.store.writer.run('acl.set', { accountId: made.id(ANNA), mailboxId: id, identifier: `user${i}@example.org`, mode: 'add', rights: 'l' });
  const anna = await made.client(ANNA);
  assert.equal(await anna.exchange('a SETACL Private bert@example.org l\r\n'), 'a NO [LIMIT] Limit reached\r\n');
  assert.equal(await anna.exchange('b DELETEACL Private user7@example.org\r\n'), 'b OK DELETEACL completed\r\n');
  assert.equal(await anna.exchange('c SETACL Private bert@example.org l\r\n'), 'c OK SETACL completed\r\n');
});

test('annotations on mailboxes of others: shared ones by who may write, private ones by the owner alone', async (t) => {
  const made = await SharingServer.start(t);
  await made.share(ANNA, 'INBOX/Projects', BERT, 'lr');
  await made.share(ANNA, 'INBOX/Projects', CARL, 'lrw');
  await talk(await made.client(ANNA), 'C: a SETMETADATA INBOX/Projects (/shared/comment "ours" /private/comment "mine")\nS: a OK SETMETADATA completed');
  const name = '"Other Users/anna@example.org/INBOX/Projects"';
  await talk(
    await made.client(BERT),
    `C: a GETMETADATA (DEPTH infinity) ${name} (/shared /private)
    S: * METADATA ${name} (/shared/comment "ours")
    S: a OK GETMETADATA completed
    C: b GETMETADATA ${name} (/private/comment)
    S: * METADATA ${name} (/private/comment NIL)
    S: b OK GETMETADATA completed
    C: c SETMETADATA ${name} (/shared/comment "theirs")
    S: c NO [NOPERM] You have no right to do this
    C: d SETMETADATA ${name} (/private/specialuse "\\\\Sent")
    S: d NO [METADATA NOPRIVATE] Only the owner of a mailbox has private annotations on it`,
  );
  await talk(
    await made.client(CARL),
    `C: a SETMETADATA ${name} (/shared/comment "theirs")
    S: a OK SETMETADATA completed
    C: b SETMETADATA ${name} (/shared/imapsieve/script "theirs")
    S: b NO [NOPERM] You have no right to do this
    C: c LIST "" "Other*s" RETURN (METADATA (/shared/comment /private/comment))
    S: * LIST (\\NonExistent \\HasChildren) "/" "Other Users"
    S: * LIST (\\HasNoChildren) "/" ${name}
    S: * METADATA ${name} (/shared/comment "theirs" /private/comment NIL)
    S: c OK LIST completed`,
  );
});

test('XLIST, as Outlook asks: INBOX and the special mailboxes are marked', async (t) => {
  const made = await SharingServer.start(t);
  for (const role of ['sent', 'junk'] as const) await made.store.writer.createMailbox(made.id(BERT), role === 'sent' ? 'Sent' : 'Junk', role);
  await made.share(ANNA, 'Private', BERT, 'lr');
  await talk(
    await made.client(BERT),
    `C: a XLIST "" "*"
    S: * XLIST (\\HasNoChildren \\Inbox) "/" "Inbox"
    S: * XLIST (\\HasNoChildren \\Spam) "/" Junk
    S: * XLIST (\\Noselect \\HasChildren) "/" "Other Users"
    S: * XLIST (\\Noselect \\HasChildren) "/" "Other Users/anna@example.org"
    S: * XLIST (\\HasNoChildren) "/" "Other Users/anna@example.org/Private"
    S: * XLIST (\\HasNoChildren \\Sent) "/" Sent
    S: a OK XLIST completed
    C: b XLIST "" "%"
    S: * XLIST (\\HasNoChildren \\Inbox) "/" "Inbox"
    S: * XLIST (\\HasNoChildren \\Spam) "/" Junk
    S: * XLIST (\\Noselect \\HasChildren) "/" "Other Users"
    S: * XLIST (\\HasNoChildren \\Sent) "/" Sent
    S: b OK XLIST completed`,
  );
});

test('MAILBOXID: STATUS, LIST RETURN (STATUS) and CREATE agree, and a renamed mailbox keeps its own', async (t) => {
  const made = await SharingServer.start(t);
  const anna = await made.client(ANNA);
  const id = /MAILBOXID \((\S+)\)/.exec(await anna.exchange('a CREATE Fresh\r\n'))?.[1];
  assert.equal(await anna.exchange('b STATUS Fresh (MAILBOXID)\r\n'), `* STATUS Fresh (MAILBOXID (${id}))\r\nb OK STATUS completed\r\n`);
  await anna.exchange('c RENAME Fresh Older\r\n');
  assert.equal(
    await anna.exchange('d LIST "" Older RETURN (STATUS (MAILBOXID))\r\n'),
    `* LIST (\\HasNoChildren) "/" Older\r\n* STATUS Older (MAILBOXID (${id}))\r\nd OK LIST completed\r\n`,
  );
});

/** RFC 4314 section 4, RFC 5464 section 3.3: what a command takes, on Anna's folder or in it; it must be refused when one of them is missing. */
const TAKES: readonly (readonly [command: string, rights: string])[] = [
  ['STATUS @ (MESSAGES)', 'r'],
  ['GETACL @', 'a'],
  ['SETACL @ carl@example.org lr', 'a'],
  ['DELETEACL @ carl@example.org', 'a'],
  ['LISTRIGHTS @ carl@example.org', 'a'],
  ['CREATE "@/New"', 'k'],
  ['DELETE "@/Old"', 'x'],
  ['RENAME "@/Old" "@/New"', 'xk'],
  ['SETMETADATA @ (/shared/comment "x")', 'lw'],
  ['GETMETADATA @ /shared/comment', 'lr'],
  ['COPY 1 @', 'i'],
  ['MOVE 1 @', 'i'],
];

for (const [command, rights] of TAKES) {
  test(`${command} takes ${[...rights].map((right) => `"${right}"`).join(' and ')}, and nothing else does`, async (t) => {
    const made = await SharingServer.start(t);
    await made.create(ANNA, 'INBOX/Projects/Old');
    await made.put(BERT, 'INBOX', 'one');
    const text = command
      .replaceAll('"@', '"Other Users/anna@example.org/INBOX/Projects')
      .replaceAll(/(?<= )@/g, '"Other Users/anna@example.org/INBOX/Projects"');
    const set = async (given: string): Promise<void> => {
      for (const name of ['INBOX/Projects', 'INBOX/Projects/Old']) await made.share(ANNA, name, BERT, given);
    };
    const bert = await made.client(BERT, 'INBOX');
    for (const right of rights) {
      const others = [...'lrswipkxtea'].filter((letter) => letter !== right).join('');
      // Any of several rights does for annotations; "l" alone is not one of them.
      await set(command.startsWith('GETMETADATA') && right === 'r' ? 'lkxtea' : others);
      const answer = await bert.exchange(`a ${text}\r\n`);
      assert.match(answer, right === 'l' ? /^a NO \[(NOPERM|NONEXISTENT)\]/ : /^a NO \[NOPERM\]/, `without ${right}: ${answer}`);
    }
    await set(rights);
    assert.match(await bert.exchange(`b ${text}\r\n`), /^b OK/m, `with ${rights} alone`);
  });
}
