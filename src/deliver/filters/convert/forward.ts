/** Writes a `.forward` file as Sieve: addresses, the user's own mailbox, and folders. */
import { formatAddress } from '../../../mail/address.ts';
import { type Destination, parseDestinations } from '../../../mail/destination.ts';
import type { Converted, ConvertOptions, Note } from './converted.ts';
import { parseSieveAddress } from '../sieve/addresses.ts';
import { mailboxOf } from './folders.ts';
import { type Statement, writeScript } from './script.ts';
import { NoCounterpart } from './tests.ts';

export function convertForward(text: string, options: ConvertOptions): Converted {
  const read = parseDestinations(text.startsWith('\ufeff') ? text.slice(1) : text, { form: 'lines' });
  if (read.problem !== undefined) return { sieve: writeScript([], options.heading), notes: [{ line: read.problem.line, why: read.problem.text }] };
  const notes: Note[] = [];
  const out: Statement[] = [];
  const seen = new Set<string>();
  for (const destination of read.destinations) {
    try {
      const made = statementOf(destination, options);
      const key = JSON.stringify(made);
      if (!seen.has(key)) out.push(made);
      seen.add(key);
    } catch (error) {
      if (!(error instanceof NoCounterpart)) throw error;
      notes.push({ line: destination.line, why: error.message });
      out.push({ kind: 'comment', text: `line ${destination.line} is not converted: ${error.message}` });
    }
  }
  return { sieve: writeScript(out, options.heading), notes: [...tooMany(out, options), ...notes] };
}

function statementOf(destination: Destination, options: ConvertOptions): Statement {
  switch (destination.kind) {
    case 'address': {
      const { local, domain } = destination;
      const isHome = domain === null || [options.domain, options.hostname].some((own) => own.toLowerCase() === domain.toLowerCase());
      if (isHome && local.replace(/(?<=.)\+.*$/s, '').toLowerCase() === options.user.toLowerCase()) return { kind: 'keep' };
      return { kind: 'redirect', address: redirectAddress(formatAddress({ local, domain: domain ?? options.domain })), isCopy: false };
    }
    case 'file':
    case 'maildir': {
      const { home } = options;
      const path = home !== null && destination.path.startsWith(`${home}/`) ? `~${destination.path.slice(home.length)}` : destination.path;
      if (path === '/dev/null') return { kind: 'discard' };
      const mailbox = mailboxOf(path, { directory: '~', inbox: '~/Maildir/' });
      return mailbox === '' ? { kind: 'keep' } : { kind: 'fileinto', mailbox, isCopy: false };
    }
    case 'command':
      throw new NoCounterpart(
        `a program gets the message${/\bvacation\b/.test(destination.command) ? ' (Sieve answers by itself: "vacation", RFC 5230)' : /\b(?:procmail|maildrop)\b/.test(destination.command) ? ' (convert its own file)' : ''}`,
      );
    case 'include':
      throw new NoCounterpart('a list in another file');
    case 'invalid':
      throw new NoCounterpart(`"${destination.text.slice(0, 80)}": ${destination.problem}`);
  }
}

/** As the compiler of Sieve takes it; addresses it would refuse are left out. */
export function redirectAddress(text: string): string {
  if (parseSieveAddress(text) === null) throw new NoCounterpart(`"${text.slice(0, 80)}" is no address to forward to`);
  return text;
}

/** Lists of members are a matter of aliases: a script sends a message to a few. */
export function tooMany(list: readonly Statement[], { redirectsMax }: ConvertOptions): Note[] {
  const count = list.filter(({ kind }) => kind === 'redirect').length;
  if (count <= redirectsMax) return [];
  return [{ line: 0, why: `it forwards to ${count} addresses, and scripts may to ${redirectsMax} (sieve.redirectsMax); an alias has no such bound` }];
}
