/** Special-use attributes in scripts (RFC 8579): "\Junk". */
import type { Call } from './call.ts';
import type { Run } from './run.ts';
import type { Text } from './text.ts';

const ATTRIBUTE = /^\\[A-Za-z][A-Za-z0-9]{0,40}$/;

export function isUse(text: string): boolean {
  return ATTRIBUTE.test(text);
}

/** The attribute of a `:specialuse` argument. */
export function parseUse(call: Call, text: Text): (run: Run) => string {
  if (text.constant !== null && !isUse(text.constant)) call.problem(`"${text.constant.slice(0, 60)}" is no special-use attribute`, text.line);
  return (run) => {
    const use = text.value(run);
    return isUse(use) ? use : run.fail(`"${use.slice(0, 60)}" is no special-use attribute`);
  };
}
