/** From which score what happens, for whom. Pure. */
import { formatAddress } from '../mail/address.ts';
import type { Address } from '../ports.ts';

/** Infinity: never. */
export interface Thresholds {
  readonly greylist: number;
  readonly addHeader: number;
  readonly reject: number;
}

const NAMES: readonly (keyof Thresholds)[] = ['greylist', 'addHeader', 'reject'];
const WORD = /^(greylist|addHeader|reject)=(off|-?\d{1,4}(?:\.\d{1,3})?)$/;

function parseOverride(line: string): [who: string, Partial<Thresholds>] | string {
  const words = line.trim().split(/\s+/);
  const who = words.shift() ?? '';
  if (!/^([^@\s]{1,64}@)?[^@\s]{1,255}$/.test(who)) return 'begins with a domain or an address';
  if (words.length === 0) return 'names no threshold: greylist=, addHeader= or reject=';
  const values: Partial<Record<keyof Thresholds, number>> = {};
  for (const word of words) {
    const match = WORD.exec(word);
    if (match === null) return `"${word}" is not greylist=, addHeader= or reject= with a number or off`;
    values[match[1] as keyof Thresholds] = match[2] === 'off' ? Infinity : Number(match[2]);
  }
  return [who.toLowerCase(), values];
}

export function wrongOverride(line: string): string | undefined {
  const parsed = parseOverride(line);
  return typeof parsed === 'string' ? parsed : undefined;
}

const WEIGHT = /^([A-Z][A-Z0-9_]{1,63})=(-?\d{1,4}(?:\.\d{1,3})?)$/;
export function wrongWeight(line: string): string | undefined {
  return WEIGHT.test(line) ? undefined : 'must be SYMBOL=number';
}
export function readWeights(lines: readonly string[]): ReadonlyMap<string, number> {
  const weights = new Map<string, number>();
  for (const line of lines) {
    const match = WEIGHT.exec(line);
    if (match !== null) weights.set(match[1]!, Number(match[2]));
  }
  return weights;
}

export class ThresholdTable {
  readonly #usual: Thresholds;
  readonly #overrides = new Map<string, Partial<Thresholds>>();

  constructor(usual: Thresholds, overrides: readonly string[]) {
    this.#usual = usual;
    for (const line of overrides) {
      const parsed = parseOverride(line);
      if (typeof parsed !== 'string') this.#overrides.set(parsed[0], { ...this.#overrides.get(parsed[0]), ...parsed[1] });
    }
  }

  /** One reply goes to all recipients: nobody loses a message because another one is stricter. */
  for(recipients: readonly Address[]): Thresholds {
    if (this.#overrides.size === 0 || recipients.length === 0) return this.#usual;
    let mildest: Record<keyof Thresholds, number> | null = null;
    for (const recipient of recipients) {
      const own = {
        ...this.#usual,
        ...this.#overrides.get(recipient.domain.toLowerCase()),
        ...this.#overrides.get(formatAddress(recipient).toLowerCase()),
      };
      if (mildest === null) mildest = own;
      else for (const name of NAMES) mildest[name] = Math.max(mildest[name], own[name]);
    }
    return mildest ?? this.#usual;
  }
}
