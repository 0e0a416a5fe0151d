/** The Sieve script that a conversion makes, as a tree that can be changed before it is written. */
import { depthOf, quoted, requiresOf, stringList, type Test, TRUE, writeTest } from './tests.ts';

export type Statement =
  | { readonly kind: 'if'; readonly branches: Branch[] }
  | { readonly kind: 'fileinto' /** '' for the inbox. */; readonly mailbox: string; readonly isCopy: boolean }
  | { readonly kind: 'redirect'; readonly address: string; readonly isCopy: boolean }
  | { readonly kind: 'ereject'; readonly text: string }
  | { readonly kind: 'keep' | 'discard' | 'stop' }
  | { readonly kind: 'comment'; readonly text: string };

export interface Branch {
  readonly test: Test;
  readonly body: Statement[];
}

export const STOP: Statement = { kind: 'stop' };
export const alwaysStops = (list: readonly Statement[]): boolean =>
  list.some(
    (statement) =>
      statement.kind === 'stop' ||
      (statement.kind === 'if' && statement.branches.at(-1)?.test.kind === 'true' && statement.branches.every(({ body }) => alwaysStops(body))),
  );

const mayStop = (list: readonly Statement[]): boolean =>
  list.some((statement) => statement.kind === 'stop' || (statement.kind === 'if' && statement.branches.some(({ body }) => mayStop(body))));

/** Blocks and tests within each other. */
export function nestingOf(list: readonly Statement[]): number {
  let most = 0;
  for (const statement of list) {
    if (statement.kind !== 'if') continue;
    for (const { test, body } of statement.branches) most = Math.max(most, depthOf(test), nestingOf(body));
  }
  return 1 + most;
}

/** Statements of a copy of the message: they end without ending the script. Null when some way through them does not end. */
export function asCopy(list: readonly Statement[], budget = { left: 500 }): Statement[] | null {
  const out: Statement[] = [];
  for (const [index, statement] of list.entries()) {
    budget.left -= 1;
    if (budget.left < 0) return null;
    switch (statement.kind) {
      case 'stop':
        return out;
      case 'fileinto':
      case 'redirect':
        out.push({ ...statement, isCopy: true });
        break;
      case 'keep':
        out.push({ kind: 'fileinto', mailbox: '', isCopy: true });
        break;
      case 'discard':
      case 'ereject':
        break;
      case 'comment':
        out.push(statement);
        break;
      case 'if': {
        if (!mayStop([statement])) {
          // What does not stop is a copy already; the rest follows it.
          out.push(statement);
          break;
        }
        const rest = list.slice(index + 1);
        const branches: Branch[] = [];
        const hasElse = statement.branches.at(-1)?.test.kind === 'true';
        for (const { test, body } of hasElse ? statement.branches : [...statement.branches, { test: TRUE, body: [] }]) {
          const inner = asCopy(alwaysStops(body) ? body : [...body, ...rest], budget);
          if (inner === null) return null;
          const [only] = inner;
          // "else { if … }" is `elsif`.
          if (test.kind === 'true' && inner.length === 1 && only?.kind === 'if') branches.push(...only.branches);
          else branches.push({ test, body: inner });
        }
        out.push({ kind: 'if', branches });
        return out;
      }
    }
  }
  return null;
}

/** The whole file. `heading`: lines of comment for its top. */
export function writeScript(list: readonly Statement[], heading: readonly string[]): string {
  const required = new Set<string>();
  const lines = writeList(list, '', required);
  const head = required.size === 0 ? [] : [`require ${stringList([...required].sort())};`, ''];
  return [...heading.map(commentLine), ...(heading.length > 0 ? [''] : []), ...head, ...lines, ''].join('\n');
}

/** Nothing that was in a user's file ends the comment. */
const commentLine = (text: string): string => `# ${text.replace(/[\0-\x1f\x7f\u2028\u2029]+/g, ' ')}`;

function writeList(list: readonly Statement[], indent: string, required: Set<string>): string[] {
  return list.flatMap((statement) => writeStatement(statement, indent, required));
}

function writeStatement(statement: Statement, indent: string, required: Set<string>): string[] {
  switch (statement.kind) {
    case 'if':
      return statement.branches.flatMap(({ test, body }, index) => {
        for (const name of requiresOf(test)) required.add(name);
        const word = index === 0 ? `if ${writeTest(test, indent)}` : test.kind === 'true' ? 'else' : `elsif ${writeTest(test, indent)}`;
        if (index > 0 && test.kind === 'true' && body.length === 0) return [];
        return [`${indent}${word} {`, ...writeList(body, `${indent}    `, required), `${indent}}`];
      });
    case 'fileinto':
    case 'redirect': {
      if (statement.isCopy) required.add('copy');
      if (statement.kind === 'fileinto') required.add('fileinto');
      const argument = statement.kind === 'redirect' ? statement.address : statement.mailbox === '' ? 'INBOX' : statement.mailbox;
      return [`${indent}${statement.kind}${statement.isCopy ? ' :copy' : ''} ${quoted(argument)};`];
    }
    case 'ereject':
      required.add('ereject');
      return [`${indent}ereject ${quoted(statement.text)};`];
    case 'comment':
      return [`${indent}${commentLine(statement.text)}`];
    default:
      return [`${indent}${statement.kind};`];
  }
}
