/** Paths of users' mail files as mailboxes of an account. '' is the inbox. */
import { NoCounterpart } from './tests.ts';

export interface Places {
  /** Where relative paths begin: "~", "~/Mail"; null when it is not known. */
  readonly directory: string | null;
  /** The path of the inbox. */
  readonly inbox: string | null;
}

const NAME_CHARS_MAX = 200;

/** The mailbox that a path is, levels joined by "/". Throws NoCounterpart for what is outside of the user's mail. */
export function mailboxOf(path: string, { directory, inbox }: Places): string {
  const isMaildir = path.endsWith('/');
  const full = plain(/^[/~]/.test(path) || directory === null ? path : `${directory}/${path}`);
  if (inbox !== null && full === plain(inbox)) return '';
  let relative: string;
  if (inbox?.endsWith('/') === true && full.startsWith(`${plain(inbox)}/`)) relative = full.slice(plain(inbox).length + 1);
  else if (directory !== null && full === plain(directory)) relative = '';
  else if (directory !== null && plain(directory) !== '~' && full.startsWith(`${plain(directory)}/`)) relative = full.slice(plain(directory).length + 1);
  else if (full.startsWith('~/')) relative = full.slice(2).replace(/^mail(?:dir)?(?:\/|$)/i, '');
  else if (/^\/var\/(?:spool\/)?mail\/[^/]+$/.test(full)) relative = '';
  else if (/^[/~]/.test(full)) throw new NoCounterpart(`"${path.slice(0, 100)}" is outside of the user's mail`);
  else relative = full;
  // Maildir++: the dots of ".Lists.Foo" part levels.
  const levels = relative.split('/').flatMap((level) => (isMaildir && level.startsWith('.') ? level.slice(1).split('.') : [level]));
  const name = levels.filter((level) => level !== '').join('/');
  if (levels.includes('..') || name.length > NAME_CHARS_MAX || /[\0-\x1f\x7f]/.test(name))
    throw new NoCounterpart(`"${path.slice(0, 100)}" is no name of a mailbox`);
  return /^inbox$/i.test(name) ? '' : name;
}

/** Without "." and doubled slashes, and without the mark of a maildir ("x/") or an MH folder ("x/."). */
function plain(path: string): string {
  const parts = path.split('/').filter((part, index) => (part !== '' || index === 0) && part !== '.');
  return parts.join('/') || '/';
}
