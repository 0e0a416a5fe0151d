/** posthorn doctor: looks at the running installation and says what is wrong, what it breaks, and what cures it. */
import type { CliContext } from './context.ts';
import { CHECKS, exitCodeOf, runChecks } from './doctor-checks.ts';
import { doctorEnvironment } from './doctor-environment.ts';
import type { Finding } from './doctor-types.ts';
import { printable } from './table.ts';

export interface DoctorOptions {
  full?: boolean;
  json?: boolean;
}

const MARKS = { ok: 'ok     ', warn: 'look   ', bad: 'WRONG  ', unknown: 'unknown' } as const;
const NAME_WIDTH = Math.max(...CHECKS.map(({ name }) => name.length));

/** One finding: a short line when all is well, else the sentence, what it breaks, and the cure. */
export function findingText(name: string, { level, what, breaks, cure }: Finding): string {
  const first = `${MARKS[level]}  ${name.padEnd(NAME_WIDTH)}  ${printable(what)}`;
  const indent = ' '.repeat(MARKS.ok.length + NAME_WIDTH + 4);
  const lines = [first];
  if (breaks !== undefined && breaks !== '') lines.push(`${indent}Breaks: ${printable(breaks)}.`);
  if (cure !== undefined) lines.push(`${indent}Cure:   ${printable(cure)}`);
  return lines.join('\n');
}

/** Runs all checks and prints what they found. */
export async function examine(context: CliContext, options: DoctorOptions): Promise<void> {
  const { io } = context;
  const config = context.config();
  const admin = await context.open();
  try {
    const env = await doctorEnvironment(config, admin, options.full === true);
    try {
      const counts = { ok: 0, warn: 0, bad: 0, unknown: 0 };
      const worst = await runChecks(env, CHECKS, (check, findings) => {
        for (const finding of findings) {
          counts[finding.level] += 1;
          io.print(options.json === true ? JSON.stringify({ check, ...finding }) : findingText(check, finding));
        }
      });
      const toLook = counts.warn + counts.unknown;
      if (options.json !== true)
        io.print(
          worst === 'ok'
            ? 'All is well.'
            : `${counts.bad === 0 ? 'Nothing is broken' : `${counts.bad} ${counts.bad === 1 ? 'thing is' : 'things are'} broken`}; ${toLook} ${toLook === 1 ? 'deserves' : 'deserve'} a look.`,
        );
      if (worst !== 'ok') process.exitCode = exitCodeOf(worst);
    } finally {
      env.close();
    }
  } finally {
    await admin.close();
  }
}
