/** Writes a `.qmail` file as Sieve: forwards, mailboxes, and those of qmail's own programs that decide without another one. */
import { parseBuiltin } from '../qmail/builtins.ts';
import type { Converted, ConvertOptions, Note } from './converted.ts';
import { mailboxOf } from './folders.ts';
import { redirectAddress, tooMany } from './forward.ts';
import { type Statement, STOP, writeScript } from './script.ts';
import { NoCounterpart } from './tests.ts';

export function convertQmail(text: string, options: ConvertOptions): Converted {
  const notes: Note[] = [];
  const out: Statement[] = [];
  if (text === '') return { sieve: writeScript([{ kind: 'keep' }], options.heading), notes };
  for (const [index, raw] of text.split('\n').entries()) {
    const line = index + 1;
    const trimmed = raw.replace(/[ \t\r]+$/, '');
    try {
      out.push(...statementsOf(trimmed, line, out, options));
    } catch (error) {
      if (!(error instanceof NoCounterpart)) throw error;
      notes.push({ line, why: error.message });
      out.push({ kind: 'comment', text: `line ${line} is not converted: ${error.message}` });
    }
    if (out.at(-1) === STOP) break;
  }
  // A file of comments is how mail is thrown away.
  if (out.length === 0) out.push({ kind: 'discard' });
  return { sieve: writeScript(out, options.heading), notes: [...tooMany(out, options), ...notes] };
}

function statementsOf(line: string, number: number, before: readonly Statement[], options: ConvertOptions): readonly Statement[] {
  switch (line[0]) {
    case undefined:
      if (number === 1) throw new NoCounterpart('a blank first line: the mail waits');
      return [];
    case '#':
    case '+':
      return [];
    case '.':
    case '/':
      return [store(line, options)];
    case '|':
      return program(line.slice(1), before, options);
    default:
      return [forward(line[0] === '&' ? line.slice(1) : line, options)];
  }
}

function store(path: string, { home }: ConvertOptions): Statement {
  const inside = home !== null && path.startsWith(`${home}/`) ? `~${path.slice(home.length)}` : path;
  const mailbox = mailboxOf(inside, { directory: '~', inbox: '~/Maildir/' });
  return mailbox === '' ? { kind: 'keep' } : { kind: 'fileinto', mailbox, isCopy: false };
}

function forward(text: string, { domain }: ConvertOptions): Statement {
  const bare = text.trim().replace(/^<(.*)>$/, '$1');
  return { kind: 'redirect', address: redirectAddress(bare.includes('@') ? bare : `${bare}@${domain}`), isCopy: false };
}

function program(line: string, before: readonly Statement[], options: ConvertOptions): readonly Statement[] {
  const builtin = parseBuiltin(line);
  if (builtin?.kind === 'forward') {
    const words = builtin.addresses.map(({ value }) => value);
    if (words.includes(null)) throw new NoCounterpart('a forward to what only the shell can tell');
    return words.map((word) => forward(word!, options));
  }
  // What was to be forwarded is not when the message is refused; what was stored stays, but Sieve cannot do both.
  if (builtin?.kind === 'bouncesaying' && builtin.program === null && builtin.text.value !== null && before.every(({ kind }) => kind === 'redirect')) {
    if (before.length > 0) throw new NoCounterpart('a refusal behind forwards');
    return [{ kind: 'ereject', text: builtin.text.value }, STOP];
  }
  throw new NoCounterpart(
    `a program ${builtin === null || builtin.kind === 'preline' ? 'gets the message' : 'decides'}${/\bvacation\b/.test(line) ? ' (Sieve answers by itself: "vacation", RFC 5230)' : ''}`,
  );
}
