/** The variables of a run, and what procmail reads in them. Values are one character a byte, as everything in this folder. */
import { PROCMAIL_LIMITS } from './limits.ts';

export class Environment {
  private readonly values: Map<string, string>;
  private exported: Readonly<Record<string, string>> | null = null;

  constructor(values: Iterable<readonly [string, string]>) {
    this.values = new Map(values);
  }

  copy(): Environment {
    return new Environment(this.values);
  }

  get(name: string): string | undefined {
    return this.values.get(name);
  }

  /** null: unset. */
  set(name: string, value: string | null): void {
    if (value === null) this.values.delete(name);
    else this.values.set(name, value.includes('\0') ? value.slice(0, value.indexOf('\0')) : value);
    this.exported = null;
  }

  /** For a program: Unicode. */
  toRecord(): Readonly<Record<string, string>> {
    if (this.exported === null) {
      const record: Record<string, string> = Object.create(null);
      for (const [name, value] of this.values) record[name] = toUnicode(value);
      this.exported = record;
    }
    return this.exported;
  }

  get lineBytesMax(): number {
    const value = this.number('LINEBUF', 2048);
    return Math.min(Math.max(value, PROCMAIL_LIMITS.lineBytesLeast), PROCMAIL_LIMITS.lineBytesMost);
  }

  /** null: as long as it takes. */
  get timeoutMs(): number | null {
    const seconds = this.number('TIMEOUT', 960);
    return seconds <= 0 ? null : seconds * 1000;
  }

  get lockExtension(): string {
    return this.values.get('LOCKEXT') ?? '.lock';
  }

  /** As strtol reads it; `otherwise` when unset. */
  number(name: string, otherwise: number): number {
    const value = this.values.get(name);
    if (value === undefined) return otherwise;
    const read = /^\s*[+-]?\d+/.exec(value);
    return read === null ? 0 : Math.max(Math.min(Number(read[0]), 2147483647), -2147483648);
  }

  /** "yes", "on", "true", "enabled", a number other than zero; `otherwise` for anything else. */
  boolean(name: string, otherwise: boolean): boolean {
    const value = this.values.get(name);
    return value === undefined ? otherwise : readBoolean(value, otherwise);
  }
}

export function readBoolean(value: string, otherwise: boolean): boolean {
  const text = value.trimStart().toLowerCase();
  if (/^[+-]?\d/.test(text)) return Number.parseInt(text, 10) !== 0;
  if (text.startsWith('on') || /^[yte]/.test(text)) return true;
  if (text.startsWith('off') || /^[nfd]/.test(text)) return false;
  return otherwise;
}

/** One character a byte to the text those bytes mean. */
export function toUnicode(bytes: string): string {
  for (let at = 0; at < bytes.length; at += 1) if (bytes.charCodeAt(at) > 0x7f) return Buffer.from(bytes, 'latin1').toString('utf8');
  return bytes;
}

export function toBytes(text: string): string {
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) > 0x7f) return Buffer.from(text, 'utf8').toString('latin1');
  return text;
}
