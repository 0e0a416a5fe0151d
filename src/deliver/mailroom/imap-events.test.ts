import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Account, Address, ImapHappening, JourneyEvent } from '../../ports.ts';
import { FLAG } from '../../ports.ts';
import { openLocalStore } from '../../store/local.ts';
import { STORE_SETTINGS } from '../../store/settings.ts';
import { testDirectory } from '../../store/testing.ts';
import { defaultsOf } from '../../system/declare.ts';
import { SILENT_LOG } from '../../system/log.ts';
import { SIEVE_SETTINGS } from '../filters/sieve/settings.ts';
import { FORWARDING_OPERATIONS } from '../forwarding/operations.ts';
import { FORWARDING_SETTINGS } from '../forwarding/settings.ts';
import { REPLY_OPERATIONS } from '../reply/operations.ts';
import { REPLY_SETTINGS } from '../reply/settings.ts';
import { SCRIPT_OPERATIONS } from '../scripts/operations.ts';
import { includedScript } from '../scripts/reader.ts';
import { accountScope, GLOBAL, type Scope } from '../scripts/scope.ts';
import type { SieveScript } from '../filters/sieve/sieve.ts';
import { createImapEvents, type ImapEventsHandle } from './imap-events.ts';
import { MAILROOM_OPERATIONS } from './operations.ts';
import { IMAP_SIEVE_SETTINGS } from './settings.ts';
import { createSieveEngine } from './sieve.ts';

const MESSAGE = 'From: rita@example.net\r\nTo: anna@example.org\r\nSubject: hello\r\n\r\nworld\r\n';

class World {
  readonly store: ReturnType<typeof openLocalStore>;
  readonly events: ImapEventsHandle;
  readonly journey: JourneyEvent[] = [];
  readonly logged: [string, unknown][] = [];
  account!: Account;
  inbox = 0;
  settings = {
    ...defaultsOf(SIEVE_SETTINGS),
    ...defaultsOf(IMAP_SIEVE_SETTINGS),
    ...defaultsOf(REPLY_SETTINGS),
    ...defaultsOf(FORWARDING_SETTINGS),
    'sieve.programDirectory': '',
    'listen.sieve': ['127.0.0.1:4190'],
    hostname: 'mail.example.org',
    domain: 'example.org',
  };
  #ids = 0;

  constructor(t: TestContext) {
    this.store = openLocalStore({
      dataDir: testDirectory(t),
      settings: defaultsOf(STORE_SETTINGS),
      log: SILENT_LOG,
      now: Date.now,
      operations: {
        ...REPLY_OPERATIONS,
        ...FORWARDING_OPERATIONS,
        ...SCRIPT_OPERATIONS,
        ...MAILROOM_OPERATIONS,
        'test.account': (tx, login: string) => {
          const id = tx.nextId('account');
          tx.run('INSERT INTO account (id, login, next_uid_validity, created_at) VALUES (?, ?, 1, ?)', id, login, tx.now);
          return id;
        },
        'test.quota': (tx, { id, messages }: { id: number; messages: number }) => tx.run('UPDATE account SET quota_messages=? WHERE id=?', messages, id),
      },
      journey: () => {},
    });
    t.after(() => this.store.close());
    const { reader, writer, staging, announcements } = this.store;
    const log = { ...SILENT_LOG, warn: (event: string, fields?: unknown) => void this.logged.push([event, fields]) };
    const settings = () => this.settings;
    const sieve = createSieveEngine({ settings, log });
    const included = (id: number, domain: string, location: 'personal' | 'global', name: string): string | null => {
      const text = includedScript(reader, id, domain, location, name);
      return text === null ? null : Buffer.from(text).toString();
    };
    this.events = createImapEvents<SieveScript>({
      context: {
        settings,
        reader,
        staging,
        newId: () => {
          this.#ids += 1;
          return `id${this.#ids}`;
        },
        now: Date.now,
        isOffSite: ({ domain }: Address) => domain !== 'example.org',
        isOurDomain: (domain) => domain === 'example.org',
        maySendAs: () => true,
        srs: () => null,
        seal: () => null,
      },
      settings,
      writer,
      announcements,
      journey: { write: (event) => void this.journey.push(event) },
      log,
      metrics: { count() {}, gauge() {} },
      included,
      program: undefined,
      run: (scripts, input, cause) => sieve.runAt(scripts, input, cause),
      compile: (text, file) => sieve.compile(text, file),
      scriptText: (id, domain, location, name) => includedScript(reader, id, domain, location, name),
    });
  }

  static async open(t: TestContext): Promise<World> {
    const world = new World(t);
    const id = await world.store.writer.run<number>('test.account', 'anna@example.org');
    world.account = { id, login: 'anna@example.org', isDisabled: false, quotaBytes: 0, quotaMessages: 0 };
    world.inbox = (await world.store.writer.createMailbox(id, 'INBOX', 'inbox')).id;
    return world;
  }

