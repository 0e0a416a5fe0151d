/** What a new installation has before anybody typed a command. */
import { ADMIN_HANDLERS } from './admin-handlers.ts';
import { DIRECTORY_ADMIN } from './directory/admin.ts';
import { ensureDkimKeys } from './judge/signing/admin.ts';
import type { AdminContext } from './ports.ts';
import { DEV_ACCOUNT } from './system/config/find.ts';

/** The domain of the configuration is served without another command. */
export async function ensureDomain(context: AdminContext): Promise<void> {
  const domain = context.settings().domain as string;
  if (context.directory.isLocalDomain(domain)) return;
  if (context.reader.rows('SELECT 1 FROM domain WHERE name=?', domain).length > 0) return; // switched off on purpose
  await DIRECTORY_ADMIN['domain.add']!(context, { domain }, () => {}, new AbortController().signal);
  context.log.info('domain.added', { domain });
}

/** Keys for every domain that has none: those of the first start, and of installations from before there was signing. Never rejects. */
export async function ensureAllDkimKeys(context: AdminContext): Promise<void> {
  if (context.settings()['dkim.createKeys'] !== true) return;
  for (const [domain] of context.reader.rows('SELECT name FROM domain ORDER BY name'))
    try {
      await ensureDkimKeys(context, String(domain));
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
