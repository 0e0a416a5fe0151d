/** Tells the owner of an account and the administrator that its mail is held: two small messages of our own. */
import type { UnusualSending } from '../judge/rates/habit.ts';
import { administratorNotice, composeNotice, type HabitIncident, type Notice, ownerNotice } from '../judge/rates/habit-notice.ts';
import { parseMailbox } from '../mail/address.ts';
import type { Account, Address, Client, Directory, Intake, Log, Recipient, Staging } from '../ports.ts';
import type { AllSettings } from '../settings.ts';

export interface HabitNoticeContext {
  settings(): AllSettings;
  readonly directory: Directory;
  readonly intake: Intake;
  readonly staging: Staging;
  readonly log: Log;
  newId(): string;
  now(): number;
}

/** Never rejects: the mail is held whether or not the notices go out. */
export function tellOfHabit(context: HabitNoticeContext, account: Account, unusual: UnusualSending, client: Client | null): void {
  const settings = context.settings();
  const at = context.now();
  const incident: HabitIncident = { ...unusual, login: account.login, clientIp: client?.ip ?? null, at, until: at + settings['rates.habitHold'] };
  context.log.warn('habit.unusual', {
    account: account.login,
    window: unusual.window,
    recipients: unusual.recipients,
    limit: unusual.limit,
    client: client?.ip,
  });
  const owner = parseMailbox(account.login, { utf8: true });
  if (owner !== null) send(context, ownerNotice(incident), owner);
  send(context, administratorNotice(incident), { local: 'postmaster', domain: settings.domain });
}

function send(context: HabitNoticeContext, notice: Notice, to: Address): void {
  const id = context.newId();
  const at = context.now();
  const bytes = composeNotice(notice, { to, host: context.settings().hostname, id, at });
  const recipient: Recipient = { address: to, resolution: context.directory.resolve(to), notify: 'never', orcpt: null };
  context.intake
    .accept(
      {
        id,
        source: 'bounce',
        sender: null,
        recipients: [recipient],
        client: null,
        helo: null,
        auth: null,
        dsn: { envid: null, ret: null },
        smtputf8: false,
        body: '7BIT',
        at,
        tls: null,
      },
      context.staging.stage(bytes),
    )
    .then(
      ({ reply }) => {
        if (reply.code >= 400) context.log.warn('habit.notice.failed', { to: `${to.local}@${to.domain}`, reply: reply.text });
      },
      (cause: unknown) => context.log.error('habit.notice.failed', { to: `${to.local}@${to.domain}`, cause }),
    );
}
