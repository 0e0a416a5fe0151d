/** Debian's Roundcube, used in Chromium: read, search, sort, threads, move, write, folders, quota. */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { FrameLocator, Locator, Page } from 'playwright-core';
import { ImapClient } from './harness/imap-client.ts';
import { letter } from './harness/letter.ts';
import { ownNetwork } from './harness/own-network.ts';
import { type Posthorn, startPosthorn } from './harness/posthorn.ts';
import { tempDir } from './harness/temp.ts';
import { eventually } from './harness/wait.ts';
import { picture, startBrowser } from './peers/browser.ts';
import { makeCertificate } from './peers/certificate.ts';
import { type Roundcube, startRoundcube } from './peers/roundcube.ts';

ownNetwork();

const ANNA = 'anna@us.test';
const BERT = 'bert@us.test';
const MINUTES = '<Minutes%20of%20the%20meeting@letter.test>';
const ATTACHMENT = Buffer.from(Array.from({ length: 100_000 }, (_, index) => (index * 7) % 251));
/** Roundcube shows how much of it is used. */
const QUOTA_MIB = 10;

/** How long the list may take to follow. */
const SHOW_MS = 20_000;

interface Stage {
  readonly server: Posthorn;
  readonly roundcube: Roundcube;
  readonly page: Page;
  readonly imap: ImapClient;
}

test('Roundcube in a browser lives with an account', async (t) => {
  const files = await makeCertificate(tempDir(t, 'certificate'), ['localhost']);
  const config = { tls: { certificate: files.certificate, key: files.key } };
  const server = await startPosthorn(t, { config, users: { [ANNA]: 'anna-password', [BERT]: 'bert-password' } });
  await server.admin('user', 'quota', ANNA, `${QUOTA_MIB}MiB`);
  const imap = await ImapClient.login(server.port('imap'), ANNA, 'anna-password');
  await fill(imap);
  const roundcube = await startRoundcube(t, { imapPort: server.port('imaps'), submissionPort: server.port('submission') });
  const context = await startBrowser(t);
  const stage: Stage = { server, roundcube, page: await context.newPage(), imap };
  keepEvidence(t, stage);

  await t.test('a wrong password is refused, the right one opens the mailbox', () => login(stage));
  await t.test('a message is read, and the server knows', () => readMessage(stage));
  await t.test('HTML is shown, an attachment comes out as it went in', () => readHtml(stage));
  await t.test('a message is marked and found by its mark', () => flagMessage(stage));
  await t.test('searches in subjects, bodies and all folders find what is there', () => search(stage));
  await t.test('a click on Refresh shows new mail', () => refresh(stage));
  await t.test('the list is sorted by the server', () => sort(stage));
  await t.test('conversations are shown as threads', () => threads(stage));
  await t.test('a message dragged onto a folder is moved, a deleted one is in Trash', () => moveAndDelete(stage));
  await t.test('a reply with an attachment is sent and kept', () => reply(stage));
  await t.test('folders are made, renamed, hidden and deleted', () => folders(stage));
  await t.test('the quota is shown', () => quota(stage));
  await t.test('nothing went wrong between Roundcube and the server', () => peace(stage));
  await imap.logout();
});

async function fill(imap: ImapClient): Promise<void> {
  const send = (from: string, subject: string, body: string, headers: Record<string, string> = {}): Promise<unknown> =>
    imap.append('INBOX', letter({ from, to: ANNA, subject, body, headers }));
  await send('carla@them.test', 'Minutes of the meeting', 'The lighthouse keeper counted seven ships.');
  await send('dora@them.test', 'Invoice 4711', 'Please pay.');
  await send('bert@us.test', 'Apples', 'They are ripe.');
  await send('carla@them.test', 'Re: Minutes of the meeting', 'Eight, in fact.', { 'In-Reply-To': MINUTES, References: MINUTES });
  await imap.append('Archive', letter({ from: 'emil@them.test', to: ANNA, subject: 'Old newspaper', body: 'A lighthouse for sale.' }));
  await imap.append('INBOX', htmlLetter());
}

