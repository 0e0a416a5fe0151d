// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are variables of Sieve
/** Scripts and what a client does, for Pigeonhole's imapsieve and ours. Mailboxes: {BOX} has the script; {OTHER}; {FROM} has a message "from". */
export interface EventCase {
  readonly name: string;
  readonly script: string;
  readonly steps: readonly string[];
  /** Flags of a message "hello" that is in {BOX} before the script is named; left out: there is none. */
  readonly before?: string;
  /** Of the message in {FROM}. */
  readonly flags?: string;
}

const CAUSE = 'require ["environment", "imapsieve", "imap4flags", "variables"];\nif environment :matches "imap.cause" "*" { addflag "by-${1}"; }\n';
const COPY = ['SELECT {FROM}', 'COPY 1 {BOX}'];
const APPEND = ['APPEND'];

export const EVENT_CASES: readonly EventCase[] = [
  { name: 'APPEND is a cause', script: CAUSE, steps: ['APPEND \\Seen'] },
  { name: 'COPY is a cause', script: CAUSE, steps: COPY, flags: '\\Answered' },
  { name: 'MOVE counts as COPY', script: CAUSE, steps: ['SELECT {FROM}', 'MOVE 1 {BOX}'] },
  { name: 'STORE is a cause', script: CAUSE, steps: ['SELECT {BOX}', 'STORE 1 +FLAGS (\\Flagged)'], before: '\\Seen' },
  { name: 'STORE that changes nothing is none', script: CAUSE, steps: ['SELECT {BOX}', 'STORE 1 +FLAGS (\\Seen)'], before: '\\Seen' },
  { name: 'FETCH that marks as seen', script: CAUSE, steps: ['SELECT {BOX}', 'FETCH 1 BODY[]'], before: '' },
  { name: 'flags that are taken away', script: CAUSE, steps: ['SELECT {BOX}', 'STORE 1 -FLAGS (\\Seen)'], before: '\\Seen \\Flagged' },
  { name: 'keep alone', script: 'keep;\n', steps: APPEND },
  { name: 'keep with flags', script: 'require "imap4flags";\nkeep :flags ["\\\\Seen", "kept"];\n', steps: ['APPEND \\Flagged'] },
  { name: 'removeflag', script: 'require "imap4flags";\nremoveflag "\\\\Flagged";\n', steps: ['APPEND \\Flagged \\Seen'] },
  { name: 'setflag replaces', script: 'require "imap4flags";\nsetflag "only";\n', steps: ['APPEND \\Flagged \\Seen old'] },
  { name: 'fileinto elsewhere', script: 'require "fileinto";\nfileinto "{OTHER}";\n', steps: ['APPEND \\Seen'] },
  { name: 'fileinto elsewhere after COPY', script: 'require "fileinto";\nfileinto "{OTHER}";\n', steps: COPY, flags: '\\Seen' },
  {
    name: 'fileinto elsewhere after a flag change',
    script: 'require "fileinto";\nfileinto "{OTHER}";\n',
    steps: ['SELECT {BOX}', 'STORE 1 +FLAGS (\\Flagged)'],
    before: '',
  },
  { name: 'fileinto with keep', script: 'require "fileinto";\nfileinto "{OTHER}";\nkeep;\n', steps: APPEND },
  { name: 'fileinto :copy', script: 'require ["fileinto", "copy"];\nfileinto :copy "{OTHER}";\n', steps: APPEND },
  {
    name: 'fileinto with flags of its own',
    script: 'require ["fileinto", "copy", "imap4flags"];\nfileinto :copy :flags "filed" "{OTHER}";\n',
    steps: ['APPEND \\Seen'],
  },
  { name: 'fileinto where it is', script: 'require "fileinto";\nfileinto "{BOX}";\n', steps: APPEND },
  { name: 'discard', script: 'discard;\n', steps: ['APPEND \\Seen'] },
  { name: 'discard and keep', script: 'discard;\nkeep;\n', steps: APPEND },
  { name: 'stop', script: 'require "fileinto";\nstop;\nfileinto "{OTHER}";\n', steps: APPEND },
  {
    name: 'a header that is added stays with the copy only',
    script: 'require ["fileinto", "copy", "editheader"];\naddheader "X-New" "1";\nfileinto :copy "{OTHER}";\n',
    steps: APPEND,
  },
  {
    name: 'tests of the header and the size',
    script: 'require ["fileinto", "copy"];\nif allof (header :is "subject" "new", size :under 1K) { fileinto :copy "{OTHER}"; }\n',
    steps: APPEND,
  },
  {
    name: 'imap.mailbox',
    script: 'require ["environment", "imapsieve", "imap4flags"];\nif environment :is "imap.mailbox" "{BOX}" { addflag "here"; }\n',
    steps: APPEND,
  },
  {
    name: 'imap.changedflags',
    script:
      'require ["environment", "imapsieve", "imap4flags"];\nif environment :contains "imap.changedflags" "\\\\Flagged" { addflag "flagged"; }\nif environment :contains "imap.changedflags" "\\\\Seen" { addflag "seen"; }\n',
    steps: ['SELECT {BOX}', 'STORE 1 FLAGS (\\Flagged)'],
    before: '\\Seen',
  },
  {
    name: 'location and phase',
    script:
      'require ["environment", "imapsieve", "imap4flags"];\nif allof (environment :is "location" "MS", environment :is "phase" "post") { addflag "ms-post"; }\n',
    steps: APPEND,
  },
  { name: 'reject ends the script', script: 'require ["reject", "fileinto"];\nfileinto "{OTHER}";\nreject "no";\n', steps: APPEND },
  { name: 'envelope ends the script', script: 'require ["envelope", "fileinto"];\nif not envelope :is "from" "x" { fileinto "{OTHER}"; }\n', steps: APPEND },
  { name: 'several messages at once', script: CAUSE, steps: ['APPEND', 'APPEND', 'SELECT {BOX}', 'STORE 1:2 +FLAGS (\\Flagged)'] },
];

/** Names of cases, and the rows of docs/filter-differences.md that say why. */
export const EVENT_DIFFERENCES: ReadonlyMap<string, string> = new Map([
  ['fileinto elsewhere after a flag change', 'imapsieve: fileinto after a change of flags'],
  ['fileinto where it is', 'imapsieve: fileinto into the same mailbox'],
  ['a header that is added stays with the copy only', 'imapsieve: keep of a changed message'],
]);
