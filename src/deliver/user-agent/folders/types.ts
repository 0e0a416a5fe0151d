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
  | { readonly op: 'list'; readonly path: FolderPath }
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
  | { readonly op: 'move'; readonly path: FolderPath; readonly to: FolderPath; readonly files: readonly FolderFile[] };

/** What one message read came to: null when it is not there any more. `at`: when it arrived, unix milliseconds. */
export type ReadResult = { readonly bytes: number; readonly at: number } | { readonly tooLarge: number } | null;
/** Where a message is now: null when it was not there any more. `name`: when the folder gave it another. */
export type ChangeResult = { readonly name?: string; readonly file: string; readonly marks: Marks } | 'removed' | null;

/** `reason`: "away" when the mailbox is not there at all (home not mounted), "refused" when this user's files are not touched, else what the system said. */
export interface FolderFailure {
  readonly failed: string;
  readonly reason: 'away' | 'refused' | 'busy' | 'error';
}

export type FolderAnswer =
  | FolderFailure
  | { readonly op: 'scan'; readonly folders: readonly FolderState[] /** There is a mailbox at all. */; readonly isThere: boolean }
  /** The files stand in the body: name, marks and file separated by tabs, one a line. `keywords`: what can be kept there; null: any. */
  | { readonly op: 'list'; readonly state: string | null; readonly keywords: readonly string[] | null }
  /** The messages stand in the body one after the other; `results` may be shorter than what was asked for. */
  | { readonly op: 'read'; readonly results: readonly ReadResult[] }
  | { readonly op: 'change'; readonly results: readonly ChangeResult[] }
  | { readonly op: 'add'; readonly results: readonly ChangeResult[] }
  | { readonly op: 'move'; readonly results: readonly ChangeResult[] }
  | { readonly op: 'make'; readonly isDone: boolean }
  | { readonly op: 'rename'; readonly isDone: boolean }
  | { readonly op: 'remove'; readonly isDone: boolean };

export function filesToBody(files: readonly FolderFile[]): Buffer {
  return Buffer.from(files.map((file) => `${file.name}\t${file.marks}\t${file.file}`).join('\n'), 'utf8');
}

export function filesFromBody(body: Uint8Array): FolderFile[] {
  if (body.length === 0) return [];
  return Buffer.from(body.buffer, body.byteOffset, body.length)
    .toString('utf8')
    .split('\n')
    .map((line) => {
      const [name, marks, file] = line.split('\t');
      return { name: name ?? '', marks: marks ?? '', file: file ?? '' };
    });
}