/** When a part fails: a picture of the page, and what went over the wire. */
function keepEvidence(t: TestContext, { page, roundcube }: Stage): void {
  t.afterEach(async (part) => {
    if ((part as { passed?: boolean }).passed !== false) return;
    const file = await picture(page, 'roundcube').catch((error: Error) => error.message);
    process.stderr.write(`── Roundcube: ${file}\n${roundcube.errors()}\n${roundcube.imapLog().split('\n').slice(-80).join('\n')}\n`);
    // The next part does not start in a dialog that this one left open.
    await page.goto(`${roundcube.url}?_task=mail`);
  });
}

const row = (page: Page, subject: string): Locator => page.locator('#messagelist tbody tr').filter({ hasText: subject });
/** Roundcube shows a message in a frame beside the list. */
const preview = (page: Page): FrameLocator => page.frameLocator('#messagecontframe');
const folder = (page: Page, name: string): Locator => page.locator('#mailboxlist a').filter({ hasText: name });

/** Subjects in the order of the list. */
const subjects = async (page: Page): Promise<string[]> =>
  (await page.locator('#messagelist tbody tr:visible td.subject .subject a').allTextContents()).map((text) => text.trim());
const shows = (page: Page, wanted: readonly string[]): Promise<unknown> =>
  eventually(
    `the list shows ${wanted.join(', ')}`,
    async () => {
      const shown = await subjects(page);
      if (shown.join('\n') !== wanted.join('\n')) throw new Error(`it shows ${shown.join(', ')}`);
      return true;
    },
    SHOW_MS,
  );

async function login({ roundcube, page }: Stage): Promise<void> {
  await page.goto(roundcube.url);
  const enter = async (password: string): Promise<void> => {
    await page.fill('#rcmloginuser', ANNA);
    await page.fill('#rcmloginpwd', password);
    await page.click('#rcmloginsubmit');
  };
  await enter('wrong-password');
  await page.getByText('Login failed.').waitFor();
  await enter('anna-password');
  await row(page, 'Invoice 4711').waitFor();
  for (const name of ['Inbox', 'Drafts', 'Sent', 'Junk', 'Trash', 'Archive']) await folder(page, name).waitFor();
}

async function readMessage({ page, imap }: Stage): Promise<void> {
  await row(page, 'Invoice 4711').click();
  await preview(page).getByText('Please pay.').waitFor();
  await flags(imap, 'Invoice 4711', /\\Seen/);
}

async function readHtml({ page }: Stage): Promise<void> {
  await row(page, 'Pictures of the lake').click();
  await preview(page).locator('b', { hasText: 'Sommer am See' }).waitFor();
  const link = preview(page).locator('#attachment-list a.filename', { hasText: 'lake.bin' });
  const address = new URL((await link.getAttribute('href'))!, page.url());
  address.searchParams.set('_download', '1');
  const response = await page.context().request.get(address.href);
  assert.equal(response.status(), 200);
  assert.deepEqual(await response.body(), ATTACHMENT);
}

async function flagMessage({ page, imap }: Stage): Promise<void> {
  await row(page, 'Invoice 4711').click();
  await preview(page).getByText('Please pay.').waitFor();
  await idle(page);
  await page.click('#toolbar-menu a.markmessage');
  await page.click('#markmessage-menu a.flag');
  await flags(imap, 'Invoice 4711', /\\Flagged/);
  await openSearch(page);
  await page.selectOption('#searchfilter', 'FLAGGED');
  await idle(page);
  await page.click('#searchmenu button.search');
  await shows(page, ['Invoice 4711']);
  await openSearch(page); // It closes with each search.
  await page.selectOption('#searchfilter', 'ALL');
  await idle(page);
  await page.click('.searchbar a.reset');
  await row(page, 'Apples').waitFor();
}

