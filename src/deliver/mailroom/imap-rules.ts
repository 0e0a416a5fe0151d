/** The administrator's scripts for IMAP events: "MAILBOX CAUSE[,CAUSE] SCRIPT [from MAILBOX]". */
import type { ImapHappening, MailboxRow } from '../../ports.ts';
import { roleOfSpecialUse } from '../../store/annotations.ts';
import { inboxName } from './names.ts';

export interface ImapRule {
  readonly causes: ReadonlySet<ImapHappening['cause']>;
  readonly script: string;
  matches(mailbox: MailboxRow): boolean;
  /** null: wherever it comes from. */
  readonly comesFrom: ((mailbox: MailboxRow) => boolean) | null;
}

const CAUSES: ReadonlySet<string> = new Set(['APPEND', 'COPY', 'FLAG']);
const RULE_CHARS_MAX = 2000;

/** The rule, or what is wrong with it. */
export function imapRule(text: string): ImapRule | string {
  const words = text.length > RULE_CHARS_MAX ? null : wordsOf(text);
  if (words === null || (words.length !== 3 && !(words.length === 5 && words[3]!.toLowerCase() === 'from')))
    return 'is not of the form "MAILBOX CAUSE[,CAUSE] SCRIPT [from MAILBOX]"';
  const [mailbox, causes, script, , from] = words as [string, string, string, string?, string?];
  const named = causes.toUpperCase().split(',');
  const wrong = named.find((cause) => !CAUSES.has(cause));
  if (wrong !== undefined) return `"${wrong}" is no cause: APPEND, COPY or FLAG`;
  if (from !== undefined && named.some((cause) => cause !== 'COPY')) return '"from" goes with COPY only';
  const matches = mailboxTest(mailbox);
  const comesFrom = from === undefined ? null : mailboxTest(from);
  if (matches === null || comesFrom === undefined) return 'names a special use that there is not';
  if (from !== undefined && comesFrom === null) return 'names a special use that there is not';
  return { causes: new Set(named as ImapHappening['cause'][]), script, matches, comesFrom };
}

/** null for a special use that is none. */
function mailboxTest(name: string): ((mailbox: MailboxRow) => boolean) | null {
  if (name.startsWith('\\')) {
    const role = roleOfSpecialUse(name);
    return role === undefined ? null : (mailbox) => mailbox.role === role;
  }
  if (!name.includes('*')) {
    const exact = inboxName(name);
    return (mailbox) => mailbox.name === exact;
  }
  const pieces = name.split('*');
  return (mailbox) => matchesPieces(pieces, mailbox.name);
}

/** Texts with anything between them, in linear time: each piece is taken where it first fits. */
function matchesPieces(pieces: readonly string[], name: string): boolean {
  const [first, last] = [pieces[0]!, pieces.at(-1)!];
  if (!name.startsWith(first) || !name.endsWith(last) || name.length < first.length + last.length) return false;
  let at = first.length;
  for (const piece of pieces.slice(1, -1)) {
    const found = name.indexOf(piece, at);
    if (found === -1 || found + piece.length > name.length - last.length) return false;
    at = found + piece.length;
  }
  return true;
}

/** Words between spaces; one with spaces stands in double quotes. null when a quote does not end. */
function wordsOf(text: string): string[] | null {
  const words: string[] = [];
  const rest = text.trim();
  for (let at = 0; at < rest.length; ) {
    if (rest[at] === ' ' || rest[at] === '\t') {
      at += 1;
      continue;
    }
    const isQuoted = rest[at] === '"';
    const start = isQuoted ? at + 1 : at;
    let end = start;
    while (end < rest.length && (isQuoted ? rest[end] !== '"' : rest[end] !== ' ' && rest[end] !== '\t')) end += 1;
    if (isQuoted && end === rest.length) return null;
    words.push(rest.slice(start, end));
    at = isQuoted ? end + 1 : end;
  }
  return words.some((word) => word === '') ? null : words;
}
