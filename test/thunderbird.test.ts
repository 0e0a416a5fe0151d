/** Debian's Thunderbird lives with an account: set up, read, tag, move, search, write, and the server away and back. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { ImapClient } from './harness/imap-client.ts';
import { letter, sendLetter } from './harness/letter.ts';
import { ownNetwork } from './harness/own-network.ts';
import { type Posthorn, startPosthorn } from './harness/posthorn.ts';
import { tempDir } from './harness/temp.ts';
import { eventually } from './harness/wait.ts';
import { startThunderbird, type Thunderbird } from './peers/thunderbird.ts';
import { makeAuthority } from './peers/thunderbird-certificate.ts';
import { CONTROL, SHIFT } from './peers/thunderbird-marionette.ts';
import { ThunderbirdWindow } from './peers/thunderbird-window.ts';

ownNetwork();

const ANNA = 'anna@us.test';
const BERT = 'bert@us.test';
/** Where Thunderbird looks when nobody tells it: names of the domain, ports of the protocols. */
const HOSTS = '127.0.0.1 localhost imap.us.test smtp.us.test\n';
const PORTS = { imap: ['127.0.0.1:143'], imaps: ['127.0.0.1:993'], submission: ['127.0.0.1:587'], submissions: ['127.0.0.1:465'] };
const FOLDER = '#folderTree li .name';
const MESSAGE = '#threadTree tr';

/** Everything a part of the story needs. */
interface Stage {
  readonly server: Posthorn;
  readonly thunderbird: Thunderbird;
  readonly window: ThunderbirdWindow;
  /** The server's own view of Anna's mailboxes, by a session of its own. */
  imap: ImapClient;
}

test('Thunderbird lives with an account', async (t) => {
  const files = await makeAuthority(tempDir(t, 'certificate'), ['imap.us.test', 'smtp.us.test']);
  writeFileSync('/etc/hosts', HOSTS);
  const config = { tls: { certificate: files.certificate, key: files.key }, listen: PORTS };
  const server = await startPosthorn(t, { config, users: { [ANNA]: 'anna-password', [BERT]: 'bert-password' } });
  const imap = await annaLogin(server);
  await imap.append(
    'INBOX',
    letter({ from: 'carla@them.test', to: ANNA, subject: 'Minutes of the meeting', body: 'The lighthouse keeper counted seven ships.' }),
  );
  await imap.append('INBOX', letter({ from: 'dora@them.test', to: ANNA, subject: 'Invoice 4711', body: 'Please pay.' }));
  await imap.append('INBOX', letter({ from: 'emil@them.test', to: ANNA, subject: 'Old newspaper', body: 'Nothing to see.' }));
  await imap.append('INBOX', pictureLetter());
  // CONDSTORE is a preference of Thunderbird that is off unless asked for.
  const thunderbird = await startThunderbird(t, { preferences: { 'mail.server.default.use_condstore': true } });
  const stage: Stage = { server, thunderbird, window: new ThunderbirdWindow(thunderbird), imap };
  await trust(thunderbird, files.authority);
  keepEvidence(t, stage);

  await t.test('the account is found and added from an address and a password', () => addAccount(stage));
  await t.test('a message is read, and the server knows', () => readMessage(stage));
  await t.test('HTML and attachments of a large message are shown', () => readLarge(stage));
  await t.test('a tag and a star become a keyword and a flag', () => tagAndStar(stage));
  await t.test('a message dragged onto a folder is moved', () => dragToArchive(stage));
  await t.test('a deleted message goes to Trash', () => deleteMessage(stage));
  await t.test('a search is run on the server', () => searchOnServer(stage));
  await t.test('new mail, flags and removals of others appear without a click', () => watchInbox(stage));
  await t.test('a message is written, sent and kept in Sent', () => writeMessage(stage));
  await t.test('a reply marks the message as answered; a draft is kept', () => replyAndDraft(stage));
  await t.test('a folder with a difficult name is made', () => makeFolder(stage));
  await t.test('the server restarts: changes made meanwhile are there afterwards', () => serverRestarts(stage));
  await t.test('Thunderbird restarts: the mailbox is as the server has it', () => thunderbirdRestarts(stage));
  await stage.imap.logout();
});

const annaLogin = (server: Posthorn): Promise<ImapClient> => ImapClient.login(server.port('imap'), ANNA, 'anna-password');

/** As the administrator of a company does: its own authority is trusted. */
async function trust(thunderbird: Thunderbird, authority: string): Promise<void> {
  const base64 = readFileSync(authority, 'utf8').replaceAll(/-----[^-]+-----|\s/g, '');
  const code = 'Cc["@mozilla.org/security/x509certdb;1"].getService(Ci.nsIX509CertDB).addCertFromBase64(args[0], "C,,");';
  await thunderbird.marionette.script(code, base64);
}