async function search({ page, roundcube }: Stage): Promise<void> {
  const look = async (text: string, where: readonly string[], scope: string): Promise<void> => {
    await openSearch(page);
    for (const box of ['subject', 'sender', 'body', 'text']) await page.setChecked(`#searchmenu input[value=${box}]`, where.includes(box), { force: true });
    await page.selectOption('#searchmenu select[name=s_scope]', scope);
    await page.fill('#mailsearchform', text);
    await idle(page);
    await page.click('#searchmenu button.search');
  };
  await look('4711', ['subject'], 'base');
  await shows(page, ['Invoice 4711']);
  await look('lighthouse', ['body'], 'base');
  await shows(page, ['Minutes of the meeting']);
  await look('lighthouse', ['body'], 'all');
  await row(page, 'Old newspaper').waitFor();
  await row(page, 'Minutes of the meeting').waitFor();
  assert.match(roundcube.imapLog(), /UID (SEARCH|SORT) [^\n]*BODY lighthouse/);
  await look('lighthouse', ['body'], 'base');
  await shows(page, ['Minutes of the meeting']);
  await idle(page);
  await page.click('.searchbar a.reset');
  await row(page, 'Apples').waitFor();
}

async function refresh({ page, imap }: Stage): Promise<void> {
  await imap.append('INBOX', letter({ from: 'fred@them.test', to: ANNA, subject: 'Fresh from the press', body: 'Just arrived.' }));
  await idle(page);
  await page.click('a.refresh');
  await row(page, 'Fresh from the press').waitFor();
  const uid = await uidOf(imap, 'Fresh from the press');
  await imap.ok(`UID STORE ${uid} +FLAGS (\\Deleted)`);
  await imap.ok(`UID EXPUNGE ${uid}`);
  await idle(page);
  await page.click('a.refresh');
  await row(page, 'Fresh from the press').waitFor({ state: 'hidden' });
}

async function sort({ page, roundcube }: Stage): Promise<void> {
  await listOptions(page, { sort_col: 'subject', sort_ord: 'ASC' });
  await shows(page, ['Apples', 'Invoice 4711', 'Minutes of the meeting', 'Re: Minutes of the meeting', 'Pictures of the lake']);
  await listOptions(page, { sort_col: 'size', sort_ord: 'DESC' });
  await eventually('the largest is the first', async () => (await subjects(page))[0] === 'Pictures of the lake', SHOW_MS);
  await listOptions(page, { sort_col: 'from', sort_ord: 'DESC' });
  await eventually('ida is the first', async () => (await subjects(page))[0] === 'Pictures of the lake' && (await subjects(page)).at(-1) === 'Apples', SHOW_MS);
  assert.match(roundcube.imapLog(), /UID SORT (RETURN \([^)]*\) )?\(SUBJECT\)/);
}

async function threads({ page, roundcube }: Stage): Promise<void> {
  await listOptions(page, { mode: 'threads', sort_col: 'date', sort_ord: 'DESC' });
  await page.locator('#messagelist tbody tr.thread').first().waitFor();
  const depth = (): Promise<Record<string, number>> =>
    page.evaluate(() => {
      const { message_list: list } = (globalThis as any).rcmail;
      const rows: any[] = Object.values(list.rows);
      return Object.fromEntries(rows.map((one) => [one.obj.querySelector('td.subject .subject a').textContent.trim(), one.depth ?? 0]));
    });
  await eventually('the answer hangs below its question', async () => {
    const depths = await depth();
    return depths['Re: Minutes of the meeting'] === 1 && depths['Minutes of the meeting'] === 0 && depths['Apples'] === 0;
  });
  assert.match(roundcube.imapLog(), /UID THREAD (REFS|REFERENCES) /);
  await listOptions(page, { mode: 'list', sort_col: 'arrival', sort_ord: 'DESC' });
  await row(page, 'Re: Minutes of the meeting').waitFor();
}

