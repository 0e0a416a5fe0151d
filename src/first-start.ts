/** What a new installation has before anybody typed a command. */
import { ADMIN_HANDLERS } from './admin-handlers.ts';
import { DIRECTORY_ADMIN } from './directory/admin.ts';
import { matchList } from './directory/tables/match-list.ts';
import { createTables } from './directory/tables/open.ts';
import { SERVER_TABLES } from './directory/tables/servers/index.ts';
import { ensureDkimKeys } from './judge/signing/admin.ts';
import type { AdminContext } from './ports.ts';
import type { AllSettings } from './settings.ts';
import { SILENT_LOG } from './system/log.ts';
import { DEV_ACCOUNT } from './system/config/find.ts';

/** Options that give domains to system users, tables or other hosts. */
const CLASSES = ['policy.localDomains', 'policy.virtualAliasDomains', 'policy.virtualMailboxDomains', 'policy.relayDomains'] as const;

/** Whether the domain is somebody else's by name or by a table. A table that cannot be asked now might say so: true. */
async function isClassed(context: AdminContext, domain: string): Promise<boolean> {
  const settings = context.settings() as AllSettings;
  if (CLASSES.every((key) => settings[key].length === 0)) return false;
  const around = { log: SILENT_LOG, now: () => context.now(), settings: () => settings };
  const tables = createTables({ ...around, servers: SERVER_TABLES });
  try {
    for (const key of CLASSES) if (await matchList(settings[key], { name: key, tables, context: around }).domain(domain)) return true;
    return false;
  } catch (cause) {
    context.log.warn('domain.unclear', { domain, cause: cause instanceof Error ? cause.message : String(cause) });
    return true;
  } finally {
    tables.close();
  }
}

/** The domain of the configuration is served without another command: by the directory, unless an option gives it to others. */
export async function ensureDomain(context: AdminContext): Promise<void> {
  const domain = context.settings().domain as string;
  if (context.directory.isLocalDomain(domain)) {
    const twice = CLASSES.find((key) => (context.settings() as AllSettings)[key].includes(domain));
    if (twice !== undefined) context.log.warn('domain.twice', { domain, option: twice });
    return;
  }
  if (context.reader.rows('SELECT 1 FROM domain WHERE name=?', domain).length > 0) return; // switched off on purpose
  if (await isClassed(context, domain)) return;
  await DIRECTORY_ADMIN['domain.add']!(context, { domain }, () => {}, new AbortController().signal);
  context.log.info('domain.added', { domain });
}

/** Keys for every domain that has none: those of the first start, and of installations from before there was signing. Never rejects. */
export async function ensureAllDkimKeys(context: AdminContext): Promise<void> {
  if (context.settings()['dkim.createKeys'] !== true) return;
  const domains = new Set(context.reader.rows('SELECT name FROM domain ORDER BY name').map(([name]) => String(name)));
  for (const option of CLASSES.slice(0, 3))
    for (const entry of (context.settings() as AllSettings)[option]) if (/^[a-z0-9-]+(?:\.[a-z0-9-]+)+$/.test(entry)) domains.add(entry);
  for (const domain of domains)
    try {
      await ensureDkimKeys(context, domain);
    } catch (cause) {
      context.log.warn('dkim.create.failed', { domain, cause });
    }
}

/** The development profile's account, with its password when it was made just now. */
export async function ensureDevelopmentAccount(context: AdminContext): Promise<{ login: string; password: string } | null> {
  if (context.reader.rows('SELECT 1 FROM account LIMIT 1').length > 0) return null;
  const made = (await ADMIN_HANDLERS['user.add']!(context, { login: DEV_ACCOUNT, generate: true }, () => {}, new AbortController().signal)) as {
    password: string;
  };
  return { login: DEV_ACCOUNT, password: made.password };
}
