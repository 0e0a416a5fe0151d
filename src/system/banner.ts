/** What the first start prints, once: everything needed to send and read a first message. */
import { commandName } from './version.ts';

export interface BannerFacts {
  readonly version: string;
  /** Bound addresses by protocol, as in listen.*: {"smtp":["127.0.0.1:2525"]}. */
  readonly listen: Readonly<Record<string, readonly string[]>>;
  /** The account that was created, with its password; null when it existed already. */
  readonly account: { readonly login: string; readonly password: string } | null;
  readonly dataDir: string;
  /** Configuration file, or null for the development profile. */
  readonly file: string | null;
}

const ROWS: readonly (readonly [protocol: string, label: string, note: string])[] = [
  ['smtp', 'SMTP', 'mail from other servers'],
  ['submission', 'Submission', 'sending, STARTTLS'],
  ['submissions', 'Submissions', 'sending, TLS'],
  ['lmtp', 'LMTP', 'delivery from another server'],
  ['imap', 'IMAP', 'reading, STARTTLS'],
  ['imaps', 'IMAPS', 'reading, TLS'],
  ['pop3', 'POP3', 'fetching, STLS'],
  ['pop3s', 'POP3S', 'fetching, TLS'],
  ['sieve', 'ManageSieve', 'filters, STARTTLS'],
  ['metrics', 'Metrics', 'HTTP'],
];

/** The block as lines in a box, ending in a newline. `command` is what a person types to run this program. */
export function banner(facts: BannerFacts, command = commandName()): string {
  const lines = [`Posthorn ${facts.version} is running.`, ''];
  for (const [protocol, label, note] of ROWS) {
    const addresses = facts.listen[protocol] ?? [];
    if (addresses.length > 0) lines.push(`${label.padEnd(12)} ${addresses.join(', ').padEnd(28)}  ${note}`);
  }
  lines.push('');
  if (facts.account !== null)
    lines.push(
      `User         ${facts.account.login}`,
      `Password     ${facts.account.password}`,
      `             (shown once; change it with: ${command} user passwd ${facts.account.login})`,
      '',
    );
  const smtp = facts.listen.smtp?.[0];
  const imaps = facts.listen.imaps?.[0];
  if (facts.account !== null && smtp !== undefined)
    lines.push(
      'Try:',
      "  printf 'Subject: Hello\\n\\nIt works.\\n' | curl --crlf -T - \\",
      `    --mail-from you@example.net --mail-rcpt ${facts.account.login} smtp://${smtp}`,
    );
  if (facts.account !== null && imaps !== undefined)
    lines.push(`  curl --insecure --user ${facts.account.login} \\`, `    "imaps://${imaps}/INBOX;MAILINDEX=1"`);
  if (facts.account !== null) lines.push('');
  lines.push(`Data         ${facts.dataDir}`, `Settings     ${facts.file ?? `none: a profile for trying out; "${command} init" writes posthorn.toml`}`);
  lines.push(`Commands     ${command} --help`, `Stop with    Ctrl-C or: ${command} stop`);
  const width = Math.max(...lines.map((line) => line.length));
  const edge = '─'.repeat(width + 2);
  return [`┌${edge}┐`, ...lines.map((line) => `│ ${line.padEnd(width)} │`), `└${edge}┘`, ''].join('\n');
}
