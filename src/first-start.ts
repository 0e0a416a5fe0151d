/** What a new installation has before anybody typed a command. */
import { ADMIN_HANDLERS } from './admin-handlers.ts';
import type { AdminContext } from './ports.ts';
import { DEV_ACCOUNT } from './system/config/find.ts';

/** The domain of the configuration is served without another command. */
export async function ensureDomain(context: AdminContext): Promise<void> {
  const domain = context.settings().domain as string;
  if (context.directory.isLocalDomain(domain)) return;
  if (context.reader.rows('SELECT 1 FROM domain WHERE name=?', domain).length > 0) return; // switched off on purpose
  await ADMIN_HANDLERS['domain.add']!(context, { domain }, () => {}, new AbortController().signal);
  context.log.info('domain.added', { domain });
}

/** The development profile's account, with its password when it was made just now. */
export async function ensureDevelopmentAccount(context: AdminContext): Promise<{ login: string; password: string } | null> {
  if (context.reader.rows('SELECT 1 FROM account LIMIT 1').length > 0) return null;
  const made = (await ADMIN_HANDLERS['user.add']!(context, { login: DEV_ACCOUNT, generate: true }, () => {}, new AbortController().signal)) as {
    password: string;
  };
  return { login: DEV_ACCOUNT, password: made.password };
}
