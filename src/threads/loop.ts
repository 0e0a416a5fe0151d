/** A protocol loop: all network protocols, each on its own listening socket. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Mirror } from '../access/mirror/mirror.ts';
import { mirroredWriter } from '../access/mirror/mirrored-writer.ts';
import { createAuthenticator } from '../directory/authenticator.ts';
import { createDirectory } from '../directory/embedded.ts';
import { createCallout } from '../deliver/callout.ts';
import { ConnectionCounts } from '../net/counts.ts';
import { createTables } from '../directory/tables/open.ts';
import { SERVER_TABLES } from '../directory/tables/servers/index.ts';
import { createJudge, type ThreadJudge } from '../judge/judge.ts';
import { formatAddress } from '../mail/address.ts';
import { createDns } from '../net/dns.ts';
import { type Listener, listen } from '../net/listen.ts';
import type { LoopContext, Protocol, SessionFactory } from '../ports.ts';
import { reportTaker } from './dmarc-mail.ts';
import { openFaces, type Faces } from './faces.ts';
import { tellOfHabit } from './habit-notice.ts';
import { SearchProgress } from '../search/progress.ts';
import { createSearchIndex } from '../search/search-index.ts';
import { storePaths } from '../store/paths.ts';
import { reportDeliveries } from '../queue/delivered.ts';
import { createIntake } from '../queue/intake.ts';
import { type Pickup, startPickup } from '../receive/pickup/watch.ts';
import type { AllSettings } from '../settings.ts';
import { createTlsProvider, type TlsMaterial, type TlsOptionsOfThread } from '../system/tls.ts';
import { createRouting } from './routing.ts';
import { accountSources } from './sources.ts';
import { connectStore, journeyTo, start, startThread } from './start.ts';
import { userAgentOfThread } from './user-agent.ts';

const listeners = new Map<Protocol, Listener>();
let pickup: Pickup | null = null;
let faces: Faces | null = null;

const thread = startThread({
  /** Binds what `listen` names (addresses as main resolved them); answers the bound addresses. */
  listen: async ({ addresses, reusePort, isFirst }: { addresses: Record<string, readonly string[]>; reusePort: boolean; isFirst: boolean }) => {
    const bound: Record<string, readonly string[]> = {};
    for (const [protocol, list] of Object.entries(addresses) as [Protocol, readonly string[]][]) {
      if (list.length === 0) continue;
      const isImplicit = protocol === 'submissions' || protocol === 'imaps' || protocol === 'pop3s';
      const listener = await listen(
        list,
        protocol,
        isImplicit,
        { tls, settings: thread.settings, log: thread.log, metrics: thread.metrics, counts },
        await factory(protocol),
        { reusePort },
      );
      listeners.set(protocol, listener);
      bound[protocol] = listener.addresses;
    }
    if (isFirst) faces = await openFaces(judge, thread);
    // One thread looks after the pickup directory.
    if (isFirst && thread.settings()['pickup.enabled'])
      pickup = startPickup(context, thread.settings()['pickup.directory'] || join(thread.settings().dataDir, 'pickup'));
    return bound;
  },
  sessions: () => Object.fromEntries([...listeners].map(([protocol, listener]) => [protocol, listener.connections])),
  tls: (material: readonly TlsMaterial[]) => tls.replace(material, tlsOptions(thread.settings())),
  /** Stops accepting, lets sessions finish; resolves when all are gone. */
  drain: async (deadlineMs: number) => {
    await Promise.all([pickup?.stop(), faces?.close(), ...[...listeners.values()].map((listener) => listener.drain(deadlineMs))]);
  },
  stop: async () => {
    await judge.close();
    mirror?.close();
    callout.close();
    tables.close();
    accounts.close();
    dns.close();
    search?.close();
    store.reader.close();
    thread.log.flush();
  },
});

