// biome-ignore-all lint/suspicious/noTemplateCurlyInString: macros of pipe(8)
/** Programs of .forward files, aliases, mailbox commands and pipe transports: how each of them is started, and how it ends. */

export interface ProgramCase {
  readonly kind: 'forward' | 'alias' | 'mailbox' | 'pipe';
  /** What the recording program does last: an exit code, or a word that `RECORDER` knows. */
  readonly end: string;
  /** Behind the recorder's own arguments, for the shell or pipe(8). */
  readonly words?: string;
  /** Of a pipe transport. */
  readonly flags?: string;
  readonly attributes?: string;
  /** "+x" behind the recipient's name. */
  readonly extension?: string;
  readonly sender?: string;
  readonly body?: string;
  /** Instead of the recorder. */
  readonly command?: string;
  /** Header fields of the message. */
  readonly header?: string;
  /** Row of docs/postfix-differences.md. */
  readonly differs?: string;
}

/**
 * Writes down all it was given, then ends as it is told. $1 is where to, $2 how to end.
 * The variables that the shell sets by itself are left out.
 */
export const RECORDER = `#!/bin/sh
out=$1; end=$2; shift 2
{
  for word in "$@"; do printf 'ARGUMENT <%s>\\n' "$word"; done
  echo "DIRECTORY $(pwd)"
  echo "USER $(id -u) GROUP $(id -g) GROUPS $(id -G)"
  echo "UMASK $(umask)"
  env | grep -v '^PWD=\\|^OLDPWD=\\|^_=\\|^SHLVL=' | sort | sed 's/^/VARIABLE /'
  echo MESSAGE
  if [ "$end" != unread ] && [ "$end" != unread1 ]; then cat; fi
} > "$out"
case $end in
  unread) exit 0;;
  unread1) exit 1;;
  kill) kill -9 $$;;
  term) kill -15 $$;;
  hang) sleep 60;;
  children) sleep 60 & wait;;
  status4) echo "4.2.2 full today"; exit 1;;
  status5) echo "5.7.1 not for you"; exit 75;;
  status2) echo "2.0.0 all is well"; exit 1;;
  statusonly) echo "5.2.2"; exit 1;;
  words) echo "two"; echo "lines" >&2; exit 1;;
  control) printf 'tab\\there\\001x\\n'; exit 1;;
  said) echo "thank you"; exit 0;;
  *) exit "$end";;
esac
`;

const EXITS = ['0', '1', '2', '64', '65', '66', '67', '68', '69', '70', '71', '72', '73', '74', '75', '76', '77', '78', '79', '99', '100', '111', '126', '255'];
const WORDS = ['unread', 'unread1', 'kill', 'term', 'status4', 'status5', 'status2', 'statusonly', 'words', 'control', 'said'];

const QUOTED = 'first\nFrom here\n>From there\n.dot\n..dots\n\nFrom after a blank\nlast\n';

const LONG = 'some other line of the message\n'.repeat(4000);

export const CASES: readonly ProgramCase[] = [
  ...EXITS.flatMap((end): ProgramCase[] => [
    { kind: 'forward', end },
    { kind: 'pipe', end },
  ]),
  ...['0', '1', '75', '99', '111'].flatMap((end): ProgramCase[] => [
    { kind: 'alias', end },
    { kind: 'mailbox', end },
  ]),
  ...WORDS.flatMap((end): ProgramCase[] => [
    { kind: 'forward', end },
    { kind: 'pipe', end },
  ]),
  { kind: 'forward', end: 'hang' },
  { kind: 'alias', end: 'children' },
  { kind: 'pipe', end: 'hang' },
  // What cannot be started.
  { kind: 'forward', end: '', command: '/no/such/program' },
  { kind: 'forward', end: '', command: '/no/such/program with words; true' },
  { kind: 'forward', end: '', command: 'nosuchprogramanywhere' },
  { kind: 'alias', end: '', command: '/etc/passwd' },
  { kind: 'pipe', end: '', command: '/no/such/program' },
  { kind: 'pipe', end: '', command: '/etc/passwd' },
  // The shell's business.
  { kind: 'forward', end: '0', words: 'a "b c" $HOME \\$x \'d\'' },
  { kind: 'alias', end: '0', words: 'a $USER $LOCAL $EXTENSION $DOMAIN', extension: '+x' },
  { kind: 'mailbox', end: '0', words: '"$EXTENSION" $RECIPIENT', extension: '+Some.Ext' },
  { kind: 'mailbox', end: '0', extension: '+a;b' },
  // Envelopes.
  { kind: 'forward', end: '0', extension: '+ext' },
  { kind: 'forward', end: '0', extension: '+Ext.ension' },
  { kind: 'forward', end: '0', sender: '' },
  { kind: 'forward', end: '0', sender: '"odd one"@far.test' },
  { kind: 'alias', end: '0', sender: '' },
  { kind: 'pipe', end: '0', sender: '' },
  { kind: 'pipe', end: '0', flags: 'FR', sender: '' },
  { kind: 'pipe', end: '0', flags: 'FR', sender: '"odd one"@far.test' },
  { kind: 'pipe', end: '0', flags: 'FRq', sender: '"odd one"@far.test' },
  // Flags.
  ...['D', 'F', 'O', 'R', 'X', 'DFORX', 'B', 'BF', '.', '>', '.>', 'F>', 'h', 'u', 'q', 'DRhu', 'hqu'].map(
    (flags): ProgramCase => ({ kind: 'pipe', end: '0', flags, words: '-f $sender -- $recipient', body: QUOTED, extension: '+Ext' }),
  ),
  { kind: 'pipe', end: '0', attributes: 'eol=\\r\\n', flags: 'FRB.', body: QUOTED },
  { kind: 'pipe', end: '0', attributes: 'directory=/usr' },
  { kind: 'pipe', end: '0', attributes: 'size=100' },
  { kind: 'pipe', end: '0', attributes: 'null_sender=nobody@here', flags: 'FR', words: '$sender', sender: '' },
  {
    kind: 'pipe',
    end: '0',
    words: '$size. ${recipient} $original_recipient $user $extension $mailbox $domain $nexthop $client_address $client_helo',
    extension: '+x',
  },
  { kind: 'pipe', end: '0', attributes: 'user=games:daemon' },
  { kind: 'pipe', end: '0', flags: 'D', header: 'Delivered-To: $recipient\n' },
  // Bodies.
  { kind: 'forward', end: '0', body: QUOTED },
  { kind: 'forward', end: '0', body: '' },
  { kind: 'forward', end: '0', body: LONG },
  { kind: 'forward', end: 'unread', body: LONG },
  { kind: 'pipe', end: '0', body: '' },
  { kind: 'pipe', end: '0', body: LONG },
  { kind: 'pipe', end: 'unread', body: LONG },
  { kind: 'forward', end: '0', header: 'From: a@x\nTo: b@y\nX-Long: a\n  b\n' },
];
