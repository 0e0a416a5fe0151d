/** 'challenge.on', 'challenge.off', 'challenge.list', 'challenge.release'. */
import { accountInput, addressInput, sortedAccountInput } from '../../directory/admin/input.ts';
import type { AccountId, AdminContext, AdminHandlers } from '../../ports.ts';
import { readHeaderFacts } from '../reply/header-facts.ts';
import { readPreferences } from '../sorting/preferences.ts';
import type { Released } from './operations.ts';
import { CHALLENGE_PREFERENCE, hasChallenges } from './read.ts';
import type { ChallengeSettings } from './settings.ts';

export interface WaitingRow {
  readonly sender: string;
  readonly askedAt: number;
  readonly until: number;
}

/** Messages of the sent folder that are read to learn who is known when challenges are switched on, the newest first. */
const SENT_READ_MAX = 5000;
const KNOWN_BATCH = 500;

export const CHALLENGE_ADMIN: AdminHandlers = {
  /** {user}: those whom the sent folder shows as written to are known from the start. */
  'challenge.on': async (context, args) => {
    const account = sortedAccountInput(context, args?.user);
    const known = await learnKnown(context, account.id);
    await context.writer.run('preference.set', { accountId: account.id, values: [[CHALLENGE_PREFERENCE, 'on']] });
    context.log.info('challenge.switched', { account: account.login, state: 'on' });
    return { login: account.login, known };
  },

  /** {user}: what waits stays where it is. */
  'challenge.off': async (context, args) => {
    const account = accountInput(context, args?.user);
    await context.writer.run('preference.set', { accountId: account.id, values: [[CHALLENGE_PREFERENCE, null]] });
    context.log.info('challenge.switched', { account: account.login, state: 'off' });
    return { login: account.login };
  },

  /** {user}: senders that have been asked and have not answered. */
  'challenge.list': async (context, args): Promise<{ login: string; isOn: boolean; waiting: WaitingRow[] }> => {
    const account = accountInput(context, args?.user);
    const rows = context.reader.rows(
      'SELECT sender, created_at, until FROM challenge WHERE account_id=? AND until>? ORDER BY created_at DESC LIMIT 10000',
      account.id,
      context.now(),
    ) as [string, number, number][];
    return {
      login: account.login,
      isOn: hasChallenges(readPreferences(context.reader, account.id)),
      waiting: rows.map(([sender, askedAt, until]) => ({ sender, askedAt, until })),
    };
  },

  /** {user, sender}: as if the sender had answered. */
  'challenge.release': async (context, args) => {
    const account = accountInput(context, args?.user);
    const sender = addressInput(args?.sender, 'sender');
    const mailbox = (context.settings() as ChallengeSettings)['challenge.mailbox'];
    let moved = 0;
    for (;;) {
      const done = await context.writer.run<Released>('challenge.release', { accountId: account.id, mailbox, sender });
      moved += done.moved;
      if (!done.isPartial) break;
    }
    context.log.info('challenge.released', { account: account.login, sender, moved, by: 'administrator' });
    return { login: account.login, sender, moved };
  },
};

async function learnKnown(context: AdminContext, accountId: AccountId): Promise<number> {
  const sent = context.reader.mailboxes(accountId).find((mailbox) => mailbox.role === 'sent');
  if (sent === undefined) return 0;
  const rows = context.reader.rows(
    'SELECT email_id FROM message WHERE account_id=? AND mailbox_id=? ORDER BY uid DESC LIMIT ?',
    accountId,
    sent.id,
    SENT_READ_MAX,
  );
  const known = new Set<string>();
  for (const [emailId] of rows) {
    const email = context.reader.email(accountId, Number(emailId));
    if (email === null) continue;
    const message = context.reader.open(email);
    try {
      const header = await message.slice(0, message.prefixBytes + email.headerBytes);
      for (const key of readHeaderFacts(header).recipients) known.add(key);
    } finally {
      message.close();
    }
  }
  const until = context.now() + (context.settings() as ChallengeSettings)['challenge.known'];
  const keys = [...known].filter((key) => key.length <= 255);
  for (let at = 0; at < keys.length; at += KNOWN_BATCH) await context.writer.run('challenge.wrote', { accountId, to: keys.slice(at, at + KNOWN_BATCH), until });
  return keys.length;
}
