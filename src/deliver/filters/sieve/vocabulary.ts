/** The words of all extensions, by name: what the compiler looks up. */
import type { CommandSpec, Extension, SieveExtensions, TagSpec, TestSpec } from './registry.ts';
import type { Run } from './run.ts';

/** Variables that an extension computes: name without the namespace → text. */
export type NamespaceReader = (run: Run, name: string) => string;

export class Vocabulary {
  readonly extensions: readonly Extension[];
  readonly #byName = new Map<string, Extension>();
  readonly #commands = new Map<string, { spec: CommandSpec; extension: string }[]>();
  readonly #tests = new Map<string, { spec: TestSpec; extension: string }[]>();
  /** Tags added to a word or set. */
  readonly #tags = new Map<string, TagSpec[]>();
  readonly #ofSpec = new WeakMap<CommandSpec | TestSpec, Map<string, TagSpec[]>>();
  readonly #namespaces = new Map<string, { extension: string; read: NamespaceReader }>();

  constructor(extensions: readonly Extension[]) {
    this.extensions = extensions;
    for (const extension of extensions) {
      this.#byName.set(extension.name, extension);
      for (const spec of extension.commands ?? []) append(this.#commands, spec.name, { spec, extension: extension.name });
      for (const spec of extension.tests ?? []) append(this.#tests, spec.name, { spec, extension: extension.name });
      for (const [word, tags] of Object.entries(extension.tags ?? {})) {
        for (const tag of tags) append(this.#tags, word, extension.name === '' || tag.needs !== undefined ? tag : { ...tag, needs: extension.name });
      }
      for (const [name, read] of Object.entries(extension.namespaces ?? {})) this.#namespaces.set(name, { extension: extension.name, read });
    }
  }

  command(name: string): readonly { spec: CommandSpec; extension: string }[] | undefined {
    return this.#commands.get(name);
  }
  test(name: string): readonly { spec: TestSpec; extension: string }[] | undefined {
    return this.#tests.get(name);
  }

  /** The tags of that name that the word takes, whatever they need. */
  tag(spec: CommandSpec | TestSpec, name: string): readonly TagSpec[] {
    let tags = this.#ofSpec.get(spec);
    if (tags === undefined) {
      tags = new Map();
      const all = [...(spec.tags ?? []), ...(this.#tags.get(spec.name) ?? []), ...(spec.tagSets ?? []).flatMap((set) => this.#tags.get(`@${set}`) ?? [])];
      for (const tag of all) append(tags, tag.name, tag);
      this.#ofSpec.set(spec, tags);
    }
    return tags.get(name) ?? [];
  }

  namespace(name: string, isOn: (extension: string) => boolean): NamespaceReader | null {
    const found = this.#namespaces.get(name);
    return found !== undefined && isOn(found.extension) ? found.read : null;
  }

  /** `comparator-…` are part of the language; all else must be known and switched on. */
  isAvailable(name: string, extensions: SieveExtensions): boolean {
    return name !== '' && this.#byName.has(name) && extensions.names.has(name);
  }

  /** The extension and all that it implies. */
  closure(name: string): readonly string[] {
    const names = [name];
    for (const next of names) for (const implied of this.#byName.get(next)?.implies ?? []) if (!names.includes(implied)) names.push(implied);
    return names;
  }
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const list = map.get(key);
  if (list === undefined) map.set(key, [value]);
  else list.push(value);
}
