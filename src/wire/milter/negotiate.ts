/** Option negotiation (SMFIC_OPTNEG): the MTA offers, the milter answers with what it wants, both in one form. */
import { COMMAND, MACRO_STAGES, type MacroStage, STEP } from './codes.ts';
import { packet } from './packet.ts';

export interface Options {
  readonly version: number;
  /** Bits of ACTION. */
  readonly actions: number;
  /** Bits of STEP. */
  readonly steps: number;
  /** The macros that the milter wants at a stage instead of the MTA's own list; only in a milter's answer. */
  readonly macros: ReadonlyMap<MacroStage, readonly string[]>;
}

export const NO_MACRO_LISTS: ReadonlyMap<MacroStage, readonly string[]> = new Map();
const FIXED_BYTES = 12;

export function writeOptions(options: Options): Buffer {
  const fixed = Buffer.allocUnsafe(FIXED_BYTES);
  fixed.writeUInt32BE(options.version >>> 0, 0);
  fixed.writeUInt32BE(options.actions >>> 0, 4);
  fixed.writeUInt32BE(options.steps >>> 0, 8);
  const parts: Buffer[] = [fixed];
  for (const [stage, names] of options.macros) {
    const index = Buffer.allocUnsafe(4);
    index.writeUInt32BE(MACRO_STAGES.indexOf(stage), 0);
    parts.push(index, Buffer.from(`${names.join(' ').replaceAll('\0', ' ')}\0`, 'latin1'));
  }
  return packet(COMMAND.negotiate, Buffer.concat(parts));
}

/** Null when it is none. Unknown stages of macro lists are passed over. */
export function parseOptions(data: Buffer): Options | null {
  if (data.length < FIXED_BYTES) return null;
  const macros = new Map<MacroStage, readonly string[]>();
  let at = FIXED_BYTES;
  while (at + 4 < data.length) {
    const stage = MACRO_STAGES[data.readUInt32BE(at)];
    const nul = data.indexOf(0, at + 4);
    const end = nul === -1 ? data.length : nul;
    if (stage !== undefined) macros.set(stage, macroNames(data.toString('latin1', at + 4, end)));
    at = end + 1;
  }
  return { version: data.readUInt32BE(0), actions: data.readUInt32BE(4), steps: data.readUInt32BE(8), macros };
}

/** "j, {client_addr} _" as a list: separated by blanks or commas, braces kept. */
export function macroNames(text: string): string[] {
  return text.split(/[\s,]+/).filter((name) => name !== '');
}

/** Steps an older milter cannot take part in, whatever its bits say. */
export function stepsOf(options: Options): number {
  let steps = options.steps;
  if (options.version < 3) steps |= STEP.noUnknown;
  if (options.version < 4) steps |= STEP.noData;
  if (options.version < 6) steps &= ~(STEP.skip | STEP.rejectedRcpt | STEP.leadingSpace);
  return steps;
}
