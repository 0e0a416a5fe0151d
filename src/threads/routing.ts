/** Where mail goes, for every thread that takes or brings it: the router, the accounts' own rules, and the intake over both. */
import { createSieveEngine, type SieveEngine } from '../deliver/mailroom/sieve.ts';
import { createImapEvents, type ImapEventsHandle } from '../deliver/mailroom/imap-events.ts';
import { createMailroom } from '../deliver/mailroom/mailroom.ts';
import type { PlannerContext } from '../deliver/mailroom/plan.ts';
import type { SieveScript } from '../deliver/filters/sieve/sieve.ts';
import { TableError } from '../directory/tables/errors.ts';
import { sealForward } from '../deliver/forwarding/seal.ts';
import { createScriptCache } from '../deliver/scripts/compiled.ts';
import { includedScript } from '../deliver/scripts/reader.ts';
import { createKeyRing } from '../judge/signing/ring.ts';
import type {
  AccountId,
  Address,
  Announcements,
  Directory,
  Journey,
  Log,
  Metrics,
  Resolution,
  Router,
  Staging,
  StoreReader,
  StoreWriter,
  Tables,
} from '../ports.ts';
import { createRouter, createTransports, type Transports } from '../route/router.ts';
import { ensureSrsKeys } from '../route/srs-keys.ts';
import { findSrsNote, srsTarget } from '../route/srs-target.ts';
import { rewriteSender, type SrsKeys } from '../route/srs.ts';
import { createSystemUsers, type SystemUser, type SystemUsers } from '../route/system-users.ts';
import type { AllSettings } from '../settings.ts';

export interface RoutingParts {
  settings(): AllSettings;
  readonly dataDir: string;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly reader: StoreReader;
  readonly writer: StoreWriter;
  readonly staging: Staging;
  readonly announcements: Announcements;
  readonly directory: Directory;
  readonly tables: Tables;
  /** The store's account of a mailbox that tables name; null: there is none. */
  accountForTable(login: string): AccountId | null | Promise<AccountId | null>;
  /** Asks the name service of this machine; null: nobody can. */
  readonly lookUpUser: ((name: string) => Promise<SystemUser | null | 'unavailable'>) | null;
  newId(): string;
  now(): number;
}

export interface Routing {
  readonly router: Router;
  readonly transports: Transports;
  readonly users: SystemUsers;
  readonly mailroom: ReturnType<typeof createMailroom>;
  readonly planner: PlannerContext;
  readonly sieve: SieveEngine;
  /** Scripts at IMAP events, for threads with IMAP sessions. */
  imapEvents(journey: Journey): ImapEventsHandle;
  /** The sender under which a stranger's mail leaves by an alias; null: as it is. */
  onwardSender(sender: Address): Promise<Address | null>;
  /** After a reload: scripts are compiled anew. */
  forget(): void;
}

/** How long an answer of the name service holds, and how many are kept. */
const NAMES_MS = 60_000;
const NAMES_MAX = 10_000;

/** Users that /etc/passwd does not list may be known to the name service (LDAP, NIS): the user agent asks it. Without one the file says all. */
function withNameService(file: SystemUsers, { lookUpUser, now }: Pick<RoutingParts, 'lookUpUser' | 'now'>): SystemUsers {
  if (lookUpUser === null) return file;
  const known = new Map<string, { readonly user: SystemUser | null; readonly until: number }>();
  const late = async (name: string): Promise<SystemUser | null> => {
    const user = await lookUpUser(name);
    if (user === 'unavailable') throw new TableError('passwd', `the name service does not say who "${name}" is`);
    if (known.size >= NAMES_MAX) known.delete(known.keys().next().value!);
    known.set(name, { user, until: now() + NAMES_MS });
    return user;
  };
  return {
    find: (name) => {
      const found = file.find(name);
      if (found instanceof Promise || found !== null) return found;
      const before = known.get(name);
      return before !== undefined && before.until > now() ? before.user : late(name);
    },
  };
}