/** When a part fails: pictures of the windows, and what went over the wire. */
function keepEvidence(t: TestContext, { thunderbird, window }: Stage): void {
  t.afterEach(async (part) => {
    if ((part as { passed?: boolean }).passed !== false) return;
    const pictures = await window.pictures('thunderbird').catch((error: Error) => [error.message]);
    process.stderr.write(`── Thunderbird: ${pictures.join(' ')}\n${thunderbird.wire(120)}\n`);
  });
}

async function addAccount({ thunderbird, window }: Stage): Promise<void> {
  await thunderbird.marionette.script('window.openAccountHub("MAIL");');
  await window.fill('#realName', 'Anna Öster');
  await window.fill('#email', ANNA);
  await window.click('#forward', 'Continue');
  const found = await window.see('#configSelection');
  for (const fact of ['imap.us.test', '993', 'smtp.us.test', '465']) assert.ok(found.text.includes(fact), `${fact} in ${found.text}`);
  await window.click('#forward', 'Continue');
  await window.fill('input[type=password]', 'anna-password');
  await window.click('#forward', 'Continue');
  await window.click('#forward', 'Finish');
  await window.seeNoMore('.account-hub-dialog[open]');
  // Named by their special use in Thunderbird's words.
  for (const name of ['Inbox', 'Drafts', 'Sent', 'Archives', 'Spam', 'Trash']) await window.see(FOLDER, name);
  const uses = (await thunderbird.marionette.script(`
    const server = MailServices.accounts.allServers.find(one => one.type === 'imap');
    return server.rootFolder.descendants.map(folder => [folder.name, folder.flags & Ci.nsMsgFolderFlags.SpecialUse].join(' ')).sort();
  `)) as string[];
  assert.equal(uses.filter((line) => !line.endsWith(' 0')).length, 6, uses.join('\n'));
}

async function readMessage({ window, imap }: Stage): Promise<void> {
  await window.click(FOLDER, 'Inbox');
  await window.click(MESSAGE, 'Minutes of the meeting');
  await window.see('#expandedsubjectBox', 'Minutes of the meeting');
  await window.see('.moz-text-plain, body', 'The lighthouse keeper counted seven ships.');
  await flags(imap, 'Minutes of the meeting', /\\Seen/);
}

async function readLarge({ window }: Stage): Promise<void> {
  await window.click(MESSAGE, 'Pictures of the lake');
  await window.see('b', 'Sommer am See');
  await window.see('#attachmentInfo, #attachmentView', 'lake.bin');
}

async function tagAndStar({ thunderbird, window, imap }: Stage): Promise<void> {
  await window.click(MESSAGE, 'Minutes of the meeting');
  await thunderbird.marionette.type('1'); // "Important".
  await flags(imap, 'Minutes of the meeting', /\$label1/i);
  await thunderbird.marionette.type('s');
  await flags(imap, 'Minutes of the meeting', /\\Flagged/);
}

async function dragToArchive({ window, imap }: Stage): Promise<void> {
  await window.drag([MESSAGE, 'Old newspaper'], [FOLDER, 'Archives'], '#folderTree .drop-target');
  await window.seeNoMore(MESSAGE, 'Old newspaper');
  await eventually('the message is in Archive', async () => (await imap.count('Archive')) === 1);
  await window.click(FOLDER, 'Archives');
  await window.see(MESSAGE, 'Old newspaper');
  await window.click(FOLDER, 'Inbox');
}

async function deleteMessage({ thunderbird, window, imap }: Stage): Promise<void> {
  await window.click(MESSAGE, 'Invoice 4711');
  await thunderbird.marionette.press('Delete');
  await window.seeNoMore(MESSAGE, 'Invoice 4711');
  await eventually('the message is in Trash', async () => (await imap.count('Trash')) === 1);
  assert.equal((await imap.ok('SEARCH SUBJECT "Invoice 4711"')).untagged.join(), 'SEARCH');
}

