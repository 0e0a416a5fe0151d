/** Recipients that rules and milters add, take away or put in place of the others. */
import { formatAddress, parseMailbox } from '../mail/address.ts';
import type { Address, Directory, Log, Recipient } from '../ports.ts';

export interface RecipientChanges {
  readonly redirect: string | null;
  readonly bcc: readonly string[];
  readonly added: readonly Address[];
  readonly removed: readonly Address[];
}

/** undefined: as they were. An address that leads nowhere is not added, and the log says so. */
export function changedRecipients(
  recipients: readonly Recipient[],
  changes: RecipientChanges,
  context: { readonly directory: Directory; readonly log: Log },
  id: string,
): readonly Recipient[] | undefined {
  const { redirect, bcc, added, removed } = changes;
  if (redirect === null && bcc.length === 0 && added.length === 0 && removed.length === 0) return undefined;
  let list: Recipient[] = [...recipients];
  if (removed.length > 0) {
    const gone = new Set(removed.map(keyOf));
    list = list.filter(({ address }) => !gone.has(keyOf(address)));
  }
  if (redirect !== null) {
    const target = resolved(redirect, context, id, null);
    if (target !== null) list = [target];
  }
  for (const text of bcc) add(list, resolved(text, context, id, 'never'));
  for (const address of added) add(list, resolved(formatAddress(address), context, id, null));
  return list;
}

function add(list: Recipient[], recipient: Recipient | null): void {
  if (recipient !== null && !list.some(({ address }) => keyOf(address) === keyOf(recipient.address))) list.push(recipient);
}

function resolved(text: string, context: { readonly directory: Directory; readonly log: Log }, id: string, notify: Recipient['notify']): Recipient | null {
  const address = parseMailbox(text, { utf8: true });
  const resolution = address === null ? null : context.directory.resolve(address);
  if (address === null || resolution === null || resolution.kind === 'unknown' || resolution.kind === 'disabled' || resolution.kind === 'loop') {
    context.log.warn('judge.recipient.unknown', { id, recipient: text.slice(0, 320) });
    return null;
  }
  return { address, resolution, notify, orcpt: null };
}

function keyOf(address: Address): string {
  return `${address.local}@${address.domain.toLowerCase()}`;
}
