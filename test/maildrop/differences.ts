/** Cases in which we differ on purpose, with the name of the row in docs/filter-differences.md that tells users why. */
export const DIFFERENCES: ReadonlyMap<string, string> = new Map([
  ['flags of a maildir file', 'maildrop: FLAGS'],
  ['flags of a maildir file (MIME message)', 'maildrop: FLAGS'],
  ['bare: echo /hello/:b', 'maildrop: last line without line end'],
  ['bare: echo /^/:b,1', 'maildrop: last line without line end'],
  ['unversioned: echo /hello/:b', 'maildrop: last line without line end'],
  ['addresses: From', 'maildrop: comments behind addresses'],
]);
