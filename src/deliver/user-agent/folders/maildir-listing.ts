/** The names in new/ and cur/ as messages, and what came and went among them since the last look: most are as they were, and cost one lookup each. */
import { FILES_MAX } from './limits.ts';
import { differenceOf, type Difference } from './listings.ts';

const PARTS = ['new', 'cur'] as const;
/** Names that no line can have, or that are no UTF-8: no mail program makes them. */
const UNFIT = /[\n\t\ufffd]/;

const isFit = (file: string): boolean => file.charCodeAt(0) !== 0x2e && !UNFIT.test(file);

export function nameOf(file: string): string {
  const colon = file.indexOf(':');
  return colon === -1 ? file : file.slice(0, colon);
}

export class MaildirNames {
  /** Where each message is. One that is in both places, on its way to cur/, is in cur/. */
  readonly files = new Map<string, string>();
  readonly #parts: readonly Set<string>[];

  /** `parts`: the names in new/ and in cur/. Throws when there are too many. */
  constructor(parts: readonly (readonly string[])[], where: string) {
    this.#parts = parts.map((names) => new Set(names.filter(isFit)));
    for (const [i, names] of this.#parts.entries()) for (const file of names) this.files.set(nameOf(file), `${PARTS[i]}/${file}`);
    if (this.files.size > FILES_MAX) throw new Error(`more than ${FILES_MAX} messages in ${where}`);
  }

  get #isUnique(): boolean {
    return this.#parts[0]!.size + this.#parts[1]!.size === this.files.size;
  }

  /** The names now, and how they differ. `always` as in `differenceOf`. What was known before is gone: it becomes what is known now. */
  advance(parts: readonly (readonly string[])[], always: readonly string[], where: string): { names: MaildirNames; difference: Difference } {
    if (!this.#isUnique) {
      // Names that are in both places are rare: everything is compared.
      const names = new MaildirNames(parts, where);
      return { names, difference: differenceOf(this.files, names.files, always) };
    }
    const changed = new Set(always);
    const others = parts.map((names, i) => names.filter((file) => !this.#parts[i]!.has(file)));
    for (const [i, names] of parts.entries()) {
      const before = this.#parts[i]!;
      if (names.length - others[i]!.length === before.size) continue; // none went
      const now = new Set(names);
      for (const file of before) if (!now.has(file)) this.#remove(i, file, changed);
    }
    for (const [i, files] of others.entries()) for (const file of files) if (isFit(file)) this.#add(i, file, changed);
    if (this.files.size > FILES_MAX) throw new Error(`more than ${FILES_MAX} messages in ${where}`);
    const names = this.#isUnique ? this : new MaildirNames(parts, where);
    const difference: Difference = { present: [], gone: [] };
    for (const name of changed) (names.files.has(name) ? difference.present : difference.gone).push(name);
    return { names, difference };
  }

  #remove(part: number, file: string, changed: Set<string>): void {
    this.#parts[part]!.delete(file);
    this.files.delete(nameOf(file));
    changed.add(nameOf(file));
  }

  #add(part: number, file: string, changed: Set<string>): void {
    this.#parts[part]!.add(file);
    this.files.set(nameOf(file), `${PARTS[part]}/${file}`);
    changed.add(nameOf(file));
  }
}
