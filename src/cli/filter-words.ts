/** What a filter does, in words a person understands. Pure. */
import type { Action, Command, FlagSet } from '../deliver/filters/filter.ts';
import { formatAddress } from '../mail/address.ts';
import { FLAG } from '../ports.ts';

const TEXT_CHARS_MAX = 120;
const FLAG_NAMES = [
  [FLAG.seen, '\\Seen'],
  [FLAG.answered, '\\Answered'],
  [FLAG.flagged, '\\Flagged'],
  [FLAG.deleted, '\\Deleted'],
  [FLAG.draft, '\\Draft'],
] as const;

function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim();
  return line.length > TEXT_CHARS_MAX ? `${line.slice(0, TEXT_CHARS_MAX)}…` : line;
}

function withFlags(flags: FlagSet | null): string {
  if (flags === null) return '';
  const names = [...FLAG_NAMES.filter(([bit]) => (flags.flags & bit) !== 0).map(([, name]) => name), ...flags.keywords];
  return names.length === 0 ? '' : `, marked ${names.join(' ')}`;
}

export function commandWords(command: Command): string {
  return shorten(command.kind === 'shell' ? command.line : command.argv.join(' '));
}

/** "3 days", "12 hours", "90 seconds". */
function span(seconds: number): string {
  for (const [unit, size] of [
    ['day', 86_400],
    ['hour', 3600],
    ['minute', 60],
  ] as const)
    if (seconds > 0 && seconds % size === 0) return seconds === size ? `a ${unit}`.replace('a hour', 'an hour') : `${seconds / size} ${unit}s`;
  return `${seconds} seconds`;
}

const PARTS = { both: '', header: ' (its header only)', body: ' (its body only)' } as const;

function what(action: Action): string {
  switch (action.kind) {
    case 'keep':
      return `keep it in the inbox${withFlags(action.flags)}${action.isImplicit ? ': no rule said otherwise' : ''}`;
    case 'fileInto': {
      const special = action.specialUse === null ? '' : `, or the mailbox that is ${action.specialUse}`;
      return `file it into "${action.mailbox}"${special}${action.isCreated ? ', made when it is missing' : ''}${withFlags(action.flags)}`;
    }
    case 'store': {
      const links = action.links.map(({ path }) => ` and ${path}`).join('');
      return `store it${PARTS[action.part]} in ${action.path}${links} (${action.format})${action.lockFile === null ? '' : `, with lock file ${action.lockFile}`}`;
    }
    case 'redirect':
      return `send it on to ${formatAddress(action.address)}${action.sender === null ? '' : `, as from ${formatAddress(action.sender)}`}`;
    case 'pipe':
      return `give it${PARTS[action.part]} to the program: ${commandWords(action.command)}`;
    case 'discard':
      return 'throw it away';
    case 'reject':
      return `refuse it${action.variant === 'ereject' ? ' at the door' : ''}, saying "${shorten(action.text)}"`;
    case 'defer':
      return `leave it in the queue and try again later: ${shorten(action.text)}`;
    case 'vacation': {
      const subject = action.subject === null ? '' : ` with the subject "${shorten(action.subject)}"`;
      return `answer the sender${subject}, once in ${span(action.periodSeconds)}: "${shorten(action.text)}"`;
    }
    case 'notify':
      return `notify ${action.method}${action.text === null ? '' : `: "${shorten(action.text)}"`}`;
    case 'send':
      return `send a message of its own to ${action.to.map(formatAddress).join(', ')}`;
  }
}

/** `changed`: what of the message is not as it came. */
export function actionWords(action: Action, changed: 'header' | 'header and body' | null = changedOf(action)): string {
  return changed === null ? what(action) : `${what(action)} [the message is changed: ${changed}]`;
}

function changedOf({ message }: Action): 'header' | 'header and body' | null {
  if (message === null) return null;
  return message.body === null ? 'header' : 'header and body';
}
