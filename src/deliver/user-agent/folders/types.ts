/**
 * What the mirror (src/access/mirror) asks of a user's worker about the folders of a Maildir or of mbox files, and what it hears back. Heads are
 * plain JSON; names and messages travel in bodies. Messages have LF line ends here.
 */

/** A folder: "" is the inbox. Maildir++: ".Lists.Cars". mbox: a path below ~/mail, "Lists/Cars". */
export type FolderPath = string;

/**
 * Letters of a message in the order of the alphabet, then its keywords, separated by blanks: "FS $Forwarded work".
 * Letters: D draft, F flagged, R replied, S seen, T deleted (trashed).
 */
export type Marks = string;

export interface FolderState {
  readonly path: FolderPath;
  /** "device:inode": stays when the folder is renamed. */
  readonly identity: string;
  /** Differs when anything may have changed since. null: it changed so lately that the next change might look the same. */
  readonly state: string | null;
}

/** A message in a folder. */
export interface FolderFile {
  /** Stays as long as the message does: of a Maildir the file's name before ":2,", of an mbox a digest and an ordinal. */
  readonly name: string;
  readonly marks: Marks;
  /** Where it was seen last: "cur/1763640000.M1P2.host:2,S", or "offset:length". */
  readonly file: string;
}

export interface FolderChange extends FolderFile {
  /** null: the message is to go. */
  readonly wanted: Marks | null;
}

export interface FolderAdd {
  readonly name: string;
  readonly marks: Marks;
  readonly bytes: number;
  /** Unix milliseconds: when the message arrived. */
  readonly at: number;
}

export type FolderRequest =
  /** Which folders are there and whether they changed; `only`: of these alone. */
  | { readonly op: 'scan'; readonly only: readonly FolderPath[] | null }
  /** `since`: the token of a listing that the asker has taken in: what differs from it is enough, and `names` in any case. */
  | { readonly op: 'list'; readonly path: FolderPath; readonly since?: string; readonly names?: readonly string[] }
  /** Messages, in order, as many as fit. */
  | { readonly op: 'read'; readonly path: FolderPath; readonly files: readonly FolderFile[] }
  | { readonly op: 'change'; readonly path: FolderPath; readonly changes: readonly FolderChange[] }
  /** The messages stand in the body one after the other. A name that is there already is not written again. */
  | { readonly op: 'add'; readonly path: FolderPath; readonly messages: readonly FolderAdd[] }
  | { readonly op: 'make'; readonly path: FolderPath }
  | { readonly op: 'rename'; readonly path: FolderPath; readonly to: FolderPath }
  /** Removes the folder when no message is in it. */
  | { readonly op: 'remove'; readonly path: FolderPath }
  /** Moves messages to another folder under their names. */
  | { readonly op: 'move'; readonly path: FolderPath; readonly to: FolderPath; readonly files: readonly FolderFile[] }
  /** The UIDs that another IMAP server gave to the messages of this folder. */
  | { readonly op: 'uids'; readonly path: FolderPath }
  /** Reads the list of subscribed folders, after `add` and `remove` were made in it when there are any. */
  | { readonly op: 'subscriptions'; readonly add: readonly FolderPath[]; readonly remove: readonly FolderPath[] };

/** What one message read came to: null when it is not there any more. `at`: when it arrived, unix milliseconds. */
export type ReadResult = { readonly bytes: number; readonly at: number } | { readonly tooLarge: number } | null;
/** Where a message is now: null when it was not there any more. `name`: when the folder gave it another. */
export type ChangeResult = { readonly name?: string; readonly file: string; readonly marks: Marks } | 'removed' | null;

/** `reason`: "away" when the mailbox is not there at all (home not mounted), "refused" when this user's files are not touched, else what the system said. */
export interface FolderFailure {
  readonly failed: string;
  readonly reason: 'away' | 'refused' | 'busy' | 'error';
}

/** What an answer to `scan` is. */
export type FolderScan = Extract<FolderAnswer, { op: 'scan' }>;

export type FolderAnswer =
  | FolderFailure
  | {
      readonly op: 'scan';
      readonly folders: readonly FolderState[];
      /** There is a mailbox at all. */
      readonly isThere: boolean;
      /** Differs when the list of subscribed folders may have changed; "" when there is none. Only when all folders were asked for. */
      readonly subscriptions?: string;
    }
  /** The files stand in the body: name, marks and file separated by tabs, one a line. */
  | {
      readonly op: 'list';
      readonly state: string | null;
      /** Words that messages there have a mark for; null: any word can be kept. */
      readonly keywords: readonly string[] | null;
      /** So many more words can be given a mark. */
      readonly keywordsFree: number;
      /** Of this listing, for `since`; null: it is not remembered. */
      readonly token: string | null;
      /** The body has only what differs from the listing asked for; a line without file is a message that is not there. */
      readonly isDifference: boolean;
    }
  /** The messages stand in the body one after the other; `results` may be shorter than what was asked for. */
  | { readonly op: 'read'; readonly results: readonly ReadResult[] }
  | { readonly op: 'change'; readonly results: readonly ChangeResult[] }
  | { readonly op: 'add'; readonly results: readonly ChangeResult[] }
  | { readonly op: 'move'; readonly results: readonly ChangeResult[] }
  | { readonly op: 'make'; readonly isDone: boolean }
  | { readonly op: 'rename'; readonly isDone: boolean }
  | { readonly op: 'remove'; readonly isDone: boolean }
  /** The body: uid and name separated by a tab, one a line, ascending. null: nobody gave any. */
  | { readonly op: 'uids'; readonly uids: { readonly uidValidity: number; readonly uidNext: number } | null }
  /** `state` as in `scan`. `paths`: null when there is no list. `isDone`: false when the list could not be changed now. */
  | { readonly op: 'subscriptions'; readonly state: string; readonly paths: readonly FolderPath[] | null; readonly isDone: boolean };

export function filesToBody(files: readonly FolderFile[]): Buffer {
  return Buffer.from(files.map((file) => `${file.name}\t${file.marks}\t${file.file}`).join('\n'), 'utf8');
}

/** Lines of a body, in pieces of so many: a large folder's are not all made at once. */
export function* linesOf(body: Uint8Array, most: number): Generator<string[]> {
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.length);
  let lines: string[] = [];
  for (let at = 0; at < bytes.length; ) {
    const lf = bytes.indexOf(0x0a, at);
    const end = lf === -1 ? bytes.length : lf;
    lines.push(bytes.toString('utf8', at, end));
    at = end + 1;
    if (lines.length < most) continue;
    yield lines;
    lines = [];
  }
  if (lines.length > 0) yield lines;
}

export function fileOfLine(line: string): FolderFile {
  const [name = '', marks = '', file = ''] = line.split('\t');
  return { name, marks, file };
}

export function filesFromBody(body: Uint8Array): FolderFile[] {
  const files: FolderFile[] = [];
  for (const lines of linesOf(body, Number.MAX_SAFE_INTEGER)) for (const line of lines) files.push(fileOfLine(line));
  return files;
}
