/** RFC 6558: convert, as far as text goes: HTML to plain text, and any text to UTF-8. All else is a conversion that fails. */
import { decodeCharset, isKnownCharset } from '../../../../mail/charset.ts';
import type { MimePart } from '../../../../mail/mime.ts';
import { findParam } from '../../../../mail/params.ts';
import { Base64Encoder, decodeTransfer, isKnownEncoding } from '../../../../mail/transfer.ts';
import type { Call } from '../call.ts';
import { htmlText } from '../html-text.ts';
import type { Mime } from '../message.ts';
import { childrenOf, currentPath, partAt, type PartPath, treeOf } from '../mime-parts.ts';
import type { Extension, PositionalSpec, Step } from '../registry.ts';
import { type Entity, replacePart, textEntity } from '../replacing.ts';
import { mapStep } from '../steps.ts';

const MEDIA_TYPE = /^[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}\/[A-Za-z0-9][A-Za-z0-9!#$&^_.+-]{0,126}$/;

function mediaType(call: Call, name: string): (text: string) => string {
  const text = call.needText(name);
  if (text.constant !== null && !MEDIA_TYPE.test(text.constant)) call.problem(`"${text.constant.slice(0, 60)}" is no media type`, text.line);
  return (value) => value.toLowerCase();
}

/** Is that something we can do? `parameters` in the form "name=value"; text has only its charset (RFC 5259 section 4). */
function isSupported(from: string, to: string, parameters: readonly string[]): boolean {
  const isText = from.startsWith('text/') && (to === from || (from === 'text/html' && to === 'text/plain'));
  return isText && parameters.every((parameter) => /^(?:charset=utf-8)?$/i.test(parameter.replace(/[\s"]/g, '')));
}

/** The converted part; null when it says that it is in a charset or encoding nobody knows. */
function converted({ bytes }: Mime, part: MimePart, to: string): Entity | null {
  const charset = findParam(part.params, 'charset') ?? '';
  if (!isKnownEncoding(part.encoding) || (charset !== '' && !isKnownCharset(charset))) return null;
  const text = decodeCharset(decodeTransfer(bytes.subarray(part.bodyStart, part.bodyEnd), part.encoding), charset);
  if (to === 'text/plain') return textEntity(part.subtype === 'html' ? htmlText(text) : text);
  const encoder = new Base64Encoder();
  return {
    fields: Buffer.from(`Content-Type: ${to}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n`),
    body: Buffer.concat([encoder.push(Buffer.from(text.toWellFormed())), encoder.end()]),
  };
}

/** Paths of the parts of that type, of a message or of the current part alone. */
function pathsOf(part: MimePart, path: PartPath, type: string, isDeep: boolean, found: PartPath[]): readonly PartPath[] {
  if (`${part.type}/${part.subtype}` === type) found.push(path);
  if (isDeep) for (const [index, child] of childrenOf(part).entries()) pathsOf(child, [...path, index], type, isDeep, found);
  return found;
}

/** True unless a conversion failed (section 2.1); a part that cannot be converted stays as it is. */
function convert(call: Call): Step<boolean> {
  const from = mediaType(call, 'from');
  const to = mediaType(call, 'to');
  const fromText = call.needText('from');
  const toText = call.needText('to');
  const parameters = call.needTexts('parameters');
  return {
    *ask(run) {
      const source = from(fromText.value(run));
      const target = to(toText.value(run));
      const isPossible = isSupported(source, target, parameters.values(run));
      const current = currentPath(run);
      let mime = yield* treeOf(run);
      const start = partAt(mime.root, current ?? []);
      if (start === undefined) return true;
      let isDone = true;
      // In a loop, the current part alone: the loop comes to the others.
      for (const path of pathsOf(start, current ?? [], source, current === null, [])) {
        const part = partAt(mime.root, path)!;
        run.charge(100 + ((part.bodyEnd - part.bodyStart) >> 2));
        const entity = isPossible ? converted(mime, part, target) : null;
        if (entity === null) {
          isDone = false;
          continue;
        }
        yield* replacePart(run, path, entity, { keepsContent: true });
        mime = yield* treeOf(run);
      }
      return isDone;
    },
  };
}

const POSITIONAL: readonly PositionalSpec[] = [
  { name: 'from', type: 'string' },
  { name: 'to', type: 'string' },
  { name: 'parameters', type: 'strings' },
];

export const CONVERT: Extension = {
  name: 'convert',
  commands: [{ name: 'convert', positional: POSITIONAL, compile: (call) => mapStep(convert(call), () => undefined) }],
  tests: [{ name: 'convert', positional: POSITIONAL, compile: convert }],
};
