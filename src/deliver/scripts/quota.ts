/** How many scripts, and how large. The same rule for HAVESPACE, PUTSCRIPT and the command line. */

export interface ScriptLimits {
  readonly countMax: number;
  readonly bytesMax: number;
  readonly totalBytesMax: number;
}

export function limitsOf(settings: { 'scripts.countMax': number; 'sieve.scriptBytesMax': number; 'scripts.totalBytesMax': number }): ScriptLimits {
  return { countMax: settings['scripts.countMax'], bytesMax: settings['sieve.scriptBytesMax'], totalBytesMax: settings['scripts.totalBytesMax'] };
}

/** What a scope holds besides the script that is to be stored, which may replace one of the same name. */
export interface Held {
  readonly count: number;
  readonly bytes: number;
}

/** Which limit `bytes` more would break, or null. */
export function brokenLimit(held: Held, bytes: number, limits: ScriptLimits): 'size' | 'count' | 'total' | null {
  if (bytes > limits.bytesMax) return 'size';
  if (held.count + 1 > limits.countMax) return 'count';
  return held.bytes + bytes > limits.totalBytesMax ? 'total' : null;
}
