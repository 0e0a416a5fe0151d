/** The environment of users' programs: nothing of the server's own but what `local.exportEnvironment` names, and what Postfix's local(8) tells of the delivery. */
import type { Address } from '../../ports.ts';
import { mailboxPath } from './mailbox.ts';
import type { DeliveryTask, SystemUser } from './types.ts';

const PATH = '/usr/local/bin:/usr/bin:/bin';
const VALUE_CHARS_MAX = 4096;

/**
 * What strangers wrote has no characters that mean something to a shell (Postfix: command_expansion_filter): scripts are careless. Letters
 * beyond ASCII stay, for they mean nothing to shells.
 */
const safe = (value: string): string => value.replace(/[^\w!@%=+:,./\u0080-\uffff-]/g, '_').slice(0, VALUE_CHARS_MAX);
/** Without quotation marks, which would be underscores. */
const bare = ({ local, domain }: Address): string => safe(domain === '' ? local : `${local}@${domain}`);

/** The local part without its detail. */
function localName({ final, detail }: DeliveryTask): string {
  const local = final.local.toLowerCase();
  return detail !== null && local.endsWith(detail.toLowerCase()) ? local.slice(0, Math.max(0, local.length - detail.length - 1)) : local;
}

/** `exported`: variables the helper kept of the server's environment. */
export function deliveryEnvironment(task: DeliveryTask, user: SystemUser, isHome: boolean, exported: Readonly<Record<string, string>>): Record<string, string> {
  const { configuration, recipient, final, sender } = task;
  const found: Record<string, string> = { PATH };
  for (const entry of configuration.exportEnvironment) {
    const equals = entry.indexOf('=');
    if (equals > 0) found[entry.slice(0, equals)] = entry.slice(equals + 1);
    else if (exported[entry] !== undefined) found[entry] = exported[entry];
  }
  const mail = isHome ? mailboxPath({ configuration, home: user.home, user: user.name }) : null;
  // A program of an alias is told the alias, whoever's rights it has.
  const name = task.work.kind === 'command' ? localName(task) : user.name;
  if (isHome) {
    found['SHELL'] = user.shell || '/bin/sh';
    found['HOME'] = user.home;
    if (mail !== null) found['MAIL'] = mail;
  }
  const told: Record<string, string | null> = {
    USER: name,
    LOGNAME: name,
    LOCAL: final.local.toLowerCase(),
    DOMAIN: final.domain || null,
    EXTENSION: task.detail === null ? null : task.detail.toLowerCase(),
    CLIENT_ADDRESS: task.clientIp,
    CLIENT_HOSTNAME: task.clientName,
    CLIENT_HELO: task.helo,
  };
  for (const [key, value] of Object.entries(told)) if (value !== null) found[key] = safe(value);
  found['SENDER'] = sender === null ? '' : bare(sender);
  found['RECIPIENT'] = bare(final);
  found['ORIGINAL_RECIPIENT'] = bare(recipient);
  return found;
}
