/** Recipients that rules and milters add, take away or put in place of the others. */
import { formatAddress, parseMailbox } from '../mail/address.ts';
import type { Address, Directory, Log, Recipient, Resolution, Router } from '../ports.ts';
import type { Soon } from './soon.ts';

export interface RecipientChanges {
  readonly redirect: string | null;
  readonly bcc: readonly string[];
  readonly added: readonly Address[];
  readonly removed: readonly Address[];
}

export interface ChangesContext {
  readonly directory: Directory;
  /** Knows system users, and addresses that tables name. */
  readonly router?: Pick<Router, 'resolve'>;
  readonly log: Log;
}

/** undefined: as they were. An address that leads nowhere is not added, and the log says so. Never rejects. */
export function changedRecipients(
  recipients: readonly Recipient[],
  changes: RecipientChanges,
  context: ChangesContext,
  id: string,
): Soon<readonly Recipient[] | undefined> {
  const { redirect, bcc, added, removed } = changes;
  if (redirect === null && bcc.length === 0 && added.length === 0 && removed.length === 0) return undefined;
  const asked = [
    ...(redirect === null ? [] : [resolved(redirect, context, id, null)]),
    ...bcc.map((text) => resolved(text, context, id, 'never')),
    ...added.map((address) => resolved(formatAddress(address), context, id, null)),
  ];
  const changed = (found: readonly (Recipient | null)[]): readonly Recipient[] => {
    let list: Recipient[] = [...recipients];
    if (removed.length > 0) {
      const gone = new Set(removed.map(keyOf));
      list = list.filter(({ address }) => !gone.has(keyOf(address)));
    }
    const [target, ...others] = redirect === null ? [null, ...found] : found;
    if (target !== null && target !== undefined) list = [target];
    for (const recipient of others) add(list, recipient);
    return list;
  };
  return asked.some((one) => one instanceof Promise) ? Promise.all(asked).then(changed) : changed(asked as (Recipient | null)[]);
}

function add(list: Recipient[], recipient: Recipient | null): void {
  if (recipient !== null && !list.some(({ address }) => keyOf(address) === keyOf(recipient.address))) list.push(recipient);
}

function resolved(text: string, context: ChangesContext, id: string, notify: Recipient['notify']): Soon<Recipient | null> {
  const address = parseMailbox(text, { utf8: true });
  const made = (resolution: Resolution | null): Recipient | null => {
    if (address === null || resolution === null || resolution.kind === 'unknown' || resolution.kind === 'disabled' || resolution.kind === 'loop') {
      context.log.warn('judge.recipient.unknown', { id, recipient: text.slice(0, 320) });
      return null;
    }
    return { address, resolution, notify, orcpt: null };
  };
  const resolution = address === null ? null : resolve(address, context);
  return resolution instanceof Promise ? resolution.then(made) : made(resolution);
}

/** While a table is down the address goes into the queue as it is and is resolved there. */
function resolve(address: Address, { directory, router }: ChangesContext): Soon<Resolution> {
  if (router === undefined) return directory.resolve(address);
  try {
    const found = router.resolve(address, null);
    return found instanceof Promise ? found.catch(() => IN_THE_QUEUE) : found;
  } catch {
    return IN_THE_QUEUE;
  }
}
const IN_THE_QUEUE: Resolution = { kind: 'foreign' };

function keyOf(address: Address): string {
  return `${address.local}@${address.domain.toLowerCase()}`;
}
