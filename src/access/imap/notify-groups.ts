/** Which mailboxes and events the groups of one NOTIFY SET mean (RFC 5465 section 6), besides those of the selected mailbox. */
import type { EventGroup, NotifyEvent } from '../../wire/imap/notify.ts';
import { foreignName, type Viewer } from './places.ts';

export const BIT: Readonly<Record<NotifyEvent, number>> = {
  MESSAGENEW: 1,
  MESSAGEEXPUNGE: 2,
  FLAGCHANGE: 4,
  MAILBOXNAME: 8,
  SUBSCRIPTIONCHANGE: 16,
  MAILBOXMETADATACHANGE: 32,
  SERVERMETADATACHANGE: 64,
};
export const COUNTS = BIT.MESSAGENEW | BIT.MESSAGEEXPUNGE;
export const MESSAGES = COUNTS | BIT.FLAGCHANGE;

export function maskOf(events: ReadonlySet<NotifyEvent>): number {
  let mask = 0;
  for (const event of events) mask |= BIT[event];
  return mask;
}

/** A mailbox as groups choose it. */
export interface Named {
  readonly name: string;
  readonly isOwn: boolean;
  readonly isSubscribed: boolean;
}

interface Row {
  readonly kind: EventGroup['mailboxes']['kind'];
  readonly mask: number;
  /** Names may be thousands, and are compared with thousands. Empty where the group is not chosen by names. */
  readonly names: ReadonlySet<string>;
}

export class NotifyGroups {
  readonly #rows: readonly Row[];

  /** Groups for SELECTED and SELECTED-DELAYED are passed over, and those that want nothing. */
  constructor(groups: readonly EventGroup[]) {
    const rows: Row[] = [];
    for (const { mailboxes, events } of groups) {
      const mask = maskOf(events);
      if (mailboxes.kind === 'selected' || mailboxes.kind === 'selected-delayed' || mask === 0) continue;
      rows.push({ kind: mailboxes.kind, mask, names: new Set('names' in mailboxes ? mailboxes.names : []) });
    }
    this.#rows = rows;
  }

  get isEmpty(): boolean {
    return this.#rows.length === 0;
  }

  /** Is there any mailbox of which one of these events is wanted? */
  wants(events: number): boolean {
    return this.#rows.some(({ mask }) => (mask & events) !== 0);
  }

  /** Those of `events` that are wanted of this mailbox. */
  of(named: Named, events: number): number {
    let wanted = 0;
    for (const row of this.#rows) if ((row.mask & events & ~wanted) !== 0 && matches(row, named)) wanted |= row.mask & events;
    return wanted;
  }

  /** Can mailboxes of other accounts be among those that are meant? */
  meansForeign(viewer: Viewer): boolean {
    return this.#rows.some(({ kind, names }) => kind === 'subscribed' || names.values().some((name) => foreignName(viewer, name) !== null));
  }

  /** Is the mailbox named for events of messages? */
  names(name: string): boolean {
    return this.#rows.some(({ kind, mask, names }) => kind === 'mailboxes' && (mask & MESSAGES) !== 0 && names.has(name));
  }
}

function matches({ kind, names }: Row, { name, isOwn, isSubscribed }: Named): boolean {
  switch (kind) {
    case 'mailboxes':
      return names.has(name);
    case 'subtree':
      return isAtOrBelow(names, name);
    case 'subscribed':
      return isSubscribed;
    default:
      // RFC 5465 section 6.3: mail may be filed into any mailbox here, so "inboxes" are all of them.
      return isOwn;
  }
}

function isAtOrBelow(tops: ReadonlySet<string>, name: string): boolean {
  if (tops.has(name)) return true;
  for (let slash = name.lastIndexOf('/'); slash > 0; slash = name.lastIndexOf('/', slash - 1)) if (tops.has(name.slice(0, slash))) return true;
  return false;
}
