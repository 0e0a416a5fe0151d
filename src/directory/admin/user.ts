/** 'user.add', 'user.list', 'user.remove', 'user.passwd', 'user.disable', 'user.enable', 'user.quota'. */
import type { AdminContext, AdminHandlers } from '../../ports.ts';
import { splitAddress } from '../address.ts';
import { scramSecretFor } from '../authenticator.ts';
import { generatePassword } from '../generate.ts';
import { argon2Parameters, hashPassword, parseStored } from '../password.ts';
import { saslprep } from '../sasl/saslprep.ts';
import { accountInput, addressInput, countInput, domainInput, passwordInput, refuse, settingsOf } from './input.ts';

/** Messages removed in one transaction: others' writes wait no longer than these take. */
const REMOVED_AT_ONCE = 500;

export interface UserRow {
  readonly login: string;
  readonly displayName: string | null;
  readonly isDisabled: boolean;
  readonly quotaBytes: number;
  readonly quotaMessages: number;
  readonly usedBytes: number;
  readonly usedMessages: number;
  readonly appPasswords: number;
  readonly createdAt: number;
  /** Within about an hour; null = never. */
  readonly lastLoginAt: number | null;
  /** Made by command, named by lookup tables, or a user of this machine. */
  readonly source: 'own' | 'table' | 'system';
}

const LIST = `SELECT login, display_name, is_disabled, quota_bytes, quota_messages,
  (SELECT coalesce(sum(bytes), 0) FROM mailbox WHERE account_id=account.id), (SELECT coalesce(sum(message_count), 0) FROM mailbox WHERE account_id=account.id),
  (SELECT count(*) FROM credential WHERE account_id=account.id AND kind='app'), created_at,
  (SELECT max(used_at) FROM credential WHERE account_id=account.id), source
  FROM account WHERE ?1='' OR substr(login, -length(?1))=?1 ORDER BY substr(login, instr(login, '@')), login`;

/** What is stored for a password, or for a hash that another server made; `generated` when there was neither. */
async function secretsOf(
  context: AdminContext,
  args: { password?: unknown; hash?: unknown },
  accountId: number,
): Promise<{ hash: string; scram: string | null; generated: string | null }> {
  const settings = settingsOf(context);
  if (args.hash !== undefined && args.hash !== null) {
    if (typeof args.hash !== 'string' || parseStored(args.hash) === null)
      return refuse(
        'The hash is of no known form; known are {SCHEME} prefixes as Dovecot writes them, $argon2id$, $6$, $5$, $1$, $2a$, $2b$, $2y$ and MD5 in hex.',
      );
    return { hash: args.hash, scram: null, generated: null };
  }
  const isGiven = args.password !== undefined && args.password !== null;
  const password = isGiven ? passwordInput(args.password, settings) : generatePassword();
  const [hash, scram] = await Promise.all([
    hashPassword(saslprep(password) ?? password, argon2Parameters(settings)),
    scramSecretFor(context.reader, accountId, 'password', password, settings),
  ]);
  return { hash, scram, generated: isGiven ? null : password };
}

async function setDisabled(context: AdminContext, args: { login?: unknown }, isDisabled: boolean): Promise<{ login: string }> {
  const { id, login } = accountInput(context, args.login);
  await context.writer.run('account.disable', { id, isDisabled });
  return { login };
}

export const userAdmin: AdminHandlers = {
  /** {login, password? | hash?, displayName?, quotaBytes?, quotaMessages?, withDomain?}. Without a password one is made and answered, once. */
  'user.add': async (context, args) => {
    const login = addressInput(args.login, 'user');
    const parts = splitAddress(login)!;
    if (args.withDomain !== true && !context.directory.isLocalDomain(parts[1]))
      return refuse(`${parts[1]} is not a domain of this server; add it first: posthorn domain add ${parts[1]}`);
    const { hash, scram, generated } = await secretsOf(context, args, 0);
    const { id } = await context.writer.run<{ id: number }>('account.add', {
      login,
      displayName: typeof args.displayName === 'string' && args.displayName !== '' ? args.displayName.slice(0, 200) : null,
      hash,
      scram,
      quotaBytes: countInput(args.quotaBytes, 'quota in bytes', 0),
      quotaMessages: countInput(args.quotaMessages, 'quota in messages', 0),
      withDomain: args.withDomain === true,
    });
    context.log.info('user.added', { account: login });
    return { id, login, password: generated };
  },

  /** {domain?} */
  'user.list': async (context, args): Promise<UserRow[]> => {
    const ending = args?.domain === undefined || args.domain === null || args.domain === '' ? '' : '@' + domainInput(args.domain);
    return context.reader.rows(LIST, ending).map((row) => {
      const [login, displayName, isDisabled, quotaBytes, quotaMessages, usedBytes, usedMessages, appPasswords, createdAt, lastLoginAt, source] = row as any[];
      return {
        login,
        displayName,
        isDisabled: isDisabled === 1,
        quotaBytes,
        quotaMessages,
        usedBytes,
        usedMessages,
        appPasswords,
        createdAt,
        lastLoginAt,
        source,
      };
    });
  },

  /** {login}: with all mail. Progress is told as {messages}. */
  'user.remove': async (context, args, emit, signal) => {
    const { id, login } = accountInput(context, args.login);
    let messages = 0;
    for (let isDone = false; !isDone; ) {
      if (signal.aborted) return refuse(`${login} is switched off, but part of the mail is still there; call "posthorn user remove" again to go on.`);
      const step = await context.writer.run<{ isDone: boolean; messages: number }>('account.remove', { id, limit: REMOVED_AT_ONCE });
      messages += step.messages;
      isDone = step.isDone;
      emit({ messages });
    }
    context.log.info('user.removed', { account: login, messages });
    return { login, messages };
  },

  /** {login, password? | hash?}. Without a password one is made and answered, once. App passwords stay. */
  'user.passwd': async (context, args) => {
    const { id, login } = accountInput(context, args.login);
    const { hash, scram, generated } = await secretsOf(context, args, id);
    await context.writer.run('account.passwd', { id, hash, scram });
    context.log.info('user.passwd', { account: login });
    return { login, password: generated };
  },

  /** {login}: no login, no new mail; what is there stays. */
  'user.disable': async (context, args) => setDisabled(context, args, true),
  'user.enable': async (context, args) => setDisabled(context, args, false),

  /** {login, quotaBytes?, quotaMessages?}: what is not given stays; 0 is no limit. */
  'user.quota': async (context, args) => {
    const { id, login } = accountInput(context, args.login);
    const [row] = context.reader.rows('SELECT quota_bytes, quota_messages FROM account WHERE id=?', id) as [number, number][];
    const quotaBytes = countInput(args.quotaBytes, 'quota in bytes', row![0]);
    const quotaMessages = countInput(args.quotaMessages, 'quota in messages', row![1]);
    await context.writer.run('account.quota', { id, quotaBytes, quotaMessages });
    return { login, quotaBytes, quotaMessages };
  },
};
