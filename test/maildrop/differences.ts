/** Cases in which we differ on purpose, with the reason; docs/filter-differences.md tells users the same. */
const FLAGS = 'the letters behind ":2," of a maildir file stand in ASCII order, as the maildir format has it';
const UNENDED = 'a last line without line end is searched like any other';

export const DIFFERENCES: ReadonlyMap<string, string> = new Map([
  ['flags of a maildir file', FLAGS],
  ['flags of a maildir file (MIME message)', FLAGS],
  ['bare: echo /hello/:b', UNENDED],
  ['bare: echo /^/:b,1', UNENDED],
  ['unversioned: echo /hello/:b', 'a pattern found in the message is worth 2 in every line, also in a last one without line end'],
  ['addresses: From', 'a comment behind an address in angle brackets does not become a name'],
]);
