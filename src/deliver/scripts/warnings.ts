/** What is valid Sieve but hardly meant: told with OK (WARNINGS) when a script is uploaded. */
import type { FilterProblem } from '../filters/filter.ts';
import type { SyntaxNode } from '../filters/sieve/syntax.ts';

/** More would not be read. */
const WARNINGS_MAX = 20;

/** `redirectsMax`: those that one run may do. In order of lines. The tree is as deep as the parser lets it be. */
export function warningsOf(commands: readonly SyntaxNode[], file: string, redirectsMax: number): FilterProblem[] {
  const warnings: FilterProblem[] = [];
  let redirects = 0;
  const warn = (line: number, text: string): void => {
    if (warnings.length < WARNINGS_MAX) warnings.push({ file, line, text });
  };
  const walk = (nodes: readonly SyntaxNode[]): void => {
    let isStopped = false;
    for (const node of nodes) {
      if (isStopped) {
        warn(node.line, 'this is never done: the script has stopped before');
        return;
      }
      if (node.name === 'redirect') {
        redirects += 1;
        if (redirects === redirectsMax + 1) warn(node.line, `a message is redirected at most ${redirectsMax} times, this redirect might be ignored`);
      }
      if (node.block !== null) walk(node.block);
      if (node.name === 'stop') isStopped = true;
    }
  };
  walk(commands);
  return warnings;
}
