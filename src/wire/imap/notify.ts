/** notify (RFC 5465 section 8). */
import { OPEN, SP } from './chars.ts';
import { type Cursor, ImapSyntaxError } from './cursor.ts';
import { type FetchItem, fetchAttributes } from './fetch.ts';
import { IMAP_LIMITS } from './limits.ts';

export type NotifyEvent =
  | 'MESSAGENEW'
  | 'MESSAGEEXPUNGE'
  | 'FLAGCHANGE'
  | 'MAILBOXNAME'
  | 'SUBSCRIPTIONCHANGE'
  | 'MAILBOXMETADATACHANGE'
  | 'SERVERMETADATACHANGE';

export type NotifyMailboxes =
  | { readonly kind: 'selected' | 'selected-delayed' | 'inboxes' | 'personal' | 'subscribed' }
  | { readonly kind: 'subtree' | 'mailboxes'; readonly names: readonly string[] };

export interface EventGroup {
  readonly mailboxes: NotifyMailboxes;
  /** Empty: NONE. */
  readonly events: ReadonlySet<NotifyEvent>;
  /** What is to be fetched of new messages in the selected mailbox. */
  readonly items: readonly FetchItem[];
}

export type NotifyArguments =
  | { readonly kind: 'none' }
  | { readonly kind: 'set'; readonly withStatus: boolean; readonly groups: readonly EventGroup[] }
  /** Events were asked for that nobody here knows: NO [BADEVENT]. */
  | { readonly kind: 'badEvent' };

/** As they are written in BADEVENT. */
export const NOTIFY_EVENTS: ReadonlyMap<string, string> = new Map<NotifyEvent, string>([
  ['MESSAGENEW', 'MessageNew'],
  ['MESSAGEEXPUNGE', 'MessageExpunge'],
  ['FLAGCHANGE', 'FlagChange'],
  ['MAILBOXNAME', 'MailboxName'],
  ['SUBSCRIPTIONCHANGE', 'SubscriptionChange'],
  ['MAILBOXMETADATACHANGE', 'MailboxMetadataChange'],
  ['SERVERMETADATACHANGE', 'ServerMetadataChange'],
]);

const MESSAGE_EVENTS = new Set<string>(['MESSAGENEW', 'MESSAGEEXPUNGE', 'FLAGCHANGE', 'ANNOTATIONCHANGE']);

/** SP ("NONE" / "SET" [SP "STATUS"] SP event-group *(SP event-group)) */
export function notifyArguments(cursor: Cursor): NotifyArguments {
  cursor.sp();
  const verb = cursor.word();
  if (verb === 'NONE') {
    cursor.end();
    return { kind: 'none' };
  }
  if (verb !== 'SET') throw new ImapSyntaxError('NOTIFY has SET or NONE');
  cursor.sp();
  const withStatus = cursor.takeWord('STATUS');
  if (withStatus) cursor.sp();
  const groups: EventGroup[] = [];
  const seen = { hasUnknown: false, names: 0 };
  do {
    if (groups.length >= IMAP_LIMITS.notifyGroups) throw new ImapSyntaxError('Too many event groups');
    groups.push(eventGroup(cursor, seen));
  } while (cursor.take(SP) && !cursor.isAtEnd);
  cursor.end();
  if (groups.filter(({ mailboxes }) => isSelected(mailboxes)).length > 1) throw new ImapSyntaxError('The selected mailbox is named twice');
  return seen.hasUnknown ? { kind: 'badEvent' } : { kind: 'set', withStatus, groups };
}

function isSelected({ kind }: NotifyMailboxes): boolean {
  return kind === 'selected' || kind === 'selected-delayed';
}

interface Seen {
  hasUnknown: boolean;
  names: number;
}

/** "(" filter-mailboxes SP events ")" */
function eventGroup(cursor: Cursor, seen: Seen): EventGroup {
  cursor.expect(OPEN);
  const mailboxes = filterMailboxes(cursor, seen);
  cursor.sp();
  const events = new Set<NotifyEvent>();
  let items: readonly FetchItem[] = [];
  let hasAnnotation = false;
  if (!cursor.takeWord('NONE')) {
    cursor.expect(OPEN);
    do {
      const name = cursor.word();
      // The fetch attributes stand behind the event and a space.
      if (name === 'MESSAGENEW' && cursor.peek() === SP && cursor.bytes[cursor.at + 1] === OPEN) {
        cursor.sp();
        items = fetchAttributes(cursor);
      }
      if (NOTIFY_EVENTS.has(name)) events.add(name as NotifyEvent);
      else {
        seen.hasUnknown = true;
        hasAnnotation ||= name === 'ANNOTATIONCHANGE';
      }
      if (isSelected(mailboxes) && NOTIFY_EVENTS.has(name) && !MESSAGE_EVENTS.has(name)) throw new ImapSyntaxError('Only message events go with SELECTED');
    } while (cursor.take(SP));
    cursor.expect(0x29);
  }
  cursor.expect(0x29);
  // RFC 5465 section 5: changes without coming and going would make no sense.
  const needsBoth = events.has('MESSAGENEW') || events.has('MESSAGEEXPUNGE') || events.has('FLAGCHANGE') || hasAnnotation;
  if (needsBoth && !(events.has('MESSAGENEW') && events.has('MESSAGEEXPUNGE'))) throw new ImapSyntaxError('MessageNew and MessageExpunge go together');
  if (items.length > 0 && !isSelected(mailboxes)) throw new ImapSyntaxError('What is to be fetched goes with SELECTED only');
  return { mailboxes, events, items };
}

function filterMailboxes(cursor: Cursor, seen: Seen): NotifyMailboxes {
  const kind = cursor.word();
  switch (kind) {
    case 'SELECTED':
      return { kind: 'selected' };
    case 'SELECTED-DELAYED':
      return { kind: 'selected-delayed' };
    case 'INBOXES':
      return { kind: 'inboxes' };
    case 'PERSONAL':
      return { kind: 'personal' };
    case 'SUBSCRIBED':
      return { kind: 'subscribed' };
    case 'SUBTREE':
    case 'MAILBOXES': {
      cursor.sp();
      const names: string[] = [];
      if (cursor.isListAhead()) cursor.list(IMAP_LIMITS.notifyNames, 1, () => names.push(cursor.mailbox()));
      else names.push(cursor.mailbox());
      seen.names += names.length;
      if (seen.names > IMAP_LIMITS.notifyNames) throw new ImapSyntaxError('Too many mailboxes');
      return { kind: kind === 'SUBTREE' ? 'subtree' : 'mailboxes', names };
    }
    default:
      throw new ImapSyntaxError(`Unknown mailboxes ${kind.slice(0, 40)}`);
  }
}
