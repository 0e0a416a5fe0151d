/**
 * Unique-ids (RFC 1939 section 7) as other servers make them, in Dovecot's notation: "%08Xu%08Xv" is the UID and the UIDVALIDITY, each as
 * eight hexadecimal digits. Whoever moves here keeps the old server's format, and no client fetches its mail a second time.
 */
import { createHash } from 'node:crypto';

export interface UidlParts {
  readonly uidValidity: number;
  readonly uid: number;
  /** The message's file in a Maildir, without its flags; null where there is none. */
  readonly file: string | null;
}
/** null: the format needs the name of a file and there is none. */
export type UidlFormat = (parts: UidlParts) => string | null;

/** RFC 1939 section 7: one to 70 characters. */
const UIDL_CHARACTERS_MAX = 70;
const TOKEN = /%(?:%|(?:0([1-9]\d?))?([XxM]?)([uvfg]))/g;
/** Ours. */
export const OWN_UIDL_FORMAT = 'posthorn';

interface Piece {
  readonly text: string;
  readonly name: string | null;
  readonly change: string;
  readonly digits: number;
}

/**
 * The format, or what is wrong with it. Variables: %u UID, %v UIDVALIDITY, %f name of the Maildir file without flags, %g the same up to its
 * first comma; %X.. in hexadecimal, %M.. as MD5, %08.. with zeros in front.
 */
export function uidlFormat(text: string): UidlFormat | { readonly fault: string } {
  const format = text === OWN_UIDL_FORMAT ? '%08Xv%08Xu' : text;
  if (!/^[\x21-\x7e]*$/.test(format)) return { fault: 'may hold only visible ASCII characters' };
  if (format.replaceAll(TOKEN, '').includes('%')) return { fault: 'has a variable that is none of %u, %v, %f, %g' };
  const pieces: Piece[] = [];
  let from = 0;
  for (const match of format.matchAll(TOKEN)) {
    pieces.push({ text: format.slice(from, match.index), name: null, change: '', digits: 0 });
    pieces.push({ text: '%', name: match[3] ?? null, change: match[2] ?? '', digits: Number(match[1] ?? 0) });
    from = match.index + match[0].length;
  }
  pieces.push({ text: format.slice(from), name: null, change: '', digits: 0 });
  if (!pieces.some(({ name }) => name === 'u' || name === 'f' || name === 'g')) return { fault: 'must name the message: %u, %f or %g' };
  const needsFile = pieces.some(({ name }) => name === 'f' || name === 'g');
  return (parts) => {
    if (needsFile && parts.file === null) return null;
    let made = '';
    for (const piece of pieces) made += piece.name === null ? piece.text : shown(piece.name, parts, piece.change).padStart(piece.digits, '0');
    return made.length <= UIDL_CHARACTERS_MAX && /^[\x21-\x7e]+$/.test(made) ? made : null;
  };
}

function shown(name: string, { uid, uidValidity, file }: UidlParts, change: string): string {
  const isNumber = name === 'u' || name === 'v';
  const value = name === 'u' ? uid : name === 'v' ? uidValidity : 0;
  if (isNumber && change !== 'M') return value.toString(change === '' ? 10 : 16);
  const text = isNumber ? String(value) : name === 'f' ? file! : file!.split(/[,:]/, 1)[0]!;
  return change === 'M' ? createHash('md5').update(text, 'latin1').digest('hex') : text;
}

/** For the server's own setting: every message has a UID, only imported ones had a file. */
export function checkOwnUidlFormat(text: string): string | undefined {
  const format = uidlFormat(text);
  if ('fault' in format) return format.fault;
  if (/%(?:0\d\d?)?[XxM]?[fg]/.test(text)) return 'must be made of %u and %v: messages have no file names here';
  return format({ uid: 0xffffffff, uidValidity: 0xffffffff, file: null }) === null ? 'makes unique-ids that are too long' : undefined;
}