export function createRouting(parts: RoutingParts): Routing {
  const { settings, directory, reader, staging, announcements, log, metrics, tables, dataDir } = parts;
  const users = withNameService(createSystemUsers({ file: settings()['local.passwdFile'], now: parts.now }), parts);
  let keys: SrsKeys | null = null;
  let keysFor: AllSettings | null = null;
  /** Read when the first message is sent on, or the first report comes back. */
  const srsKeys = (): SrsKeys => {
    const now = settings();
    if (keys === null || keysFor !== now) {
      try {
        keys = ensureSrsKeys(dataDir, now['srs.secrets']);
      } catch (cause) {
        log.error('srs.keys.failed', { cause });
        keys = [];
      }
      keysFor = now;
    }
    return keys;
  };
  const srsDomain = (): string => settings()['srs.domain'] || settings().domain;
  const host = { tables, directory, users, log, now: parts.now, settings };
  const router = createRouter({
    ...host,
    accountForTable: parts.accountForTable,
    srs: (address) =>
      /^srs[01][=+-]/i.test(address.local)
        ? srsTarget(address, {
            domain: srsDomain(),
            keys: srsKeys(),
            days: settings()['srs.days'],
            now: parts.now,
            noted: (token) => findSrsNote(reader, token),
          })
        : null,
  });
  const ring = createKeyRing({ dataDir, log, now: parts.now });
  const planner = {
    settings,
    reader,
    staging,
    newId: parts.newId,
    now: parts.now,
    isOffSite: (address: Address): boolean | Promise<boolean> => {
      const judged = (found: Resolution): boolean => {
        if (found.kind !== 'deliver') return found.kind === 'foreign';
        return found.local.length === 0 && found.remote.every(({ task, domain }) => task === undefined && !directory.isLocalDomain(domain));
      };
      const found = router.resolve(address, null);
      return found instanceof Promise ? found.then(judged) : judged(found);
    },
    // Every domain has its postmaster: what the router makes of that address says whose domain it is.
    isOurDomain: (domain: string): boolean | Promise<boolean> => {
      if (directory.isLocalDomain(domain)) return true;
      const found = router.resolve({ local: 'postmaster', domain }, null);
      return found instanceof Promise ? found.then(({ kind }) => kind !== 'foreign') : found.kind !== 'foreign';
    },
    maySendAs: (accountId: AccountId, address: Address): boolean => directory.maySendAs(accountId, address),
    srs: () => (settings()['srs.enabled'] ? { keys: srsKeys(), days: settings()['srs.days'], now: parts.now(), domain: srsDomain() } : null),
    seal: (input: Parameters<PlannerContext['seal']>[0]) =>
      sealForward({ ...input, hostname: settings().hostname, ring, nowSeconds: Math.floor(parts.now() / 1000) }),
  };
  const sieve = createSieveEngine({ settings, log });
  const scripts = createScriptCache({ reader, announcements, compile: (text, file) => sieve.compile(text, file) });
  const included = (accountId: AccountId, domain: string, location: 'personal' | 'global', name: string): string | null => {
    const text = includedScript(reader, accountId, domain, location, name);
    return text === null ? null : Buffer.from(text).toString('utf8');
  };
  let imapEvents: ImapEventsHandle | null = null;
  const mailroom = createMailroom({
    context: planner,
    directory,
    writer: parts.writer,
    announcements,
    log,
    metrics,
    scripts,
    sieve,
    included,
  });
  return {
    router,
    transports: createTransports(host),
    users,
    mailroom,
    planner,
    sieve,
    imapEvents: (journey) => {
      imapEvents ??= createImapEvents<SieveScript>({
        context: planner,
        settings,
        writer: parts.writer,
        announcements,
        journey,
        log,
        metrics,
        included,
        program: sieve.program,
        run: (compiled, input, cause) => sieve.runAt(compiled, input, cause),
        compile: (text, file) => sieve.compile(text, file),
        scriptText: (accountId, domain, location, name) => includedScript(reader, accountId, domain, location, name),
      });
      return imapEvents;
    },
    onwardSender: async (sender) => {
      const srs = planner.srs();
      if (srs === null || (await planner.isOurDomain(sender.domain))) return null;
      const rewritten = rewriteSender(sender, srs.domain, srs);
      // An address so long that it needs a note keeps its name: there is no transaction to note it in.
      return rewritten === null || rewritten.note !== null ? null : rewritten.address;
    },
    forget: () => {
      imapEvents?.forget();
      scripts.clear();
      ring.reload();
    },
  };
}
