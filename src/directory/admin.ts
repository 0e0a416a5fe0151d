/** Administration of domains, users, their options, aliases and app passwords: checks what was typed, then asks the writer. */
import type { AdminHandlers } from '../ports.ts';
import { aliasAdmin } from './admin/alias.ts';
import { appPasswordAdmin } from './admin/app-password.ts';
import { domainAdmin } from './admin/domain.ts';
import { optionAdmin } from './admin/option.ts';
import { userAdmin } from './admin/user.ts';

export const DIRECTORY_ADMIN: AdminHandlers = { ...userAdmin, ...domainAdmin, ...aliasAdmin, ...appPasswordAdmin, ...optionAdmin };