async function moveAndDelete({ page, imap }: Stage): Promise<void> {
  await drag(page, row(page, 'Apples').locator('td.subject'), folder(page, 'Archive'));
  await row(page, 'Apples').waitFor({ state: 'hidden' });
  await eventually('the message is in Archive', async () => (await imap.count('Archive')) === 2);
  await row(page, 'Invoice 4711').click();
  await preview(page).getByText('Please pay.').waitFor();
  await idle(page);
  await page.click('#toolbar-menu a.delete');
  await row(page, 'Invoice 4711').waitFor({ state: 'hidden' });
  await eventually('the message is in Trash', async () => (await imap.count('Trash')) === 1);
  await openFolder(page, 'Trash');
  await row(page, 'Invoice 4711').waitFor();
  await openFolder(page, 'Inbox');
  await row(page, 'Pictures of the lake').waitFor();
}

async function reply({ server, page, imap }: Stage): Promise<void> {
  await row(page, 'Re: Minutes of the meeting').click();
  await preview(page).getByText('Eight, in fact.').waitFor();
  await idle(page);
  await page.click('#toolbar-menu a.reply');
  // Carla is far away: Bert answers for her.
  await page.click('#compose_to li.recipient a.remove');
  await page.fill('#compose_to li.input input', BERT);
  await page.keyboard.press('Enter');
  await page.fill('#composebody', 'Grüße aus Köln');
  await page.setInputFiles('#uploadformInput', { name: 'Rechnung Ä.txt', mimeType: 'text/plain', buffer: Buffer.from('zwölf Euro') });
  await page.locator('#attachment-list li').filter({ hasText: 'Rechnung' }).waitFor();
  await idle(page);
  await page.click('button.send');
  await row(page, 'Pictures of the lake').waitFor();
  const bert = await ImapClient.login(server.port('imap'), BERT, 'bert-password');
  await eventually('the message is there', async () => (await bert.count()) === 1);
  const text = Buffer.from((await bert.messages())[0]!, 'latin1').toString('utf8');
  assert.match(text, /Grüße aus Köln/);
  assert.ok(text.includes(Buffer.from('zwölf Euro').toString('base64')), text);
  await bert.logout();
  await flags(imap, 'Re: Minutes of the meeting', /\\Answered/);
  assert.equal(await imap.count('Sent'), 1);
}

async function folders({ roundcube, page, imap }: Stage): Promise<void> {
  await page.goto(`${roundcube.url}?_task=settings&_action=folders`);
  const form = page.frameLocator('#preferences-frame');
  const listed = page.locator('#subscription-table li');
  const onServer = async (command: string): Promise<string> => (await imap.ok(`${command} "" "*"`)).untagged.join('\n');
  await page.click('a.create');
  await form.locator('input[name=_name]').fill('Büro & Söhne');
  await form.locator('button.submit').click();
  await listed.filter({ hasText: 'Büro & Söhne' }).waitFor();
  assert.match(await onServer('LIST'), /B&APw-ro &- S&APY-hne/);
  assert.match(await onServer('LSUB'), /B&APw-ro &- S&APY-hne/);
  await listed.filter({ hasText: 'Büro & Söhne' }).locator('a').click();
  await form.locator('input[name=_name]').fill('Enkel');
  await form.locator('button.submit').click();
  const renamed = listed.filter({ hasText: 'Enkel' });
  await renamed.waitFor();
  assert.doesNotMatch(await onServer('LIST'), /B&APw-ro/);
  await renamed.locator('label').click();
  await eventually('the folder is no longer subscribed', async () => !(await onServer('LSUB')).includes('Enkel'));
  await renamed.locator('a').click();
  await form.locator('input[name=_name]').waitFor();
  await page.click('a.delete');
  await page.locator('.ui-dialog button.mainaction').click();
  await renamed.waitFor({ state: 'detached' });
  assert.doesNotMatch(await onServer('LIST'), /Enkel/);
  await page.goto(`${roundcube.url}?_task=mail`);
  await row(page, 'Pictures of the lake').waitFor();
}

