/** RFC 8580: a copy of a generated message in a mailbox. */
import type { FlagSet } from '../../filter.ts';
import type { Call } from '../call.ts';
import { flagList, flagSet } from '../flags.ts';
import { mailboxProblem } from '../mailbox-name.ts';
import type { Extension, TagSpec } from '../registry.ts';
import type { Run } from '../run.ts';
import { parseUse } from '../special-use.ts';

export interface Fcc {
  readonly mailbox: string;
  readonly flags: FlagSet | null;
  readonly isCreated: boolean;
  readonly specialUse: string | null;
}

/** Reads the tags; what it gives tells where a run's copy goes. */
export function fccOf(call: Call): (run: Run) => Fcc | null {
  const mailbox = call.text(':fcc');
  if (mailbox === null) {
    for (const tag of [':create', ':flags', ':specialuse']) if (call.has(tag)) call.problem(`${tag} needs :fcc here`);
    return () => null;
  }
  const problem = mailbox.constant === null ? null : mailboxProblem(mailbox.constant);
  if (problem !== null) call.problem(problem, mailbox.line);
  const flags = call.texts(':flags');
  const use = call.text(':specialuse');
  const specialUse = use === null ? null : parseUse(call, use);
  const isCreated = call.has(':create');
  return (run) => {
    const name = mailbox.value(run);
    const wrong = mailboxProblem(name);
    if (wrong !== null) run.fail(wrong);
    return {
      mailbox: name,
      flags: flags === null ? null : flagSet(flagList(flags.values(run))),
      isCreated,
      specialUse: specialUse === null ? null : specialUse(run),
    };
  };
}

const TAGS: readonly TagSpec[] = [
  { name: 'fcc', argument: 'string' },
  { name: 'create', argument: null, needs: 'mailbox' },
  { name: 'flags', argument: 'strings', needs: 'imap4flags' },
  { name: 'specialuse', argument: 'string', needs: 'special-use' },
];

export const FCC: Extension = { name: 'fcc', tags: { vacation: TAGS, notify: TAGS } };
