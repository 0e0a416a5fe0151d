/** For tests of shared mailboxes: a real store in a folder of its own, several users, and sessions logged in as any of them. */
import type { TestContext } from 'node:test';
import type { Account, Authenticator, Directory, MailboxRow } from '../../ports.ts';
import { type LocalStore, openLocalStore } from '../../store/local.ts';
import { STORE_SETTINGS } from '../../store/settings.ts';
import { testDirectory } from '../../store/testing.ts';
import type { Operations } from '../../store/transaction.ts';
import { defaultsOf } from '../../system/declare.ts';
import { SILENT_LOG } from '../../system/log.ts';
import { ACL_OPERATIONS } from '../acl/operations.ts';
import type { ImapSettings } from './settings.ts';
import { type Client, TestServer } from './testing.ts';
import { URLAUTH_OPERATIONS } from './urlauth-operations.ts';

/** A password that makes a visitor of who logs in, with the rights behind it: what ANONYMOUS does. */
export const VISITOR = 'visitor:';

/** Log in with any password. `team` exists to be shared. */
export const ANNA = 'anna@example.org';
export const BERT = 'bert@example.org';
export const CARL = 'carl@example.org';
export const DORA = 'dora@example.net';
export const TEAM = 'team@example.net';

const OPERATIONS: Operations = {
  ...ACL_OPERATIONS,
  ...URLAUTH_OPERATIONS,
  'test.account': (tx, { login, quotaBytes }: { login: string; quotaBytes: number }) => {
    const id = tx.nextId('account');
    tx.run('INSERT INTO account (id, login, quota_bytes, next_uid_validity, created_at) VALUES (?, ?, ?, 1, ?)', id, login, quotaBytes, tx.now);
    return id;
  },
  'test.quota': (tx, { login, bytes, messages }: { login: string; bytes: number; messages: number }) =>
    tx.run('UPDATE account SET quota_bytes=?, quota_messages=? WHERE login=?', bytes, messages, login),
};

export class SharingServer {
  readonly server: TestServer;
  readonly store: LocalStore;
  readonly dataDir: string;
  readonly accounts = new Map<string, number>();

  private constructor(server: TestServer, store: LocalStore, dataDir: string) {
    this.server = server;
    this.store = store;
    this.dataDir = dataDir;
  }

  /** Anna (INBOX, INBOX/Projects, Private), Bert, Carl of one domain; Dora and the shared account Team (INBOX, News) of another. */
  static async start(t: TestContext, settings: Partial<ImapSettings> = {}): Promise<SharingServer> {
    const dataDir = testDirectory(t);
    const store = openLocalStore({
      dataDir,
      settings: defaultsOf(STORE_SETTINGS),
      log: SILENT_LOG,
      now: () => Date.UTC(2026, 0, 2, 3, 4, 5),
      operations: OPERATIONS,
      journey: () => {},
    });
    t.after(() => store.close());
    const accountOf = (where: string, value: string | number): Account | null => {
      const [row] = store.reader.rows(`SELECT id, login, is_disabled, quota_bytes, quota_messages FROM account WHERE ${where}=?`, value);
      if (row === undefined) return null;
      const [id, login, isDisabled, quotaBytes, quotaMessages] = row as [number, string, number, number, number];
      return { id, login, isDisabled: isDisabled === 1, quotaBytes, quotaMessages };
    };
    const directory = {
      account: (id: number) => accountOf('id', id),
      accountByLogin: (login: string) => accountOf('login', login.toLowerCase()),
    } as Partial<Directory> as Directory;
    const authenticator: Authenticator = {
      password: async (login, password) => {
        const account = directory.accountByLogin(login);
        if (account === null) return { kind: 'refused' };
        return { kind: 'ok', account: password.startsWith(VISITOR) ? { ...account, visitorRights: password.slice(VISITOR.length) } : account };
      },
      mechanisms: () => ['PLAIN'],
      sasl: () => null,
    };
    const { reader, writer, announcements, staging } = store;
    const server = new TestServer(
      { 'imap.sharedAccounts': [TEAM], ...settings },
      { reader, writer, announcements, staging, directory, authenticator, now: () => Date.UTC(2026, 0, 2, 3, 4, 5) },
    );
    const made = new SharingServer(server, store, dataDir);
    for (const login of [ANNA, BERT, CARL, DORA, TEAM]) {
      const id = await writer.run<number>('test.account', { login, quotaBytes: 0 });
      made.accounts.set(login, id);
      await writer.createMailbox(id, 'INBOX', 'inbox');
    }
    await made.create(ANNA, 'INBOX/Projects');
    await made.create(ANNA, 'Private');
    await made.create(TEAM, 'News');
    return made;
  }

  id(login: string): number {
    return this.accounts.get(login)!;
  }
  create(login: string, name: string): Promise<MailboxRow> {
    return this.store.writer.createMailbox(this.id(login), name);
  }
  mailbox(login: string, name: string): MailboxRow {
    return this.store.reader.mailboxByName(this.id(login), name)!;
  }
  /** Rights for an identifier; "" takes them away. */
  async share(login: string, name: string, identifier: string, rights: string): Promise<void> {
    await this.store.writer.run('acl.set', { accountId: this.id(login), mailboxId: this.mailbox(login, name).id, identifier, mode: 'replace', rights });
  }
  /** A message in a mailbox, as APPEND puts it there. */
  async put(login: string, name: string, subject: string, flags = 0, keywords: string | null = null): Promise<number> {
    const message = this.store.staging.stage(Buffer.from(`Subject: ${subject}\r\n\r\nhello\r\n`));
    const { uids } = await this.store.writer.append(this.id(login), this.mailbox(login, name).id, [
      { message, flags, keywords, internalDate: Date.UTC(2026, 0, 1) },
    ]);
    return uids[0]!;
  }
  /** What is in a mailbox: "uid flags keywords subject". */
  contents(login: string, name: string): string[] {
    const { reader } = this.store;
    return reader.messages(this.id(login), this.mailbox(login, name).id, 0, 0xffffffff, 1000).map(([uid, , flags, keywords, , , emailId]) => {
      const email = reader.email(this.id(login), emailId)!;
      const text = Buffer.from(reader.open(email).slice(0, 200) as Uint8Array).toString('latin1');
      return `${uid} ${flags} ${keywords ?? '-'} ${/^Subject: (.*?)\r/.exec(text)?.[1] ?? '?'}`;
    });
  }
  /** Logged in, and with a mailbox selected when one is named; what was said so far is forgotten. */
  async client(login: string, mailbox?: string, password = 'x'): Promise<Client> {
    const client = this.server.connect();
    await client.exchange(`l LOGIN ${login} "${password}"\r\n`);
    if (mailbox !== undefined) await client.exchange(`s SELECT "${mailbox}"\r\n`);
    client.output();
    return client;
  }
}
