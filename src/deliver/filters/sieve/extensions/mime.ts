/** RFC 5703 section 4: the tags :mime, :anychild and what they look at, for header, address and exists. */
import { decodeWords } from '../../../../mail/encoded-word.ts';
import { type Param, findParam, parseParameterized, skipComment } from '../../../../mail/params.ts';
import type { Call } from '../call.ts';
import type { FieldSource } from '../fields.ts';
import type { Field, HeaderView } from '../header-view.ts';
import { currentPath, headerOf, partAt, partsFrom, treeOf } from '../mime-parts.ts';
import type { Extension, Step, TagSpec } from '../registry.ts';
import type { Run } from '../run.ts';

/** The current part of the innermost loop, or the message; with :anychild all that is in it as well. */
function sections(isDeep: boolean): Step<readonly HeaderView[]> {
  return {
    *ask(run) {
      const path = currentPath(run);
      if (path === null && !isDeep) return [run.message.header];
      const mime = yield* treeOf(run);
      const part = partAt(mime.root, path ?? []);
      if (part === undefined) return [];
      if (!isDeep) return [headerOf(mime, part)];
      const parts = partsFrom(part);
      run.charge(parts.length * 10);
      return parts.map((one) => headerOf(mime, one));
    },
  };
}

/** type "/" subtype as it was written, comments and blanks left out; null for what is no media type. */
function mediaType(raw: string): readonly [string, string] | null {
  const found = /^([^\s/;"]+)\/([^\s/;"]+)$/.exec(head(raw));
  return found === null ? null : [found[1]!, found[2]!];
}

/** What stands before the parameters. */
function head(raw: string): string {
  let out = '';
  for (let at = 0; at < raw.length && raw[at] !== ';'; ) {
    if (raw[at] === '(') at = skipComment(raw, at);
    else {
      out += raw[at];
      at += 1;
    }
  }
  return out.trim().replace(/\s*\/\s*/, '/');
}

type Reader = (field: Field) => string;

/** Of a Content-Type the parts of the media type, of a Content-Disposition the disposition; nothing of all else (section 4.1). */
const READERS: Readonly<Record<string, Reader>> = {
  ':type': (field) => (field.name === 'content-disposition' ? head(field.raw) : field.name === 'content-type' ? (mediaType(field.raw)?.[0] ?? '') : ''),
  ':subtype': (field) => (field.name === 'content-type' ? (mediaType(field.raw)?.[1] ?? '') : ''),
  ':contenttype': (field) =>
    field.name === 'content-disposition' ? head(field.raw) : field.name === 'content-type' ? (mediaType(field.raw)?.join('/') ?? '') : '',
};

function paramValues(params: readonly Param[], names: readonly string[]): readonly string[] {
  const found: string[] = [];
  for (const name of names) {
    const value = findParam(params, name.toLowerCase());
    // Not allowed in parameters, but that is how many programs write names of files (RFC 2047 section 5).
    if (value !== null) found.push(decodeWords(value));
  }
  return found.length === 0 ? [''] : found;
}

/** What of a field is compared; null: all of it. */
function textsOf(call: Call): ((run: Run, field: Field) => readonly string[]) | null {
  const tag = Object.keys(READERS).find((name) => call.has(name));
  if (tag !== undefined) {
    const read = READERS[tag]!;
    return (run, field) => {
      run.charge(1 + (field.raw.length >> 3));
      return [read(field)];
    };
  }
  const names = call.texts(':param');
  if (names === null) return null;
  return (run, field) => {
    run.charge(1 + (field.raw.length >> 2));
    return paramValues(parseParameterized(field.raw).params, names.values(run));
  };
}

function fieldSource(call: Call): FieldSource | null {
  if (!call.has(':mime')) {
    for (const tag of [':anychild', ':type', ':subtype', ':contenttype', ':param']) if (call.has(tag)) call.problem(`${tag} needs :mime`);
    return null;
  }
  return { sections: sections(call.has(':anychild')), texts: textsOf(call) };
}

const OPTIONS: readonly TagSpec[] = [
  { name: 'type', argument: null, group: 'mimeOption' },
  { name: 'subtype', argument: null, group: 'mimeOption' },
  { name: 'contenttype', argument: null, group: 'mimeOption' },
  { name: 'param', argument: 'strings', group: 'mimeOption' },
];

export const MIME: Extension = {
  name: 'mime',
  fieldSource,
  tags: {
    '@mime': [
      { name: 'mime', argument: null },
      { name: 'anychild', argument: null },
    ],
    '@mimeOptions': OPTIONS,
  },
};
