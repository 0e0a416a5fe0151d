/** vnd.dovecot.pipe, filter and execute: programs that the administrator has put where the driver finds them. Off by default. */
import { ask, type Command } from '../../filter.ts';
import type { Call } from '../call.ts';
import { PROGRAM_ARGUMENT_BYTES, PROGRAM_ARGUMENTS, PROGRAM_NAME_CHARS } from '../limits.ts';
import type { Extension, PositionalSpec, Step } from '../registry.ts';
import type { Flow, Run, Steps } from '../run.ts';
import { mapStep } from '../steps.ts';
import { writeVariable } from '../text.ts';

/** Section 3: a name, never a path. */
function isProgramName(name: string): boolean {
  return name !== '' && [...name].length <= PROGRAM_NAME_CHARS && !/[\x00-\x1f/\x7f-\x9f\u2028\u2029]/.test(name) && name !== '.' && name !== '..';
}

/** The program and its arguments: argv[0] is the name, which the driver looks up in its own folder. */
function commandOf(call: Call): (run: Run) => Command {
  const name = call.needText('program').constant!;
  if (!isProgramName(name)) call.problem(`"${name.slice(0, 60)}" is no name of a program`);
  const { programs } = call.context.extensions;
  if (programs !== null && !programs.has(name)) call.problem(`there is no program "${name.slice(0, 60)}"`);
  const list = call.texts('arguments');
  if (list !== null && list.items.length > PROGRAM_ARGUMENTS) call.problem(`a program may have ${PROGRAM_ARGUMENTS} arguments at most`);
  return (run) => {
    const values = list?.values(run) ?? [];
    for (const value of values) {
      if (Buffer.byteLength(value) > PROGRAM_ARGUMENT_BYTES) run.fail(`an argument of the program ${name} is too long`);
      if (/[\0\r\n]/.test(value)) run.fail(`an argument of the program ${name} holds a line end or NUL`);
    }
    return { kind: 'argv', argv: [name, ...values] };
  };
}

/** What programs may know of the delivery, by environment. */
function environmentOf(run: Run): Readonly<Record<string, string>> {
  const { sender, recipient, orcpt } = run.input.envelope;
  const text = (address: typeof sender): string => (address === null ? '' : `${address.local}@${address.domain}`);
  return {
    HOST: run.input.hostname,
    HOME: run.input.home ?? '/',
    USER: run.input.user,
    SENDER: text(sender),
    RECIPIENT: text(recipient),
    ORIG_RECIPIENT: orcpt ?? text(recipient),
  };
}

/** Section 5. */
function pipe(call: Call): Step<Flow> {
  const command = commandOf(call);
  const isTried = call.has(':try');
  const isCopy = call.has(':copy');
  const name = call.needText('program').constant!;
  const { line } = call;
  return {
    now(run) {
      if (run.result.entries.some(({ key }) => key === `pipe ${name}`)) run.fail(`the message goes to the program "${name}" twice`);
      run.result.add(
        {
          kind: 'pipe',
          origin: run.origin(line),
          message: run.result.version(),
          command: command(run),
          part: 'both',
          environment: environmentOf(run),
          waits: true,
          timeoutMs: run.limits.programMs,
          lockFile: null,
          isRaw: true,
          umask: null,
        },
        { key: `pipe ${name}`, isCopy, isTried },
      );
      return undefined;
    },
  };
}

function* runProgram(run: Run, line: number, command: Command, input: Uint8Array | null, wantsOutput: boolean): Steps<Uint8Array | null> {
  run.charge(1000);
  const answer = yield* ask({
    kind: 'run',
    origin: run.origin(line),
    command,
    input,
    wantsOutput,
    outputMax: wantsOutput ? Math.max(run.limits.outputBytes, input === null ? 0 : 2 * input.length) : 0,
    environment: environmentOf(run),
    timeoutMs: run.limits.programMs,
    umask: null,
  });
  return answer.exit === 0 && !answer.isTimedOut && !answer.isTruncated ? answer.output : null;
}

/** Section 6: true when the message was replaced by what the program wrote. */
function filter(call: Call): Step<boolean> {
  const command = commandOf(call);
  const { line } = call;
  return {
    *ask(run) {
      const output = yield* runProgram(run, line, command(run), yield* run.message.bytes(Number.MAX_SAFE_INTEGER), true);
      if (output === null || output.length === 0) return false;
      run.message.replace(withCrlf(output));
      return true;
    },
  };
}

/** Programs write LF; mail has CRLF. */
function withCrlf(bytes: Uint8Array): Uint8Array {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');
  return Buffer.from(text.replace(/\r?\n/g, '\r\n'), 'latin1');
}

/** Section 7. */
function execute(call: Call): Step<boolean> {
  const command = commandOf(call);
  const input = call.text(':input');
  const pipesMessage = call.has(':pipe');
  const output = call.text(':output');
  if (output !== null && !call.context.isOn('variables')) call.problem(':output needs require "variables"', output.line);
  const variable = output === null ? null : call.context.variable(output.constant!, output.line);
  const { line } = call;
  return {
    *ask(run) {
      const bytes = pipesMessage ? yield* run.message.bytes(Number.MAX_SAFE_INTEGER) : input === null ? null : Buffer.from(input.value(run), 'utf8');
      const answer = yield* runProgram(run, line, command(run), bytes, variable !== null);
      if (answer === null) return false;
      if (variable !== null) writeVariable(run, variable, Buffer.from(answer).toString('utf8'));
      return true;
    },
  };
}

/** As a command, what the test found does not matter to the rest of the script (sections 6 and 7). */
function asCommand(test: (call: Call) => Step<boolean>): (call: Call) => Step<Flow> {
  return (call) => mapStep(test(call), () => undefined);
}

const POSITIONAL: readonly PositionalSpec[] = [
  { name: 'program', type: 'string', isConstant: true },
  { name: 'arguments', type: 'strings', isOptional: true },
];
const EXECUTE = {
  name: 'execute',
  tags: [
    { name: 'input', argument: 'string', group: 'input' },
    { name: 'pipe', argument: null, group: 'input' },
    { name: 'output', argument: 'string', isConstant: true },
  ],
  positional: POSITIONAL,
} as const;

export const PROGRAM_EXTENSIONS: readonly Extension[] = [
  {
    name: 'vnd.dovecot.pipe',
    commands: [{ name: 'pipe', tags: [{ name: 'try', argument: null }], positional: POSITIONAL, compile: pipe }],
    tags: { pipe: [{ name: 'copy', argument: null, needs: 'copy' }] },
  },
  {
    name: 'vnd.dovecot.filter',
    commands: [{ name: 'filter', positional: POSITIONAL, compile: asCommand(filter) }],
    tests: [{ name: 'filter', positional: POSITIONAL, compile: filter }],
  },
  {
    name: 'vnd.dovecot.execute',
    commands: [{ ...EXECUTE, compile: asCommand(execute) }],
    tests: [{ ...EXECUTE, compile: execute }],
  },
];