async function quota({ page }: Stage): Promise<void> {
  const title = await eventually('the quota is shown', () => page.locator('#quotadisplay').getAttribute('title', { timeout: SHOW_MS }), SHOW_MS);
  assert.match(title, new RegExp(`/ ${QUOTA_MIB}(\\.0)? MB \\([0-9]+%\\)`));
}

async function peace({ page, roundcube }: Stage): Promise<void> {
  await page.click('a.logout');
  await page.locator('#rcmloginuser').waitFor();
  const bad = roundcube
    .imapLog()
    .split('\n')
    .filter((line) => /\] S: (A\d+|\*) (BAD|NO|BYE \[)/.test(line) && !line.includes('AUTHENTICATIONFAILED'));
  assert.deepEqual(bad, []);
  assert.doesNotMatch(roundcube.errors(), /IMAP Error(?!.*Login failed)|SMTP Error|PHP (Fatal|Warning)/);
}

/** Roundcube passes over a click while it waits for an answer to the one before. */
async function idle(page: Page): Promise<void> {
  await page.waitForFunction(() => (globalThis as any).rcmail?.busy !== true);
}
async function openFolder(page: Page, name: string): Promise<void> {
  // Between looking and clicking it may begin to fetch the next message: then once more, as a person would.
  const selected = page.locator('#mailboxlist li.selected', { hasText: name });
  await eventually(`the folder ${name} is open`, async () => {
    if ((await selected.count()) > 0) return true;
    await idle(page);
    await folder(page, name).click();
    return (await selected.count()) > 0;
  });
}
/** Opens the panel below the search field, unless it is open. */
async function openSearch(page: Page): Promise<void> {
  if (!(await page.locator('#searchmenu button.search').isVisible())) await page.click('.searchbar a.button.options');
}
/** The dialog behind Options above the list. */
async function listOptions(page: Page, choices: Readonly<Record<string, string>>): Promise<void> {
  await idle(page);
  await page.click('a.options:has-text("Options"):visible >> nth=0');
  const dialog = page.locator('.ui-dialog:visible');
  for (const [name, value] of Object.entries(choices)) await dialog.locator(`select[name=${name}]`).selectOption(value);
  await dialog.locator('button.save').click();
  await dialog.waitFor({ state: 'detached' });
}
/** With the mouse, in steps: Roundcube tells a drag from a click by the way it went. */
async function drag(page: Page, from: Locator, to: Locator): Promise<void> {
  await idle(page);
  const [start, end] = [(await from.boundingBox())!, (await to.boundingBox())!];
  await page.mouse.move(start.x + 60, start.y + start.height / 2);
  await page.mouse.down();
  await page.mouse.move(start.x + 40, start.y + start.height / 2 + 4, { steps: 4 });
  await page.mouse.move(end.x + 40, end.y + end.height / 2, { steps: 8 });
  await page.mouse.up();
}

/** Waits until the flags of the message with that subject in INBOX are such. */
async function flags(imap: ImapClient, subject: string, wanted: RegExp): Promise<void> {
  const uid = await uidOf(imap, subject);
  await eventually(`${subject} has ${wanted.source}`, async () => wanted.test((await imap.ok(`UID FETCH ${uid} (FLAGS)`)).untagged.join()));
}
async function uidOf(imap: ImapClient, subject: string): Promise<number> {
  await imap.ok('SELECT INBOX');
  const { untagged } = await imap.ok(`UID SEARCH SUBJECT "${subject}"`);
  const uid = /^SEARCH (?:\d+ )*(\d+)$/.exec(untagged.join('\n'))?.[1];
  assert.ok(uid !== undefined, `${subject}: ${untagged.join('\n')}`);
  return Number(uid);
}

function htmlLetter(): string {
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
    ATTACHMENT.toString('base64')
      .match(/.{1,76}/g)!
      .join('\r\n'),
    '--lake--',
    '',
  ].join('\r\n');
}
