/** Which .qmail file is for an address, and what of the home directory and the file must be in order first. Pure; the user agent looks. */

export interface QmailCandidate {
  /** Below the home directory. */
  readonly name: string;
  /** What "default" stands for in the name (the variable DEFAULT); null: the name is of the whole extension. */
  readonly defaultPart: string | null;
}

/** Dashes of an extension, each of which is another file to look for. */
const PARTS_MAX = 100;

/**
 * The files to look for, in this order: `.qmail` without an extension; for "a-b" `.qmail-a-b`, `.qmail-a-default`, `.qmail-default`.
 * Letters are in lower case in their names, and dots are colons. Of these the first regular file counts.
 */
export function qmailCandidates(extension: string | null): QmailCandidate[] {
  if (extension === null || extension === '') return [{ name: '.qmail', defaultPart: null }];
  // A name is no path: nobody else's file may be reached.
  const safe = extension.toLowerCase().replaceAll('.', ':');
  if (safe.includes('/') || safe.includes('\0') || safe.length > 200) return [{ name: '.qmail-default', defaultPart: extension }];
  const endsInDefault = safe === 'default' || safe.endsWith('-default');
  const found: QmailCandidate[] = [{ name: `.qmail-${safe}`, defaultPart: endsInDefault ? extension.slice(-'default'.length) : null }];
  for (let dash = safe.lastIndexOf('-'); dash !== -1 && found.length < PARTS_MAX; dash = dash === 0 ? -1 : safe.lastIndexOf('-', dash - 1)) {
    const name = `.qmail-${safe.slice(0, dash + 1)}default`;
    if (name !== found[0]!.name) found.push({ name, defaultPart: extension.slice(dash + 1) });
  }
  if (found[0]!.name !== '.qmail-default') found.push({ name: '.qmail-default', defaultPart: extension });
  return found;
}

/** Why nothing is delivered now, by the mode of the home directory; null: go on. */
export function homeProblem(mode: number): string | null {
  if ((mode & 0o002) !== 0) return 'everybody may write to the home directory (#4.7.0)';
  return (mode & 0o1000) !== 0 ? 'the home directory is sticky: its user is changing a .qmail file (#4.2.1)' : null;
}

/** Why a .qmail file makes mail wait, by its mode; null: it is good. */
export function qmailFileProblem(mode: number): string | null {
  return (mode & 0o002) !== 0 ? 'everybody may write to the .qmail file (#4.7.0)' : null;
}

/** The bit that says "forwards only". */
export const isForwardOnly = (mode: number): boolean => (mode & 0o100) !== 0;