  async script(name: string, text: string, scope: Scope = accountScope(this.account.id)): Promise<void> {
    const place = scope === GLOBAL ? 'include' : 'personal';
    await this.store.writer.run('script.put', { scope, name, place, text: Buffer.from(text), limits: null, isActivated: false });
  }

  async annotate(mailboxId: number, value: string | null): Promise<void> {
    const limits = { valueBytesMax: 1000, entriesMax: 10, accountEntriesMax: 10 };
    const changes = [{ entry: '/shared/imapsieve/script', value: value === null ? null : Buffer.from(value) }];
    await this.store.writer.run('metadata.set', { accountId: this.account.id, mailboxId, changes, limits, by: '' });
  }

  async append(mailboxId = this.inbox, flags = 0, keywords: string | null = null, text = MESSAGE): Promise<number> {
    const message = this.store.staging.stage(Buffer.from(text));
    return (await this.store.writer.append(this.account.id, mailboxId, [{ message, flags, keywords, internalDate: 1_700_000_000_000 }])).uids[0]!;
  }

  /** As a session does: only what is wanted. */
  async tell(uid: number, over: Partial<ImapHappening> = {}, changedFlags: string[] = []): Promise<boolean> {
    const what: ImapHappening = { account: this.account, mailboxId: this.inbox, cause: 'APPEND', fromId: null, ...over };
    const isWanted = this.events.isWanted(what);
    if (isWanted) this.events.happened(what, [{ uid, changedFlags }]);
    await this.events.settled();
    return isWanted;
  }

  /** A script for the inbox sees a message that was appended. */
  async at(script: string, flags = 0, keywords: string | null = null, over: Partial<ImapHappening> = {}, changedFlags: string[] = []): Promise<number> {
    await this.script('events', script);
    await this.annotate(this.inbox, 'events');
    const uid = await this.append(this.inbox, flags, keywords);
    assert.ok(await this.tell(uid, over, changedFlags));
    return uid;
  }

  flags(uid: number, mailboxId = this.inbox): [flags: number, keywords: string | null] | null {
    const row = this.store.reader.message(this.account.id, mailboxId, uid);
    return row === null ? null : [row[2], row[3]];
  }

  async texts(mailbox: string): Promise<string[]> {
    const row = this.store.reader.mailboxByName(this.account.id, mailbox);
    if (row === null) return [];
    const messages = this.store.reader.messages(this.account.id, row.id, 1, 0xffffffff, 1000);
    return Promise.all(
      messages.map(async (message) => {
        const open = this.store.reader.open(this.store.reader.email(this.account.id, message[6])!);
        const bytes = Buffer.from(await open.slice(0, open.size)).toString();
        open.close();
        return bytes;
      }),
    );
  }

  queued(): unknown[][] {
    return this.store.reader.rows('SELECT e.sender, r.address FROM queue_entry e JOIN queue_recipient r ON r.entry_id=e.id ORDER BY e.id');
  }
}

test('which script: that of the mailbox, even an empty name, and only without an entry that of the server', async (t) => {
  const world = await World.open(t);
  const other = (await world.store.writer.createMailbox(world.account.id, 'Other')).id;
  const uid = await world.append();
  assert.equal(await world.tell(uid), false);
  await world.script('all', 'require "imap4flags"; addflag "all";');
  await world.annotate(0, 'all');
  assert.equal(await world.tell(uid), true);
  assert.deepEqual(world.flags(uid), [0, 'all']);
  await world.annotate(world.inbox, '');
  assert.equal(await world.tell(uid), false);
  assert.equal(await world.tell(await world.append(other), { mailboxId: other }), true);
  await world.annotate(world.inbox, 'missing');
  assert.equal(await world.tell(uid), true);
  assert.deepEqual(world.flags(uid), [0, 'all']);
  await world.annotate(world.inbox, null);
  await world.annotate(0, null);
  assert.equal(await world.tell(uid), false);
  world.settings = { ...world.settings, 'sieve.imapScripts': false };
  await world.annotate(0, 'all');
  assert.equal(await world.tell(uid), false);
});

test('the environment says what happened, and the flags are those after the change', async (t) => {
  const world = await World.open(t);
  const script = `require ["environment", "imapsieve", "imap4flags", "variables"];
    if environment :matches "imap.cause" "*" { addflag "cause-\${1}"; }
    if environment :matches "imap.mailbox" "*" { addflag "in-\${1}"; }
    if environment :is "imap.changedflags" "\\\\Flagged" { addflag "flagged"; }
    if environment :is "imap.user" "anna@example.org" { addflag "user"; }
    if environment :is "phase" "post" { addflag "post"; }
    if hasflag "\\\\Flagged" { removeflag "\\\\Flagged"; addflag "\\\\Seen"; }`;
  const uid = await world.at(script, FLAG.flagged | FLAG.answered, 'Old', { cause: 'FLAG' }, ['\\Flagged']);
  assert.deepEqual(world.flags(uid), [FLAG.answered | FLAG.seen, 'Old cause-FLAG flagged in-INBOX post user']);
});

