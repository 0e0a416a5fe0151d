/** What a command may do with the terminal; tests hand in their own. */
import { readSync } from 'node:fs';

export interface CliIo {
  /** A line, or several, on the standard output; a newline is added. */
  print(text: string): void;
  /** The same on the standard error: notes that must not end up in a pipe. */
  note(text: string): void;
  /** Bytes as they are, on the standard output. */
  write(bytes: Uint8Array): void;
  /** True when somebody sits there to be asked. */
  readonly isInteractive: boolean;
  /** Width of the terminal in columns. */
  readonly columns: number;
  /** Asks. Rejects with CancelledError when the person presses Ctrl-C, and with a sentence when nobody is there. */
  prompt: {
    /** `proposal` is the answer of a person who only presses Enter. */
    text(question: string, proposal?: string, check?: (value: string) => string | undefined): Promise<string>;
    /** Not echoed. Asked twice when `twice`. */
    password(question: string, twice?: boolean): Promise<string>;
    confirm(question: string, initial?: boolean): Promise<boolean>;
  };
  /** All of the standard input, or its first line without the line end, at most `bytesMax` bytes. */
  readInput(bytesMax: number): Buffer;
  readInputLine(): string;
}

export class CancelledError extends Error {
  constructor() {
    super('Cancelled; nothing was changed.');
    this.name = 'CancelledError';
  }
}

let endsWithReader = false;
/** Who pipes into "head" has seen enough: no error, and nothing more to say. For commands that end by themselves. */
export function endWithReader(): void {
  if (endsWithReader) return;
  endsWithReader = true;
  for (const stream of [process.stdout, process.stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      process.exit(process.exitCode ?? 0);
    });
}

/** The real terminal. @clack/prompts is loaded with the first question. */
export function terminal(): CliIo {
  const isInteractive = process.stdin.isTTY === true && process.stdout.isTTY === true;
  const ask = async <T>(question: (clack: typeof import('@clack/prompts')) => Promise<T>): Promise<Exclude<T, symbol>> => {
    if (!isInteractive) throw new Error('This needs an answer, but nobody is at the terminal: give it as an option (see --help).');
    const clack = await import('@clack/prompts');
    const answer = await question(clack);
    if (clack.isCancel(answer)) throw new CancelledError();
    return answer as Exclude<T, symbol>;
  };
  const password = (message: string): Promise<string> =>
    ask((clack) => clack.password({ message, validate: (value) => (value === undefined || value === '' ? 'Please type a password.' : undefined) }));
  return {
    print: (text) => void process.stdout.write(`${text}\n`),
    note: (text) => void process.stderr.write(`${text}\n`),
    write: (bytes) => void process.stdout.write(bytes),
    isInteractive,
    columns: process.stdout.columns ?? 100,
    prompt: {
      // The proposal is taken by Enter and gives way to whatever is typed.
      text: (message, proposal = '', check) =>
        ask((clack) => clack.text({ message, placeholder: proposal, defaultValue: proposal, validate: (value) => check?.(value || proposal) })),
      password: async (message, twice = false) => {
        const first = await password(message);
        if (twice && (await password('The same again')) !== first) throw new Error('The two passwords differ; nothing was changed.');
        return first;
      },
      confirm: (message, initialValue = false) => ask((clack) => clack.confirm({ message, initialValue })),
    },
    readInput,
    readInputLine: () => {
      const text = readInput(64 * 1024).toString('utf8');
      const end = text.indexOf('\n');
      return (end < 0 ? text : text.slice(0, end)).replace(/\r$/, '');
    },
  };
}

function readInput(bytesMax: number): Buffer {
  const pieces: Buffer[] = [];
  let size = 0;
  for (;;) {
    const piece = Buffer.allocUnsafe(64 * 1024);
    let count = 0;
    try {
      count = readSync(0, piece, 0, piece.length, null);
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EOF') break;
      if (code !== 'EAGAIN') throw error;
      // The standard input was made non-blocking by whoever started us: wait a little.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10);
      continue;
    }
    if (count === 0) break;
    size += count;
    if (size > bytesMax) throw new Error(`The standard input is larger than ${bytesMax} bytes.`);
    pieces.push(piece.subarray(0, count));
  }
  return Buffer.concat(pieces);
}
