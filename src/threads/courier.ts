/** The courier's thread: the queue's scheduler and everything that goes out. */
import { mailboxPath } from '../deliver/user-agent/mailbox.ts';
import { localConfiguration } from '../deliver/user-agent/settings.ts';
import { createDirectory } from '../directory/embedded.ts';
import { createTables } from '../directory/tables/open.ts';
import { SERVER_TABLES } from '../directory/tables/servers/index.ts';
import { formatAddress } from '../mail/address.ts';
import { type Courier, startCourier } from '../queue/courier.ts';
import type { LocalPlace } from '../queue/hands.ts';
import { createIntake } from '../queue/intake.ts';
import { startJudgeChores } from './judge-chores.ts';
import { createRouting } from './routing.ts';
import { accountSources } from './sources.ts';
import { userAgentOfThread } from './user-agent.ts';
import { connectStore, journeyTo, start, startThread } from './start.ts';

const thread = startThread({
  /** Lets running attempts finish, up to `deadlineMs`. */
  drain: async (deadlineMs: number) => {
    // Side by side: reports to others must not use up the time that deliveries have.
    await Promise.all([chores.stop(), courier.stop(deadlineMs)]);
  },
  stop: () => {
    tables.close();
    accounts.close();
    store.reader.close();
    thread.log.flush();
  },
});

const store = connectStore(thread, start.writerPort!);
const journey = journeyTo(start.keeperPort!);
const directory = createDirectory(store.reader, store.announcements, thread.settings);
const tables = createTables({ log: thread.log, settings: thread.settings, now: thread.now, servers: SERVER_TABLES });
const accounts = accountSources({ ...thread, writer: store.writer, directory, tables });
const userAgent = userAgentOfThread();
const routing = createRouting({
  ...thread,
  lookUpUser: userAgent === null ? null : (name) => userAgent.lookup(name),
  dataDir: start.settings.dataDir,
  reader: store.reader,
  writer: store.writer,
  staging: store.staging,
  announcements: store.announcements,
  directory,
  tables,
  accountForTable: accounts.sources.accountFor,
});
thread.onSettings(() => routing.forget());
const intake = createIntake({
  newId: thread.newId,
  router: routing.router,
  staging: store.staging,
  onwardSender: (sender) => routing.onwardSender(sender),
  mailroom: routing.mailroom,
  forwardsSpam: () => thread.settings()['forwarding.spam'],
  directory,
  reader: store.reader,
  writer: store.writer,
  journey,
  log: thread.log,
  metrics: thread.metrics,
  receivedMax: () => thread.settings()['smtp.receivedMax'],
});

process.on('uncaughtException', (cause) => thread.log.error('thread.exception', { cause }));
process.on('unhandledRejection', (cause) => thread.log.error('thread.rejection', { cause }));

const courier: Courier = startCourier({
  settings: thread.settings,
  log: thread.log,
  metrics: thread.metrics,
  journey,
  reader: store.reader,
  writer: store.writer,
  announcements: store.announcements,
  staging: store.staging,
  intake,
  directory,
  newId: thread.newId,
  now: thread.now,
  mailroom: routing.mailroom,
  resolve: (address, sender) => routing.router.resolve(address, sender),
  transport: (address, sender) => routing.transports.transport({ address: formatAddress(address), domain: address.domain }, sender),
  namedHop: (text, recipient) => routing.transports.hop(text, recipient.domain),
  generic: () => routing.transports.generic(),
  hands: {
    settings: thread.settings,
    log: thread.log,
    journey,
    reader: store.reader,
    staging: store.staging,
    intake,
    directory,
    resolve: (address, sender) => routing.router.resolve(address, sender),
    userAgent,
    localFor: (user) => localFor(user),
    systemAccount: (user) => accounts.sources.systemAccount(user),
    planner: routing.planner,
    newId: thread.newId,
    now: thread.now,
  },
});

/** Where the mailbox of a user is, with the options as they are now; `transport`: what goes to the mailbox goes there instead. */
async function localFor(user: string | null): Promise<LocalPlace> {
  const settings = thread.settings();
  const choice = user === null ? null : await routing.transports.mailbox(user);
  const configuration = localConfiguration(settings, {
    hostname: settings.hostname,
    domain: settings.domain,
    recipientDelimiter: settings['directory.recipientDelimiters'],
    localDomains: settings['policy.localDomains'],
    commandPlaces: settings['aliases.commands'],
    filePlaces: settings['aliases.files'],
  });
  if (choice?.kind === 'transport') return { configuration: { ...configuration, mailbox: 'store', filters: [] }, transport: choice.nexthop };
  const owner = user === null ? null : await routing.users.find(user);
  // Nothing is written into root's home: its mail is kept in the store.
  if (owner !== null && owner.uid === 0 && configuration.mailbox !== 'store' && !configuration.mailbox.startsWith('/'))
    return { configuration: { ...configuration, mailbox: 'store' }, transport: null, file: null };
  const file = owner === null ? null : mailboxPath({ configuration, home: owner.home, user: owner.name });
  return { configuration: choice?.kind === 'command' ? { ...configuration, mailboxCommand: choice.command } : configuration, transport: null, file };
}
const chores = startJudgeChores({
  ...thread,
  dataDir: start.settings.dataDir,
  reader: store.reader,
  writer: store.writer,
  staging: store.staging,
  directory,
});
thread.link.tell('ready');