test('keep without another word changes nothing, and edits of the message are not kept', async (t) => {
  const world = await World.open(t);
  const modseq = world.store.reader.mailboxByName(world.account.id, 'INBOX')!.highestModseq;
  const uid = await world.at('require "editheader"; addheader "X-New" "1"; keep;', FLAG.seen, 'A');
  assert.deepEqual(world.flags(uid), [FLAG.seen, 'A']);
  assert.equal(world.store.reader.mailboxByName(world.account.id, 'INBOX')!.highestModseq, modseq + 1);
  assert.deepEqual(await world.texts('INBOX'), [MESSAGE]);
});

test('fileinto copies and marks the original as deleted, unless it is kept', async (t) => {
  const world = await World.open(t);
  const moved = await world.at('require ["fileinto", "mailbox"]; fileinto :create "Other";', FLAG.seen, 'A');
  assert.deepEqual(world.flags(moved), [FLAG.seen | FLAG.deleted, 'A']);
  const other = world.store.reader.mailboxByName(world.account.id, 'Other')!;
  assert.deepEqual(world.flags(1, other.id), [FLAG.seen, 'A']);
  assert.equal(world.store.reader.message(world.account.id, other.id, 1)![4], 1_700_000_000_000);
  const kept = await world.at('require ["fileinto", "copy"]; fileinto :copy "Other";');
  assert.deepEqual(world.flags(kept), [0, null]);
  // Section 3.3: a new message even where the original is.
  const twice = await world.at('require "fileinto"; fileinto "INBOX"; keep;');
  assert.deepEqual(world.flags(twice), [0, null]);
  assert.equal((await world.texts('INBOX')).length, 4);
  const edited = await world.at('require ["fileinto", "editheader"]; addheader "X-New" "1"; fileinto "Other"; keep;');
  assert.deepEqual(world.flags(edited), [0, null]);
  assert.deepEqual((await world.texts('Other')).at(-1), `X-New: 1\r\n${MESSAGE}`);
});

test('discard marks as deleted, or expunges where that is wanted; keep wins over it', async (t) => {
  const world = await World.open(t);
  assert.deepEqual(world.flags(await world.at('discard;', FLAG.flagged)), [FLAG.flagged | FLAG.deleted, null]);
  assert.deepEqual(world.flags(await world.at('discard; keep;')), [0, null]);
  world.settings = { ...world.settings, 'sieve.imapExpunge': true };
  const uid = await world.at('discard;');
  assert.equal(world.flags(uid), null);
  assert.match(JSON.stringify(world.journey.at(-1)), /expunged/);
});

test('redirect sends the message on in the name of the owner', async (t) => {
  const world = await World.open(t);
  const uid = await world.at('require "copy"; redirect :copy "bert@example.net";');
  assert.deepEqual(world.flags(uid), [0, null]);
  assert.deepEqual(world.queued(), [['anna@example.org', 'bert@example.net']]);
  assert.deepEqual(world.flags(await world.at('redirect "cora@example.net";')), [FLAG.deleted, null]);
  assert.match(JSON.stringify(world.journey.at(-1)), /sent on to cora@example\.net/);
  // What may not be sent on stays.
  world.settings = { ...world.settings, 'forwarding.perDay': 2 };
  assert.deepEqual(world.flags(await world.at('redirect "dora@example.net";')), [0, null]);
  assert.equal(world.queued().length, 2);
  assert.equal((await world.texts('INBOX')).length, 3);
});

test('a script that fails leaves the message as it is, and its owner is told once', async (t) => {
  const world = await World.open(t);
  for (const script of [
    'require "reject"; reject "no";',
    'require ["vacation"]; if false { vacation "away"; }',
    'require ["envelope", "fileinto"]; if envelope "from" "x" { discard; } fileinto "Other";',
    'this is no sieve',
  ]) {
    const before = (await world.texts('INBOX')).filter((text) => text.includes('Your mail filter fails')).length;
    const uid = await world.at(script);
    assert.deepEqual(world.flags(uid), [0, null], script);
    assert.equal((await world.texts('INBOX')).filter((text) => text.includes('Your mail filter fails')).length, before + 1, script);
    await world.tell(uid);
    assert.equal((await world.texts('INBOX')).filter((text) => text.includes('Your mail filter fails')).length, before + 1, script);
  }
  assert.equal(world.store.reader.mailboxByName(world.account.id, 'Other'), null);
});