async function searchOnServer({ thunderbird, window }: Stage): Promise<void> {
  const { marionette } = thunderbird;
  await marionette.chord([CONTROL, SHIFT], 'F');
  await window.turnTo('SearchDialog.xhtml');
  await window.click('#checkSearchOnline');
  await window.click('#searchAttr0 menulist');
  await eventually('the menu is open', () => marionette.script('return document.querySelector("#searchAttr0 menulist").open;'));
  await marionette.type('B');
  await marionette.press('Enter');
  await eventually('the menu says Body', () => marionette.script('return document.querySelector("#searchAttr0 menulist").label === "Body";'));
  await window.fill('#searchVal0 input', 'lighthouse keeper');
  await window.click('#search-button', 'Search');
  await window.see('#statusText', '1 match');
  const subject = await marionette.script(
    'const tree = document.getElementById("threadTree"); return tree.view.getCellText(0, tree.columns.getNamedColumn("subjectCol"));',
  );
  assert.equal(subject, 'Minutes of the meeting');
  await eventually('the search was sent', () => /uid SEARCH [^\n]*BODY "lighthouse keeper"/i.test(thunderbird.wire(2000)));
  await marionette.chord([CONTROL], 'w');
  await window.backToMain();
}

async function watchInbox({ server, window, imap }: Stage): Promise<void> {
  const message = letter({ from: 'fred@them.test', to: ANNA, subject: 'Fresh from the press', body: 'Just arrived.' });
  await sendLetter({ port: server.port('smtp'), sender: 'fred@them.test', recipients: [ANNA], message });
  await window.see(`${MESSAGE}[data-properties~="unread"]`, 'Fresh from the press');
  const uid = await uidOf(imap, 'Fresh from the press');
  await imap.ok(`UID STORE ${uid} +FLAGS (\\Seen)`);
  await window.seeNoMore(`${MESSAGE}[data-properties~="unread"]`, 'Fresh from the press');
  await window.see(MESSAGE, 'Fresh from the press');
  await imap.ok(`UID STORE ${uid} +FLAGS (\\Deleted)`);
  await imap.ok(`UID EXPUNGE ${uid}`);
  await window.seeNoMore(MESSAGE, 'Fresh from the press');
}

async function writeMessage({ server, thunderbird, window, imap }: Stage): Promise<void> {
  const { marionette } = thunderbird;
  await window.click('#folderPaneWriteMessage');
  await window.turnTo('messengercompose.xhtml');
  await window.click('#toAddrInput');
  await marionette.type(BERT);
  await marionette.press('Enter');
  await window.fill('#msgSubject', 'Grüße vom See');
  await marionette.press('Tab');
  await marionette.type('Lieber Bert, das Wasser ist schön.');
  await window.see('#messageEditor, body', 'das Wasser ist schön.');
  await window.click('#button-send');
  await window.backToMain();
  const bert = await ImapClient.login(server.port('imap'), BERT, 'bert-password');
  await eventually('the message is there', async () => (await bert.count()) === 1);
  const [message] = await bert.messages();
  assert.match(message!, /^User-Agent: Mozilla Thunderbird/m);
  assert.match(Buffer.from(message!, 'latin1').toString('utf8'), /das Wasser ist schön\./);
  await bert.logout();
  await eventually('the copy is in Sent', async () => (await imap.count('Sent')) === 1);
  await window.click(FOLDER, 'Sent');
  await window.see(MESSAGE, 'Grüße vom See');
  await window.click(FOLDER, 'Inbox');
}

async function replyAndDraft({ thunderbird, window, imap }: Stage): Promise<void> {
  const { marionette } = thunderbird;
  await window.click(MESSAGE, 'Minutes of the meeting');
  await window.click('#hdrReplyButton');
  await window.turnTo('messengercompose.xhtml');
  await window.see('mail-address-pill', 'carla@them.test');
  await window.fill('#msgSubject', 'Re: Minutes of the meeting, once more');
  await window.click('#button-save .toolbarbutton-menubutton-button, #button-save');
  await eventually('the draft is in Drafts', async () => (await imap.count('Drafts')) === 1);
  // Carla is far away: Bert answers for her.
  await window.click('mail-address-pill', 'carla@them.test');
  await marionette.press('Delete');
  await window.seeNoMore('mail-address-pill');
  await window.click('#toAddrInput');
  await marionette.type(BERT);
  await marionette.press('Enter');
  await window.click('#button-send');
  await window.backToMain();
  await flags(imap, 'Minutes of the meeting', /\\Answered/);
  await eventually('the draft is gone', async () => (await imap.count('Drafts')) === 0);
}

async function makeFolder({ thunderbird, window, imap }: Stage): Promise<void> {
  await window.choose(FOLDER, ANNA, '#folderPaneContext-new');
  await window.turnTo('newFolderDialog.xhtml');
  await window.fill('#name', 'Büro & Söhne');
  await thunderbird.marionette.press('Enter');
  await window.backToMain();
  await window.see(FOLDER, 'Büro & Söhne');
  await imap.ok('ENABLE UTF8=ACCEPT');
  const listed = (await imap.ok('LIST "" "B*"')).untagged.join();
  assert.match(Buffer.from(listed, 'latin1').toString('utf8'), /Büro & Söhne/);
  await window.click(FOLDER, 'Inbox');
}

