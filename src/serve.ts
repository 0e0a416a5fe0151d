/** `posthorn start`: brings the threads up, opens the ports, and takes all down again in order. */
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { MessageChannel } from 'node:worker_threads';
import { ADMIN_HANDLERS } from './admin-handlers.ts';
import { createDirectory } from './directory/embedded.ts';
import { helperOptions, startUserAgent, type UserAgentHandle } from './deliver/user-agent/start.ts';
import type { AdminContext, Protocol } from './ports.ts';
import { ensureAllDkimKeys, ensureDevelopmentAccount, ensureDomain } from './first-start.ts';
import { createRateMemory } from './judge/rates/rates.ts';
import { createSearchProgress } from './search/progress.ts';
import { createIntake } from './queue/intake.ts';
import type { AllSettings, SETTINGS } from './settings.ts';
import { AnnouncementHub } from './store/announcements.ts';
import { createStaging } from './store/blobs/staging.ts';
import { lockDataDirectory } from './store/lock.ts';
import { storePaths } from './store/paths.ts';
import { openStoreReader } from './store/reader.ts';
import { connectWriter } from './store/writer/client.ts';
import type { Wanted } from './store/writer/runner.ts';
import { systemAdmin } from './system/admin.ts';
import { banner } from './system/banner.ts';
import { checkRuntime, prepareDataDir } from './system/checks.ts';
import type { LoadedConfig } from './system/config/load.ts';
import { type ControlServer, controlPath, serveControl } from './system/control.ts';
import { messageIds, steadyClock } from './system/ids.ts';
import { MetricsBoard, ThreadMetrics } from './system/metrics.ts';
import { type MetricsServer, startMetricsServer } from './system/metrics-server.ts';
import { ensureSelfSigned } from './system/self-signed.ts';
import { expiryWarnings, loadTlsMaterial, type TlsMaterial, tlsFilesOf } from './system/tls.ts';
import { becomeUser, lookUpUser } from './system/user.ts';
import { Crew, type CrewMember } from './threads/crew.ts';
import { journeyTo, openThreadLog } from './threads/start.ts';

type Config = LoadedConfig<typeof SETTINGS>;

export interface ServeOptions {
  readonly version: string;
  readonly config: Config;
  /** Reads the configuration again (posthorn reload, SIGHUP); throws with sentences. */
  reload(): Promise<Config>;
  /** Without a configuration file: one account is made at the first start and everything is printed. */
  readonly isDevelopment: boolean;
}

const LISTENED: readonly Protocol[] = ['smtp', 'submission', 'submissions', 'lmtp', 'imap', 'imaps', 'pop3', 'pop3s', 'sieve'];
/** Rows of what filters remember that are cut with one operation, and days for which forwards are counted. */
const FORGOTTEN_AT_ONCE = 1000;
const FORWARD_DAYS = 7;
/** The launcher starts the program again after this code (as after a fault). */
const EXIT_START_AGAIN = 134;

/** Resolves with the exit code when the server has stopped. Rejects with a sentence when it cannot start; nothing is left running then. */
export async function serve(options: ServeOptions): Promise<number> {
  const undo: (() => Promise<void> | void)[] = [];
  try {
    return await run(options, undo);
  } catch (error) {
    for (const step of undo.reverse()) await step();
    throw error;
  }
}