test('scripts of the administrator run first, for the mailboxes, causes and origins that their rules name', async (t) => {
  const world = await World.open(t);
  const junk = (await world.store.writer.createMailbox(world.account.id, 'Spam', 'junk')).id;
  await world.script('spam', 'require "imap4flags"; addflag "learned-spam";', GLOBAL);
  await world.script('ham', 'require "imap4flags"; addflag "learned-ham";', GLOBAL);
  await world.script('own', 'require "imap4flags"; if hasflag "learned-spam" { addflag "own"; }');
  await world.annotate(junk, 'own');
  world.settings = { ...world.settings, 'sieve.imapRules': ['\\Junk COPY spam', '* COPY ham from \\Junk', '* COPY nothing'] };
  const spam = await world.append(junk);
  await world.tell(spam, { mailboxId: junk, cause: 'COPY', fromId: world.inbox });
  assert.deepEqual(world.flags(spam, junk), [0, 'learned-spam own']);
  const ham = await world.append();
  await world.tell(ham, { cause: 'COPY', fromId: junk });
  assert.deepEqual(world.flags(ham), [0, 'learned-ham']);
  assert.equal(await world.tell(await world.append(), { cause: 'APPEND' }), false);
});

test('mailbox and server annotations can be tested', async (t) => {
  const world = await World.open(t);
  const uid = await world.at(`require ["mboxmetadata", "servermetadata", "imap4flags"];
    if metadata :is "INBOX" "/shared/IMAPSieve/script" "events" { addflag "mailbox"; }
    if metadataexists "INBOX" ["/shared/imapsieve/script", "/private/none"] { addflag "wrong"; }
    if metadataexists "None" "/private/none" { addflag "wrong"; }
    if servermetadata :contains "/shared/imapsieve/script" "x" { addflag "wrong"; }
    if not servermetadataexists "/shared/imapsieve/script" { addflag "server"; }`);
  assert.deepEqual(world.flags(uid), [0, 'mailbox server']);
});

test('no more messages wait than may, and a message that is gone is passed over', async (t) => {
  const world = await World.open(t);
  world.settings = { ...world.settings, 'sieve.imapWaitingMax': 2 };
  await world.script('events', 'require "imap4flags"; addflag "seen-by-script";');
  await world.annotate(world.inbox, 'events');
  const uids = [await world.append(), await world.append(), await world.append()];
  const what: ImapHappening = { account: world.account, mailboxId: world.inbox, cause: 'APPEND', fromId: null };
  await world.store.writer.expunge(world.account.id, world.inbox, [uids[0]!], false);
  world.events.happened(
    what,
    uids.map((uid) => ({ uid, changedFlags: [] })),
  );
  world.events.happened(what, [{ uid: uids[2]!, changedFlags: [] }]);
  await world.events.settled();
  assert.deepEqual(
    uids.map((uid) => world.flags(uid)?.[1]),
    [undefined, 'seen-by-script', null],
  );
  assert.deepEqual(world.logged, [['imapsieve.many', { account: 'anna@example.org', mailbox: world.inbox, messages: 1 }]]);
});

test("pipe starts programs of the administrator's folder and no others; without a folder the message stays", async (t) => {
  const world = await World.open(t);
  world.settings = { ...world.settings, 'sieve.programs': true };
  const script = 'require "vnd.dovecot.pipe"; pipe "sh" ["-c", "a b"];';
  const tasks = (): unknown[] => world.store.reader.rows('SELECT task FROM queue_recipient').map(([task]) => JSON.parse(task as string));
  assert.deepEqual(world.flags(await world.at(script)), [0, null]);
  assert.deepEqual(tasks(), []);
  world.settings = { ...world.settings, 'sieve.programDirectory': '/srv/programs' };
  assert.deepEqual(world.flags(await world.at(script)), [FLAG.deleted, null]);
  assert.deepEqual(tasks(), [{ kind: 'command', command: "/srv/programs/sh -c 'a b'", user: null }]);
});

test('what is announced as the place of the scripts', async (t) => {
  const world = await World.open(t);
  assert.equal(world.events.url(), 'sieve://mail.example.org');
  world.settings = { ...world.settings, 'listen.sieve': ['[::]:5190'] };
  assert.equal(world.events.url(), 'sieve://mail.example.org:5190');
  world.settings = { ...world.settings, 'listen.sieve': [] };
  assert.equal(world.events.url(), null);
});

test('a mailbox that is full leaves the original as it was', async (t) => {
  const world = await World.open(t);
  await world.store.writer.run('test.quota', { id: world.account.id, messages: 1 });
  const uid = await world.at('require ["fileinto", "mailbox"]; fileinto :create "Other";');
  assert.deepEqual(world.flags(uid), [0, null]);
  assert.deepEqual(
    world.logged.map(([event]) => event),
    ['imapsieve.failed'],
  );
});