async function serverRestarts(stage: Stage): Promise<void> {
  const { server, window } = stage;
  await stage.imap.logout();
  await server.restart();
  stage.imap = await annaLogin(server);
  await stage.imap.append('INBOX', letter({ from: 'gina@them.test', to: ANNA, subject: 'While you were away', body: 'Hello again.' }));
  const uid = await uidOf(stage.imap, 'Pictures of the lake');
  await stage.imap.ok(`UID STORE ${uid} +FLAGS (\\Deleted)`);
  await stage.imap.ok(`UID EXPUNGE ${uid}`);
  await window.click(FOLDER, 'Drafts');
  await window.click(FOLDER, 'Inbox');
  await window.see(MESSAGE, 'While you were away');
  await window.seeNoMore(MESSAGE, 'Pictures of the lake');
  await window.click(MESSAGE, 'While you were away');
  await window.see('.moz-text-plain, body', 'Hello again.');
}

async function thunderbirdRestarts({ thunderbird, window, imap }: Stage): Promise<void> {
  noRefusals(thunderbird);
  await thunderbird.stop();
  const away = await uidOf(imap, 'While you were away');
  await imap.ok(`UID STORE ${away} -FLAGS (\\Seen)`);
  await imap.append('INBOX', letter({ from: 'hans@them.test', to: ANNA, subject: 'Good morning', body: 'Up already?' }));
  await thunderbird.start();
  await window.click(FOLDER, 'Inbox');
  await window.see(MESSAGE, 'Good morning');
  await window.see(`${MESSAGE}[data-properties~="unread"]`, 'While you were away');
  await window.see(MESSAGE, 'Minutes of the meeting');
  const shown = (await window.look(MESSAGE)).length;
  assert.equal(shown, await imap.count('INBOX'));
  assert.match(thunderbird.wire(4000), /SendData: \d+ [^\n]*CHANGEDSINCE/);
  noRefusals(thunderbird);
}

/** The server refused nothing and misunderstood nothing that Thunderbird sent since it was started. */
function noRefusals(thunderbird: Thunderbird): void {
  const lines = thunderbird.wire(Number.POSITIVE_INFINITY).split('\n');
  assert.ok(lines.length > 100, 'Thunderbird wrote down what went over the wire');
  assert.deepEqual(
    lines.filter((line) => /CreateNewLineFromSocket: (\d+|\*) (NO|BAD) /.test(line)),
    [],
  );
}

/** Waits until the flags of the message with that subject in INBOX are such. */
async function flags(imap: ImapClient, subject: string, wanted: RegExp): Promise<void> {
  const uid = await uidOf(imap, subject);
  await eventually(`${subject} has ${wanted.source}`, async () => wanted.test((await imap.ok(`UID FETCH ${uid} (FLAGS)`)).untagged.join()));
}
async function uidOf(imap: ImapClient, subject: string): Promise<number> {
  await imap.ok('SELECT INBOX');
  const { untagged } = await imap.ok(`UID SEARCH SUBJECT "${subject}"`);
  const uid = /^SEARCH (\d+)$/.exec(untagged.join('\n'))?.[1];
  assert.ok(uid !== undefined, `${subject}: ${untagged.join('\n')}`);
  return Number(uid);
}

/** HTML with a picture's worth of bytes attached: larger than the pieces that Thunderbird fetches. */
function pictureLetter(): string {
  const bytes = Buffer.from(Array.from({ length: 1_500_000 }, (_, index) => (index * 7) % 251));
  const lines = bytes
    .toString('base64')
    .match(/.{1,76}/g)!
    .join('\r\n');
  return [
    'From: <ida@them.test>',
    `To: <${ANNA}>`,
    'Subject: Pictures of the lake',
    'Date: Fri, 20 Nov 2026 11:00:00 +0000',
    'Message-ID: <lake@letter.test>',
    'MIME-Version: 1.0',
    'Content-Type: multipart/mixed; boundary=lake',
    '',
    '--lake',
    'Content-Type: text/html; charset=utf-8',
    '',
    '<html><body><p>Schau: <b>Sommer am See</b></p></body></html>',
    '--lake',
    'Content-Type: application/octet-stream; name="lake.bin"',
    'Content-Disposition: attachment; filename="lake.bin"',
    'Content-Transfer-Encoding: base64',
    '',
    lines,
    '--lake--',
    '',
  ].join('\r\n');
}
