/** The environment of users' programs: nothing of the server's own but what `local.exportEnvironment` names, and what Postfix's local(8) tells of the delivery. */
import { formatAddress } from '../../mail/address.ts';
import { mailboxPath } from './mailbox.ts';
import type { DeliveryTask, SystemUser } from './types.ts';

const PATH = '/usr/local/bin:/usr/bin:/bin';
const VALUE_CHARS_MAX = 4096;

/** Values hold neither NUL nor line ends: shells and scripts that print them unquoted must not be given a second line. */
const clean = (value: string): string => value.replace(/[\0\r\n]/g, ' ').slice(0, VALUE_CHARS_MAX);

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
  const told: Record<string, string | null> = {
    SHELL: isHome ? '/bin/sh' : null,
    HOME: isHome ? user.home : null,
    USER: user.name,
    LOGNAME: user.name,
    MAIL: mail,
    SENDER: sender === null ? '' : formatAddress(sender),
    RECIPIENT: formatAddress(final),
    LOCAL: final.local,
    DOMAIN: final.domain || null,
    EXTENSION: task.detail,
    ORIGINAL_RECIPIENT: formatAddress(recipient),
    CLIENT_ADDRESS: task.clientIp,
    CLIENT_HOSTNAME: task.clientName,
    CLIENT_HELO: task.helo,
    HOST: configuration.hostname,
  };
  for (const [name, value] of Object.entries(told)) if (value !== null) found[name] = clean(value);
  return found;
}