const counts = new ConnectionCounts();
function tlsOptions(settings: AllSettings): TlsOptionsOfThread {
  const file = settings['tls.clientCertificates'] ? settings['tls.clientCaFile'] : '';
  return {
    ticketKeys: start.tls!.ticketKeys,
    minVersion: settings['tls.minVersion'],
    asksClients: settings['tls.clientCertificates'],
    asksClientsOf: settings['tls.clientCertificatesOf'],
    clientCa: file === '' ? undefined : readFileSync(file, 'utf8'),
  };
}
const tls = createTlsProvider(start.tls!.material, tlsOptions(start.settings));
const store = connectStore(thread, start.writerPort!);
const journey = journeyTo(start.keeperPort!);
const directory = createDirectory(store.reader, store.announcements, thread.settings);
// Bodies that milters replace, and messages that are judged for others, when they are large.
mkdirSync(join(start.settings.dataDir, 'tmp'), { recursive: true, mode: 0o700 });
const dns = createDns(thread.settings, thread.now);
const tables = createTables({ log: thread.log, settings: thread.settings, now: thread.now, servers: SERVER_TABLES });
const accounts = accountSources({ ...thread, writer: store.writer, directory, tables });
const authenticator = createAuthenticator({
  directory,
  reader: store.reader,
  writer: store.writer,
  announcements: store.announcements,
  settings: thread.settings,
  log: thread.log,
  metrics: thread.metrics,
  now: thread.now,
  sources: accounts.sources,
});
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
const intake = createIntake({
  newId: thread.newId,
  directory,
  reader: store.reader,
  writer: store.writer,
  journey,
  log: thread.log,
  metrics: thread.metrics,
  router: routing.router,
  staging: store.staging,
  onwardSender: (sender) => routing.onwardSender(sender),
  mailroom: routing.mailroom,
  forwardsSpam: () => thread.settings()['forwarding.spam'],
  receivedMax: () => thread.settings()['smtp.receivedMax'],
  onLocal: reportTaker({ ...thread, directory, reader: store.reader, writer: store.writer }),
  onDelivered: reportDeliveries({
    ...thread,
    directory,
    resolve: (address, sender) => routing.router.resolve(address, sender),
    writer: store.writer,
    staging: store.staging,
  }),
});
const callout = createCallout({
  ...thread,
  dns,
  random: Math.random,
  transport: (address, sender) => routing.transports.transport({ address: formatAddress(address), domain: address.domain }, sender),
});
const judge: ThreadJudge = createJudge({
  settings: thread.settings,
  log: thread.log,
  metrics: thread.metrics,
  journey,
  directory,
  router: routing.router,
  reader: store.reader,
  writer: store.writer,
  dns,
  tables,
  callout: (address, sender, signal) => callout.ask(address, sender, signal),
  rateMemory: start.rateMemory!,
  dataDir: start.settings.dataDir,
  onUnusual: (account, unusual, client) => tellOfHabit({ ...thread, directory, intake, staging: store.staging }, account, unusual, client),
  isDry: false,
  now: thread.now,
});

thread.onSettings(() => {
  dns.clear();
  judge.forget();
  routing.forget();
});

const search =
  start.searchProgress === undefined
    ? undefined
    : createSearchIndex({
        databasePath: storePaths(start.settings.dataDir).search,
        reader: store.reader,
        log: thread.log,
        progress: new SearchProgress(start.searchProgress),
      });

const context: LoopContext<AllSettings> = {
  settings: thread.settings,
  log: thread.log,
  metrics: thread.metrics,
  journey,
  directory,
  authenticator,
  reader: store.reader,
  writer: store.writer,
  announcements: store.announcements,
  staging: store.staging,
  intake,
  router: routing.router,
  imapSieve: routing.imapEvents(journey),
  search,
  judge,
  tls,
  newId: thread.newId,
  now: thread.now,
};

const mirror =
  userAgent === null ? null : new Mirror({ ...thread, reader: store.reader, writer: store.writer, staging: store.staging, directory, agent: userAgent });
/** Of the protocols that show mailboxes: those of system users may be their Maildir or mbox as well. */
const mailboxContext: LoopContext<AllSettings> = mirror === null ? context : { ...context, writer: mirroredWriter(store.writer, mirror), mirror };

/** One factory for each kind of session: views, counts and rates are shared between a protocol's ports. */
const factories = new Map<string, Promise<SessionFactory>>();

function factory(protocol: Protocol): Promise<SessionFactory> {
  const kind = protocol === 'submissions' ? 'submission' : protocol === 'imaps' ? 'imap' : protocol === 'pop3s' ? 'pop3' : protocol;
  let made = factories.get(kind);
  if (made === undefined) {
    made = makeFactory(kind);
    factories.set(kind, made);
  }
  return made;
}

/** A protocol's code is loaded when it is listened for: a node that only receives does not carry IMAP. */
async function makeFactory(kind: 'smtp' | 'submission' | 'lmtp' | 'imap' | 'pop3' | 'sieve'): Promise<SessionFactory> {
  switch (kind) {
    case 'imap':
      return (await import('../access/imap/session.ts')).createImapSession(mailboxContext);
    case 'pop3':
      return (await import('../access/pop3/session.ts')).createPop3Session(mailboxContext);
    case 'sieve': {
      const { sieveEngine } = await import('../deliver/scripts/engine.ts');
      return (await import('../access/managesieve/create.ts')).createManageSieveSession(context, sieveEngine(thread.settings));
    }
    default:
      return (await import('../receive/smtp/create.ts')).createSmtpSession(context, kind);
  }
}

// One session's bug ends that session, not the others'; what reaches here is a bug to mend.
process.on('uncaughtException', (cause) => thread.log.error('thread.exception', { cause }));
process.on('unhandledRejection', (cause) => thread.log.error('thread.rejection', { cause }));

thread.link.tell('ready');
