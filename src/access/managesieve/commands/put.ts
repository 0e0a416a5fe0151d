/** PUTSCRIPT and CHECKSCRIPT (RFC 5804 sections 2.6 and 2.12): both compile, one stores. */
import type { ScriptEngine } from '../../../deliver/scripts/engine.types.ts';
import { limitsOf } from '../../../deliver/scripts/quota.ts';
import type { FilterProblem } from '../../../deliver/filters/filter.ts';
import type { Argument } from '../arguments.ts';
import type { ManageSieveSession } from '../session.ts';

/** More would not help anybody to find the first. */
const LINES_MAX = 20;

export function checkScript(session: ManageSieveSession, [text]: readonly Argument[]): void | Promise<void> {
  const tell = (warnings: readonly FilterProblem[] | null): void => {
    if (warnings !== null) done(session, warnings, 'The script is valid');
  };
  const checked = check(session, text as Buffer, '');
  return checked instanceof Promise ? checked.then(tell) : tell(checked);
}

export async function putScript(session: ManageSieveSession, [name, text]: readonly Argument[]): Promise<void> {
  // "A script of zero length SHOULD be disallowed" (RFC 5804 section 2.6).
  if ((text as Buffer).length === 0) return session.no('The script is empty');
  const warnings = await check(session, text as Buffer, name as string);
  if (warnings === null || session.isClosed) return;
  const account = session.account!;
  const { isNew } = await session.context.writer.run<{ isNew: boolean }>('script.put', {
    scope: session.scope,
    name,
    place: 'personal',
    text,
    limits: limitsOf(session.settings),
    isActivated: false,
  });
  session.context.log.info('script.put', {
    session: session.connection.id,
    account: account.login,
    script: name,
    bytes: (text as Buffer).length,
    isNew,
  });
  done(session, warnings, isNew ? 'The script is stored' : 'The script is replaced');
}

type Warnings = readonly FilterProblem[] | null;

/** The warnings, or null when the script was refused and the client told so. */
function check(session: ManageSieveSession, text: Buffer, name: string): Warnings | Promise<Warnings> {
  if (text.length > session.settings['sieve.scriptBytesMax']) {
    session.no('The script is too large', name === '' ? null : 'QUOTA/MAXSIZE');
    return null;
  }
  const judge = ({ problems, warnings }: ReturnType<ScriptEngine['check']>): Warnings => {
    if (problems.length === 0) return warnings;
    session.context.metrics.count('managesieve.refused');
    session.no(inWords(problems));
    return null;
  };
  const checked = session.pace.run(text.length, () => session.engine.check(text, `sieve:${name}`));
  if (checked !== null) return checked instanceof Promise ? checked.then(judge) : judge(checked);
  session.no('Too many large scripts are being checked, try again later', 'TRYLATER');
  return null;
}

function done(session: ManageSieveSession, warnings: readonly FilterProblem[], text: string): void {
  if (warnings.length === 0) session.ok(text);
  else session.ok(inWords(warnings), 'WARNINGS');
}

/** One line for each, as compilers write them. */
export function inWords(problems: readonly FilterProblem[]): string {
  const lines = problems.slice(0, LINES_MAX).map(({ line, text }) => (line > 0 ? `line ${line}: ${text}` : text));
  if (problems.length > LINES_MAX) lines.push(`and ${problems.length - LINES_MAX} more`);
  return lines.join('\r\n');
}