/** `undo` gathers what takes a failed start back, in the order things were begun. */
async function run(options: ServeOptions, undo: (() => Promise<void> | void)[]): Promise<number> {
  checkRuntime();
  process.umask(0o077);
  let config = options.config;
  const settings = (): AllSettings => config.settings as AllSettings;
  const dataDir = settings().dataDir;
  const isTerminal = process.stdout.isTTY === true;
  const startedAt = Date.now();
  prepareDataDir(dataDir);
  const paths = storePaths(dataDir);
  const unlock = lockDataDirectory(paths.lock);
  if (unlock === null) throw new Error(`Another Posthorn is running with the data folder ${dataDir}.`);
  undo.push(unlock);
  const log = openThreadLog(settings(), 'main', isTerminal);
  for (const warning of config.warnings) log.warn('config.warning', { warning });

  const stopped = Promise.withResolvers<number>();
  let isStopping = false;
  let isUp = false;
  /** A thread ended while the others were being started. */
  let lostEarly: Error | null = null;
  const metrics = new ThreadMetrics();
  const board = new MetricsBoard();
  const restarts = new Map<string, number>();
  const crew = new Crew({
    log,
    isTerminal,
    settings,
    onLost: (member, cause) => lost(member, cause),
    onStuck: (member) => fatal(`thread ${member.name} stands still`),
  });

  undo.push(async () => {
    isStopping = true;
    crew.close();
    // The writer last: the others may still ask it for something.
    for (const member of [...crew.members.values()].sort((a, b) => Number(a.name === 'writer') - Number(b.name === 'writer'))) await crew.end(member);
  });

  function fatal(why: string): void {
    log.error('server.fatal', { why });
    log.flush();
    process.exit(EXIT_START_AGAIN);
  }

  function lost(member: CrewMember, cause: Error): void {
    log.error('thread.lost', { thread: member.name, cause });
    board.retire(member.name);
    metrics.count('thread.restarts', 1, member.name);
    restarts.set(member.name, (restarts.get(member.name) ?? 0) + 1);
    if (!isUp) lostEarly ??= cause;
    if (isStopping || !isUp) return;
    // The writer and the keeper hold the ends of everybody's ports: without them the process starts again as a whole.
    if (member.name === 'writer' || member.name === 'keeper') fatal(`thread ${member.name} ended`);
    else setTimeout(() => void startAgain(member.name), 1000);
  }

  /** A thread that ends again before it is ready is noticed by `lost`; one that lives but cannot have its ports back is worth a new process (and root's rights). */
  async function startAgain(name: string): Promise<void> {
    if (isStopping) return;
    try {
      if (name === 'courier') await startCourierThread();
      else if (name === 'indexer') await startIndexer();
      else await startLoop(name, name === 'loop1' ? bound : sharedOf(bound));
    } catch (error) {
      log.error('thread.restart.failed', { thread: name, cause: error });
      if (!isStopping && crew.members.has(name)) fatal(`thread ${name} could not be started again`);
    }
  }

  // TLS material is read here, while we may still be root.
  const ticketKeys = randomBytes(48);
  async function readTls(): Promise<TlsMaterial[]> {
    let files = tlsFilesOf(settings(), config.baseDir);
    if (files.length === 0)
      files = [await ensureSelfSigned(join(dataDir, 'tls'), [...new Set([settings().hostname, settings().domain, 'localhost', '127.0.0.1'])], Date.now())];
    const material = loadTlsMaterial(files);
    for (const warning of expiryWarnings(material, Date.now())) log.warn('tls.expiry', { warning });
    metrics.gauge('tls.certificateExpirySeconds', Math.round((Math.min(...material.map((m) => m.expiresAt)) - Date.now()) / 1000));
    return material;
  }
  let material = await readTls();

  // Keeper first (the writer sends it the journey), but it needs the store that the writer makes.
  const journeyPorts = (): { near: MessageChannel['port1']; far: MessageChannel['port2'] } => {
    const { port1, port2 } = new MessageChannel();
    return { near: port1, far: port2 };
  };
  const writerJourney = journeyPorts();
  const writerThread = crew.start('writer', 'writer', { keeperPort: writerJourney.near }, [writerJourney.near]);
  const found = await writerThread.ready;
  if (found.foundVersion > 0) log.debug('store.opened', { version: found.foundVersion });
  const keeper = crew.start('keeper', 'keeper', { startedAt });
  keeper.link.tell('connect', { port: writerJourney.far }, [writerJourney.far]);

  const connectToWriter = (wants: Wanted) => {
    const { port1, port2 } = new MessageChannel();
    writerThread.link.tell('connect', { port: port2, wants }, [port2]);
    return port1;
  };
  const connectToKeeper = () => {
    const { port1, port2 } = new MessageChannel();
    keeper.link.tell('connect', { port: port2 }, [port2]);
    return port1;
  };

  // Main's own view of the store, for administration.
  const announcements = new AnnouncementHub((error) => log.error('store.announcement.failed', { cause: error }));
  const writer = connectWriter(connectToWriter('notices'), (news) => announcements.publish(news));
  const reader = openStoreReader(paths.database, paths.blobs);
  undo.push(() => reader.close());
  const now = steadyClock();
  const directory = createDirectory(reader, announcements, settings);
  const journey = journeyTo(connectToKeeper());
  const staging = createStaging({ blobDir: paths.blobs, inlineBytesMax: settings()['store.inlineBytesMax'] });
  const context: AdminContext = {
    reader,
    writer,
    staging,
    directory,
    intake: createIntake({ directory, reader, writer, journey, log, metrics, receivedMax: () => settings()['smtp.receivedMax'] }),
    log,
    settings,
    dataDir,
    isServerRunning: true,
    newId: messageIds(crew.takeInstance(), now),
    now,
  };

  // Started while we are root; what users' files name is done there, as those users.
  const agentKey = randomBytes(32).toString('hex');
  let agent: UserAgentHandle | null = null;
  const userAgent = needsUserAgent(settings()) ? { socketPath: join(dataDir, 'agent.sock'), key: agentKey } : null;
  const startedAs = process.getuid?.();
  async function startAgent(): Promise<void> {
    if (userAgent === null) return;
    const owner = settings().user !== '' && process.getuid?.() === 0 ? lookUpUser(settings().user) : null;
    const started = startUserAgent(
      helperOptions(settings(), { ...userAgent, owner, passwdFile: settings()['local.passwdFile'] }),
      settings()['local.exportEnvironment'],
    );
    agent = started;
    await started.ready;
    void started.ended.then((why) => {
      agent = null;
      if (isStopping || !isUp) return;
      log.error('agent.lost', { why });
      // Rights that were given up cannot be had back in this process.
      if (process.getuid?.() !== startedAs) fatal('the user agent ended');
      else setTimeout(() => void startAgent().catch((cause) => fatal(`the user agent cannot be started again: ${(cause as Error).message}`)), 1000);
    });
  }
  await startAgent();
  undo.push(() => agent?.stop());

  async function startCourierThread(): Promise<void> {
    const [writerPort, keeperPort] = [connectToWriter('notices'), connectToKeeper()];
    await crew.start('courier', 'courier', { writerPort, keeperPort, userAgent }, [writerPort, keeperPort]).ready;
  }

  // Loops ask what is indexed; nobody waits for the thread that does it.
  const searchProgress = settings()['search.enabled'] ? createSearchProgress() : undefined;
  async function startIndexer(): Promise<void> {
    if (searchProgress === undefined) return;
    const writerPort = connectToWriter('arrivals');
    await crew.start('indexer', 'indexer', { writerPort, searchProgress }, [writerPort]).ready;
  }

  const wanted = Object.fromEntries(LISTENED.map((protocol) => [protocol, settings()[`listen.${protocol}` as 'listen.smtp']]));
  let bound: Record<string, readonly string[]> = {};
  const rateMemory = createRateMemory(settings()['rates.memory']);
  const loopCount = settings()['threads.loops'] || Math.min(8, Math.max(1, availableParallelism() - 1));
  async function startLoop(
    name: string,
    addresses: Record<string, readonly string[]>,
    first: Promise<unknown> = Promise.resolve(),
  ): Promise<Record<string, readonly string[]>> {
    const [writerPort, keeperPort] = [connectToWriter('all'), connectToKeeper()];
    const loop = crew.start(name, 'loop', { writerPort, keeperPort, userAgent, tls: { material, ticketKeys }, rateMemory, searchProgress }, [
      writerPort,
      keeperPort,
    ]);
    await Promise.all([loop.ready, first]);
    return loop.link.call('listen', { addresses, reusePort: loopCount > 1, isFirst: name === 'loop1' });
  }

  async function prepareStore(): Promise<Awaited<ReturnType<typeof ensureDevelopmentAccount>>> {
    await ensureDomain(context);
    return options.isDevelopment ? ensureDevelopmentAccount(context) : null;
  }
  // Side by side, each on a processor of its own; but nobody is let in before all is there. The first loop finds the ports.
  const prepared = Promise.all([prepareStore(), startCourierThread(), startIndexer(), keeper.ready]);
  const [[account], found1] = await Promise.all([prepared, startLoop('loop1', wanted, prepared)]);
  bound = found1;
  // The others share them.
  for (let i = 2; i <= loopCount; i += 1) await startLoop(`loop${i}`, sharedOf(bound));

  let metricsServer: MetricsServer | null = null;
  const listening = (): Record<string, readonly string[]> => (metricsServer === null ? bound : { ...bound, metrics: metricsServer.addresses });
  async function refreshMetrics(): Promise<void> {
    await Promise.all([...crew.members.values()].map(async (member) => board.update(member.name, await member.link.call('metrics'))));
    board.update('main', metrics.snapshot());
  }
  if (settings()['listen.metrics'].length > 0) {
    try {
      metricsServer = await startMetricsServer(
        settings()['listen.metrics'],
        async () => {
          await refreshMetrics();
          return board.render();
        },
        () => ({ isHealthy: isUp && !isStopping, detail: isStopping ? 'stopping' : 'ready' }),
      );
    } catch (error) {
      // A second instance on this machine, with the port nobody chose: mail matters more.
      if (config.given.has('listen.metrics')) throw error;
      log.warn('metrics.unavailable', { cause: error });
    }
    undo.push(() => metricsServer?.close());
  }

  const handlers = {
    ...ADMIN_HANDLERS,
    'store.backup': async (_context: AdminContext, args: { directory: string }) => {
      await writerThread.link.call('holdFiles', true);
      try {
        return await keeper.link.call('backup', { target: args.directory, configFile: config.file });
      } finally {
        await writerThread.link.call('holdFiles', false);
      }
    },
    'store.check': async () => keeper.link.call('check'),
    ...systemAdmin({
      status: async () => {
        await refreshMetrics();
        const sessions: Record<string, number> = {};
        for (const member of crew.members.values()) {
          if (!member.name.startsWith('loop')) continue;
          for (const [protocol, n] of Object.entries(await member.link.call<Record<string, number>>('sessions')))
            sessions[protocol] = (sessions[protocol] ?? 0) + n;
        }
        const queued = Number(reader.rows('SELECT count(*) FROM queue_recipient')[0]![0]);
        const messages = Number(reader.rows('SELECT coalesce(sum(message_count),0) FROM mailbox')[0]![0]);
        return {
          version: options.version,
          pid: process.pid,
          startedAt,
          configFile: config.file,
          dataDir,
          listen: listening(),
          sessions,
          threads: [...crew.members.values()].map((member) => ({
            name: member.name,
            state: member.isReported ? 'standing still' : 'running',
            restarts: restarts.get(member.name) ?? 0,
          })),
          facts: { 'recipients in the queue': queued, 'messages in mailboxes': messages },
        };
      },
      reload: () => reloadInTurn(),
      stop: () => void stop('posthorn stop'),
      trace: (query) => keeper.link.call('trace', query),
      page: (query) => keeper.link.call('journeyPage', query),
    }),
  };
  let control: ControlServer | null = await serveControl(controlPath(dataDir), handlers, context);

  undo.push(() => control?.close());

  if (settings().user !== '' && process.getuid?.() === 0)
    becomeUser(settings().user, { dataDir, pickup: settings()['pickup.directory'] || join(dataDir, 'pickup'), logFile: settings()['log.file'] });
  if (lostEarly !== null) throw lostEarly;
  isUp = true;
  // Making RSA keys takes a moment; mail that goes out before is not signed.
  void ensureAllDkimKeys(context);
  log.info('server.ready', {
    version: options.version,
    pid: process.pid,
    listen: listening(),
    dataDir,
    config: config.file ?? undefined,
    startMs: Date.now() - startedAt,
  });
  if (account !== null || (options.isDevelopment && isTerminal))
    process.stdout.write(banner({ version: options.version, listen: listening(), account, dataDir, file: config.file }));
  if (account !== null) log.info('server.firstStart', { account: account.login });

  // What grows by itself is cut by itself: a little at a time, so that no delivery waits for it.
  const housekeeping = setInterval(() => {
    const before = now() - settings()['store.expungedKeep'];
    const cut = (): Promise<void> => writer.run<number>('message.pruneExpunged', { before }).then((rows) => (rows > 0 && !isStopping ? cut() : undefined));
    const forget = (operation: string): Promise<void> =>
      writer.run<number>(operation, { rowsMax: FORGOTTEN_AT_ONCE }).then((rows) => (rows === FORGOTTEN_AT_ONCE && !isStopping ? forget(operation) : undefined));
    Promise.all([cut(), forget('memory.prune'), forget('challenge.prune'), writer.run('forward.prune', { days: FORWARD_DAYS })]).catch((cause) =>
      log.warn('store.prune.failed', { cause }),
    );
  }, 3_600_000);

  /** One after the other: two at once could put an older configuration in force again. */
  let reloading: Promise<unknown> = Promise.resolve();
  function reloadInTurn(): ReturnType<typeof reloadConfig> {
    const next = reloading.then(reloadConfig);
    reloading = next.catch(() => {}); // whoever asked is told
    return next;
  }

  async function reloadConfig(): Promise<{ changed: string[]; needRestart: string[]; warnings: readonly string[] }> {
    const next = await options.reload();
    const before = settings();
    const { SETTINGS: declared } = await import('./settings.ts');
    const changed: string[] = [];
    const needRestart: string[] = [];
    const merged: Record<string, unknown> = { ...next.settings };
    for (const key of Object.keys(declared) as (keyof typeof declared)[]) {
      if (JSON.stringify(before[key]) === JSON.stringify((next.settings as AllSettings)[key])) continue;
      if (declared[key].takes === 'restart') {
        needRestart.push(key);
        merged[key] = before[key];
      } else changed.push(key);
    }
    const previous = config;
    config = { ...next, settings: merged as Config['settings'] };
    try {
      material = await readTls();
    } catch (error) {
      config = previous;
      throw error;
    }
    log.setLevel(settings()['log.level']);
    log.reopen();
    for (const member of crew.members.values()) {
      member.link.tell('settings', settings());
      if (member.name.startsWith('loop')) member.link.tell('tls', material);
    }
    log.info('server.reloaded', { changed, needRestart });
    return { changed, needRestart, warnings: next.warnings };
  }

  async function stop(why: string): Promise<void> {
    if (isStopping) return;
    isStopping = true;
    clearInterval(housekeeping);
    const graceMs = settings()['shutdown.grace'];
    log.info('server.stopping', { why, graceMs });
    await control?.close();
    control = null;
    const loops = [...crew.members.values()].filter((member) => member.name.startsWith('loop'));
    const courier = crew.members.get('courier');
    await Promise.all([...loops.map((loop) => loop.link.call('drain', graceMs).catch(() => {})), courier?.link.call('drain', graceMs).catch(() => {})]);
    await Promise.all([...loops, ...(courier === undefined ? [] : [courier])].map((member) => crew.end(member)));
    await agent?.stop();
    const indexer = crew.members.get('indexer');
    if (indexer !== undefined) await crew.end(indexer);
    await crew.end(writerThread);
    await crew.end(keeper);
    await metricsServer?.close();
    reader.close();
    crew.close();
    unlock?.();
    log.info('server.stopped', {});
    log.flush();
    stopped.resolve(0);
  }

  process.on('SIGTERM', () => void stop('SIGTERM'));
  process.on('SIGINT', () => void stop('SIGINT'));
  process.on('SIGHUP', () => void reloadInTurn().catch((cause) => log.error('server.reload.failed', { cause })));
  // The launcher is our parent; when it is gone, nobody would start us again.
  if (process.channel !== undefined) process.on('disconnect', () => void stop('the launcher has ended'));
  return stopped.promise;
}

/** What several threads may listen on: a unix socket has one. */
function sharedOf(bound: Record<string, readonly string[]>): Record<string, readonly string[]> {
  return Object.fromEntries(Object.entries(bound).map(([protocol, list]) => [protocol, list.filter((address) => !address.startsWith('unix:'))]));
}

/** Is there anything that must be done as another user? */
function needsUserAgent(settings: AllSettings): boolean {
  return (
    settings['policy.localDomains'].length > 0 ||
    settings['transport.pipe'].length > 0 ||
    settings['route.virtualMailboxBase'] !== '' ||
    settings['sieve.programs'] ||
    settings['auth.systemUsers']
  );
}
