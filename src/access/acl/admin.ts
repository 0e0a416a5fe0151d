/** 'acl.list', 'acl.set', 'acl.remove': what administrators do with rights on mailboxes. */
import { accountInput, refuse } from '../../directory/admin/input.ts';
import type { AdminContext, AdminHandlers, MailboxRow } from '../../ports.ts';
import { readRights } from '../../wire/imap/acl.ts';
import { canonicalIdentifier } from './identifier.ts';
import type { SetRightsInput } from './operations.ts';

export interface AclRow {
  readonly mailbox: string;
  readonly identifier: string;
  /** Letters of RFC 4314 section 2.1. */
  readonly rights: string;
}

/** Words for those who would rather not learn letters. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ['read', 'lr'],
  ['write', 'lrswite'],
  ['all', 'lrswipkxtea'],
]);

function rightsInput(value: unknown): Pick<SetRightsInput, 'mode' | 'rights'> {
  if (typeof value !== 'string' || value === '') return refuse('Please give the rights: letters of "lrswipkxtea", or read, write or all.');
  const mode = value.startsWith('+') ? 'add' : value.startsWith('-') ? 'remove' : 'replace';
  const text = mode === 'replace' ? value : value.slice(1);
  const { rights, unknown } = readRights(WORDS.get(text) ?? text);
  if (unknown !== '') return refuse(`"${unknown}" is no right; rights are letters of "lrswipkxtea", or read, write or all.`);
  return { mode, rights };
}

function mailboxInput(context: AdminContext, accountId: number, login: string, value: unknown): MailboxRow {
  if (typeof value !== 'string' || value === '') return refuse('Please give the mailbox, such as INBOX or "INBOX/Projects".');
  const name = /^inbox(\/|$)/i.test(value) ? `INBOX${value.slice(5)}` : value.normalize('NFC');
  const row = context.reader.mailboxByName(accountId, name);
  return row?.isSelectable ? row : refuse(`${login} has no mailbox "${name}".`);
}

/** As the sessions of IMAP know identifiers, and by the same rules. */
function identifierInput(context: AdminContext, owner: string, value: unknown): string {
  if (typeof value !== 'string' || value === '') return refuse('Please give who gets the rights: a user such as bert@example.org, or anyone.');
  const { text, isKnown } = canonicalIdentifier(context.directory, context.settings(), owner, value);
  if (text === null) return refuse(`"${value}" is no identifier.`);
  if (text === owner || text === `-${owner}`) return refuse(`${owner} owns the mailbox and keeps all rights.`);
  if (!isKnown) return refuse(`Mailboxes of ${owner} cannot be shared with ${text}: there is no such user, or imap.sharing does not let them.`);
  return text;
}

export const ACL_ADMIN: AdminHandlers = {
  'acl.list': async (context, args: { login?: unknown; mailbox?: unknown }): Promise<AclRow[]> => {
    const { id, login } = accountInput(context, args.login);
    const only = args.mailbox === undefined || args.mailbox === null ? null : mailboxInput(context, id, login, args.mailbox).id;
    const rows = context.reader.rows(
      'SELECT b.name, a.identifier, a.rights FROM mailbox b JOIN acl a ON a.mailbox_id=b.id WHERE b.account_id=? AND (? IS NULL OR b.id=?) ORDER BY b.name, a.identifier',
      id,
      only,
      only,
    ) as [string, string, string][];
    return rows.map(([mailbox, identifier, rights]) => ({ mailbox, identifier, rights }));
  },
  'acl.set': async (context, args: { login?: unknown; mailbox?: unknown; identifier?: unknown; rights?: unknown }): Promise<AclRow> => {
    const { id, login } = accountInput(context, args.login);
    const mailbox = mailboxInput(context, id, login, args.mailbox);
    const identifier = identifierInput(context, login, args.identifier);
    const change = rightsInput(args.rights);
    const rights = await context.writer.run<string>('acl.set', { accountId: id, mailboxId: mailbox.id, identifier, ...change } satisfies SetRightsInput);
    return { mailbox: mailbox.name, identifier, rights };
  },
  'acl.remove': async (context, args: { login?: unknown; mailbox?: unknown; identifier?: unknown }): Promise<AclRow> => {
    const { id, login } = accountInput(context, args.login);
    const mailbox = mailboxInput(context, id, login, args.mailbox);
    if (typeof args.identifier !== 'string' || args.identifier === '') return refuse('Please give whose rights are to be removed.');
    // Also of users that are not there any more: as it is written in the list.
    const wanted = args.identifier.toLowerCase();
    const [row] = context.reader.rows('SELECT identifier FROM acl WHERE mailbox_id=? AND identifier=?', mailbox.id, wanted);
    if (row === undefined) return refuse(`${wanted} has no rights of its own on "${mailbox.name}".`);
    const input: SetRightsInput = { accountId: id, mailboxId: mailbox.id, identifier: wanted, mode: 'replace', rights: '' };
    await context.writer.run('acl.set', input);
    return { mailbox: mailbox.name, identifier: wanted, rights: '' };
  },
};
