/** RFC 5173: the test body. */
import { decodeCharset, decodeUnlabelled } from '../../../../mail/charset.ts';
import type { MimePart } from '../../../../mail/mime.ts';
import { findParam } from '../../../../mail/params.ts';
import { decodeTransfer } from '../../../../mail/transfer.ts';
import type { Call } from '../call.ts';
import { matchTest } from '../match.ts';
import type { Mime } from '../message.ts';
import type { Extension, Step } from '../registry.ts';
import type { Run } from '../run.ts';
import { htmlText } from '../html-text.ts';

function body(call: Call): Step<boolean> {
  const types = call.texts(':content');
  const isRaw = call.has(':raw');
  const values: Step<readonly string[]> = {
    *ask(run) {
      const most = run.limits.bodyBytes;
      if (isRaw) {
        const bytes = yield* run.message.body(most);
        run.charge(bytes.length >> 5);
        return [decodeUnlabelled(bytes)];
      }
      const mime = yield* run.message.mime(most);
      if (types === null) return textsOf(run, mime);
      const out: string[] = [];
      run.charge(mime.bytes.length >> 4);

      collectContent(
        mime,
        types.values(run).map((type) => type.trim().toLowerCase()),
        out,
      );
      return out;
    },
  };
  return matchTest(call, values, call.needTexts('keys'));
}

/** All parts, outer before inner, and those of messages inside. */
function* parts(root: MimePart): Generator<MimePart, void, undefined> {
  const todo = [root];
  for (let part = todo.pop(); part !== undefined; part = todo.pop()) {
    yield part;
    if (part.message !== null) todo.push(part.message.part);
    for (let i = part.children.length - 1; i >= 0; i -= 1) todo.push(part.children[i]!);
  }
}

export function partText({ bytes }: Mime, part: MimePart): string {
  const decoded = decodeTransfer(bytes.subarray(part.bodyStart, part.bodyEnd), part.encoding);
  return part.type === 'text' ? decodeCharset(decoded, findParam(part.params, 'charset') ?? '') : decodeUnlabelled(decoded);
}

/** Texts of a message, taken out once however many tests ask. */
const texts = new WeakMap<Mime, readonly string[]>();

function textsOf(run: Run, mime: Mime): readonly string[] {
  let found = texts.get(mime);
  if (found === undefined) {
    run.charge(mime.bytes.length >> 4);
    const out: string[] = [];
    collectText(mime, out);
    found = out;
    texts.set(mime, found);
  }
  return found;
}

/** Section 5.3: what a reader sees, HTML without its marks. */
function collectText(mime: Mime, out: string[]): void {
  for (const part of parts(mime.root)) {
    if (part.type !== 'text') continue;
    const text = partText(mime, part);
    out.push(part.subtype === 'html' ? htmlText(text) : text);
  }
}

/** Section 5.2: of multiparts what stands before and behind their parts, of messages their header, of all else the content. */
function collectContent(mime: Mime, types: readonly string[], out: string[]): void {
  for (const part of parts(mime.root)) {
    if (!types.some((type) => isType(part, type))) continue;
    if (part.message !== null) {
      const inner = part.message.part;
      out.push(decodeUnlabelled(mime.bytes.subarray(inner.headerStart, inner.bodyStart)));
    } else if (part.type === 'multipart') {
      const first = part.children[0];
      const last = part.children.at(-1);
      const prologue = first === undefined ? part.bodyEnd : first.headerStart;
      out.push(decodeUnlabelled(mime.bytes.subarray(part.bodyStart, prologue)));
      if (last !== undefined) out.push(decodeUnlabelled(mime.bytes.subarray(last.bodyEnd, part.bodyEnd)));
    } else out.push(partText(mime, part));
  }
}

/** "" is all types, "text" all of text, "text/html" only that; what cannot be a type matches none. */
function isType(part: MimePart, wanted: string): boolean {
  if (wanted === '') return true;
  const slash = wanted.indexOf('/');
  if (slash === -1) return part.type === wanted;
  return slash > 0 && slash < wanted.length - 1 && wanted === `${part.type}/${part.subtype}`;
}

export const BODY: Extension = {
  name: 'body',
  tests: [
    {
      name: 'body',
      tags: [
        { name: 'raw', argument: null, group: 'transform' },
        { name: 'content', argument: 'strings', group: 'transform' },
        { name: 'text', argument: null, group: 'transform' },
      ],
      tagSets: ['match'],
      positional: [{ name: 'keys', type: 'strings' }],
      compile: body,
    },
  ],
};
